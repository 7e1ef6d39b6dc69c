package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// anAlert is one of a size that the engine makes, the n-th of them.
func anAlert(n int) alert.Alert {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	labels := alert.LabelsOf(alert.LabelName, "cache-hit-rate", alert.LabelCategory, "cache",
		alert.LabelSource, "cache", "strategy", "STRATEGY_"+strconv.Itoa(n%1000), "team", "web")
	return alert.Alert{
		ID: alert.NewID(labels.Fingerprint(), began), Fingerprint: labels.Fingerprint(),
		Rule: "rule-" + strconv.Itoa(n%20), Category: []string{"cache", "database", "app"}[n%3],
		Metric: "cache.hit_rate", Unit: "%", Labels: labels, State: alert.Firing,
		Severity: alert.Severity(1 + n/3%3), Worst: alert.Severity(1 + n/3%3),
		Value: 68.25, Threshold: 70, Verb: "below", Peak: 61.5,
		Message:     "Cache hit rate below 70% for USER_PROFILE strategy",
		Annotations: map[string]string{"runbook_url": "https://example.com/runbooks/cache-hit-rate"},
		Reason:      "value 68.25 < 70 for 1m",
		PendingAt:   began, StartsAt: began, UpdatedAt: began, SeverityAt: began,
	}
}

func resolved(a alert.Alert) alert.Alert {
	a.State, a.EndsAt = alert.Resolved, a.StartsAt.Add(time.Minute)
	return a
}

func alerts(from, n int) []alert.Alert {
	out := make([]alert.Alert, n)
	for i := range out {
		out[i] = anAlert(from + i)
	}
	return out
}

// BenchmarkCommitBatch writes 1,000 alerts a change.
func BenchmarkCommitBatch(b *testing.B) {
	for _, kind := range []string{"new", "again"} {
		b.Run(kind, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "b.db"))
			const size = 1000
			n := 0
			for b.Loop() {
				from := n * size
				if kind == "again" {
					from %= 10 * size
				}
				if err := s.Commit(context.Background(), store.Change{Alerts: alerts(from, size)}); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

// BenchmarkCommitTransition writes what one transition does: an alert, three
// events, a group, a member and a delivery, from so many callers at once.
func BenchmarkCommitTransition(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "b.db"))
			took := make([]time.Duration, b.N)
			var wg sync.WaitGroup
			b.ResetTimer()
			for c := range callers {
				wg.Go(func() {
					for i := c; i < b.N; i += callers {
						change := transition(i)
						began := time.Now()
						if err := s.Commit(context.Background(), change); err != nil {
							b.Error(err)
							return
						}
						took[i] = time.Since(began)
					}
				})
			}
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
		})
	}
}

func transition(n int) store.Change {
	a := anAlert(n)
	group, id := "g"+strconv.Itoa(n%10), "d"+strconv.Itoa(n)
	var events []alert.Event
	for _, kind := range []alert.EventKind{alert.EventFiring, alert.EventGrouped, alert.EventQueued} {
		events = append(events, alert.Event{
			AlertID: a.ID, At: a.StartsAt, Kind: kind, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
			Receiver: "ops", DeliveryID: id, Reason: "value 68.25 < 70 for 1m",
		})
	}
	return store.Change{
		Alerts: []alert.Alert{a}, Events: events,
		Groups:  []store.Group{{Key: group, Route: "0", Receivers: []string{"ops"}, CreatedAt: a.StartsAt, FlushAt: a.StartsAt}},
		Members: []store.Member{{MemberKey: store.MemberKey{Group: group, Receiver: "ops", AlertID: a.ID}, Told: alert.Firing, Severity: a.Severity, At: a.StartsAt}},
		Deliveries: []alert.Delivery{{
			Notification: alert.Notification{ID: id, Receiver: "ops", GroupKey: group, Seq: 1, Status: alert.Firing, Alerts: []alert.Alert{a}},
			State:        alert.DeliveryPending, CreatedAt: a.StartsAt, NextAt: a.StartsAt,
		}},
	}
}

