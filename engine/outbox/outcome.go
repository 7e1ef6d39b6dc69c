package outbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/store"
)

const (
	maxAnswerRunes = 300 // of an attempt's answer
	maxErrorRunes  = 1000
	// maxReferenceBytes bounds what a receiver may call a message: it is kept.
	maxReferenceBytes = 1 << 10
)

// conclude records the outcome of an attempt and goes on. The row is this
// goroutine's own until it is released.
func (l *lane) conclude(attempts context.Context, c *call, receipt notifiers.Receipt, err error) {
	now := time.Now()
	if err != nil && attempts.Err() != nil { // stopped under way: it stays in the store
		l.mu.Lock()
		l.release(c.row.queue, now)
		l.mu.Unlock()
		l.nudge()
		return
	}
	if len(receipt.Reference) > maxReferenceBytes {
		receipt.Reference = ""
	}
	gone := c.receiver != nil && notifiers.StatusOf(err) == http.StatusGone
	happened := l.judge(c, receipt, err, gone, now)
	s := settlement(c.row, happened)
	if c.receiver != nil && !c.stuck {
		s.Attempt = attemptOf(c.started, now.Sub(c.started), receipt, err)
	}
	s.Reference = receipt.Reference
	if !l.keepReference(c.row, receipt.Reference) {
		s.Group = "" // the store keeps the group's
	}
	l.settler.add(s, c.row.stored)
	l.account(c, err, gone, now)
}

// judge makes of an answer what becomes of the delivery.
func (l *lane) judge(c *call, receipt notifiers.Receipt, err error, gone bool, now time.Time) []alert.Event {
	d := c.row.d
	if c.receiver != nil {
		d.Attempts++
	}
	if err == nil {
		d.State, d.SettledAt, d.LastError, d.Reference = alert.DeliverySent, now, "", receipt.Reference
		reason := "sent in " + now.Sub(c.started).Round(time.Millisecond/10).String()
		if d.Attempts > 1 {
			reason = fmt.Sprintf("sent at attempt %d, %s after it was queued", d.Attempts, units.Duration(now.Sub(d.CreatedAt)))
		}
		if receipt.Note != "" {
			l.log.Warn("notification was sent, but not as it was meant", "delivery", d.Notification.ID, "note", noteOf(receipt))
			reason += "; " + noteOf(receipt)
		}
		return events(d, alert.EventSent, reason, now)
	}
	text := errorText(err)
	d.LastError = text
	switch {
	case gone:
		d.NextAt = now // when it is enabled
		return events(d, alert.EventFailed, "not sent, and the receiver is disabled: "+text, now)
	case notifiers.IsPermanent(err):
		return l.bury(d, text, now)
	case now.Sub(c.row.since) >= c.receiver.GiveUp:
		return l.bury(d, fmt.Sprintf("given up after %s and %d attempts: %s", units.Duration(c.receiver.GiveUp), d.Attempts, text), now)
	}
	wait := jitter(l.options.Policy.Base, l.options.Policy.Cap, d.Attempts-1)
	if asked, ok := notifiers.WaitOf(err); ok {
		wait = max(wait, asked)
	}
	d.NextAt = now.Add(wait)
	if d.Attempts > 1 { // the history tells of the first failure and of the end
		return nil
	}
	l.log.Warn("notification was not sent, it is tried again", "delivery", d.Notification.ID, "error", text, "wait", wait)
	return events(d, alert.EventFailed, "not sent, tried again: "+text, now)
}

// bury gives a delivery up: nothing will send it any more, and that is said.
func (l *lane) bury(d *alert.Delivery, text string, now time.Time) []alert.Event {
	d.State, d.SettledAt, d.LastError = alert.DeliveryDead, now, text
	l.log.Error("notification is given up", "delivery", d.Notification.ID, "error", text, "alerts", len(d.Notification.Alerts))
	return events(d, alert.EventDead, "given up: "+text, now)
}

// account brings the lane in line with an attempt's outcome.
func (l *lane) account(c *call, err error, gone bool, now time.Time) {
	l.mu.Lock()
	d := c.row.d
	var say func()
	switch {
	case err == nil:
		say = l.accountSent(now)
	case c.receiver != nil:
		say = l.accountFailed(c, err, gone, now)
	}
	if d.State == alert.DeliveryPending {
		l.release(c.row.queue, now)
	} else {
		if d.State == alert.DeliveryDead {
			l.status.Dead++
			l.buried = d.LastError
		}
		l.settled(c.row, now)
		if len(c.row.queue.rows) == 0 && d.Notification.Status == alert.Resolved && !c.row.again {
			delete(l.references, c.row.queue.key)
		}
	}
	l.mu.Unlock()
	if say != nil {
		say()
	}
	if err != nil || say != nil {
		l.nudge()
	}
}

