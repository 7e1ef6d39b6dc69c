package rule

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// BenchmarkJudge is one sample through Observe: found, appended and judged, at
// one sample in five seconds, so that avg(5m) looks at sixty.
func BenchmarkJudge(b *testing.B) {
	for _, condition := range []string{"value < 85", "avg(5m) < 85", `value < 85 and metric("cache.lookups_per_sec") >= 1`, "avg(1h) < 85"} {
		b.Run(condition, func(b *testing.B) {
			e := NewEvaluator([]*Rule{mustCompile(b, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: condition}})})
			samples := []alert.Sample{{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache", "strategy", "USER_RUNS"), Value: 90}}
			from := Context{Interval: 5 * time.Second}
			now := epoch
			for range 2000 { // the windows are full
				now = now.Add(5 * time.Second)
				samples[0].At = now
				e.Observe(samples, from, now)
			}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(5 * time.Second)
				samples[0].At = now
				e.Observe(samples, from, now)
			}
		})
	}
}

func TestJudgingDoesNotAllocate(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "avg(5m) < 85"}})})
	samples := []alert.Sample{{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache"), Value: 90}}
	now := epoch
	observe := func() {
		now = now.Add(5 * time.Second)
		samples[0].At = now
		if got := e.Observe(samples, Context{Interval: 5 * time.Second}, now); len(got) > 0 {
			t.Fatalf("transitions: %+v", got)
		}
	}
	for range 200 {
		observe()
	}
	if allocs := testing.AllocsPerRun(1000, observe); allocs > 0 {
		t.Errorf("%v allocations a sample", allocs)
	}
}
