//go:build unix

package pluginhost_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/notifiers"
	pluginnotifier "github.com/tocsin-dev/tocsin/notifiers/plugin"
	"github.com/tocsin-dev/tocsin/store"
)

// forgetful is a store that keeps nothing.
type forgetful struct{}

func (forgetful) Settle(context.Context, []store.Settlement) error { return nil }
func (forgetful) Commit(context.Context, store.Change) error       { return nil }

// stopwatch is a receiver beside the plugin's.
type stopwatch struct {
	mu    sync.Mutex
	began map[string]time.Time
	took  []time.Duration
	all   sync.WaitGroup
}

func (s *stopwatch) Notify(_ context.Context, n alert.Notification) (notifiers.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, time.Since(s.began[n.ID]))
	s.all.Done()
	return notifiers.Receipt{}, nil
}

// BenchmarkNeighbour is how soon another receiver is told, at 500 a second, while
// a plugin's works, hangs, dies at every call or floods its output.
func BenchmarkNeighbour(b *testing.B) {
	for _, manner := range []string{"well", "hangs", "dies", "floods"} {
		b.Run(manner, func(b *testing.B) {
			for b.Loop() {
				took := neighbour(b, manner)
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			}
		})
	}
}

func neighbour(b *testing.B, manner string) []time.Duration {
	b.Helper()
	const total = 1000
	h, use := benchHost(b, 1, manner)
	defer h.Close()
	watch := &stopwatch{began: map[string]time.Time{}}
	o := outbox.New(outbox.Options{Store: forgetful{}, Policy: outbox.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
	o.SetReceivers([]outbox.Receiver{
		{Name: "plugin", Notifier: pluginnotifier.New(h, use.Plugin, use.Name, use.Settings, ""), Timeout: 200 * time.Millisecond},
		{Name: "other", Notifier: watch, Timeout: time.Second},
	})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	watch.all.Add(total)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := range total {
		now := time.Now()
		var both []alert.Delivery
		for _, receiver := range []string{"plugin", "other"} {
			n := notifiers.Sample(alert.Firing, 1)
			n.ID, n.Receiver, n.GroupKey = fmt.Sprintf("%s-%d", receiver, i), receiver, fmt.Sprint(i)
			both = append(both, alert.Delivery{Notification: n, State: alert.DeliveryPending, CreatedAt: now, NextAt: now})
		}
		watch.mu.Lock()
		watch.began[both[1].Notification.ID] = now
		watch.mu.Unlock()
		o.Enqueue(both)
		<-tick.C
	}
	watch.all.Wait()
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		b.Error(err)
	}
	return watch.took
}
