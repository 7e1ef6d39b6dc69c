package pulse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger is a store and an outbox that sends at once, unless it hangs.
type ledger struct {
	mu     sync.Mutex
	rows   []alert.Delivery // newest first
	refuse bool
	hang   map[string]bool // by receiver
	queued []string
}

func (l *ledger) Commit(_ context.Context, c store.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return errors.New("disk full")
	}
	l.rows = append(slices.Clone(c.Deliveries), l.rows...)
	return nil
}

func (l *ledger) Deliveries(_ context.Context, q store.DeliveryQuery) (store.DeliveryPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.rows {
		if d.Notification.GroupKey == q.Group && d.Notification.Receiver == q.Receiver {
			return store.DeliveryPage{Deliveries: []alert.Delivery{d}}, nil
		}
	}
	return store.DeliveryPage{}, nil
}

func (l *ledger) Enqueue(ds []alert.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range ds {
		l.queued = append(l.queued, d.Notification.Receiver)
		if !l.hang[d.Notification.Receiver] {
			i := slices.IndexFunc(l.rows, func(r alert.Delivery) bool { return r.Notification.ID == d.Notification.ID })
			l.rows[i].State = alert.DeliverySent
		}
	}
}

func (l *ledger) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queued)
}

func canary(l *ledger, receivers ...string) *Canary {
	id := 0
	return &Canary{
		Every: 24 * time.Hour, Receivers: receivers, Store: l, Ledger: l, Outbox: l, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { id++; return fmt.Sprint("msg_", time.Now().UnixNano(), id) },
	}
}

// during runs something in a bubble of fake time, and ends it after body.
func during(t *testing.T, run func(context.Context) error, body func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	synctest.Wait()
	body()
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestACanaryGoesThroughEveryReceiverOnItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		during(t, canary(l, "ops", "hooks").Run, func() {
			l.mu.Lock()
			queued, n := slices.Clone(l.queued), l.rows[0].Notification
			l.mu.Unlock()
			if diff := cmp.Diff([]string{"ops", "hooks"}, queued); diff != "" {
				t.Error(diff)
			}
			if n.Kind != alert.KindCanary || n.GroupKey != "canary:hooks" || !strings.Contains(n.Alerts[0].Message, "canary") {
				t.Errorf("%+v", n)
			}
			time.Sleep(72*time.Hour + time.Minute)
			if n := l.sent(); n != 8 {
				t.Errorf("%d canaries in three days through two receivers", n)
			}
		})
		// A restart goes on where the ledger says.
		time.Sleep(12 * time.Hour)
		during(t, canary(l, "ops", "hooks").Run, func() {
			if n := l.sent(); n != 8 {
				t.Errorf("a restart sends %d", n-8)
			}
			time.Sleep(12 * time.Hour)
			if n := l.sent(); n != 10 {
				t.Errorf("%d after the day was over", n)
			}
		})
	})
}

func TestACanaryThatHangsIsNotFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{hang: map[string]bool{"ops": true}}
		during(t, canary(l, "ops").Run, func() {
			time.Sleep(10 * 24 * time.Hour)
			if n := l.sent(); n != 1 {
				t.Errorf("%d canaries wait", n)
			}
		})
	})
}

func TestACanaryWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{refuse: true}
		during(t, canary(l, "ops").Run, func() {
			time.Sleep(time.Hour)
			l.mu.Lock()
			l.refuse = false
			l.mu.Unlock()
			time.Sleep(retryEvery + time.Second)
			if n := l.sent(); n != 1 {
				t.Errorf("%d canaries", n)
			}
		})
	})
}

// log is what the log has.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, line, _ := strings.Cut(strings.TrimSpace(string(p)), "msg=")
	l.lines = append(l.lines, line)
	return len(p), nil
}

func TestADeadManPingsWhileAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sick, deaf error
		free := make(chan struct{})
		hangs := false
		kept := &log{}
		d := &Deadman{
			Every: time.Minute, Timeout: 10 * time.Second, Stats: &Stats{}, Log: slog.New(slog.NewTextHandler(kept, nil)),
			Healthy: func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				if hangs {
					mu.Unlock()
					<-free // a loop that is stuck heeds no context
					mu.Lock()
				}
				return sick
			},
			Ping: func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				return deaf
			},
		}
		set := func(change func()) {
			mu.Lock()
			change()
			mu.Unlock()
		}
		during(t, d.Run, func() {
			want := func(when string, sent, failed, withheld uint64) {
				t.Helper()
				if s := d.Stats; s.Sent.Load() != sent || s.Failed.Load() != failed || s.Withheld.Load() != withheld {
					t.Errorf("%s: sent %d, failed %d, withheld %d", when, s.Sent.Load(), s.Failed.Load(), s.Withheld.Load())
				}
			}
			want("at once", 1, 0, 0)
			time.Sleep(5*time.Minute + time.Second)
			want("after five minutes", 6, 0, 0)
			set(func() { sick = errors.New("the store takes nothing") })
			time.Sleep(3 * time.Minute)
			want("while the store takes nothing", 6, 0, 3)
			set(func() { sick, deaf = nil, errors.New("no answer before the deadline") })
			time.Sleep(2 * time.Minute)
			want("while nobody answers", 6, 2, 3)
			set(func() { deaf, hangs = nil, true })
			time.Sleep(2*time.Minute + 15*time.Second)
			want("while the loop is stuck", 6, 2, 5)
			set(func() { hangs = false })
			close(free)
			time.Sleep(time.Minute)
			if d.Stats.Sent.Load() < 7 || d.Stats.LastSent.Load() == 0 {
				t.Error("no ping after all is well again")
			}
		})
		wantLog := []string{
			`"the dead-man ping is withheld, for all is not well" error="the store takes nothing"`,
			`"the dead-man ping could not be sent" error="no answer before the deadline"`,
			`"the dead-man ping is withheld, for all is not well" error="context deadline exceeded"`,
			`"the dead-man ping is sent again"`,
		}
		if diff := cmp.Diff(wantLog, kept.lines); diff != "" {
			t.Error(diff)
		}
	})
}
