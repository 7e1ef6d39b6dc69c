package route

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/store"
)

// call is one receiver that a route brings in, and by which step of its
// escalation.
type call struct {
	route    *Route
	receiver string
	step     int
}

// calls are the receivers of the routes that an alert takes, each once. Several
// may name one, with continue: those that a route tells itself come first, then
// the fallbacks of routes whose own all fail, then the steps of escalations.
func (d *Dispatcher) calls(routes []*Route) []call {
	var out []call
	add := func(r *Route, names []string, step int) {
		for _, name := range names {
			if !slices.ContainsFunc(out, func(c call) bool { return c.receiver == name }) {
				out = append(out, call{r, name, step})
			}
		}
	}
	for _, r := range routes {
		add(r, r.Receivers, 0)
	}
	for _, r := range routes {
		if d.allFail(r) {
			add(r, r.Fallback, stepFallback)
		}
	}
	for _, r := range routes {
		for i := range r.Escalate {
			add(r, r.Escalate[i].Receivers, i+1)
		}
	}
	return out
}

func (d *Dispatcher) allFail(r *Route) bool {
	if len(r.Fallback) == 0 || len(d.failing) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.Receivers, func(name string) bool { return d.failing[name] == "" })
}

// place puts a firing alert into the groups of the routes that it takes. What
// a receiver was told in a group that the alert leaves comes along; a receiver
// that none of its groups reaches any more is told of the end by the old one.
func (d *Dispatcher) place(e *entry, labels alert.Labels, raised bool, now time.Time) {
	known := d.known(e)
	calls := d.calls(d.options.Root.Take(labels))
	stays := make([]*member, 0, len(calls))
	var g *group
	for _, c := range calls {
		if g == nil || g.route != c.route {
			g = d.group(c.route, labels, now)
		}
		if raised { // a severity that moves up is sent at once
			d.agenda.set(g, now)
			d.out.groups[g] = true
		}
		stays = append(stays, d.join(g, c, known, e, now))
	}
	d.leave(e, stays, calls)
	d.endBefore(e, now)
}

// known returns what each receiver knows of an alert. Where two groups tell
// one receiver, as an older store may have it, the greater knowledge counts.
func (d *Dispatcher) known(e *entry) []member {
	var known []member
	for m := range e.members() {
		at := slices.IndexFunc(known, func(k member) bool { return k.receiver == m.receiver })
		switch {
		case at < 0:
			known = append(known, *m)
		case m.toldFiring() && (known[at].told == toldNothing || m.severity > known[at].severity):
			known[at] = *m
		}
	}
	return known
}

// group finds or makes the group of an alert on a route.
func (d *Dispatcher) group(r *Route, labels alert.Labels, now time.Time) *group {
	of := r.GroupLabels(labels)
	key := r.Path + ":" + of.String()
	g := d.groups[key]
	if g == nil {
		g = &group{record: store.Group{Key: key, Route: r.Path, Labels: of.Clone(), CreatedAt: now}, inHeap: -1}
		d.groups[key] = g
		d.agenda.set(g, now.Add(r.GroupWait))
	}
	g.route, g.record.Receivers = r, r.Receivers
	return g
}

// join makes the alert a member of the group for one receiver, and sees that
// the group is flushed in time.
func (d *Dispatcher) join(g *group, c call, known []member, e *entry, now time.Time) *member {
	receiver := d.names.number(c.receiver)
	m := e.of(g, receiver)
	here := m != nil
	if !here {
		joined := member{receiver: receiver, at: stampOf(now)}
		for i := range known {
			if k := &known[i]; k.receiver == receiver {
				joined.told, joined.severity, joined.at, joined.again = k.told, k.severity, k.at, k.again
			}
		}
		if c.step > 0 && joined.told == toldNothing && e.since != 0 {
			joined.at = e.since
		}
		m = e.put(g, joined)
	}
	m.leaving, m.step = false, int16(c.step) //nolint:gosec // see maxSteps
	// A fall is not told, and is remembered: when the severity moves up again,
	// that is news.
	fell := m.toldFiring() && m.severity > e.severity
	if fell {
		m.severity = e.severity
	}
	if fell || !here {
		d.out.put(d.row(e, m))
	}
	switch {
	case here:
	case m.told != toldNothing:
		d.out.groups[g] = true
	case c.step > 0:
		d.out.groups[g] = true
		d.bring(g, d.stepDue(g, m, e))
	default:
		d.hasten(g, now)
		d.out.event(e, alert.EventGrouped, c.receiver, "",
			"grouped as "+g.record.Key+", to be sent in "+units.Duration(g.record.FlushAt.Sub(now)), now)
	}
	return m
}

