// Package pulse shows that Tocsin lives: a canary goes through every receiver
// on a schedule, by the way that notifications take, and a ping goes outward
// while all is well, so that its absence tells somebody else. cmd makes both of
// the configuration and runs them beside the engine. It judges no alert and
// keeps nothing of its own.
package pulse

import (
	"context"
	"log/slog"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// Ledger tells when the last canary was sent; a store is one.
type Ledger interface {
	Deliveries(ctx context.Context, q store.DeliveryQuery) (store.DeliveryPage, error)
}

// Store takes canaries as it takes notifications.
type Store interface {
	Commit(ctx context.Context, c store.Change) error
}

// Outbox sends what the store has.
type Outbox interface {
	Enqueue(deliveries []alert.Delivery)
}

// Canary sends a canary through each of its receivers. All fields but ExternalURL
// are required.
type Canary struct {
	Every       time.Duration
	Receivers   []string
	ExternalURL string
	Store       Store
	Ledger      Ledger
	Outbox      Outbox
	NewID       func() string
	Log         *slog.Logger

	next map[string]time.Time // by receiver
}

const (
	// retryEvery is how long it waits where the store does not take a canary.
	retryEvery = time.Minute
	// askTimeout bounds a question to the store.
	askTimeout = 10 * time.Second
)

// Run sends until ctx ends.
func (c *Canary) Run(ctx context.Context) error {
	c.plan(ctx, time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		timer.Reset(c.turn(ctx, time.Now()))
	}
}

// plan goes on with the schedule of before the start. A receiver that never had
// a canary gets one now.
func (c *Canary) plan(ctx context.Context, now time.Time) {
	c.next = make(map[string]time.Time, len(c.Receivers))
	for _, name := range c.Receivers {
		c.next[name] = now
		if last, ok := c.last(ctx, name); ok {
			c.next[name] = last.CreatedAt.Add(c.Every)
		}
	}
}

// last finds the receiver's last canary.
func (c *Canary) last(ctx context.Context, receiver string) (alert.Delivery, bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	page, err := c.Ledger.Deliveries(ctx, store.DeliveryQuery{Receiver: receiver, Group: group(receiver), Limit: 1})
	if err != nil || len(page.Deliveries) == 0 {
		return alert.Delivery{}, false
	}
	return page.Deliveries[0], true
}

func group(receiver string) string { return string(alert.KindCanary) + ":" + receiver }

// turn sends what is due, and says when it is to be called again.
func (c *Canary) turn(ctx context.Context, now time.Time) time.Duration {
	wait := c.Every
	for _, name := range c.Receivers {
		if !c.next[name].After(now) {
			c.next[name] = now.Add(c.send(ctx, name, now))
		}
		wait = min(wait, c.next[name].Sub(now))
	}
	return max(wait, time.Second)
}

// send queues one canary, and says when the next is due. One that has not
// arrived yet is not followed by another: they would pile up.
func (c *Canary) send(ctx context.Context, receiver string, now time.Time) time.Duration {
	if last, ok := c.last(ctx, receiver); ok && last.State == alert.DeliveryPending {
		c.Log.Warn("the canary before has not arrived yet", "receiver", receiver, "delivery", last.Notification.ID, "error", last.LastError)
		return c.Every
	}
	d := alert.Delivery{
		Notification: notifiers.Canary(receiver, c.ExternalURL, c.NewID(), now),
		State:        alert.DeliveryPending, CreatedAt: now, NextAt: now,
	}
	commit, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := c.Store.Commit(commit, store.Change{Deliveries: []alert.Delivery{d}}); err != nil {
		if ctx.Err() == nil {
			c.Log.Error("a canary was not stored, it is tried again", "receiver", receiver, "error", err)
		}
		return min(retryEvery, c.Every)
	}
	c.Outbox.Enqueue([]alert.Delivery{d})
	return c.Every
}
