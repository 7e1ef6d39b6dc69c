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

// maxToldAtOnce is about how many alerts one Flush tells of. What is beyond it
// stays due: so the first of a storm are on their way while the rest is written.
const maxToldAtOnce = 5000

// Flush looks at the groups that are due and queues what their receivers have
// not been told.
func (d *Dispatcher) Flush(now time.Time) {
	d.warnings(now)
	d.tellAcks(now)
	var due []*group
	for len(d.agenda) > 0 && !d.agenda[0].record.FlushAt.After(now) {
		g := d.agenda[0]
		at := g.record.FlushAt
		d.agenda.set(g, time.Time{})
		g.record.FlushAt = at
		due = append(due, g)
	}
	slices.SortFunc(due, func(a, b *group) int { return strings.Compare(a.record.Key, b.record.Key) })
	// Ends go before next occurrences, over all groups: a receiver that knows
	// alerts by fingerprint would take the new one for ended.
	for _, g := range due {
		d.wake(g, now)
		d.flushEnds(g, now)
	}
	var plans []plan
	told := 0
	again := map[*group]time.Time{} // when what a look left must be looked at
	for i, g := range due {
		if told >= maxToldAtOnce {
			for _, rest := range due[i:] {
				d.agenda.set(rest, rest.record.FlushAt)
			}
			due = due[:i]
			break
		}
		g.held = false
		plans = d.plans(plans, g, again, now)
		told += len(g.entries)
	}
	d.send(plans, again, now)
	for _, g := range due {
		d.settle(g)
		d.agenda.set(g, d.nextLook(g, again[g]))
		d.out.groups[g] = true
		d.retire(g)
	}
}

// flushEnds tells the ends of the alerts that fire again already.
func (d *Dispatcher) flushEnds(g *group, now time.Time) {
	if !d.firesAgain(g) {
		return
	}
	receivers := g.byReceiver()
	for _, name := range sortedKeys(receivers) {
		if d.skipsResolved(name) {
			continue
		}
		p := plan{group: g, receiver: name, reason: "resolved, and fires again"}
		for _, i := range receivers[name] {
			switch {
			case i.e.active:
				p.known++
			case d.fires[i.e.fp] != nil && d.why(i) != reasonSkip:
				p.tell = append(p.tell, i)
			}
		}
		if len(p.tell) == 0 {
			continue
		}
		d.queue(p, now)
		for _, i := range p.tell {
			d.drop(g, i)
		}
	}
}

func (d *Dispatcher) firesAgain(g *group) bool {
	if len(d.ended) == 0 {
		return false
	}
	for _, e := range g.entries {
		if !e.active && d.fires[e.fp] != nil {
			return true
		}
	}
	return false
}

// plan is what one receiver is to be told of a group.
type plan struct {
	group    *group
	receiver string
	tell     []item
	reason   string // empty: nothing to tell
	known    int    // alerts that fire and that the receiver knows of
}

// plans looks at a group for each of its receivers.
func (d *Dispatcher) plans(plans []plan, g *group, again map[*group]time.Time, now time.Time) []plan {
	receivers := g.byReceiver()
	for _, name := range sortedKeys(receivers) {
		repeatAt := d.repeatAt(g, receivers[name])
		p := d.plan(g, name, receivers[name], !repeatAt.IsZero() && !now.Before(repeatAt), again, now)
		if p.reason != "" {
			plans = append(plans, p)
		}
	}
	return plans
}

// nextLook is when the group must be looked at though nothing changes: for its
// repeat, a step of its escalation, and at a given moment.
func (d *Dispatcher) nextLook(g *group, look time.Time) time.Time {
	receivers := g.byReceiver()
	for _, items := range receivers {
		look = earlier(look, d.repeatAt(g, items))
		for _, i := range items {
			if i.step > 0 && i.told == "" && i.e.active && i.e.ack == nil && !i.leaving && i.held == "" {
				look = earlier(look, d.stepDue(g, i.member, i.e))
			}
		}
	}
	for _, e := range g.entries {
		if e.ack != nil && e.ack.Snooze() {
			look = earlier(look, e.ack.Until)
		}
	}
	return look
}

// repeatAt is when a receiver is told again what it knows: one repeat_interval
// of the worst severity after it was last told of anything in the group. Zero
// when it knows of nothing that fires, or the group only drains. It is counted
// by receiver and member, not by group: what another receiver is told puts off
// no repeat, and an alert that came from another group brings its time along.
func (d *Dispatcher) repeatAt(g *group, items []item) time.Time {
	var last time.Time
	worst := alert.OK
	for _, i := range items {
		if i.toldFiring() && i.e.active && !i.leaving {
			last = later(last, i.at)
			worst = max(worst, i.e.severity)
		}
	}
	if g.route == nil || last.IsZero() {
		return time.Time{}
	}
	return last.Add(g.route.RepeatOf(worst))
}

