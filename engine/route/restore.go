package route

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Restore takes the groups of before a restart, and routes the alerts anew:
// the tree may have been edited meanwhile. Nothing is told again that was
// told, and every receiver that was told of an alert is told of its end. body
// gives the body of an alert; nil keeps it whole.
func (d *Dispatcher) Restore(s store.Snapshot, body func(*alert.Alert) Body, now time.Time) {
	for i := range s.Alerts {
		a := &s.Alerts[i]
		e := &entry{id: a.ID, fp: a.Fingerprint, rule: a.Rule}
		var b Body
		if body != nil {
			b = body(a)
		}
		if b == nil {
			b = &whole{*a}
		}
		d.fill(e, a, b)
		d.alerts[e.id] = e
	}
	for _, record := range s.Groups {
		g := &group{record: record, inHeap: -1}
		d.groups[record.Key] = g
		d.agenda.set(g, record.FlushAt)
	}
	for i := range s.Members {
		d.adopt(&s.Members[i])
	}
	for i := range s.Silences {
		d.silences.put(&s.Silences[i])
	}
	for i := range s.Acks {
		if e := d.alerts[s.Acks[i].AlertID]; e != nil && e.active {
			e.ack = &s.Acks[i]
		} else {
			d.out.dropAck(s.Acks[i].AlertID)
		}
	}
	d.rebuild(now)
}

// Exchange goes on by other options, as Restore would with a snapshot.
func (d *Dispatcher) Exchange(o Options, now time.Time) {
	d.set(o)
	for _, key := range sortedKeys(d.alerts) {
		e := d.alerts[key]
		e.inhibits = nil
		for i := len(e.places) - 1; i >= 0; i-- {
			g := e.places[i].group
			for j := len(e.places[i].told) - 1; j >= 0; j-- {
				m := e.places[i].told[j]
				if d.receivers[m.receiver] == nil {
					last := len(e.places[i].told) == 1
					d.out.drop(e.key(g, m))
					e.remove(g, m)
					if last {
						break
					}
				}
			}
		}
	}
	d.rebuild(now)
}

// rebuild indexes and routes all that there is.
func (d *Dispatcher) rebuild(now time.Time) {
	d.version++
	d.byLabel, d.ended, d.fires = newLabelIndex(), map[alert.Fingerprint]map[*entry]bool{}, map[alert.Fingerprint]*entry{}
	for _, id := range sortedKeys(d.alerts) {
		e := d.alerts[id]
		switch {
		case e.active:
			e.twin = nil
			d.index(e, e.body.Labels())
		default:
			d.end(e)
		}
	}
	routes := map[string]*Route{}
	d.options.Root.byPath(routes)
	for _, g := range d.groups {
		g.route = routes[g.record.Route]
	}
	for _, id := range sortedKeys(d.alerts) {
		if e := d.alerts[id]; e.active {
			e.remember()
			d.place(e, e.body.Labels(), false, now)
		}
	}
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		for _, e := range g.entries {
			for _, m := range e.in(g).told {
				g.held = g.held || m.told == ""
			}
		}
		// Its route's times may have been edited.
		if g.waits() {
			d.hasten(g, now)
		}
		d.bring(g, d.nextLook(g, time.Time{}, now))
		d.retire(g)
	}
}

// remember finds what the alert's escalation counts from: what a step that is
// not told has kept; else the first that is known of its receivers being told,
// which a repeat may have put off.
func (e *entry) remember() {
	if !e.since.IsZero() {
		return
	}
	var told, kept time.Time
	for i := range e.places {
		g := e.places[i].group
		for _, m := range e.places[i].told {
			switch {
			case m.toldFiring():
				told = earlier(told, m.at)
			case stepOf(g.route, m) > 0:
				kept = earlier(kept, m.at)
			}
		}
	}
	if e.since = told; !told.IsZero() && !kept.IsZero() {
		e.since = kept
	}
}

// stepOf finds by what a route brings a member's receiver in.
func stepOf(r *Route, m *member) int {
	if r == nil || slices.Contains(r.Receivers, m.receiver) {
		return 0
	}
	for i := range r.Escalate {
		if slices.Contains(r.Escalate[i].Receivers, m.receiver) {
			return i + 1
		}
	}
	if slices.Contains(r.Fallback, m.receiver) {
		return stepFallback
	}
	return 0
}

// waits says whether there is something in the group that its receivers may not
// have been told of.
func (g *group) waits() bool {
	for _, e := range g.entries {
		if !e.active {
			return true
		}
		for _, m := range e.in(g).told {
			if m.told == "" && m.step <= 0 {
				return true
			}
		}
	}
	return false
}

// adopt puts a stored member back, unless its receiver or alert is gone.
func (d *Dispatcher) adopt(m *store.Member) {
	g, e := d.groups[m.Group], d.alerts[m.AlertID]
	if g == nil || e == nil || d.receivers[m.Receiver] == nil {
		d.out.drop(m.MemberKey)
		return
	}
	e.put(g, &member{receiver: m.Receiver, told: m.Told, severity: m.Severity, at: m.At})
}

// byPath enters the route and all below it by their paths.
func (r *Route) byPath(into map[string]*Route) {
	into[r.Path] = r
	for _, child := range r.Routes {
		child.byPath(into)
	}
}

// Snapshot returns everything that the dispatcher knows, for Restore.
func (d *Dispatcher) Snapshot() store.Snapshot {
	s := store.Snapshot{Groups: d.Groups()}
	for _, id := range sortedKeys(d.alerts) {
		e := d.alerts[id]
		s.Alerts = append(s.Alerts, e.body.Alert())
		for i := range e.places {
			for _, m := range e.places[i].told {
				s.Members = append(s.Members, e.row(e.places[i].group, m))
			}
		}
		if e.ack != nil {
			s.Acks = append(s.Acks, *e.ack)
		}
	}
	s.Silences = d.silences.list()
	return s
}
