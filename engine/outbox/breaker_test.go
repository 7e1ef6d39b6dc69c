package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// down is what a receiver that is down answers.
func down(status int) error { return &notifiers.AnswerError{Host: "http://h", Status: status} }

// news is what OnHealth was told.
type news struct {
	mu  sync.Mutex
	all []string
}

func (n *news) tell(receiver string, failing bool, _ string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf("%s %t", receiver, failing))
}

func (n *news) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// bench is an outbox with one receiver in a bubble of fake time.
type bench struct {
	*Outbox
	ledger *ledger
	phone  *phone
	news   *news
	stop   func()
}

func start(t *testing.T, r Receiver, marks ...store.Mark) *bench {
	t.Helper()
	b := &bench{ledger: &ledger{}, news: &news{}}
	b.phone, _ = r.Notifier.(*phone)
	b.Outbox = New(Options{Store: b.ledger, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler), OnHealth: b.news.tell})
	r.Name = "ops"
	if r.Timeout == 0 {
		r.Timeout = 10 * time.Second
	}
	b.SetReceivers([]Receiver{r})
	b.SetMarks(marks)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	}
	synctest.Wait()
	return b
}

func (b *bench) enqueue(groups int) {
	for i := range groups {
		b.Enqueue([]alert.Delivery{delivery("ops", fmt.Sprint("g", i), 1)})
	}
}

func TestAReceiverThatIsDownIsAskedWithOneNotificationAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		var up atomic.Bool
		p.answer = func(context.Context, alert.Notification, int) error {
			if up.Load() {
				return nil
			}
			return down(503)
		}
		b := start(t, Receiver{Notifier: p, Concurrency: 4})
		b.enqueue(100)
		synctest.Wait()
		first := len(p.called())
		if first < 5 || first > 8 {
			t.Errorf("%d of 100 groups found out that it is down", first)
		}
		if s := b.Status()["ops"]; s.Breaker != BreakerOpen || s.BreakerSince.IsZero() || s.NextProbe.IsZero() {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		// Full jitter of a minute at most: about two probes a minute.
		if n := len(p.called()) - first; n < 60 || n > 300 {
			t.Errorf("%d probes in an hour", n)
		}
		if seen := distinct(p.called()); seen < 50 {
			t.Errorf("the probes were of %d groups: one that the receiver cannot stand would block all", seen)
		}
		up.Store(true)
		time.Sleep(time.Minute + time.Second)
		if s := b.Status()["ops"]; s.Sent != 100 || s.Pending != 0 || s.Breaker != BreakerClosed {
			t.Errorf("after it came back: %+v", s)
		}
		if diff := cmp.Diff([]string{"ops true", "ops false"}, b.news.told()); diff != "" {
			t.Error(diff)
		}
		b.stop()
	})
}

func TestOneSuccessBringsEverythingAfterALongTimeDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		p := &phone{answer: func(context.Context, alert.Notification, int) error {
			if up.Load() {
				return nil
			}
			return down(503)
		}}
		b := start(t, Receiver{Notifier: p})
		b.enqueue(10)
		time.Sleep(6 * time.Hour) // each would wait for up to 5 minutes by itself
		up.Store(true)
		time.Sleep(time.Minute + time.Second)
		if s := b.Status()["ops"]; s.Sent != 10 {
			t.Errorf("%+v", s)
		}
		b.stop()
	})
}

func TestABreakerOpensByFailuresOfSeveralGroupsInARow(t *testing.T) {
	p := DefaultPolicy()
	now := time.Now()
	for _, tt := range []struct {
		attempts string // a, b: a group's failure; A, B: its timeout; -: a success
		open     bool
	}{
		{"aaaaaaaaaa", false},
		{"AAAAAAAAAA", false},
		{"aaab", false},
		{"aaaab", true},
		{"ab-abab", false},
		{"AB", true},
		{"aB", false},
		{"aBA", true},
		{"A-B", false},
	} {
		b := breaker{}
		for _, c := range tt.attempts {
			if c == '-' {
				b.reset()
				continue
			}
			b.failed(&p, strings.ToLower(string(c)), c < 'a', false, 0, now)
		}
		if b.open != tt.open {
			t.Errorf("%s: open is %t", tt.attempts, b.open)
		}
	}
}

