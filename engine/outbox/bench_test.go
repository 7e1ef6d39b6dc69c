package outbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/webhook"
	"github.com/tocsin-dev/tocsin/store"
)

// slowDisk is a store whose every write waits for the disk.
type slowDisk struct {
	fsync  time.Duration
	writes atomic.Int64
	all    sync.WaitGroup
}

func (s *slowDisk) Settle(_ context.Context, settled []store.Settlement) error {
	time.Sleep(s.fsync)
	s.writes.Add(1)
	for range settled {
		s.all.Done()
	}
	return nil
}

func (s *slowDisk) Commit(context.Context, store.Change) error { return nil }

func storm(groups int) []alert.Delivery {
	out := make([]alert.Delivery, groups)
	now := time.Now()
	for i := range out {
		n := notifiers.Sample(alert.Firing, 1)
		n.ID, n.Receiver, n.GroupKey = fmt.Sprintf("msg_%d", i), "hooks", fmt.Sprintf("{}:{n=%d}", i)
		n.Alerts[0].Fingerprint = alert.Fingerprint(i)
		out[i] = alert.Delivery{Notification: n, State: alert.DeliveryPending, CreatedAt: now, NextAt: now}
	}
	return out
}

// BenchmarkStorm sends 10,000 notifications of as many groups to a webhook on
// the same machine and settles them on a disk that takes 3 ms a write.
func BenchmarkStorm(b *testing.B) {
	const groups = 10_000
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer hook.Close()
	cfg := webhook.Default()
	cfg.URL = secret.NewURL(hook.URL)
	client, err := httpx.Options{}.Client(10 * time.Second)
	if err != nil {
		b.Fatal(err)
	}
	defer client.CloseIdleConnections()
	n, err := webhook.New(cfg, client)
	if err != nil {
		b.Fatal(err)
	}
	run(b, n, groups)
}

// BenchmarkQueue is the same without a receiver: what the outbox itself costs.
func BenchmarkQueue(b *testing.B) { run(b, nothing{}, 10_000) }

type nothing struct{}

func (nothing) Notify(context.Context, alert.Notification) (notifiers.Receipt, error) {
	return notifiers.Receipt{}, nil
}

func run(b *testing.B, n notifiers.Notifier, groups int) {
	b.ReportAllocs()
	disk := &slowDisk{fsync: 3 * time.Millisecond}
	o := New(Options{Store: disk, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
	o.SetReceivers([]Receiver{{Name: "hooks", Notifier: n, Timeout: 10 * time.Second}})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	for b.Loop() {
		b.StopTimer()
		all := storm(groups)
		b.StartTimer()
		disk.all.Add(groups)
		o.Enqueue(all)
		disk.all.Wait()
	}
	stop()
	if err := <-done; err == nil {
		b.Error("run ended without a stop")
	}
	b.ReportMetric(float64(groups*b.N)/b.Elapsed().Seconds(), "sent/s")
	b.ReportMetric(float64(disk.writes.Load())/float64(b.N), "writes/storm")
	if s := o.Status()["hooks"]; s.Failed > 0 || s.Pending > 0 {
		b.Errorf("%+v", s)
	}
}
