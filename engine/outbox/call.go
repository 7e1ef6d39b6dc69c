package outbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// call is one attempt under way. A worker uses one for all its attempts; the
// lane's lock guards it.
type call struct {
	row       *row
	receiver  *Receiver // as it was at the beginning
	reference string
	attempt   int // from 1, this one included
	started   time.Time
	overdueAt time.Time
	probe     bool
	stuck     bool // the call before has not ended
	abandoned bool
}

var errStuck = errors.New("the call before has not ended yet")

// hangError is a call that did not heed its deadline.
type hangError struct{ timeout time.Duration }

func (e *hangError) Error() string {
	return fmt.Sprintf("no answer within %s, and the call does not end", e.timeout)
}

// Is makes it a timeout like others.
func (e *hangError) Is(target error) bool { return target == context.DeadlineExceeded }

// grace is how long a call may take to end once its deadline has passed.
func grace(timeout time.Duration) time.Duration { return timeout/4 + time.Second }

// work tries what is ready until nothing is. A worker whose call was abandoned
// ends when that returns: another one works in its place.
func (l *lane) work(attempts context.Context) {
	c := &call{}
	for l.take(c) {
		receipt, err := l.call(attempts, c)
		if !l.returned(c) {
			return
		}
		l.conclude(attempts, c, receipt, err)
	}
}

// take begins the next attempt; false ends the worker.
func (l *lane) take(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.line.promote(now)
	ok, probe := l.mayTry(now)
	if !ok {
		l.workers--
		l.nudge()
		return false
	}
	q := l.line.take()
	*c = call{row: q.head(), receiver: l.receiver, started: now, probe: probe, stuck: q.stuck}
	l.breaker.probing = l.breaker.probing || probe
	if l.receiver != nil {
		c.overdueAt = now.Add(l.receiver.Timeout + grace(l.receiver.Timeout))
		c.reference, c.attempt = l.referenceOf(c.row), c.row.d.Attempts+1 // a call may be abandoned, and judged, before it begins
	}
	l.calls = append(l.calls, c)
	return true
}

// call asks the notifier. It is not asked again for a group whose last call has
// not returned.
func (l *lane) call(attempts context.Context, c *call) (notifiers.Receipt, error) {
	switch {
	case c.receiver == nil:
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("no receiver is called %q any more", l.name))
	case c.stuck:
		return notifiers.Receipt{}, errStuck
	}
	ctx, cancel := context.WithTimeout(attempts, c.receiver.Timeout)
	defer cancel()
	n := c.row.d.Notification
	n.Reference, n.Attempt = c.reference, c.attempt
	return l.notify(ctx, c.receiver.Notifier, n)
}

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

// returned takes a call off the list; false when it was abandoned before, and
// its outcome is of no concern any more.
func (l *lane) returned(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.abandoned {
		c.row.queue.stuck = false
		return false
	}
	l.forget(c)
	return true
}

// forget takes a call off the list. mu is held.
func (l *lane) forget(c *call) {
	i := slices.Index(l.calls, c)
	last := len(l.calls) - 1
	l.calls[i], l.calls[last] = l.calls[last], nil
	l.calls = l.calls[:last]
}

// abandonOverdue gives up waiting for the calls that do not return though their
// deadline has passed: a notifier that ignores its context holds up its own
// group alone, and no stop.
func (l *lane) abandonOverdue(attempts context.Context, now time.Time) {
	l.mu.Lock()
	var overdue []call // their workers may not read them while they are judged
	for _, c := range slices.Clone(l.calls) {
		if now.Before(c.overdueAt) || c.overdueAt.IsZero() {
			continue
		}
		overdue = append(overdue, *c)
		c.abandoned, c.row.queue.stuck = true, true
		l.workers--
		l.forget(c)
	}
	l.mu.Unlock()
	for i := range overdue {
		l.conclude(attempts, &overdue[i], notifiers.Receipt{}, &hangError{overdue[i].receiver.Timeout})
	}
}
