package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// picky is a store that can never take the outcomes, or the history, of some
// deliveries.
type picky struct {
	ledger
	never, noHistory string // parts of ids
	asked            int
}

func (p *picky) Settle(ctx context.Context, batch []store.Settlement) error {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	for _, s := range batch {
		if strings.Contains(s.ID, p.never) || strings.Contains(s.ID, p.noHistory) && len(s.Events) > 0 {
			return fmt.Errorf("settle %s: %w", s.ID, store.ErrInvalid)
		}
	}
	return p.ledger.Settle(ctx, batch)
}

func TestAnOutcomeThatCanNeverBeStoredIsPartedFromTheOthers(t *testing.T) {
	p := &picky{never: "poison", noHistory: "bare"}
	s := newSettler(p, &Policy{Unsettled: 1 << 20, UnsettledEntries: 1 << 20}, slog.New(slog.DiscardHandler), func() {})
	for i := range 2 * maxSettle {
		o := store.Settlement{ID: fmt.Sprint("d", i), State: alert.DeliverySent, Events: []alert.Event{{AlertID: "a"}}}
		switch i {
		case 3, maxSettle + 7:
			o.ID = fmt.Sprint("poison", i)
		case 700:
			o.ID = "bare"
		}
		s.add(o, nil)
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range p.outcomes() {
		ids = append(ids, o.ID)
		if bare := len(o.Events) == 0; bare != (o.ID == "bare") {
			t.Errorf("%s has %d entries", o.ID, len(o.Events))
		}
	}
	var want []string
	for i := range 2 * maxSettle {
		switch i {
		case 3, maxSettle + 7:
		case 700:
			want = append(want, "bare")
		default:
			want = append(want, fmt.Sprint("d", i))
		}
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff) // those and no others, in their order
	}
	if p.asked > 100 {
		t.Errorf("the store was asked %d times", p.asked)
	}
}

func TestAStoreThatRefusesForNowIsNotAskedAboutParts(t *testing.T) {
	p := &picky{never: "poison", noHistory: "bare"}
	p.refuse = true
	s := newSettler(p, &Policy{Unsettled: 1 << 20, UnsettledEntries: 1 << 20}, slog.New(slog.DiscardHandler), func() {})
	for i := range 10 {
		s.add(store.Settlement{ID: fmt.Sprint("d", i)}, nil)
	}
	if err := s.flush(); err == nil || p.asked != 1 {
		t.Errorf("asked %d times: %v", p.asked, err)
	}
}

func TestNothingIsSentWhileTooManyOutcomesWaitForTheStore(t *testing.T) {
	tests := map[string]func(*Policy, *alert.Delivery){
		"outcomes": func(p *Policy, _ *alert.Delivery) { p.Unsettled = 50 },
		"history": func(p *Policy, d *alert.Delivery) {
			p.UnsettledEntries = 500
			d.Notification.Alerts = slices.Repeat(d.Notification.Alerts, 10)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { holdAndGoOn(t, change) })
		})
	}
}

func holdAndGoOn(t *testing.T, change func(*Policy, *alert.Delivery)) {
	l, p, policy := &ledger{refuse: true}, &phone{}, DefaultPolicy()
	deliveries := make([]alert.Delivery, 500)
	for i := range deliveries {
		deliveries[i] = delivery("ops", fmt.Sprint("g", i), 1)
		change(&policy, &deliveries[i])
	}
	o := New(Options{Store: l, Policy: policy, Log: slog.New(slog.DiscardHandler)})
	o.SetReceivers([]Receiver{{Name: "ops", Notifier: p, Timeout: time.Second}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	unstored := make(chan struct{}) // some deliveries are not stored themselves
	o.Enqueue(deliveries[:100])
	o.EnqueueUnstored(deliveries[100:], unstored)
	time.Sleep(time.Hour)
	sent := len(p.called())
	if sent < 50 || sent >= 50+policy.Concurrency {
		t.Errorf("%d were sent", sent)
	}
	if n, holds := o.Unsettled(); n != sent || !holds {
		t.Errorf("%d wait, holds: %t", n, holds)
	}
	if err := o.Alive(time.Now()); err == nil || !strings.Contains(err.Error(), "nothing is sent") {
		t.Errorf("alive: %v", err)
	}
	l.mu.Lock()
	l.refuse = false
	l.mu.Unlock()
	close(unstored)
	time.Sleep(2 * settleEvery)
	if n, holds := o.Unsettled(); n != 0 || holds || len(p.called()) != len(deliveries) || len(l.states()) != len(deliveries) {
		t.Errorf("after: %d sent, %d settled, %d wait, holds: %t", len(p.called()), len(l.states()), n, holds)
	}
	if err := o.Alive(time.Now()); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// unsure is a store that takes outcomes, and says that it did not.
type unsure struct {
	ledger
	lies bool
	slow time.Duration
}

func (u *unsure) Settle(ctx context.Context, batch []store.Settlement) error {
	err := u.ledger.Settle(ctx, batch)
	u.mu.Lock()
	defer u.mu.Unlock()
	time.Sleep(u.slow)
	if u.lies {
		return errors.New("disk I/O error")
	}
	return err
}

func TestWhatIsSentAgainIsNotSettledByAnAttemptFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &unsure{lies: true}
		p := &phone{answer: func(_ context.Context, _ alert.Notification, call int) error {
			if call == 1 {
				return notifiers.Permanent(errors.New("400"))
			}
			return nil
		}}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: p, Timeout: time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		d := delivery("ops", "g", 1)
		o.Enqueue([]alert.Delivery{d})
		time.Sleep(time.Minute)
		revived := 0
		again := func(ctx context.Context) error {
			_, err := o.Redeliver(ctx, d.Notification.ID, func() (alert.Delivery, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				revived = len(l.settled)
				return delivery("ops", "g", 1), nil
			})
			return err
		}
		if err := again(t.Context()); !errors.Is(err, store.ErrPending) || revived != 0 {
			t.Fatalf("while its outcome waits: %v", err)
		}
		l.mu.Lock()
		l.lies = false
		l.mu.Unlock()
		time.Sleep(2 * settleEvery)
		if err := again(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for i, s := range l.outcomes() {
			if (s.State == alert.DeliverySent) != (i >= revived) {
				t.Errorf("outcome %d of %d before: %s", i, revived, s.State)
			}
		}
		if revived == 0 || len(l.outcomes()) != revived+1 {
			t.Errorf("settled %d, %d of them before", len(l.outcomes()), revived)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestSendingAgainWaitsForAWriteOnlyAsLongAsWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &unsure{slow: 5 * time.Second}
		o := New(Options{Store: l, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		o.SetReceivers([]Receiver{{Name: "ops", Notifier: &phone{}, Timeout: time.Second}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		o.Enqueue([]alert.Delivery{delivery("ops", "g", 1)})
		time.Sleep(time.Second)
		ask, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := o.Redeliver(ask, "other", func() (alert.Delivery, error) {
			t.Error("revived beside a write")
			return alert.Delivery{}, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
