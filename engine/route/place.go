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
	receiver string
	step     int
}

// calls are the receivers of a route: its own, those of its escalation, and the
// fallback while all of its own fail.
func (d *Dispatcher) calls(r *Route) []call {
	out := make([]call, 0, len(r.Receivers))
	for _, name := range r.Receivers {
		out = append(out, call{name, 0})
	}
	if d.allFail(r) {
		for _, name := range r.Fallback {
			out = append(out, call{name, stepFallback})
		}
	}
	for i := range r.Escalate {
		for _, name := range r.Escalate[i].Receivers {
			out = append(out, call{name, i + 1})
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
	var stays []*member
	var reached []string
	for _, r := range d.options.Root.Take(labels) {
		calls := d.calls(r)
		if !slices.ContainsFunc(calls, func(c call) bool { return !slices.Contains(reached, c.receiver) }) {
			continue
		}
		g := d.group(r, labels, now)
		if raised { // a severity that moves up is sent at once
			d.agenda.set(g, now)
			d.out.groups[g] = true
		}
		for _, c := range calls {
			// With continue, several routes may name a receiver: the first that
			// does tells it.
			if slices.Contains(reached, c.receiver) {
				continue
			}
			reached = append(reached, c.receiver)
			stays = append(stays, d.join(g, c, known, e, now))
		}
	}
	d.leave(e, stays, reached)
	d.endBefore(e, now)
}

// known returns what each receiver knows of an alert. Where two groups tell
// one receiver, as an older store may have it, the greater knowledge counts.
func (d *Dispatcher) known(e *entry) []member {
	var known []member
	for i := range e.places {
		for _, m := range e.places[i].told {
			at := slices.IndexFunc(known, func(k member) bool { return k.receiver == m.receiver })
			switch {
			case at < 0:
				known = append(known, *m)
			case m.toldFiring() && (known[at].told == "" || m.severity > known[at].severity):
				known[at] = *m
			}
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
	m := e.in(g).of(c.receiver)
	here := m != nil
	if !here {
		m = &member{receiver: c.receiver, at: now}
		for i := range known {
			if k := &known[i]; k.receiver == c.receiver {
				m.told, m.severity, m.at, m.again = k.told, k.severity, k.at, k.again
			}
		}
		e.put(g, m)
	}
	m.leaving, m.step = false, c.step
	// A fall is not told, and is remembered: when the severity moves up again,
	// that is news.
	fell := m.toldFiring() && m.severity > e.severity
	if fell {
		m.severity = e.severity
	}
	if fell || !here {
		d.out.put(e.row(g, m))
	}
	switch {
	case here:
	case m.told != "":
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
	if g.route == nil || m.step <= 0 || m.step > len(g.route.Escalate) || e.toldAt.IsZero() {
		return time.Time{}
	}
	return later(e.toldAt, e.reopenedAt).Add(g.route.Escalate[m.step-1].After)
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
	for i := range e.places {
		d.hasten(e.places[i].group, now)
	}
}

// leave takes the alert out of the groups that it does not belong to any more,
// but for the receivers that were told it fires and that no group tells now.
func (d *Dispatcher) leave(e *entry, stays []*member, reached []string) {
	for _, p := range slices.Clone(e.places) {
		for _, m := range slices.Clone(p.told) {
			switch {
			case slices.Contains(stays, m):
			case m.toldFiring() && !slices.Contains(reached, m.receiver):
				m.leaving = true
			default:
				d.out.drop(e.key(p.group, m))
				e.remove(p.group, m)
			}
		}
		d.retire(p.group)
	}
}

// endBefore sees that the end of an alert's last occurrence is told before the
// next one, where they stand in different groups: a receiver that knows alerts
// by fingerprint would take the new one for ended.
func (d *Dispatcher) endBefore(e *entry, now time.Time) {
	for last := range d.ended[e.fp] {
		for i := range last.places {
			if g := last.places[i].group; e.in(g) == nil {
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
