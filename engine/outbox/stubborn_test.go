package outbox

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestANotifierThatIgnoresItsDeadlineHoldsUpItsGroupAlone(t *testing.T) {
	free := make(chan struct{})
	deaf := &phone{answer: func(_ context.Context, n alert.Notification, _ int) error {
		if n.GroupKey == "stuck" {
			<-free
		}
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		free = make(chan struct{}) // of the bubble
		o := New(Options{Store: &ledger{}, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "deaf", Notifier: deaf, Timeout: 10 * time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		o.Enqueue([]alert.Delivery{delivery("deaf", "stuck", 1)})
		time.Sleep(10 * time.Minute)
		for n := range DefaultPolicy().Concurrency + 1 {
			o.Enqueue([]alert.Delivery{delivery("deaf", "other", n)})
		}
		synctest.Wait()
		others := DefaultPolicy().Concurrency + 1
		if s := o.Status()["deaf"]; s.Sent != uint64(others) || s.Failed < 2 {
			t.Errorf("status %+v", s)
		}
		if n := len(deaf.called()); n != others+1 {
			t.Errorf("called %d times: a call that hangs is not repeated beside itself", n)
		}
		started := time.Now()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) || time.Since(started) > 30*time.Second {
			t.Errorf("the stop took %s: %v", time.Since(started), err)
		}
		close(free)
	})
}

func TestOutcomesOfADeliveryReachTheStoreInOrder(t *testing.T) {
	p := &phone{answer: func(_ context.Context, n alert.Notification, call int) error {
		if n.Attempt != call {
			t.Errorf("call %d is told that it is attempt %d", call, n.Attempt)
		}
		if call == 1 {
			return errors.New("503")
		}
		return nil
	}}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		l.mu.Lock()
		l.refuse = true
		l.mu.Unlock()
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		time.Sleep(10 * time.Second) // failed, sent, and neither is stored
		l.mu.Lock()
		l.refuse = false
		l.mu.Unlock()
		time.Sleep(2 * time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.settled) != 2 || l.settled[0].Attempts != 1 || l.settled[1].State != alert.DeliverySent {
			t.Errorf("settled %+v", l.settled)
		}
	})
}

func TestNothingIsGivenUpBeforeTheReceiversAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := &ledger{}, &phone{}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		time.Sleep(time.Hour)
		if got := l.states(); len(got) != 0 {
			t.Errorf("before: %v", got)
		}
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: p, Timeout: time.Second}})
		synctest.Wait()
		if got := l.states()["ops/g/1"]; got != alert.DeliverySent {
			t.Errorf("after: %q", got)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		o.Enqueue([]alert.Delivery{delivery("late", "g", 1)}) // starts nothing
	})
}

func TestOutcomesWaitUntilTheStoreHasTheDelivery(t *testing.T) {
	p := &phone{}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		stored := make(chan struct{})
		o.EnqueueUnstored([]alert.Delivery{delivery("ops", "g", 1), delivery("ops", "g", 2)}, stored)
		time.Sleep(time.Minute)
		if len(p.called()) != 2 || len(l.states()) != 0 {
			t.Errorf("before: %v sent, %v settled", p.called(), l.states())
		}
		close(stored)
		synctest.Wait()
		if got := l.states(); len(got) != 2 {
			t.Errorf("after: %v", got)
		}
	})
}
