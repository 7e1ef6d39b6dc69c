package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

// notify calls the notifier; one that panics has failed, and takes nobody else
// with it. The stack is for the log, not for the history.
func (l *lane) notify(ctx context.Context, n notifiers.Notifier, what alert.Notification) (receipt notifiers.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("notifier panicked", "delivery", what.ID, "panic_type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("the notifier panicked; the log has the stack")
		}
	}()
	return n.Notify(ctx, what)
}

func (l *lane) sent(run context.Context, d *alert.Delivery, reference string, took time.Duration) {
	now := time.Now()
	d.Attempts++
	d.State, d.SettledAt, d.Reference, d.LastError = alert.DeliverySent, now, reference, ""
	l.mu.Lock()
	l.status.Sent++
	l.status.Failures, l.status.LastSuccess = 0, now
	l.mu.Unlock()
	reason := fmt.Sprintf("sent in %s", took.Round(time.Millisecond/10))
	if d.Attempts > 1 {
		reason = fmt.Sprintf("sent at attempt %d, %s after it was queued", d.Attempts, units.Duration(now.Sub(d.CreatedAt)))
	}
	outcome := settlement(d, events(d, alert.EventSent, reason, now))
	l.done(d, true)
	l.settle(run, outcome)
}

func (l *lane) failed(run context.Context, d *alert.Delivery, err error) {
	now := time.Now()
	d.Attempts++
	l.mu.Lock()
	l.status.Failed++
	l.status.Failures++
	l.status.LastFailure, l.status.LastError = now, err.Error()
	l.mu.Unlock()
	if notifiers.IsPermanent(err) {
		l.giveUp(run, d, err)
		return
	}
	if now.Sub(d.CreatedAt) >= l.policy.GiveUp {
		l.giveUp(run, d, fmt.Errorf("given up after %s and %d attempts: %w", units.Duration(l.policy.GiveUp), d.Attempts, err))
		return
	}
	wait := l.policy.backoff(d.Attempts, err)
	d.NextAt, d.LastError = now.Add(wait), err.Error()
	var happened []alert.Event
	if d.Attempts == 1 { // the history tells of the first failure and of the end
		happened = events(d, alert.EventFailed, "not sent, tried again: "+err.Error(), now)
		l.log.Warn("notification was not sent, it is tried again", "delivery", d.Notification.ID, "error", err, "wait", wait)
	}
	outcome := settlement(d, happened)
	l.done(d, false)
	l.settle(run, outcome)
}

// giveUp buries a delivery: nothing will send it any more, and that is said.
func (l *lane) giveUp(run context.Context, d *alert.Delivery, err error) {
	now := time.Now()
	d.State, d.SettledAt, d.LastError = alert.DeliveryDead, now, err.Error()
	l.mu.Lock()
	l.status.Dead++
	l.mu.Unlock()
	l.log.Error("notification is given up", "delivery", d.Notification.ID, "error", err, "alerts", len(d.Notification.Alerts))
	outcome := settlement(d, events(d, alert.EventDead, "given up: "+err.Error(), now))
	l.done(d, true)
	l.settle(run, outcome)
}

// backoff is full jitter: anything up to a doubling bound, and never less than
// the receiver asked for.
// See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func (p Policy) backoff(attempts int, err error) time.Duration {
	bound := p.Base << min(attempts-1, 20)
	if bound <= 0 || bound > p.Cap {
		bound = p.Cap
	}
	wait := rand.N(bound) + time.Millisecond
	if asked, ok := notifiers.WaitOf(err); ok {
		wait = max(wait, asked)
	}
	return wait
}

// settleTimeout bounds one write of an outcome. It is not the drain's: an
// attempt that ended with the drain must still be recorded.
const settleTimeout = 10 * time.Second

// settleEvery is how often a store that does not take an outcome is asked
// again.
const settleEvery = time.Second

func settlement(d *alert.Delivery, happened []alert.Event) store.Settlement {
	return store.Settlement{
		ID: d.Notification.ID, State: d.State, Attempts: d.Attempts, NextAt: d.NextAt,
		SettledAt: d.SettledAt, LastError: d.LastError, Reference: d.Reference, Events: happened,
	}
}

// settle records the outcome, and does not rest before the store has it: a
// delivery that was sent and is not settled would be sent again by the next
// process. A stop ends the trying. The lane goes on meanwhile: a store that is
// full must not silence it.
//
// The outcomes of one delivery reach the store in their order: the attempt
// that finds an older outcome waiting leaves its own to whoever is at it, or a
// late "failed" would bury a "sent".
func (l *lane) settle(run context.Context, s store.Settlement) {
	l.mu.Lock()
	waiting := append(l.outcomes[s.ID], s)
	l.outcomes[s.ID] = waiting
	stored := l.unstored[s.ID]
	l.mu.Unlock()
	if len(waiting) > 1 {
		return
	}
	if stored != nil {
		select {
		case <-stored:
			l.mu.Lock()
			delete(l.unstored, s.ID)
			l.mu.Unlock()
		case <-run.Done(): // the attempt below is the last
		}
	}
	for complained := false; ; {
		stopping := run.Err() != nil
		err := l.settleWaiting(run, s.ID)
		if err == nil {
			if l.settled(s.ID) {
				return
			}
			continue
		}
		if !complained {
			l.log.Error("outcome of a notification was not stored, it is tried again", "delivery", s.ID, "error", err)
			complained = true
		}
		if stopping {
			l.mu.Lock()
			delete(l.outcomes, s.ID)
			l.mu.Unlock()
			return
		}
		select {
		case <-run.Done(): // once more, with what came meanwhile
		case <-time.After(settleEvery):
		}
	}
}

// settleWaiting offers the store everything that waits for a delivery. The
// write itself is not cut off by a stop: it is short.
func (l *lane) settleWaiting(run context.Context, id string) error {
	l.mu.Lock()
	batch := slices.Clone(l.outcomes[id])
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(run), settleTimeout)
	defer cancel()
	if err := l.store.Settle(ctx, batch); err != nil {
		return err
	}
	l.mu.Lock()
	l.outcomes[id] = l.outcomes[id][len(batch):]
	l.mu.Unlock()
	return nil
}

// settled says whether nothing waits for the delivery any more.
func (l *lane) settled(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.outcomes[id]) > 0 {
		return false
	}
	delete(l.outcomes, id)
	return true
}

func events(d *alert.Delivery, kind alert.EventKind, reason string, now time.Time) []alert.Event {
	out := make([]alert.Event, len(d.Notification.Alerts))
	for i := range d.Notification.Alerts {
		a := &d.Notification.Alerts[i]
		out[i] = alert.Event{
			AlertID: a.ID, At: now, Kind: kind, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
			Receiver: d.Notification.Receiver, DeliveryID: d.Notification.ID, Reason: reason,
		}
	}
	return out
}
