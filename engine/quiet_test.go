package engine

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// both polls the cache's hit rate and whether Redis is up.
func both(t *testing.T, e *Engine, rate, up float64, polls int) {
	t.Helper()
	for range polls {
		labels := alert.LabelsOf("source", "cache")
		b := source.Batch{Source: "cache", At: time.Now(), Interval: 5 * time.Second, Samples: []alert.Sample{
			{Metric: "redis.up", Labels: labels, Value: up, At: time.Now()},
			{Metric: "cache.hit_rate", Labels: labels, Value: rate, At: time.Now()},
		}}
		if err := e.Ingest(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
	}
}

func TestWhatDependsOnAFiringRuleIsJudgedAndNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low := lowHitRate()
		low.DependsOn = []rule.Dependency{{Rule: "down"}}
		down := rule.Spec{ID: "down", Category: "redis", Metric: "redis.up", Critical: rule.When{When: "value == 0"}}
		m, o := newMemory(), &tray{}
		e := New(Options{Setup: setup(t, low, down), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
		defer run(t, e)()
		both(t, e, 80, 0, 24)
		want(t, o, "down firing critical")
		if alerts := e.Alerts(); len(alerts) != 2 || alerts[1].Rule != "low" || alerts[1].State != alert.Firing {
			t.Errorf("alerts %+v", alerts)
		}
		held := 0
		for _, kind := range m.happened() {
			if kind == string(alert.EventHeld) {
				held++
			}
		}
		if held != 1 {
			t.Errorf("the history tells %d times that it is held back: %v", held, m.happened())
		}
		both(t, e, 80, 1, 40)
		got := o.take()
		if joined := strings.Join(got, ", "); !strings.Contains(joined, "down resolved critical") || !strings.Contains(joined, "low firing warning") {
			t.Errorf("after it: %s", joined)
		}
	})
}

func TestFlappingIsRememberedOverARestartByWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := rule.Spec{ID: "low", Metric: "cache.hit_rate", Warning: rule.When{When: "value < 85"}, Flapping: &rule.Flapping{Changes: 4, Within: time.Hour}}
		m := newMemory()
		for i := range 5 { // each process sees one change
			e := New(Options{Setup: setup(t, spec), Store: m, Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
			stop := run(t, e)
			feed(t, e, []float64{80, 90}[i%2], 1)
			stop()
		}
		var kinds []string
		for _, kind := range m.happened() {
			switch alert.EventKind(kind) { //nolint:exhaustive // the alert's own
			case alert.EventFiring, alert.EventResolved, alert.EventFlapping:
				kinds = append(kinds, kind)
			}
		}
		if diff := cmp.Diff([]string{"firing", "resolved", "firing", "resolved", "flapping"}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARestartKnowsTheWindowsOfWhatIsMadeOfOtherSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := rule.Spec{
			ID: "sum", Metric: "cache.hit_rate", By: []string{"source"}, Combine: "sum",
			Warning: rule.When{When: "count(1m) >= 4 and avg(1m) < 85"},
		}
		m := newMemory()
		for i := range 2 {
			e := New(Options{Setup: setup(t, spec), Store: m, Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
			stop := run(t, e)
			feed(t, e, 80, 2)
			stop()
			if fires := len(e.Alerts()) == 1; fires != (i == 1) {
				t.Errorf("start %d: %d alerts; %d samples kept", i, len(e.Alerts()), len(m.samples))
			}
		}
	})
}
