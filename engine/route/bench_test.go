package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// BenchmarkOneGroup is what it costs to take one more alert into a group, and
// to restore the whole, with so many alerts in it: as much for each however
// many there are.
func BenchmarkOneGroup(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
			options := Options{Root: &Route{Receivers: []string{"ops", "hooks"}, GroupWait: time.Second}, Receivers: []Receiver{{Name: "ops"}, {Name: "hooks"}}}
			alerts := make([]alert.Alert, n)
			for i := range alerts {
				labels := alert.LabelsOf("alertname", "high", "n", fmt.Sprint(i))
				alerts[i] = alert.Alert{ID: fmt.Sprint(i), Rule: "high", Labels: labels, Fingerprint: labels.Fingerprint(), State: alert.Firing, Severity: alert.Critical}
			}
			for b.Loop() {
				d := New(options)
				for i := range alerts {
					d.Apply(alerts[i], alert.EventFiring, now)
				}
				New(options).Restore(d.Snapshot(), nil, now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/alert")
		})
	}
}
