package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// The reasons for which a receiver is told.
const (
	reasonRaised    = "severity raised"
	reasonFlapping  = "flapping" // the alert changes too often: this is the last word until it settles
	reasonSettled   = "settled"
	reasonNew       = "new"
	reasonEscalated = "escalated"
	reasonFallback  = "for receivers that fail"
	reasonWoken     = "snoozed until now"
	reasonResolved  = "resolved"
	reasonMissed    = "fired and resolved meanwhile"
	reasonSkip      = "skip" // it ended, and the receiver is not to hear of it
)

// why says what the receiver has not been told of the alert; empty when it
// knows everything.
func (d *Dispatcher) why(i item) string {
	switch {
	case i.e.active && i.told == toldNothing && i.step > 0:
		return reasonEscalated
	case i.e.active && i.told == toldNothing && i.step == stepFallback:
		return reasonFallback
	case i.e.active && i.told == toldNothing:
		return reasonNew
	case i.e.active && i.severity < i.e.severity:
		return reasonRaised
	case i.e.active && i.e.flapping && i.told != toldFlapping:
		return reasonFlapping
	case i.e.active && !i.e.flapping && i.told == toldFlapping:
		return reasonSettled
	case i.e.active && i.again:
		return reasonWoken
	case i.e.active:
		return ""
	case d.skipsResolved(i.receiver), i.told == toldNothing && i.severity != alert.OK:
		return reasonSkip
	case i.toldFiring():
		return reasonResolved
	}
	return reasonMissed
}

func phrase(counts map[string]int) string {
	var parts []string
	for _, why := range [...]string{
		reasonRaised, reasonNew, reasonEscalated, reasonFallback, reasonWoken, reasonFlapping, reasonSettled, reasonResolved, reasonMissed,
		reasonAcked, reasonSnoozed, reasonTakenBack,
	} {
		if n := counts[why]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, why))
		}
	}
	return strings.Join(parts, ", ")
}

// queue makes the delivery of one group's plan.
func (d *Dispatcher) queue(p plan, now time.Time) {
	n := d.groupNotification(p, now)
	d.tell(p, n.ID, p.reason, now)
	n.Acks = d.acks(p.group, p.receiver)
	d.enqueue(n, now)
}

// groupNotification is the next of a group.
func (d *Dispatcher) groupNotification(p plan, now time.Time) alert.Notification {
	g := p.group
	g.record.Seq++
	n := d.notification(p.receiver, p.tell, now)
	n.GroupKey, n.GroupLabels, n.Opened, n.Seq = g.record.Key, g.record.Labels, g.record.CreatedAt, g.record.Seq
	n.Reason, n.StillFiring = p.reason, p.known
	if p.known > 0 {
		n.Status = alert.Firing
	}
	return n
}

func (d *Dispatcher) enqueue(n alert.Notification, now time.Time) {
	truncate(&n)
	d.out.deliveries = append(d.out.deliveries, alert.Delivery{Notification: n, State: alert.DeliveryPending, CreatedAt: now, NextAt: now})
}

// notification is the frame of what tells of some alerts.
func (d *Dispatcher) notification(receiver string, tell []item, now time.Time) alert.Notification {
	sortWorstFirst(tell)
	n := alert.Notification{ID: d.options.NewID(), Receiver: receiver, Status: alert.Resolved, ExternalURL: d.options.ExternalURL, At: now}
	n.Alerts = make([]alert.Alert, 0, min(len(tell), MaxAlerts))
	for i := range tell {
		if tell[i].e.active {
			n.Status = alert.Firing
		}
		if i < MaxAlerts {
			n.Alerts = append(n.Alerts, tell[i].e.body.Alert())
		}
	}
	n.Truncated = max(0, len(tell)-MaxAlerts)
	return n
}

// truncate keeps what a notification may carry.
func truncate(n *alert.Notification) {
	if extra := len(n.Alerts) - MaxAlerts; extra > 0 {
		n.Alerts, n.Truncated = n.Alerts[:MaxAlerts], n.Truncated+extra
	}
}

// tell notes what the receiver knows when it has got the notification.
func (d *Dispatcher) tell(p plan, id, reason string, now time.Time) {
	p.group.record.SentAt = now
	d.out.groups[p.group] = true
	for _, i := range p.tell {
		if i.step > 0 && i.told == toldNothing {
			d.out.event(i.e, alert.EventEscalated, p.receiver, "",
				fmt.Sprintf("step %d of the escalation: not acknowledged for %s", i.step, units.Duration(now.Sub(i.e.since.time()))), now)
		}
		if i.step == stepFallback && i.told == toldNothing {
			d.out.event(i.e, alert.EventFellBack, p.receiver, "", "the route's receivers fail", now)
		}
		i.told, i.severity, i.at, i.again = i.e.toldAs(), i.e.severity, stampOf(now), false
		if i.e.since == 0 {
			d.escalateFrom(i.e, now)
		}
		d.out.event(i.e, alert.EventQueued, p.receiver, id, reason, now)
		if i.e.active {
			d.out.put(d.row(i.e, i.member))
		}
	}
}

// sortWorstFirst puts firing before resolved, worst severity first, oldest first.
// What an alert's body must be asked for is asked for once.
func sortWorstFirst(items []item) {
	type weighed struct {
		item
		startsAt time.Time
		id       string
	}
	all := make([]weighed, len(items))
	for i := range items {
		e := items[i].e
		all[i] = weighed{items[i], e.body.StartsAt(), e.id()}
	}
	slices.SortFunc(all, func(a, b weighed) int {
		switch {
		case a.e.active != b.e.active:
			if a.e.active {
				return -1
			}
			return 1
		case a.e.severity != b.e.severity:
			return int(b.e.severity) - int(a.e.severity)
		}
		return cmp.Or(a.startsAt.Compare(b.startsAt), strings.Compare(a.id, b.id))
	})
	for i := range all {
		items[i] = all[i].item
	}
}
