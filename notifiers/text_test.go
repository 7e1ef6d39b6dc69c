package notifiers

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Überlastung 日本語 🔥":                 "Überlastung 日本語 🔥",
		"a\r\nb\tc":                         "a  b c",
		"\x1b[31mred\x1b[0m":                "[31mred[0m",
		"\u009b2Jx\x7f\x00":                 "2Jx",
		"abc\u202edcba\u2066":               "abcdcba",
		"a\xffb":                            "ab",
		"one\u2028two\u2029":                "one two",
		"family \U0001F468\u200d\U0001F469": "family \U0001F468\u200d\U0001F469",
	} {
		if got := Plain(in); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, row := range []struct {
		in    string
		limit int
		want  string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"日本語", 3, "日本語"},
		{"日本語で", 3, "日本…"},
		{"ab", 1, "…"},
	} {
		if got := Clip(row.in, row.limit); got != row.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", row.in, row.limit, got, row.want)
		}
	}
}

func TestTitle(t *testing.T) {
	mixed := Sample(alert.Firing, 2)
	mixed.Alerts[1] = Sample(alert.Resolved, 2).Alerts[1]
	same := Sample(alert.Firing, 1)
	same.Alerts = append(same.Alerts, same.Alerts[0])
	grouped := Sample(alert.Firing, 3)
	grouped.GroupLabels = alert.LabelsOf(alert.LabelName, "cache-hit-rate")
	grouped.Truncated = 4
	nameless := Sample(alert.Resolved, 3)
	nameless.GroupLabels = nil
	for _, row := range []struct {
		n    alert.Notification
		want string
	}{
		{Sample(alert.Firing, 1), "CRITICAL: cache-hit-rate"},
		{Sample(alert.Resolved, 1), "RESOLVED: cache-hit-rate"},
		{same, "CRITICAL: cache-hit-rate (2 alerts)"},
		{mixed, "CRITICAL: web (1 firing, 1 resolved)"},
		{grouped, "CRITICAL: cache-hit-rate (7 alerts)"},
		{nameless, "RESOLVED: 3 alerts"},
	} {
		if got := Title(&row.n); got != row.want {
			t.Errorf("Title = %q, want %q", got, row.want)
		}
	}
}

func TestMeasured(t *testing.T) {
	for _, row := range []struct {
		value, threshold alert.Number
		unit, want       string
	}{
		{82.3, 85, "%", "82.3% (threshold 85%)"},
		{15.2, 10, "ms", "15.2ms (threshold 10ms)"},
		{831 << 20, 768 << 20, "bytes", "831MB (threshold 768MB)"},
		{3, alert.Unknown(), "", "3"},
		{alert.Unknown(), 85, "%", "unknown (threshold 85%)"},
	} {
		if got := Measured(&alert.Alert{Value: row.value, Threshold: row.threshold, Unit: row.unit}); got != row.want {
			t.Errorf("Measured = %q, want %q", got, row.want)
		}
	}
	outside := alert.Alert{Value: alert.Unknown(), Threshold: alert.Unknown(), Outside: &alert.Outside{}}
	if got := Measured(&outside); got != "" {
		t.Errorf("an alert from outside has the value %q, want none", got)
	}
}

func TestLasted(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	for name, row := range map[string]struct {
		a    alert.Alert
		want time.Duration
	}{
		"firing":            {alert.Alert{State: alert.Firing, StartsAt: ago(time.Hour)}, time.Hour},
		"resolved":          {alert.Alert{State: alert.Resolved, StartsAt: ago(time.Hour), EndsAt: ago(time.Minute)}, 59 * time.Minute},
		"began after":       {alert.Alert{State: alert.Firing, StartsAt: at.Add(time.Second)}, 0},
		"never":             {alert.Alert{State: alert.Firing}, 0},
		"only pending time": {alert.Alert{State: alert.Firing, PendingAt: ago(time.Minute)}, time.Minute},
	} {
		if got := Lasted(&row.a, at); got != row.want {
			t.Errorf("%s: Lasted = %v, want %v", name, got, row.want)
		}
	}
}

func TestSampleIsWellFormed(t *testing.T) {
	for _, state := range [...]alert.State{alert.Firing, alert.Resolved} {
		n := Sample(state, 5000)
		ids := map[string]bool{}
		for i := range n.Alerts {
			a := &n.Alerts[i]
			if a.Fingerprint != a.Labels.Fingerprint() || a.State != state || a.Labels.Has(alert.LabelSeverity) || ids[a.ID] {
				t.Fatalf("alert %d is not well formed or not the only one of its id: %+v", i, a)
			}
			if i > 0 && n.Alerts[i-1].Severity < a.Severity {
				t.Fatalf("alert %d is worse than the one before", i)
			}
			ids[a.ID] = true
		}
		if len(ids) != 5000 {
			t.Errorf("%d alerts", len(ids))
		}
	}
}

func TestAnEndThatIsNoRecoveryDoesNotLookLikeOne(t *testing.T) {
	a := alert.Alert{State: alert.Resolved, Message: "Queue above 100", Reason: "the rule was removed"}
	if got, want := Message(&a), "Queue above 100 (the rule was removed)"; got != want {
		t.Errorf("got %s", got)
	}
	a.Reason = "no condition holds any more, and value < 80"
	if got := Message(&a); got != "Queue above 100" {
		t.Errorf("a recovery: %s", got)
	}
	a.State, a.Reason = alert.Firing, "value > 100 holds"
	a.Flap = &alert.Flap{Since: time.Unix(1, 0)}
	if got := Message(&a); got != "Queue above 100 (flapping; told again when it settles)" {
		t.Errorf("flapping: %s", got)
	}
}

func TestTitleOfWhatIsNoNewsOfOneGroup(t *testing.T) {
	for want, change := range map[string]func(*alert.Notification){
		"TEST: cache-hit-rate":            func(n *alert.Notification) { n.Kind = alert.KindTest },
		"CANARY: cache-hit-rate":          func(n *alert.Notification) { n.Kind = alert.KindCanary },
		"NOTICE: cache-hit-rate":          func(n *alert.Notification) { n.Kind = alert.KindWarning },
		"STORM: 214 groups, 1,031 alerts": func(n *alert.Notification) { n.Digest = &alert.Digest{Groups: 214, Alerts: 1031} },
	} {
		n := Sample(alert.Firing, 1)
		change(&n)
		if got := Title(&n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 alerts", 1: "1 alert", 999: "999 alerts", 1000: "1,000 alerts", 1234567: "1,234,567 alerts"} {
		if got := Counted(n, "alert"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Services refuse a message without a text, and then nobody is told.
func TestAnAlertWithoutANameHasAMessage(t *testing.T) {
	for want, a := range map[string]alert.Alert{
		`{instance="a"}`:          {Labels: alert.LabelsOf("instance", "a")},
		"an alert without a name": {Message: "\x00\u202e "},
		"disk":                    {Rule: "disk", Message: "\n"},
	} {
		a.Value, a.Threshold, a.Outside, a.State, a.Severity = alert.Unknown(), alert.Unknown(), &alert.Outside{}, alert.Firing, alert.Info
		if got := Message(&a); got != want {
			t.Errorf("%q; want %q", got, want)
		}
		n := alert.Notification{Status: alert.Firing, Alerts: []alert.Alert{a}}
		if got := Title(&n); a.Rule == "" && got != "INFO: 1 alert" {
			t.Errorf("%q", got)
		}
	}
}