// plan sorts a receiver's members: what it has not been told, in order of
// weight, gives the reason.
func (d *Dispatcher) plan(g *group, receiver string, items []item, repeat bool, again map[*group]time.Time, now time.Time) plan {
	p := plan{group: g, receiver: receiver}
	var known []item // that fire, and that the receiver knows of
	counts := map[string]int{}
	for _, i := range items {
		if i.e.active && i.leaving {
			continue
		}
		why := d.why(i)
		switch {
		case why == reasonSkip:
			if reason := unsent(i.member); reason != "" {
				d.out.event(i.e, alert.EventHeld, i.receiver, "", reason, now)
			}
			continue
		case why == "":
			known = append(known, i)
			continue
		case i.e.active && !d.mayTell(g, i, again, now):
			if i.toldFiring() {
				known = append(known, i) // its repeat is held back too
			}
			continue
		}
		i.held = ""
		counts[why]++
		p.tell = append(p.tell, i)
	}
	p.reason = phrase(counts)
	if repeat {
		known = d.unrepeated(g, known, &p, now)
	}
	if repeat && len(known) > 0 {
		if p.reason == "" {
			p.reason = "repeat"
		}
		p.tell = append(p.tell, known...)
		known = nil
	}
	p.known += len(known)
	return p
}

// mayTell says whether a receiver may be told of an alert that fires, now. What
// is held back is looked at again one group_interval on, or when its reason is
// known to end.
func (d *Dispatcher) mayTell(g *group, i item, again map[*group]time.Time, now time.Time) bool {
	if i.step > 0 && i.told == "" {
		if due := d.stepDue(g, i.member, i.e); due.IsZero() || due.After(now) || i.e.ack != nil {
			return false
		}
	}
	h := d.heldBack(i.e, g, now)
	if h.kind == "" {
		return true
	}
	d.recordHeld(g, i, h, now)
	g.held = true
	look := h.until
	if g.route != nil {
		look = earlier(look, now.Add(g.route.GroupInterval))
	}
	again[g] = earlier(again[g], look)
	return false
}

// unrepeated takes out of what is due to be repeated what is held back or taken
// up by now: its turn has passed, and the history says why.
func (d *Dispatcher) unrepeated(g *group, known []item, p *plan, now time.Time) []item {
	var left []item
	for _, i := range known {
		h := d.heldBack(i.e, g, now)
		if h.kind == "" && i.e.ack != nil {
			h = hold{kind: alert.EventHeld, reason: "acknowledged" + by(i.e.ack.By)}
		}
		if h.kind == "" {
			left = append(left, i)
			continue
		}
		p.known++
		i.at = now
		d.out.put(i.e.row(g, i.member))
		d.out.event(i.e, h.kind, i.receiver, "", "not repeated; "+h.reason, now)
	}
	return left
}

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
	case i.e.active && i.told == "" && i.step > 0:
		return reasonEscalated
	case i.e.active && i.told == "" && i.step == stepFallback:
		return reasonFallback
	case i.e.active && i.told == "":
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
	case d.skipsResolved(i.receiver), i.told == "" && (i.severity != alert.OK || i.step > 0):
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
	n.Acks = p.group.acks(p.receiver)
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
	slices.SortFunc(tell, worstFirst)
	n := alert.Notification{ID: d.options.NewID(), Receiver: receiver, Status: alert.Resolved, ExternalURL: d.options.ExternalURL, At: now}
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
	for _, i := range p.tell {
		if i.step > 0 && i.told == "" {
			d.out.event(i.e, alert.EventEscalated, p.receiver, "",
				fmt.Sprintf("step %d of the escalation: not acknowledged for %s", i.step, units.Duration(now.Sub(later(i.e.toldAt, i.e.reopenedAt)))), now)
		}
		if i.step == stepFallback && i.told == "" {
			d.out.event(i.e, alert.EventFellBack, p.receiver, "", "the route's receivers fail", now)
		}
		i.told, i.severity, i.at, i.again = i.e.toldAs(), i.e.severity, now, false
		if i.e.toldAt.IsZero() {
			i.e.toldAt = now
		}
		d.out.event(i.e, alert.EventQueued, p.receiver, id, reason, now)
		if i.e.active {
			d.out.put(i.e.row(p.group, i.member))
		}
	}
}

// worstFirst orders firing before resolved, worst severity first, oldest first.
func worstFirst(a, b item) int {
	switch {
	case a.e.active != b.e.active:
		if a.e.active {
			return -1
		}
		return 1
	case a.e.severity != b.e.severity:
		return int(b.e.severity) - int(a.e.severity)
	}
	return cmp.Or(a.e.startsAt.Compare(b.e.startsAt), strings.Compare(a.e.id, b.e.id))
}

// settle drops the members that nothing more is to be told of.
func (d *Dispatcher) settle(g *group) {
	for _, e := range slices.Clone(g.entries) {
		if e.active {
			continue
		}
		for _, m := range slices.Clone(e.in(g).told) {
			if !m.toldFiring() || d.skipsResolved(m.receiver) {
				d.drop(g, item{m, e})
			}
		}
	}
}

// drop takes an ended alert's member out of its group, and forgets the alert
// when it was the last.
func (d *Dispatcher) drop(g *group, i item) {
	d.out.drop(i.e.key(g, i.member))
	i.e.remove(g, i.member)
	if len(i.e.places) == 0 {
		d.forget(i.e)
	}
}
