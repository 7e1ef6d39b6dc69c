package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// order is something that a person wants done, on the loop.
type order struct {
	do   func(now time.Time) error
	done chan error // of capacity 1
}

// order has something done between two steps. When it returns nil, what was
// decided is on the disk.
func (e *Engine) order(ctx context.Context, do func(now time.Time) error) error {
	o := &order{do: do, done: make(chan error, 1)}
	select {
	case <-e.ready:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case e.orders <- o:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	// It is not left halfway: the loop writes what the caller reads.
	select {
	case err := <-o.done:
		return err
	case <-e.stopped:
		return ErrStopped
	}
}

// obey does an order, with what others wait, and commits.
func (e *Engine) obey(first *order) {
	orders := []*order{first}
gather:
	for len(orders) < maxPostsAtOnce {
		select {
		case o := <-e.orders:
			orders = append(orders, o)
		default:
			break gather
		}
	}
	now := time.Now()
	var change store.Change
	results := make([]error, len(orders))
	e.mu.Lock()
	for i, o := range orders {
		results[i] = o.do(now)
	}
	e.flush(&change, now)
	e.mu.Unlock()
	var done []chan<- error
	for i, o := range orders {
		if results[i] != nil {
			o.done <- results[i]
			continue
		}
		done = append(done, o.done)
	}
	e.commit(change, done...)
}

// Acknowledge takes alerts up by id or fingerprint, or snoozes them, all or
// none; it returns how they stand then. AlertID, Severity and At of the ack are
// filled in. An alert that does not fire is an error that wraps
// store.ErrNotFound.
func (e *Engine) Acknowledge(ctx context.Context, ids []string, ack alert.Ack) ([]alert.Standing, error) {
	if ack.Snooze() && !ack.Until.After(time.Now()) {
		return nil, refused("until: a snooze must end in the future")
	}
	return e.each(ctx, ids, func(id string, now time.Time) { e.dispatcher.Acknowledge(id, ack, now) })
}

// Unacknowledge takes that back, all or none.
func (e *Engine) Unacknowledge(ctx context.Context, ids []string, who string) ([]alert.Standing, error) {
	return e.each(ctx, ids, func(id string, now time.Time) { e.dispatcher.Unacknowledge(id, who, now) })
}

func (e *Engine) each(ctx context.Context, ids []string, do func(id string, now time.Time)) ([]alert.Standing, error) {
	var out []alert.Standing
	err := e.order(ctx, func(now time.Time) error {
		for _, id := range ids {
			if !e.dispatcher.Fires(id) {
				return fmt.Errorf("alert %q does not fire: %w", id, store.ErrNotFound)
			}
		}
		for _, id := range ids {
			do(id, now)
			if s, ok := e.dispatcher.Stance(id, now); ok {
				out = append(out, s.Standing())
			}
		}
		return nil
	})
	return out, err
}

// SetFailing says that a receiver does not take what is sent, and why; an empty
// reason says that it does again. It does not wait.
func (e *Engine) SetFailing(receiver, reason string) {
	e.healthMu.Lock()
	e.health[receiver] = reason
	e.healthMu.Unlock()
	select {
	case e.nudge <- struct{}{}:
	default:
	}
}

// heed takes what is known of the receivers' health.
func (e *Engine) heed(now time.Time) {
	e.healthMu.Lock()
	health := e.health
	e.health = map[string]string{}
	e.healthMu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(health)) {
		e.dispatcher.SetFailing(name, health[name], now)
	}
}
