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
	entries := make(map[string]*entry, len(s.Alerts))
	for i := range s.Alerts {
		a := &s.Alerts[i]
		e := &entry{}
		var b Body
		if body != nil {
			b = body(a)
		}
		if b == nil {
			b = &whole{*a}
		}
		d.fill(e, a, b)
		d.enter(e)
		entries[a.ID] = e
	}
	for _, record := range s.Groups {
		g := &group{record: record, inHeap: -1}
		d.groups[record.Key] = g
		d.agenda.set(g, record.FlushAt)
	}
	for i := range s.Members {
		d.adopt(&s.Members[i], entries)
	}
	for i := range s.Silences {
		d.silences.put(&s.Silences[i])
	}
	for i := range s.Acks {
		ack := s.Acks[i]
		if e := entries[ack.AlertID]; e != nil && e.active {
			e.setAck(&ack)
		} else {
			d.out.dropAck(ack.AlertID)
		}
	}
	d.rebuild(now)
}

// Exchange goes on by other options, as Restore would with a snapshot.
func (d *Dispatcher) Exchange(o Options, now time.Time) {
	d.set(o)
	var present names
	for e := range d.all() {
		if e.extra != nil {
			e.setRare(func(x *extra) { x.inhibits = nil })
		}
		for m := range e.members() {
			if d.receivers[d.receiverOf(m)] == nil {
				d.out.drop(d.key(e, m))
				e.remove(m)
			}
		}
	}
	for e := range d.all() {
		for m := range e.members() {
			m.receiver = present.number(d.receiverOf(m))
		}
	}
	d.names = present
	d.rebuild(now)
}

// rebuild indexes and routes all that there is.
func (d *Dispatcher) rebuild(now time.Time) {
	all := d.sorted()
	d.byLabel, d.endings = newLabelIndex(d.seed), 0
	d.alerts, d.named = make(map[alert.Fingerprint]*entry, len(d.alerts)), map[string]*entry{}
	for _, e := range all {
		e.setNext(nil)
		if e.active {
			d.enter(e)
			d.index(e, e.body.Labels())
		} else if e.routed() {
			d.enter(e)
		}
	}
	routes := map[string]*Route{}
	d.options.Root.byPath(routes)
	for _, g := range d.groups {
		g.route = routes[g.record.Route]
	}
	for _, e := range all {
		if e.active {
			d.remember(e)
			d.place(e, e.body.Labels(), false, now)
		}
	}
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		for _, e := range g.entries {
			for m := range e.membersIn(g) {
				g.held = g.held || m.told == toldNothing || m.again
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
func (d *Dispatcher) remember(e *entry) {
	if e.since != 0 {
		return
	}
	var told, kept time.Time
	for m := range e.members() {
		switch {
		case m.toldFiring():
			told = earlier(told, m.toldAt())
		case stepOf(m.group.route, d.receiverOf(m)) > 0:
			kept = earlier(kept, m.toldAt())
		}
	}
	if !told.IsZero() && !kept.IsZero() {
		told = kept
	}
	e.since = stampOf(told)
}

// stepOf finds by what a route brings a receiver in.
func stepOf(r *Route, receiver string) int {
	if r == nil || slices.Contains(r.Receivers, receiver) {
		return 0
	}
	for i := range r.Escalate {
		if slices.Contains(r.Escalate[i].Receivers, receiver) {
			return i + 1
		}
	}
	if slices.Contains(r.Fallback, receiver) {
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
		for m := range e.membersIn(g) {
			if m.told == toldNothing && m.step <= 0 || m.again {
				return true
			}
		}
	}
	return false
}

// adopt puts a stored member back, unless its receiver or alert is gone.
func (d *Dispatcher) adopt(m *store.Member, entries map[string]*entry) {
	g, e := d.groups[m.Group], entries[m.AlertID]
	if g == nil || e == nil || d.receivers[m.Receiver] == nil {
		d.out.drop(m.MemberKey)
		return
	}
	told := member{receiver: d.names.number(m.Receiver), told: toldOf(m.Told), severity: m.Severity, at: stampOf(m.At)}
	if told.toldFiring() && told.severity == alert.OK { // see row
		told.again, told.severity = true, e.severity
	}
	e.put(g, told)
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
	for _, e := range d.sorted() {
		s.Alerts = append(s.Alerts, e.body.Alert())
		for m := range e.members() {
			s.Members = append(s.Members, d.row(e, m))
		}
		if e.ack() != nil {
			s.Acks = append(s.Acks, *e.ack())
		}
	}
	s.Silences = d.silences.list()
	return s
}
