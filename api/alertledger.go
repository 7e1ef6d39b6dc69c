package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// ledger is what is known of the notifications that carried an alert: who routes
// knows only that they were queued.
type ledger struct {
	events     []alert.Event // of the alert, oldest first
	deliveries []alert.Delivery
	receivers  []ReceiverStatus
	now        time.Time
}

// settle says in a line of the outlook what became of the notification that the
// line is about: it has arrived, it is on its way, or it was given up.
func (l *ledger) settle(line *alert.OutlookLine) {
	if line.Queued.IsZero() {
		return
	}
	state, text := alert.OutlookQueued, "queued at "+l.moment(line.Queued)+" as "+line.As.String()+"; the ledger does not have it"
	id := l.queued(line)
	d := l.delivery(id)
	var end *alert.Event
	if id != "" {
		end = l.last(line.Receiver, id, alert.EventSent, alert.EventDead)
	}
	switch {
	case d != nil && d.State == alert.DeliverySent:
		state, text = alert.OutlookTold, "told as "+line.As.String()+" at "+l.moment(d.SettledAt)
	case d != nil && d.State == alert.DeliveryDead:
		state, text = alert.OutlookUndelivered, "given up at "+l.moment(d.SettledAt)+" after "+attemptsText(d.Attempts)+": "+d.LastError
	case d != nil:
		text = "queued since " + l.moment(line.Queued) + " as " + line.As.String() + ", " + l.failures(d)
	case end != nil && end.Kind == alert.EventSent: // the history is kept for longer
		state, text = alert.OutlookTold, "told as "+line.As.String()+" at "+l.moment(end.At)
	case end != nil:
		state, text = alert.OutlookUndelivered, end.Reason
	}
	if before := l.last(line.Receiver, "", alert.EventSent); state != alert.OutlookTold && before != nil {
		text += "; told before at " + l.moment(before.At)
	}
	if line.State == alert.OutlookQueued { // and nothing else is to be said of it
		line.State = state
		if d != nil && d.State == alert.DeliveryPending {
			line.Next, line.What = l.next(d)
		}
	}
	if line.Reason != "" {
		text += "; " + line.Reason
	}
	line.Reason = text
}

// queued finds the notification that was queued for a line. Two groups of one
// receiver may be sent at one moment.
func (l *ledger) queued(line *alert.OutlookLine) (id string) {
	for i := range l.events {
		e := &l.events[i]
		if e.Kind != alert.EventQueued || e.Receiver != line.Receiver || !e.At.Equal(line.Queued) {
			continue
		}
		id = e.DeliveryID
		if d := l.delivery(id); d != nil && d.Notification.GroupKey == line.Group {
			return id
		}
	}
	return id
}

func (l *ledger) delivery(id string) *alert.Delivery {
	for i := range l.deliveries {
		if l.deliveries[i].Notification.ID == id {
			return &l.deliveries[i]
		}
	}
	return nil
}

// last finds the last event of these kinds with a receiver, of one delivery or,
// where its id is empty, of any.
func (l *ledger) last(receiver, delivery string, kinds ...alert.EventKind) *alert.Event {
	for i := range slices.Backward(l.events) {
		e := &l.events[i]
		if e.Receiver == receiver && slices.Contains(kinds, e.Kind) && (delivery == "" || e.DeliveryID == delivery) {
			return e
		}
	}
	return nil
}

// failures is what became of a notification on its way until now.
func (l *ledger) failures(d *alert.Delivery) string {
	if d.Attempts == 0 {
		return "not delivered yet"
	}
	return attemptsText(d.Attempts) + " failed"
}

// next is when a notification on its way is tried again, and that it is; no time
// where it is due, or waits for somebody.
func (l *ledger) next(d *alert.Delivery) (time.Time, string) {
	at := d.NextAt
	for i := range l.receivers {
		r := &l.receivers[i]
		if r.Name != d.Notification.Receiver {
			continue
		}
		if r.Disabled {
			return time.Time{}, "tried again once the receiver, which is disabled, is enabled"
		}
		at = later(later(at, r.NextProbe), r.PausedUntil)
	}
	if !at.After(l.now) {
		return time.Time{}, "the next attempt is due"
	}
	return at, "next attempt"
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// moment leaves today's date out.
func (l *ledger) moment(t time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) == l.now.UTC().Format(time.DateOnly) {
		return t.Format("15:04:05 UTC")
	}
	return t.Format("2006-01-02 15:04:05 UTC")
}

func attemptsText(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return strconv.Itoa(n) + " attempts"
}