func distinct(ids []string) int {
	slices.Sort(ids)
	return len(slices.Compact(ids))
}

func TestOneMessageThatAReceiverCannotStandHoldsUpNoOther(t *testing.T) {
	for name, answer := range map[string]error{"it may pass": down(500), "permanent": notifiers.Permanent(down(400))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &phone{answer: func(_ context.Context, n alert.Notification, _ int) error {
					if n.GroupKey == "poison" {
						return answer
					}
					return nil
				}}
				b := start(t, Receiver{Notifier: p})
				b.Enqueue([]alert.Delivery{delivery("ops", "poison", 1)})
				for range 20 {
					time.Sleep(time.Minute)
					b.enqueue(3)
					synctest.Wait()
					if s := b.Status()["ops"]; s.Pending > 1 || s.Breaker != BreakerClosed {
						t.Fatalf("%+v", s)
					}
				}
				b.stop()
			})
		})
	}
}

func TestAHangingReceiverOpensItsBreakerSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(ctx context.Context, _ alert.Notification, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		b := start(t, Receiver{Notifier: p, Concurrency: 2})
		b.enqueue(50)
		time.Sleep(11 * time.Second)
		if s := b.Status()["ops"]; s.Breaker == BreakerClosed || s.Failed > 3 {
			t.Errorf("%+v", s)
		}
		time.Sleep(20 * time.Second) // what had begun before it opened ends
		for range 300 {              // a probe that hangs is followed by no other
			time.Sleep(time.Second)
			b.enqueue(1)
			synctest.Wait()
			if s := b.Status()["ops"]; s.InFlight > 1 {
				t.Fatalf("%+v", s)
			}
		}
		b.stop()
	})
}

func TestWhatGrowsTooOldBehindAnOpenBreakerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(context.Context, alert.Notification, int) error { return down(503) }}
		b := start(t, Receiver{Notifier: p, GiveUp: time.Hour})
		b.enqueue(200)
		b.Enqueue([]alert.Delivery{delivery("ops", "g0", 2)})
		time.Sleep(time.Hour + 10*time.Minute)
		states := b.ledger.states()
		if n := len(states); n != 201 {
			t.Errorf("%d of 201 have an outcome", n)
		}
		for id, state := range states {
			if state != alert.DeliveryDead {
				t.Errorf("%s is %s", id, state)
			}
		}
		b.stop()
	})
}

func TestA429PausesTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
			if call == 1 {
				return notifiers.RetryAfter(down(http.StatusTooManyRequests), 30*time.Second)
			}
			return nil
		}}
		b := start(t, Receiver{Notifier: p, Concurrency: 1})
		b.enqueue(10)
		time.Sleep(29 * time.Second)
		if n := len(p.called()); n != 1 || b.Status()["ops"].PausedUntil.IsZero() {
			t.Errorf("%d calls within the time that it asked for", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(p.called()); n != 11 {
			t.Errorf("%d calls after it", n)
		}
		b.stop()
	})
}

func TestARateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Receiver{Notifier: &phone{}, Rate: Rate{60, time.Minute}})
		b.enqueue(100)
		began := time.Now()
		for _, row := range []struct {
			after time.Duration
			most  int
		}{{0, 5}, {time.Second, 6}, {30 * time.Second, 35}, {60 * time.Second, 65}} {
			time.Sleep(time.Until(began.Add(row.after)))
			synctest.Wait()
			if n := len(b.phone.called()); n > row.most || n < row.most-1 {
				t.Errorf("%d calls after %s, want %d", n, row.after, row.most)
			}
		}
		b.stop()
	})
}