// accountSent notes that the receiver takes what it is told. mu is held; what
// is returned is called without it.
func (l *lane) accountSent(now time.Time) (say func()) {
	l.status.Sent++
	l.status.LastSuccess, l.waitingSince = now, now
	l.buried = ""
	since, failures := l.breaker.since, l.status.Failures
	l.status.Failures = 0
	if l.told.failing {
		say = func() {} // the loop has news for OnHealth
	}
	if l.breaker.reset() {
		l.line.hurry(now)
		say = func() {
			l.log.Info("the receiver takes notifications again", "failed_attempts", failures, "after", now.Sub(since))
		}
	}
	return say
}

// accountFailed notes a failed attempt. mu is held; what is returned is called
// without it.
func (l *lane) accountFailed(c *call, err error, gone bool, now time.Time) (say func()) {
	text := errorText(err)
	l.status.Failed++
	l.status.Failures++
	l.status.LastFailure, l.status.LastError = now, text
	asked, _ := notifiers.WaitOf(err)
	status := notifiers.StatusOf(err)
	switch {
	case gone:
		return l.disable(text, c.receiver, now)
	case c.stuck, c.receiver != l.receiver:
		l.undecided(c)
	case notifiers.IsPermanent(err) && status > 0: // it understood and refused: it is there
		if l.breaker.reset() {
			l.line.hurry(now)
			return func() { l.log.Info("the receiver answers again", "status", status) }
		}
	case notifiers.IsPermanent(err):
		l.undecided(c)
	default:
		if status == http.StatusTooManyRequests && asked > 0 {
			l.pausedUntil = now.Add(asked) // it is the sender who is too fast, not the message
		}
		opened := l.breaker.failed(&l.options.Policy, c.row.queue.key, timedOut(err), c.probe, asked, now)
		wait := l.breaker.probeAt.Sub(now)
		switch {
		case opened:
			return func() {
				l.log.Warn("the receiver takes nothing; it is asked with one notification at a time", "error", text, "wait", wait)
			}
		case c.probe:
			return func() { l.log.Info("the receiver still takes nothing", "error", text, "wait", wait) }
		}
	}
	return nil
}

// undecided ends a call that told nothing of the receiver. mu is held.
func (l *lane) undecided(c *call) {
	if c.probe {
		l.breaker.undecided()
	}
}

// sweep gives up what has grown too old while nothing is tried: a receiver that
// is disabled, or down for days.
func (l *lane) sweep(now time.Time) {
	l.mu.Lock()
	held := l.receiver != nil && !l.stopping && (l.disabled != nil || l.breaker.open)
	if !held || now.Before(l.sweepAt) {
		l.mu.Unlock()
		return
	}
	l.sweepAt = now.Add(longest)
	giveUp, why := l.receiver.GiveUp, l.status.LastError
	old := l.line.older(now.Add(-giveUp))
	l.mu.Unlock()
	for _, q := range old { // they are busy, and so this goroutine's own
		l.expire(q, fmt.Sprintf("given up after %s, while the receiver takes nothing: %s", units.Duration(giveUp), why), now)
	}
}

func (l *lane) expire(q *queue, text string, now time.Time) {
	r := q.head()
	l.settler.add(settlement(r, l.bury(r.d, text, now)), r.stored)
	l.mu.Lock()
	l.status.Dead++
	l.buried = text
	l.settled(r, now)
	l.sweepAt = time.Time{} // the next of the group may be too old, too
	l.mu.Unlock()
	l.nudge()
}

func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

func errorText(err error) string { return notifiers.Clip(notifiers.Plain(err.Error()), maxErrorRunes) }

// noteOf is what the receiver's adapter says of a message, within bounds.
func noteOf(receipt notifiers.Receipt) string {
	return notifiers.Clip(notifiers.Plain(receipt.Note), maxAnswerRunes)
}

// attemptOf is what is noted of an attempt.
func attemptOf(at time.Time, took time.Duration, receipt notifiers.Receipt, err error) alert.Attempt {
	a := alert.Attempt{At: at, Took: took, Status: receipt.Status, Answer: receipt.Answer}
	if err != nil {
		if a.Status == 0 {
			a.Status = notifiers.StatusOf(err)
		}
		a.Answer = err.Error()
	}
	if receipt.Note != "" {
		a.Answer = strings.TrimSuffix(noteOf(receipt)+"; "+a.Answer, "; ")
	}
	a.Answer = notifiers.Clip(notifiers.Plain(a.Answer), maxAnswerRunes)
	return a
}

func settlement(r *row, happened []alert.Event) store.Settlement {
	d := r.d
	return store.Settlement{
		ID: d.Notification.ID, State: d.State, Attempts: d.Attempts, NextAt: d.NextAt,
		SettledAt: d.SettledAt, LastError: d.LastError, Events: happened,
		Group: d.Notification.GroupKey, Opened: d.Notification.Opened, Receiver: d.Notification.Receiver,
	}
}

// events are the entries of the alerts' histories. A test and a canary tell of an
// alert that nobody knows.
func events(d *alert.Delivery, kind alert.EventKind, reason string, now time.Time) []alert.Event {
	if k := d.Notification.Kind; k == alert.KindTest || k == alert.KindCanary {
		return nil
	}
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
