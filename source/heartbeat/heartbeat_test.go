package heartbeat_test

import (
	"maps"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source/heartbeat"
)

func start() time.Time { return time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC) }

func spec(name string, every, grace time.Duration) heartbeat.Spec {
	return heartbeat.Spec{Name: name, Every: every, Grace: grace, Labels: alert.LabelsOf("team", "data")}
}

// late is what the samples say: 0, 1 or nothing.
func late(t *testing.T, m *heartbeat.Monitor, name string, at time.Time) string {
	t.Helper()
	said := "nothing"
	for _, s := range m.Samples(alert.LabelsOf("source", "_tocsin"), at) {
		if want := alert.LabelsOf("source", "_tocsin", "team", "data", "heartbeat", name); s.Metric == heartbeat.Late && s.Labels.Equal(want) {
			said = map[float64]string{0: "on time", 1: "late"}[s.Value]
		}
	}
	return said
}

func TestOneThatNeverCameIsLateFromWhenItWasFirstKnown(t *testing.T) {
	m := heartbeat.New(nil, start())
	kept := m.Configure([]heartbeat.Spec{spec("backup", time.Hour, time.Minute)}, start())
	if kept["backup"] == "" {
		t.Fatal("nothing is kept of it")
	}
	at := start().Add(61*time.Minute - time.Second)
	if got := late(t, m, "backup", at); got != "on time" {
		t.Errorf("a second before: %s", got)
	}
	if got := late(t, m, "backup", at.Add(time.Second)); got != "late" {
		t.Errorf("then: %s", got)
	}
	// A restart does not begin the wait anew.
	again := heartbeat.New(kept, start().Add(40*time.Minute))
	if more := again.Configure([]heartbeat.Spec{spec("backup", time.Hour, time.Minute)}, start().Add(40*time.Minute)); len(more) != 0 {
		t.Errorf("kept anew: %v", more)
	}
	if got := late(t, again, "backup", at); got != "on time" {
		t.Errorf("after a restart, a second before: %s", got)
	}
	if got := late(t, again, "backup", at.Add(time.Second)); got != "late" {
		t.Errorf("after a restart: %s", got)
	}
	if s := again.Status(at.Add(time.Second))[0]; !s.Late || !s.LastBeat.IsZero() || !s.LateAt.Equal(start().Add(61*time.Minute)) {
		t.Errorf("status %+v", s)
	}
}

func TestASignOfLifeIsNoted(t *testing.T) {
	m := heartbeat.New(nil, start())
	m.Configure([]heartbeat.Spec{spec("job", time.Minute, 10*time.Second)}, start())
	beat := func(after time.Duration) (wasLate, kept bool) {
		t.Helper()
		at := start().Add(after)
		wasLate, keep, ok := m.Beat("job", at)
		if !ok {
			t.Fatal("not known")
		}
		if keep != "" {
			m.Saved("job", at)
		}
		return wasLate, keep != ""
	}
	for _, row := range []struct {
		after         time.Duration
		wasLate, kept bool
	}{
		{time.Second, false, true},      // the first is always kept
		{3 * time.Second, false, false}, // a tenth of a minute has not passed
		{7 * time.Second, false, true},
		{2 * time.Minute, true, true},
		{2*time.Minute + time.Second, false, false},
	} {
		if wasLate, kept := beat(row.after); wasLate != row.wasLate || kept != row.kept {
			t.Errorf("after %s: late %t, kept %t", row.after, wasLate, kept)
		}
	}
	if got := m.Unsaved(); got["job"] != "beat 2024-01-15T10:02:01Z" {
		t.Errorf("at a stop %v", got)
	}
	for _, s := range m.Samples(nil, start().Add(3*time.Minute)) {
		if s.Metric == heartbeat.Age && s.Value != 59 {
			t.Errorf("age %v", s.Value)
		}
	}
	if _, _, ok := m.Beat("jbo", start()); ok {
		t.Error("an unknown one is known")
	}
}

func TestWhatWasDueWhileNobodyCouldTakeItIsWaitedForOnce(t *testing.T) {
	kept := map[string]string{
		"often": "beat " + start().Format(time.RFC3339), "seldom": "beat " + start().Format(time.RFC3339), "broken": "yesterday", "odd": "x 2024-01-15T10:00:00Z",
	}
	specs := []heartbeat.Spec{spec("often", 10*time.Second, 0), spec("seldom", time.Hour, 0), spec("broken", time.Hour, 0)}
	restarted := start().Add(2 * time.Hour)
	m := heartbeat.New(kept, restarted)
	m.Configure(specs, restarted)
	for _, row := range []struct {
		name  string
		after time.Duration
		want  string
	}{
		{"often", 0, "nothing"},
		{"often", 10*time.Second - 1, "nothing"},
		{"often", 10 * time.Second, "late"},
		{"seldom", time.Minute - 1, "nothing"},
		{"seldom", time.Minute, "late"},
		{"broken", 0, "on time"}, // what cannot be read is as new
	} {
		if got := late(t, m, row.name, restarted.Add(row.after)); got != row.want {
			t.Errorf("%s after %s: %s, want %s", row.name, row.after, got, row.want)
		}
	}
	m.Beat("often", restarted.Add(time.Second))
	if got := late(t, m, "often", restarted.Add(2*time.Second)); got != "on time" {
		t.Errorf("it came, and is %s", got)
	}
}

func TestAWrongClockMakesNothingOnTimeForEver(t *testing.T) {
	m := heartbeat.New(map[string]string{"a": "beat 2094-01-15T10:00:00Z"}, start())
	m.Configure([]heartbeat.Spec{spec("a", time.Minute, 0)}, start())
	if got := late(t, m, "a", start().Add(2*time.Minute)); got != "late" {
		t.Errorf("it is %s", got)
	}
}

func TestWhatIsNotConfiguredAnyMoreIsForgotten(t *testing.T) {
	m := heartbeat.New(map[string]string{"gone": "since 2024-01-15T09:00:00Z"}, start())
	kept := m.Configure([]heartbeat.Spec{spec("a", time.Minute, 0)}, start())
	if want := map[string]string{"gone": "", "a": "since 2024-01-15T10:00:00Z"}; !maps.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	if _, _, ok := m.Beat("gone", start()); ok {
		t.Error("it is known still")
	}
}