func TestRateTexts(t *testing.T) {
	for text, want := range map[string]Rate{
		"": {}, "1/s": {1, time.Second}, "60/m": {60, time.Minute}, " 1000 / h ": {1000, time.Hour},
	} {
		var r Rate
		if err := r.FromScalar(text); err != nil || r != want {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"60", "60/d", "0/s", "-1/s", "1.5/s", "/s", "9999999/s", "x/m"} {
		var r Rate
		if err := r.FromScalar(text); err == nil {
			t.Errorf("%q is taken as %v", text, r)
		}
	}
}

func TestAReceiverThatIsGoneIsDisabledUntilItsSettingsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := &phone{answer: func(context.Context, alert.Notification, int) error {
			return notifiers.Permanent(down(http.StatusGone))
		}}
		b := start(t, Receiver{Notifier: gone, Settings: "old", Concurrency: 1})
		b.enqueue(10)
		time.Sleep(time.Hour)
		s := b.Status()["ops"]
		if len(gone.called()) != 1 || !s.Disabled || s.DisabledReason == "" || s.Pending != 10 || s.Dead != 0 {
			t.Errorf("%d calls, %+v", len(gone.called()), s)
		}
		if len(b.ledger.kept()) != 1 || b.ledger.kept()[0].Name != "receiver/ops/disabled" {
			t.Fatalf("marks %+v", b.ledger.kept())
		}
		mark := b.ledger.kept()[0]
		b.stop()

		// A restart remembers; other settings are a new beginning.
		well := &phone{}
		b = start(t, Receiver{Notifier: well, Settings: "old"}, mark)
		b.enqueue(10)
		time.Sleep(time.Minute)
		if n := len(well.called()); n != 0 || !b.Status()["ops"].Disabled {
			t.Errorf("after a restart it was called %d times", n)
		}
		if diff := cmp.Diff([]string{"ops true"}, b.news.told()); diff != "" {
			t.Error(diff)
		}
		b.SetReceivers([]Receiver{{Name: "ops", Notifier: well, Settings: "old", Timeout: time.Second}})
		synctest.Wait()
		if n := len(well.called()); n != 0 {
			t.Error("a reload with the same settings enables it")
		}
		b.SetReceivers([]Receiver{{Name: "ops", Notifier: well, Settings: "new", Timeout: time.Second}})
		synctest.Wait()
		if n := len(well.called()); n != 10 || b.Status()["ops"].Disabled {
			t.Errorf("with other settings it was called %d times", n)
		}
		kept := b.ledger.kept()
		if last := kept[len(kept)-1]; last != (store.Mark{Name: mark.Name}) {
			t.Errorf("the mark stays: %+v", b.ledger.kept())
		}
		b.stop()

		b = start(t, Receiver{Notifier: well, Settings: "new"}, mark)
		if b.Status()["ops"].Disabled || len(b.ledger.kept()) != 1 || b.ledger.kept()[0].Value != "" {
			t.Errorf("a change while it was down: %+v", b.ledger.kept())
		}
		b.stop()
	})
}

func TestATestOrAPersonEnablesAReceiver(t *testing.T) {
	for name, enable := range map[string]func(*Outbox) error{
		"a person": func(o *Outbox) error { return o.Enable("ops") },
		"a test": func(o *Outbox) error {
			_, _, err := o.Test(context.Background(), notifiers.Test("ops", "http://t", "test-1", time.Now()))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
					if call == 1 {
						return notifiers.Permanent(down(http.StatusGone))
					}
					return nil
				}}
				b := start(t, Receiver{Notifier: p, Concurrency: 1})
				b.enqueue(3)
				time.Sleep(time.Minute)
				if err := enable(b.Outbox); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if s := b.Status()["ops"]; s.Disabled || s.Sent != 3 {
					t.Errorf("%+v", s)
				}
				b.stop()
			})
		})
	}
}
