package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// ledger is a store that remembers outcomes, and refuses while told to.
type ledger struct {
	mu      sync.Mutex
	refuse  bool
	settled []store.Settlement
	marks   []store.Mark
}

func (l *ledger) Settle(_ context.Context, s []store.Settlement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return errors.New("disk full")
	}
	l.settled = append(l.settled, s...)
	return nil
}

func (l *ledger) Commit(_ context.Context, c store.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return errors.New("disk full")
	}
	l.marks = append(l.marks, c.Marks...)
	return nil
}

func (l *ledger) kept() []store.Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.marks)
}

func (l *ledger) outcomes() []store.Settlement {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.settled)
}

func (l *ledger) states() map[string]alert.DeliveryState {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]alert.DeliveryState{}
	for _, s := range l.settled {
		out[s.ID] = s.State
	}
	return out
}

// phone is a notifier that answers by a function and writes down who called.
type phone struct {
	mu     sync.Mutex
	calls  []string
	answer func(ctx context.Context, n alert.Notification, call int) error
}

func (p *phone) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	p.mu.Lock()
	p.calls = append(p.calls, n.ID)
	call := len(p.calls)
	p.mu.Unlock()
	if p.answer == nil {
		return notifiers.Receipt{}, nil
	}
	return notifiers.Receipt{}, p.answer(ctx, n, call)
}

func (p *phone) called() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func delivery(receiver, group string, n int) alert.Delivery {
	id := fmt.Sprintf("%s/%s/%d", receiver, group, n)
	return alert.Delivery{
		Notification: alert.Notification{ID: id, Receiver: receiver, GroupKey: group, Alerts: []alert.Alert{{ID: "a", Fingerprint: alert.LabelsOf("group", group).Fingerprint()}}},
		State:        alert.DeliveryPending, CreatedAt: time.Now(), NextAt: time.Now(),
	}
}

// play runs an outbox with these receivers in a bubble of fake time.
func play(t *testing.T, receivers map[string]notifiers.Notifier, body func(o *Outbox, l *ledger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		var list []Receiver
		for name, n := range receivers {
			list = append(list, Receiver{Name: name, Type: "phone", Notifier: n, Timeout: 10 * time.Second})
		}
		o.SetReceivers(list)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		synctest.Wait()
		body(o, l)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	})
}

func TestOrderIsKeptWithinAGroupOverRetries(t *testing.T) {
	p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
		if call <= 3 {
			return errors.New("503")
		}
		return nil
	}}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1), delivery("ops", "g", 2)})
		time.Sleep(time.Minute)
		want := []string{"ops/g/1", "ops/g/1", "ops/g/1", "ops/g/1", "ops/g/2"}
		if diff := cmp.Diff(want, p.called()); diff != "" {
			t.Error(diff)
		}
		if got := l.states(); got["ops/g/1"] != alert.DeliverySent || got["ops/g/2"] != alert.DeliverySent {
			t.Errorf("states %v", got)
		}
		if s := o.Status()["ops"]; s.Sent != 2 || s.Failed != 3 || s.Pending != 0 || s.InFlight != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAnAlertThatMovedToAnotherGroupIsToldInOrder(t *testing.T) {
	p := &phone{}
	p.answer = func(_ context.Context, n alert.Notification, _ int) error {
		tries := slices.DeleteFunc(p.called(), func(id string) bool { return id != "ops/old/1" })
		if n.ID == "ops/old/1" && len(tries) < 3 {
			return errors.New("503")
		}
		return nil
	}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		fired, ended, other := delivery("ops", "old", 1), delivery("ops", "new", 1), delivery("ops", "other", 1)
		ended.Notification.Alerts = append(ended.Notification.Alerts, fired.Notification.Alerts...)
		o.Enqueue([]alert.Delivery{fired, ended, other})
		time.Sleep(time.Minute)
		calls := slices.DeleteFunc(p.called(), func(id string) bool { return id == "ops/other/1" })
		want := []string{"ops/old/1", "ops/old/1", "ops/old/1", "ops/new/1"}
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Error(diff)
		}
		if states := l.states(); len(states) != 3 || states["ops/new/1"] != alert.DeliverySent || states["ops/other/1"] != alert.DeliverySent {
			t.Errorf("%v", states)
		}
	})
}

