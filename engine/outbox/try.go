package outbox

import (
	"context"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Test sends a notification to its receiver at once, beside the queue and the
// history, and waits for the answer as long as the receiver's timeout. It
// returns what is noted of the attempt and what the receiver calls the message.
// One that arrives enables a receiver that was disabled, and lets one that
// failed be told again. ErrNoReceiver is returned when there is none.
func (o *Outbox) Test(ctx context.Context, n alert.Notification) (alert.Attempt, string, error) {
	l, receiver, err := o.configured(n.Receiver)
	if err != nil {
		return alert.Attempt{}, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, receiver.Timeout)
	defer cancel()
	n.Attempt = 1
	started := time.Now()
	receipt, err := l.notifyOrLeave(ctx, receiver, n)
	attempt := attemptOf(started, time.Since(started), receipt, err)
	if err == nil {
		l.enable("a test arrived")
	}
	return attempt, receipt.Reference, err
}

// notifyOrLeave calls the notifier, and leaves one alone that does not heed its
// deadline.
func (l *lane) notifyOrLeave(ctx context.Context, r *Receiver, n alert.Notification) (notifiers.Receipt, error) {
	type answer struct {
		receipt notifiers.Receipt
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		receipt, err := l.notify(ctx, r.Notifier, n)
		answered <- answer{receipt, err}
	}()
	select {
	case a := <-answered:
		return a.receipt, a.err
	case <-ctx.Done():
	}
	patience := time.NewTimer(min(grace(r.Timeout), 3*time.Second)) // somebody waits
	defer patience.Stop()
	select {
	case a := <-answered:
		return a.receipt, a.err
	case <-patience.C:
		return notifiers.Receipt{}, &hangError{r.Timeout}
	}
}
