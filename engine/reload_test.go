package engine

import (
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// TestReloadUnderLoadDropsNoSample has many sources hand over samples while the
// rules are exchanged again and again: each sample is counted, and each is in
// its series' window, across every exchange.
func TestReloadUnderLoadDropsNoSample(t *testing.T) {
	const sources, batches, perBatch = 8, 200, 5
	const each = batches * perBatch
	const step = 5 * time.Millisecond // a window of a minute keeps no finer ones apart
	counting := func(critical string) Setup {
		return setup(t, rule.Spec{
			ID: "all", Metric: "cache.hit_rate", Critical: rule.When{When: critical},
			Info: rule.When{When: "count(1m) >= " + strconv.Itoa(each)},
		})
	}
	// The thresholds differ, so that each reload changes something.
	setups := []Setup{counting("value > 1000"), counting("value > 2000")}
	e := New(Options{Setup: setups[0], Store: newMemory(), Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
	stop := run(t, e)

	began := time.Now().Add(-each * step) // each sample has a time of its own
	done := make(chan struct{})
	var writers, reloader sync.WaitGroup
	for n := range sources {
		writers.Go(func() {
			name := "source-" + strconv.Itoa(n)
			labels := alert.LabelsOf("source", name)
			for b := range batches {
				batch := source.Batch{Source: name, Interval: time.Hour}
				for i := range perBatch {
					at := began.Add(time.Duration(b*perBatch+i) * step)
					batch.Samples = append(batch.Samples, alert.Sample{Metric: "cache.hit_rate", Labels: labels, Value: 50, At: at})
				}
				if err := e.Ingest(t.Context(), batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	reloads := 0
	reloader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			reloads++
			if err := e.Reload(t.Context(), setups[reloads%2]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	writers.Wait()
	close(done)
	reloader.Wait()
	if err := e.Reload(t.Context(), setups[0]); err != nil { // after whatever waited
		t.Fatal(err)
	}
	stats, alerts := e.Stats(), e.Alerts()
	stop()
	if stats.Samples != sources*each || stats.Batches != sources*batches {
		t.Errorf("%d samples in %d batches, want %d in %d", stats.Samples, stats.Batches, sources*each, sources*batches)
	}
	if len(alerts) != sources {
		t.Errorf("%d of %d series have all their samples in the window", len(alerts), sources)
	}
	if reloads == 0 {
		t.Error("nothing was reloaded")
	}
	t.Logf("%d reloads while %d samples came", reloads, stats.Samples)
}