func TestAHangingReceiverAndGroupHoldUpNobodyElse(t *testing.T) {
	hang := &phone{answer: func(ctx context.Context, n alert.Notification, _ int) error {
		if n.GroupKey == "stuck" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	well := &phone{}
	play(t, map[string]notifiers.Notifier{"hang": hang, "well": well}, func(o *Outbox, _ *ledger) {
		o.Enqueue([]alert.Delivery{delivery("hang", "stuck", 1), delivery("hang", "other", 1), delivery("well", "g", 1)})
		synctest.Wait() // no time passes
		if got := well.called(); len(got) != 1 {
			t.Errorf("the other receiver was called %d times", len(got))
		}
		if got := hang.called(); !slices.Contains(got, "hang/other/1") {
			t.Errorf("the other group was not sent: %v", got)
		}
	})
}

func TestPermanentErrorsAndPanicsAndAge(t *testing.T) {
	refuse := &phone{answer: func(context.Context, alert.Notification, int) error { return notifiers.Permanent(errors.New("404")) }}
	panics := &phone{answer: func(context.Context, alert.Notification, int) error { panic("boom") }}
	play(t, map[string]notifiers.Notifier{"refuse": refuse, "panics": panics}, func(o *Outbox, l *ledger) {
		o.Enqueue([]alert.Delivery{delivery("refuse", "g", 1), delivery("panics", "g", 1), delivery("gone", "g", 1)})
		synctest.Wait()
		got := l.states()
		if got["refuse/g/1"] != alert.DeliveryDead || got["gone/g/1"] != alert.DeliveryDead || got["panics/g/1"] != alert.DeliveryPending {
			t.Errorf("at once: %v", got)
		}
		time.Sleep(73 * time.Hour)
		if got := l.states()["panics/g/1"]; got != alert.DeliveryDead {
			t.Errorf("after three days: %v", got)
		}
		if n := len(refuse.called()); n != 1 {
			t.Errorf("a permanent error was tried %d times", n)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
		if call == 1 {
			return notifiers.RetryAfter(errors.New("429"), 30*time.Second)
		}
		return nil
	}}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, _ *ledger) {
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		time.Sleep(29 * time.Second)
		if n := len(p.called()); n != 1 {
			t.Errorf("called %d times within the time that it asked for", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(p.called()); n != 2 {
			t.Errorf("called %d times after it", n)
		}
	})
}

func TestAStoreThatRefusesDoesNotSilenceTheLane(t *testing.T) {
	p := &phone{}
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		l.mu.Lock()
		l.refuse = true
		l.mu.Unlock()
		for i := range 20 {
			o.Enqueue([]alert.Delivery{delivery("ops", fmt.Sprint(i), 1)})
		}
		time.Sleep(time.Minute)
		if n := len(p.called()); n != 20 {
			t.Errorf("%d of 20 were sent while the store refused", n)
		}
		l.mu.Lock()
		l.refuse = false
		l.mu.Unlock()
		time.Sleep(2 * time.Second)
		if n := len(l.states()); n != 20 {
			t.Errorf("%d of 20 outcomes were stored when it took them again", n)
		}
	})
}

func TestAStopWaitsForWhatIsUnderWay(t *testing.T) {
	p := &phone{answer: func(ctx context.Context, _ alert.Notification, _ int) error {
		select {
		case <-time.After(2 * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	var kept *ledger
	play(t, map[string]notifiers.Notifier{"ops": p}, func(o *Outbox, l *ledger) {
		kept = l
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		synctest.Wait()
	})
	if got := kept.states()["ops/g/1"]; got != alert.DeliverySent {
		t.Errorf("after the stop it is %q", got)
	}
}
