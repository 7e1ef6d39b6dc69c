package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/store"
)

// blackHole takes every change and every delivery.
type blackHole struct{ *memory }

func (blackHole) Commit(context.Context, store.Change) error        { return nil }
func (blackHole) Enqueue([]alert.Delivery)                          {}
func (blackHole) EnqueueUnstored([]alert.Delivery, <-chan struct{}) {}

func (blackHole) SetMarks([]store.Mark)           {}
func (blackHole) SetReferences([]store.Reference) {}

// BenchmarkPost is what an alert from outside costs from the call of Post to
// the change that is handed to the store: posted for the first time, and again.
func BenchmarkPost(b *testing.B) {
	const batch = 64
	tree, _ := route.Compile(route.Spec{Receivers: []string{"ops"}, GroupBy: []string{"alertname"}}, []string{"ops"})
	start := func() (*Engine, func()) {
		e := New(Options{
			Setup: Setup{
				Route:    route.Options{Root: tree, Receivers: []route.Receiver{{Name: "ops"}}, NewID: func() string { return "m" }},
				External: external.Options{ResolveTimeout: time.Hour, Severity: func(string) alert.Severity { return alert.Warning }},
			},
			Store: blackHole{newMemory()}, Outbox: blackHole{}, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = e.Run(ctx) })
		return e, func() { cancel(); wg.Wait() }
	}
	posted := func(n int) []alert.Posted {
		out := make([]alert.Posted, batch)
		for i := range out {
			out[i] = alert.Posted{
				Labels: alert.LabelsOf("alertname", fmt.Sprint("High", n%100), "instance", fmt.Sprint("host-", n*batch+i, ":9100"),
					"job", "node", "cluster", "eu-1", "severity", "warning"),
				Annotations:  alert.LabelsOf("summary", "Something is high on this host", "runbook_url", "https://runbooks.example/high"),
				GeneratorURL: "http://prometheus.example/graph?g0.expr=up",
			}
		}
		return out
	}
	b.Run("new", func(b *testing.B) {
		var batches [][]alert.Posted
		for n := range b.N/batch + 1 {
			batches = append(batches, posted(n))
		}
		e, stop := start()
		defer stop()
		b.ResetTimer()
		b.ReportAllocs()
		for _, batch := range batches {
			_ = e.Post(b.Context(), batch)
		}
	})
	b.Run("again", func(b *testing.B) {
		e, stop := start()
		defer stop()
		batch1 := posted(1)
		_ = e.Post(b.Context(), batch1)
		b.ResetTimer()
		b.ReportAllocs()
		for range b.N/batch + 1 {
			_ = e.Post(b.Context(), batch1)
		}
	})
}
