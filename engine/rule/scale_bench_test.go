package rule

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// BenchmarkPairs judges a million pairs of a rule and a series: one sample each,
// nothing fires. It reports the time and the memory of one pair; the memory
// leaves out what the samples of windows take, which is 16 bytes each, and
// counts the series' labels.
func BenchmarkPairs(b *testing.B) {
	for _, shape := range []struct {
		rules, series int
		condition     string
	}{
		{1, 1_000_000, "value < 85"},
		{100, 10_000, "value < 85"},
		{1000, 1000, "value < 85"},
		{1, 1_000_000, "avg(5m) < 85"},
		{2, 500_000, "avg(5m) < 85"},
		{100, 10_000, "avg(5m) < 85"},
	} {
		b.Run(fmt.Sprintf("%d_rules_%d_series/%s", shape.rules, shape.series, shape.condition), func(b *testing.B) {
			before := heapBytes()
			rules := make([]*Rule, shape.rules)
			for i := range rules {
				rules[i] = mustCompile(b, Spec{ID: "r" + strconv.Itoa(i), Metric: "app.memory_usage", Critical: When{When: condition(shape.condition, i), For: duration(time.Minute)}})
			}
			e := NewEvaluator(rules)
			samples := make([]alert.Sample, shape.series)
			for i := range samples {
				samples[i] = alert.Sample{Metric: "app.memory_usage", Labels: alert.LabelsOf("source", "web", "instance", strconv.Itoa(i)), Value: 90}
			}
			now := epoch
			observe := func() {
				now = now.Add(5 * time.Second)
				for i := range samples {
					samples[i].At = now
				}
				e.Observe(samples, Context{Source: "web", Interval: 5 * time.Second}, now)
			}
			observe()
			pairs := shape.rules * shape.series
			// The samples' own array is the source's; their labels are shared.
			bytes := float64(heapBytes()-before) - float64(len(samples)*int(sizeOfSample)) - historyBytes(e)
			b.ReportAllocs()
			for b.Loop() {
				observe()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(pairs), "ns/pair")
			b.ReportMetric(bytes/float64(pairs), "bytes/pair")
			runtime.KeepAlive(e)
		})
	}
}

// condition makes the rules differ, as they do.
func condition(text string, i int) string {
	if i == 0 {
		return text
	}
	return strings.Replace(text, "85", fmt.Sprint(85-float64(i)/1000), 1)
}

func heapBytes() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const sizeOfSample = 72 // string, slice, float64, time.Time

// historyBytes is what the samples of windows take.
func historyBytes(e *Evaluator) float64 {
	n := 0
	for _, f := range e.families {
		for _, t := range f.series {
			if t.history != nil {
				n += 16 * len(t.history.points)
			}
		}
	}
	return float64(n)
}
