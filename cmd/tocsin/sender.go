package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// sender adapts the outbox to what people may have sent.
type sender struct{ d *daemon }

// Redeliver sends a delivery once more.
func (s sender) Redeliver(ctx context.Context, id string) (alert.Delivery, error) {
	return s.d.outbox.Redeliver(ctx, id, func() (alert.Delivery, error) {
		// From here on it goes through, whatever becomes of who asked for it.
		return s.d.store.Redeliver(context.WithoutCancel(ctx), id, time.Now())
	})
}

// TestReceiver sends a test and waits for the answer.
func (s sender) TestReceiver(ctx context.Context, name string) (api.TestResult, error) {
	s.d.mu.Lock()
	externalURL := s.d.plan.config.ExternalURL()
	s.d.mu.Unlock()
	attempt, reference, err := s.d.outbox.Test(ctx, notifiers.Test(name, externalURL, newMessageID(), time.Now()))
	return api.TestResult{Attempt: attempt, Reference: reference}, noReceiver(err, name)
}

// EnableReceiver lets a receiver be told again that was disabled.
func (s sender) EnableReceiver(_ context.Context, name string) error {
	return noReceiver(s.d.outbox.Enable(name), name)
}

func noReceiver(err error, name string) error {
	if errors.Is(err, outbox.ErrNoReceiver) {
		return fmt.Errorf("receiver %q: %w", name, store.ErrNotFound)
	}
	return err
}

// receiverHealth is told when a receiver begins to fail and when it is well
// again.
func (d *daemon) receiverHealth(receiver string, failing bool, reason string) {
	if !failing {
		reason = ""
	}
	d.engine.SetFailing(receiver, reason)
	d.tellSoon()
}

// tellSoon has the daemon's own samples told now.
func (d *daemon) tellSoon() {
	select {
	case d.retell <- struct{}{}:
	default: // they are about to be told
	}
}
