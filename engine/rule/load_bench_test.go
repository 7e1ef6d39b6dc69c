package rule

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// BenchmarkTenThousand is what `make bench` sets beside other evaluators: ten
// thousand series with full windows of five minutes at one sample in fifteen
// seconds, and no alert. One round takes one sample of each series in and
// judges it; it reports the time a series.
func BenchmarkTenThousand(b *testing.B) {
	const series = 10_000
	one := func(condition string) []Spec {
		return []Spec{{ID: "r", Metric: "app.memory_usage", Critical: When{When: condition}}}
	}
	each := make([]Spec, series)
	for i := range each {
		each[i] = Spec{ID: "r" + strconv.Itoa(i), Metric: "app.memory_usage", Match: []string{fmt.Sprintf(`instance = "%d"`, i)}, Critical: When{When: "value < 85"}}
	}
	for _, load := range []struct {
		name  string
		specs []Spec
	}{
		{"value", one("value < 85")},
		{"window", one("avg(5m) < 85")},
		{"each", each},
	} {
		b.Run(load.name, func(b *testing.B) {
			rules := make([]*Rule, len(load.specs))
			for i, s := range load.specs {
				rules[i] = mustCompile(b, s)
			}
			e := NewEvaluator(rules)
			samples := make([]alert.Sample, series)
			for i := range samples {
				samples[i] = alert.Sample{Metric: "app.memory_usage", Labels: alert.LabelsOf("source", "bench", "instance", strconv.Itoa(i)), Value: 90}
			}
			now := epoch
			round := func() {
				now = now.Add(15 * time.Second)
				for i := range samples {
					samples[i].At = now
				}
				if got := e.Observe(samples, Context{Source: "bench", Interval: 15 * time.Second}, now); len(got) > 0 {
					b.Fatalf("%d transitions", len(got))
				}
			}
			for range 25 {
				round()
			}
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/series, "ns/series")
		})
	}
}