// stepDue is when a step of the escalation is due: so long after the route's own
// receivers were told, or after somebody's acknowledgement ended. Zero for never.
func (d *Dispatcher) stepDue(g *group, m *member, e *entry) time.Time {
	if g.route == nil || m.step <= 0 || int(m.step) > len(g.route.Escalate) || e.since == 0 {
		return time.Time{}
	}
	return e.since.time().Add(g.route.Escalate[m.step-1].After)
}

// escalateFrom begins to count the delays of the alert's steps, in all of its
// groups.
func (d *Dispatcher) escalateFrom(e *entry, at time.Time) {
	e.since = stampOf(at)
	for m := range e.members() {
		if m.step > 0 && m.told == toldNothing && e.active {
			m.at = e.since
			d.out.put(d.row(e, m))
			d.bring(m.group, d.stepDue(m.group, m, e))
		}
	}
}

// bring moves the group's next look forward to a moment.
func (d *Dispatcher) bring(g *group, at time.Time) {
	if at.IsZero() {
		return
	}
	if g.record.FlushAt.IsZero() || at.Before(g.record.FlushAt) {
		d.agenda.set(g, at)
	}
	d.out.groups[g] = true
}

// hasten moves the group's next look forward: after a change it comes one
// group_interval after the last notification, or with the group's first.
func (d *Dispatcher) hasten(g *group, now time.Time) {
	at := now
	switch {
	case g.route == nil: // nothing to wait for: its route is gone
	case g.record.SentAt.IsZero():
		at = now.Add(g.route.GroupWait)
	default:
		at = later(now, g.record.SentAt.Add(g.route.GroupInterval))
	}
	d.bring(g, at)
}

func (d *Dispatcher) hastenAll(e *entry, now time.Time) {
	for g := range e.groups() {
		d.hasten(g, now)
	}
}

// leave takes the alert out of the groups that it does not belong to any more,
// but for the receivers that were told it fires and that no group tells now.
func (d *Dispatcher) leave(e *entry, stays []*member, calls []call) {
	for m := range e.members() {
		switch {
		case slices.Contains(stays, m):
		case m.toldFiring() && !slices.ContainsFunc(calls, func(c call) bool { return c.receiver == d.receiverOf(m) }):
			m.leaving = true
		default:
			d.out.drop(d.key(e, m))
			g := m.group
			e.remove(m)
			d.retire(g)
		}
	}
}

// endBefore sees that the end of an alert's last occurrence is told before the
// next one, where they stand in different groups: a receiver that knows alerts
// by fingerprint would take the new one for ended.
func (d *Dispatcher) endBefore(e *entry, now time.Time) {
	for last := d.alerts[e.fp()]; last != nil; last = last.next() {
		if last.active {
			continue
		}
		for g := range last.groups() {
			if e.in(g) == nil {
				d.agenda.set(g, now)
				d.out.groups[g] = true
			}
		}
	}
}

// retire drops a group without members.
func (d *Dispatcher) retire(g *group) {
	if len(g.entries) > 0 || d.groups[g.record.Key] != g {
		return
	}
	d.agenda.set(g, time.Time{})
	delete(d.groups, g.record.Key)
	d.out.dropGroup(g)
}
