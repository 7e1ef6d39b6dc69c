package source

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestRatesOverARecordedSequence(t *testing.T) {
	text, err := os.ReadFile("../testdata/fixtures/redis/info_sequence_redis-7.0.15.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Polls []struct {
			Label, Info string
			At          float64
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		rates     bool
		ops       float64
		hitRate   float64
		noHitRate bool
	}{
		"t0": {rates: false},
		"t1": {rates: true, ops: 26005 / 2.1554427, hitRate: 86.045},
		"t2": {rates: true, ops: 1 / 3.0009625, noHitRate: true}, // 0/0 is no value
		"t3": {rates: false},                                     // RESETSTAT
		"t4": {rates: false},                                     // restart
	}
	var r Rates
	seen := 0
	for _, poll := range recorded.Polls {
		counters, id := map[string]float64{}, ""
		for _, line := range strings.Split(poll.Info, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			switch name {
			case "run_id":
				id = value
			case "total_commands_processed", "keyspace_hits", "keyspace_misses":
				counters[name], _ = strconv.ParseFloat(value, 64)
			}
		}
		w, known := want[poll.Label[:2]]
		if !known {
			continue
		}
		seen++
		at := time.Unix(0, int64(poll.At*1e9))
		if got := r.Observe(id, at, counters); got != w.rates {
			t.Fatalf("%s: changes can be had: %t", poll.Label, got)
		}
		ops, ok := r.PerSecond("total_commands_processed")
		if ok != w.rates || math.Abs(ops-w.ops) > 0.01 {
			t.Errorf("%s: %v ops/s (%t), want %v", poll.Label, ops, ok, w.ops)
		}
		ratio, ok := r.Ratio("keyspace_hits", "keyspace_misses")
		if ok != (w.rates && !w.noHitRate) || math.Abs(ratio-w.hitRate) > 0.01 {
			t.Errorf("%s: hit rate %v (%t), want %v", poll.Label, ratio, ok, w.hitRate)
		}
	}
	if seen != len(want) {
		t.Errorf("%d polls of %d", seen, len(want))
	}
	if _, ok := r.Delta("no_such"); ok {
		t.Error("a counter that is not there rose")
	}
}

func runs(hits, misses uint64) Strategies {
	return Strategies{"RUNS": {Hits: hits, Misses: misses, Sets: misses, TTL: time.Minute}}
}

// value returns one sample's value; -1 for none.
func value(samples []alert.Sample, metric string, labels ...string) float64 {
	for _, s := range samples {
		if s.Metric == metric && s.Labels.Equal(alert.LabelsOf(labels...)) {
			return s.Value
		}
	}
	return -1
}

func TestStrategiesOfManyInstancesOneOfWhichRestarts(t *testing.T) {
	var tr StrategyTracker
	at := time.Now()
	step := func(a, b Strategies, runB string) []alert.Sample {
		at = at.Add(5 * time.Second)
		tr.Observe("a", "1", at, a)
		tr.Observe("b", runB, at, b)
		return tr.Flush(at)
	}
	check := func(name string, got []alert.Sample, hitRate, lookups float64) {
		t.Helper()
		have := []float64{value(got, "cache.hit_rate", "strategy", "RUNS"), value(got, "cache.lookups_per_sec"), value(got, "cache.ops_per_sec", "op", "get")}
		if diff := cmp.Diff([]float64{hitRate, lookups, lookups}, have); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	check("first snapshot", step(runs(100, 10), runs(1000, 0), "1"), -1, -1)
	check("both rise", step(runs(130, 20), runs(1030, 10), "1"), 75, 16)
	check("nothing looked up", step(runs(130, 20), runs(1030, 10), "1"), -1, 0)
	check("b restarts", step(runs(170, 30), runs(5, 5), "2"), 80, 10)
	check("b goes on", step(runs(170, 30), runs(45, 15), "2"), 80, 10)
	check("b's hash is evicted", step(runs(220, 30), runs(1, 0), "2"), 100, 10)
	check("the hash is gone", step(runs(270, 30), Strategies{}, "2"), 100, 10)
	check("and back", step(runs(320, 30), runs(7, 0), "2"), 100, 10)
	if got := tr.Totals()["RUNS"]; got.Hits != 327 || got.Misses != 30 || got.TTL != time.Minute || got.Total() != 357 {
		t.Errorf("totals %+v", got)
	}
	tr.Forget("b")
	if got := tr.Totals()["RUNS"]; got.Hits != 320 {
		t.Errorf("without b %+v", got)
	}
}

func TestARebaseMakesTheNextRateNoSlower(t *testing.T) {
	var tr StrategyTracker
	at := time.Now()
	for i, hits := range []uint64{100, 0, 50} {
		tr.Observe("a", "1", at.Add(time.Duration(i)*5*time.Second), runs(hits, 0))
		got := tr.Flush(at.Add(time.Duration(i) * 5 * time.Second))
		if want := []float64{-1, -1, 10}[i]; value(got, "cache.lookups_per_sec") != want {
			t.Errorf("snapshot %d: %v", i, got)
		}
	}
}
