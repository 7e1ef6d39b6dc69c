//go:build unix

package engine

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/store"
)

// BenchmarkStanding is what a hundred thousand alerts from outside, in a
// thousand groups, cost while they fire: the memory that each keeps, and the
// time to take it in and to flush it, to take it again, and to end it when
// somebody has asked for a label that all have. Times are the process's own on
// all processors, the garbage collector's included.
func BenchmarkStanding(b *testing.B) {
	const alerts, groups, batch = 100_000, 1000, 64
	posted := make([]alert.Posted, alerts)
	for i := range posted {
		posted[i] = standingAlert(i, i%groups)
	}
	tree, _ := route.Compile(route.Spec{Receivers: []string{"ops"}, GroupBy: []string{"alertname", "cluster"}}, []string{"ops"})
	severe, err := alert.NewMatcher(alert.LabelSeverity, alert.MatchEqual, "warning")
	if err != nil {
		b.Fatal(err)
	}
	var kept, news, again, ends, collect float64
	for b.Loop() {
		e := New(Options{
			Setup: Setup{
				Route:    route.Options{Root: tree, Receivers: []route.Receiver{{Name: "ops"}}, NewID: func() string { return "m" }},
				External: external.Options{ResolveTimeout: time.Hour, Severity: func(string) alert.Severity { return alert.Warning }},
			},
			Store: blackHole{newMemory()}, Outbox: blackHole{}, Log: slog.New(slog.DiscardHandler),
		})
		before, from := liveHeap(), userTime(b)
		now := time.Now()
		for at := 0; at < alerts; at += batch {
			e.takeIn(posted[at:min(at+batch, alerts)], now.Add(time.Duration(at)*time.Microsecond))
		}
		for now = now.Add(time.Minute); !e.dispatcher.NextDue().After(now); {
			var c store.Change
			e.flush(&c, now)
		}
		news += float64(userTime(b) - from)
		from = userTime(b)
		kept += float64(liveHeap() - before)
		collect += float64(userTime(b) - from)
		from = userTime(b)
		for i := range posted {
			if known, _ := e.outside.Refresh(&posted[i], now); !known {
				b.Fatal("what is posted again is news")
			}
		}
		again += float64(userTime(b) - from)
		e.dispatcher.Stances(&alert.StandingQuery{Matchers: alert.Matchers{severe}}, now)
		from = userTime(b)
		for at := 0; at < alerts; at += batch {
			over := slices.Clone(posted[at:min(at+batch, alerts)])
			for i := range over {
				over[i].EndsAt = now
			}
			e.takeIn(over, now)
		}
		ends += float64(userTime(b) - from)
		if e.outside.Len() != 0 {
			b.Fatalf("%d still fire", e.outside.Len())
		}
	}
	n := float64(b.N) * alerts
	b.ReportMetric(kept/n, "B/alert")
	b.ReportMetric(news/n, "user-ns/new")
	b.ReportMetric(again/n, "user-ns/again")
	b.ReportMetric(ends/n, "user-ns/end")
	b.ReportMetric(collect/float64(b.N)/1e6, "user-ms/gc")
	b.ReportMetric(0, "ns/op")
}

func standingAlert(i, group int) alert.Posted {
	instance := fmt.Sprintf("host-%05d.eu-1.example.com:9100", i)
	return alert.Posted{
		Labels: alert.LabelsOf("alertname", fmt.Sprint("NodeFilesystemFull", group%100), "instance", instance,
			"job", "node-exporter", "cluster", fmt.Sprint("eu-1-", group/100), "severity", "warning"),
		Annotations: alert.LabelsOf("summary", "The file system of "+instance+" is almost full",
			"runbook_url", fmt.Sprint("https://runbooks.example.com/node/filesystem-full-", group%100)),
		GeneratorURL: fmt.Sprint("http://prometheus.example.com:9090/graph?g0.expr=node_filesystem_avail_bytes+%3C+5&g0.tab=", group%100),
	}
}

// takeIn takes a post as the loop does, and forgets what is to be stored.
func (e *Engine) takeIn(posted []alert.Posted, now time.Time) {
	var change store.Change
	var transitions []external.Transition
	for i := range posted {
		if t, ok := e.outside.Post(&posted[i], now); ok {
			transitions = append(transitions, t)
		}
	}
	e.noteOutside(&change, transitions, now)
	e.flush(&change, now)
	e.outside.Stored(e.outside.Epoch())
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first has found dead is swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // less than 2^63
}

func userTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}