// BenchmarkHistory reads pages of 50 out of 100,000 alerts.
func BenchmarkHistory(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "b.db"))
	const n = 100_000
	for from := 0; from < n; from += 1000 {
		batch := alerts(from, 1000)
		for i := range batch[:min(1000, n-100-from)] {
			batch[i] = resolved(batch[i])
		}
		if err := s.Commit(b.Context(), store.Change{Alerts: batch}); err != nil {
			b.Fatal(err)
		}
	}
	middle := anAlert(n / 2).StartsAt
	for _, c := range []struct {
		name  string
		query store.HistoryQuery
	}{
		{"newest", store.HistoryQuery{}},
		{"rule", store.HistoryQuery{Rule: "rule-7"}},
		{"category_severity", store.HistoryQuery{Category: "cache", Severities: []alert.Severity{alert.Critical}}},
		{"firing", store.HistoryQuery{States: []alert.State{alert.Firing}}},
		{"since_until", store.HistoryQuery{Since: middle, Until: middle.Add(10 * time.Minute)}},
		{"nothing_found", store.HistoryQuery{Category: "none"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.query.Limit = 50
			for b.Loop() {
				if _, err := s.History(b.Context(), c.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Stats(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSamples appends 1,000 samples of 100 series at a time.
func BenchmarkSamples(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "b.db"))
	const size = 1000
	batch := make([]alert.Sample, size)
	for i := range batch {
		batch[i] = alert.Sample{Metric: "m", Labels: alert.LabelsOf("series", strconv.Itoa(i%100)), Value: float64(i)}
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for b.Loop() {
		for i := range batch {
			batch[i].At = at.Add(time.Duration(n*size+i) * time.Second)
		}
		if err := s.AppendSamples(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "samples/s")
}

// someNew is a change of so many new alerts, each with two events and a member
// of one of ten groups.
func someNew(from, n int) store.Change {
	c := store.Change{Alerts: alerts(from, n)}
	for i := range c.Alerts {
		a := &c.Alerts[i]
		group := "{}:{alertname=\"rule-" + strconv.Itoa(i%10) + "\"}"
		if i < 10 {
			c.Groups = append(c.Groups, store.Group{Key: group, Route: "0", Receivers: []string{"ops"}, CreatedAt: a.StartsAt, FlushAt: a.StartsAt})
		}
		for _, kind := range []alert.EventKind{alert.EventFiring, alert.EventGrouped} {
			c.Events = append(c.Events, alert.Event{
				AlertID: a.ID, At: a.StartsAt, Kind: kind, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold, Reason: a.Reason,
			})
		}
		c.Members = append(c.Members, store.Member{
			MemberKey: store.MemberKey{Group: group, Receiver: "ops", AlertID: a.ID}, At: a.StartsAt,
		})
	}
	return c
}

// used is a stopwatch of the processors' time.
type used struct{ user, system, wall time.Duration }

func (u *used) during(work func()) {
	user, system := cpuTime()
	began := time.Now()
	work()
	u.wall += time.Since(began)
	afterUser, afterSystem := cpuTime()
	u.user += afterUser - user
	u.system += afterSystem - system
}

func (u *used) report(b *testing.B, name string, n float64) {
	b.ReportMetric(float64(u.user.Microseconds())/n, name+"-user-µs/alert")
	b.ReportMetric(float64(u.system.Microseconds())/n, name+"-sys-µs/alert")
	b.ReportMetric(float64(u.wall.Microseconds())/n, name+"-µs/alert")
}

// BenchmarkCommitNew is 100,000 new alerts in changes of 64 from 4 goroutines:
// what it takes until the last is on the disk, and then in the tables. Then each
// group tells of its alerts.
func BenchmarkCommitNew(b *testing.B) {
	const total, size, callers = 100_000, 64, 4
	changes := make([]store.Change, 0, total/size)
	for from := 0; from+size <= total; from += size {
		changes = append(changes, someNew(from, size))
	}
	var committing, applying, telling used
	for b.Loop() {
		b.StopTimer()
		s := open(b, filepath.Join(b.TempDir(), "b.db"))
		b.StartTimer()
		committing.during(func() {
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for i := c; i < len(changes); i += callers {
						if err := s.Commit(context.Background(), changes[i]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
		caughtUp := func() {
			if _, err := s.Stats(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		applying.during(caughtUp)
		telling.during(func() {
			for i := range changes {
				tell(b, s, &changes[i], i)
			}
			caughtUp()
		})
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	n := float64(b.N * len(changes) * size)
	committing.report(b, "commit", n)
	applying.report(b, "apply", n)
	telling.report(b, "tell", n)
}

// tell is what follows when the alerts of a change are sent: an event and the
// member of each, the delivery, and its outcome with an event of each.
func tell(b *testing.B, s *sqlite.Store, c *store.Change, n int) {
	id := "d" + strconv.Itoa(n)
	told := store.Change{Groups: c.Groups[:1], Deliveries: []alert.Delivery{{
		Notification: alert.Notification{ID: id, Receiver: "ops", GroupKey: c.Groups[0].Key, Seq: 1, Status: alert.Firing, Alerts: c.Alerts[:10], Truncated: len(c.Alerts) - 10},
		State:        alert.DeliveryPending, CreatedAt: c.Alerts[0].StartsAt, NextAt: c.Alerts[0].StartsAt,
	}}}
	outcome := store.Settlement{ID: id, State: alert.DeliverySent, Attempts: 1, SettledAt: c.Alerts[0].StartsAt}
	for i := range c.Members {
		m := c.Members[i]
		m.Told = alert.Firing
		told.Members = append(told.Members, m)
		e := alert.Event{AlertID: m.AlertID, At: m.At, Kind: alert.EventQueued, Receiver: "ops", DeliveryID: id, Value: alert.Unknown(), Threshold: alert.Unknown()}
		told.Events = append(told.Events, e)
		e.Kind = alert.EventSent
		outcome.Events = append(outcome.Events, e)
	}
	if err := s.Commit(context.Background(), told); err != nil {
		b.Fatal(err)
	}
	if err := s.Settle(context.Background(), []store.Settlement{outcome}); err != nil {
		b.Fatal(err)
	}
}
