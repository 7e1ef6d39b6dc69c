package route

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
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
	var plans []plan
	for _, g := range due {
		d.wake(g, now)
		plans = d.ends(plans, g)
	}
	d.sendEnds(plans, now)
	plans = plans[:0]
	worstGroupsFirst(due)
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
		// Where nothing was told the row keeps the look that has passed, and a
		// restart looks at once: what is held back costs no write at each look.
		next := d.nextLook(g, again[g], now)
		if d.agenda.set(g, next); next.IsZero() {
			d.out.groups[g] = true
		}
		d.retire(g)
	}
}

// worstGroupsFirst orders what is due where it is more than one Flush tells of.
func worstGroupsFirst(due []*group) {
	n := 0
	for _, g := range due {
		n += len(g.entries)
	}
	if n <= maxToldAtOnce {
		return
	}
	worst := make(map[*group]alert.Severity, len(due))
	for _, g := range due {
		for _, e := range g.entries {
			if e.active {
				worst[g] = max(worst[g], e.severity)
			}
		}
	}
	slices.SortStableFunc(due, func(a, b *group) int { return cmp.Compare(worst[b], worst[a]) })
}

// ends plans to tell the ends of the alerts that fire again already.
func (d *Dispatcher) ends(plans []plan, g *group) []plan {
	if !d.firesAgain(g) {
		return plans
	}
	receivers := d.byReceiver(g)
	for _, name := range sortedKeys(receivers) {
		if d.skipsResolved(name) {
			continue
		}
		p := plan{group: g, receiver: name, reason: "resolved, and fires again"}
		for _, i := range receivers[name] {
			switch {
			case i.e.active:
				p.known++
			case d.fires(i.e.fp()) != nil && d.why(i) != reasonSkip:
				p.tell = append(p.tell, i)
			}
		}
		if len(p.tell) > 0 {
			plans = append(plans, p)
		}
	}
	return plans
}

// sendEnds queues them. What is beyond a receiver's cap is merged and does not
// wait, for the next occurrences do not either.
func (d *Dispatcher) sendEnds(plans []plan, now time.Time) {
	beyond := map[string][]plan{}
	for _, p := range plans {
		if r := d.receivers[p.receiver]; r != nil && r.full(now) {
			beyond[p.receiver] = append(beyond[p.receiver], p)
			continue
		}
		d.queue(p, now)
	}
	for _, name := range sortedKeys(beyond) {
		d.digest(d.receivers[name], beyond[name], now)
	}
	for _, p := range plans {
		for _, i := range p.tell {
			d.drop(i)
		}
	}
}

func (d *Dispatcher) firesAgain(g *group) bool {
	if d.endings == 0 {
		return false
	}
	for _, e := range g.entries {
		if !e.active && d.fires(e.fp()) != nil {
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
	receivers := d.byReceiver(g)
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
// repeat, a step of its escalation, the end of a snooze, and again, which is for
// what is due already and has to wait; zero when nothing does.
func (d *Dispatcher) nextLook(g *group, again, now time.Time) time.Time {
	look := again
	consider := func(at time.Time) {
		if again.IsZero() || at.After(now) {
			look = earlier(look, at)
		}
	}
	for _, items := range d.byReceiver(g) {
		consider(d.repeatAt(g, items))
		for _, i := range items {
			if i.step > 0 && i.told == toldNothing && i.e.active && i.e.ack() == nil && !i.leaving {
				consider(d.stepDue(g, i.member, i.e))
			}
		}
	}
	for _, e := range g.entries {
		if ack := e.ack(); ack != nil && ack.Snooze() {
			consider(ack.Until)
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
			last = later(last, i.toldAt())
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
		i.held = 0
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
	if i.step > 0 && i.told == toldNothing {
		if due := d.stepDue(g, i.member, i.e); due.IsZero() || due.After(now) || i.e.ack() != nil {
			return false
		}
	}
	h := d.heldBack(i.e, g, now)
	if h.kind == "" {
		return true
	}
	d.recordHeld(i, h, now)
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
		if h.kind == "" && i.e.ack() != nil {
			h = hold{kind: alert.EventHeld, reason: "acknowledged" + by(i.e.ack().By)}
		}
		if h.kind == "" {
			left = append(left, i)
			continue
		}
		p.known++
		i.at = stampOf(now)
		d.out.put(d.row(i.e, i.member))
		d.out.event(i.e, h.kind, i.receiver, "", "not repeated; "+h.reason, now)
	}
	return left
}

// settle drops the members that nothing more is to be told of.
func (d *Dispatcher) settle(g *group) {
	for _, e := range slices.Clone(g.entries) {
		if e.active {
			continue
		}
		for m := range e.membersIn(g) {
			i := d.item(m, e) // what a cap defers stays
			if m.told == toldResolved || d.why(i) == reasonSkip {
				d.drop(i)
			}
		}
	}
}

// drop takes an ended alert's member out of its group, and forgets the alert
// when it was the last.
func (d *Dispatcher) drop(i item) {
	d.out.drop(d.key(i.e, i.member))
	i.e.remove(i.member)
	if !i.e.routed() {
		d.forget(i.e)
	}
}
