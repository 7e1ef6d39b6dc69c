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
		g := &group{record: record, route: d.options.Root.find(record.Route), inHeap: -1}
		d.groups[record.Key] = g
		d.agenda.set(g, record.FlushAt)
	}
	counts := map[*entry]time.Time{} // from when their escalation does
	for i := range s.Members {
		d.adopt(&s.Members[i], counts)
	}
	for e, from := range counts {
		if !e.toldAt.IsZero() {
			e.toldAt = from
		}
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
	for _, g := range d.groups {
		g.route = nil
	}
	d.rebuild(now)
}

// rebuild indexes and routes all that there is.
func (d *Dispatcher) rebuild(now time.Time) {
	d.version++
	d.byLabel = newLabelIndex()
	for _, id := range sortedKeys(d.alerts) {
		e := d.alerts[id]
		switch {
		case e.active:
			d.index(e, e.body.Labels())
		default:
			d.end(e)
		}
	}
	for _, id := range sortedKeys(d.alerts) {
		if e := d.alerts[id]; e.active {
			d.place(e, e.body.Labels(), false, now)
		}
	}
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		if g.route == nil {
			g.route = d.options.Root.find(g.record.Route)
		}
		for _, e := range g.entries {
			for _, m := range e.in(g).told {
				m.step = stepOf(g.route, m)
				g.held = g.held || m.told == ""
			}
		}
		// Its route's times may have been edited.
		if g.hasEnded() {
			d.hasten(g, now)
		}
		if look := d.nextLook(g, time.Time{}); !look.IsZero() && look.Before(g.record.FlushAt) {
			d.bring(g, look)
		}
		d.retire(g)
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

// hasEnded says whether an alert of the group does not fire any more.
func (g *group) hasEnded() bool {
	for _, e := range g.entries {
		if !e.active {
			return true
		}
	}
	return false
}

// adopt puts a stored member back, unless its receiver or alert is gone.
func (d *Dispatcher) adopt(m *store.Member, counts map[*entry]time.Time) {
	g, e := d.groups[m.Group], d.alerts[m.AlertID]
	if g == nil || e == nil || d.receivers[m.Receiver] == nil {
		d.out.drop(m.MemberKey)
		return
	}
	if m.ToldFiring() {
		e.toldAt = earlier(e.toldAt, m.At)
	}
	own := &member{receiver: m.Receiver, told: m.Told, severity: m.Severity, at: m.At}
	if own.told == "" && stepOf(g.route, own) > 0 {
		counts[e] = later(counts[e], m.At) // see entry.count
	}
	e.put(g, own)
}

// find returns the route with that path, nil when there is none.
func (r *Route) find(path string) *Route {
	if r.Path == path {
		return r
	}
	for _, child := range r.Routes {
		if found := child.find(path); found != nil {
			return found
		}
	}
	return nil
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
