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
