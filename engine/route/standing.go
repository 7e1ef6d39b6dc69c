package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Stance is how one alert stands with the router, small: the alert itself is
// made when it is asked for. It is never changed.
type Stance struct {
	body      Body
	fp        alert.Fingerprint
	receivers []string
	silenced  []string
	inhibited []alert.Fingerprint
	muted     []string
	ack       *alert.Ack
}

// Standing returns the whole of it.
func (s *Stance) Standing() alert.Standing {
	return alert.Standing{
		Alert: s.body.Alert(), Receivers: s.receivers, SilencedBy: s.silenced, InhibitedBy: s.inhibited, MutedBy: s.muted, Ack: s.ack,
	}
}

// Compare orders stances by the fingerprints of their alerts.
func (s *Stance) Compare(other *Stance) int { return cmp.Compare(s.fp, other.fp) }

// matches says whether the alert has what the matchers ask for.
func (e *entry) matches(ms alert.Matchers) bool {
	for i := range ms {
		if !ms[i].MatchesValue(e.body.Label(ms[i].Name)) {
			return false
		}
	}
	return true
}

// Stances returns how the alerts that fire and that the query selects stand, in
// no order.
func (d *Dispatcher) Stances(q *alert.StandingQuery, now time.Time) []Stance {
	var out []Stance
	if len(q.Matchers) == 0 {
		out = make([]Stance, 0, len(d.alerts))
	}
	shared := map[*Route][]string{}
	d.visit(q.Matchers, func(e *entry) {
		if s := d.stance(e, shared, now); selects(q, &s) {
			out = append(out, s)
		}
	})
	return out
}

// Stance returns how the alert with that id or fingerprint stands; false when
// it does not fire.
func (d *Dispatcher) Stance(id string, now time.Time) (Stance, bool) {
	e := d.firing(id)
	if e == nil {
		return Stance{}, false
	}
	return d.stance(e, nil, now), true
}

func selects(q *alert.StandingQuery, s *Stance) bool {
	if q.Receiver != nil && !slices.ContainsFunc(s.receivers, q.Receiver) {
		return false
	}
	switch {
	case q.WithoutSilenced && len(s.silenced) > 0, q.WithoutInhibited && len(s.inhibited) > 0, q.WithoutMuted && len(s.muted) > 0:
		return false
	}
	return !q.WithoutActive || len(s.silenced)+len(s.inhibited)+len(s.muted) > 0
}

// stance looks at one alert. The receivers of a route's alerts are one list,
// kept in shared.
func (d *Dispatcher) stance(e *entry, shared map[*Route][]string, now time.Time) Stance {
	s := Stance{body: e.body, fp: e.fp(), ack: e.ack(), receivers: d.receiversOf(e, shared)}
	if d.silences.any(now) || len(d.inhibitors) > 0 || len(d.options.Maintenance) > 0 {
		labels := e.body.Labels()
		s.silenced = d.silences.ids(labels, now)
		if by := d.inhibitedBy(labels); by != nil {
			s.inhibited = []alert.Fingerprint{by.fp()}
		}
		for _, w := range d.at(now).windows {
			if w.Match.Matches(labels) {
				s.muted = append(s.muted, w.Name)
			}
		}
	}
	for g := range e.groups() {
		s.muted = append(s.muted, g.mutedBy(now)...)
	}
	return s
}

// receiversOf are those that the alert's routes name, each once.
func (d *Dispatcher) receiversOf(e *entry, shared map[*Route][]string) []string {
	if r := e.onlyRoute(); r != nil && shared != nil {
		if list, ok := shared[r]; ok {
			return list
		}
		shared[r] = r.Receivers
		return r.Receivers
	}
	var out []string
	for g := range e.groups() {
		for m := range e.membersIn(g) {
			if name := d.receiverOf(m); m.step == 0 && !m.leaving && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// onlyRoute is that of the alert's only group; nil where it has more than one,
// or none, or the group's is gone.
func (e *entry) onlyRoute() *Route {
	var only *group
	for m := range e.members() {
		if only != nil && m.group != only {
			return nil
		}
		only = m.group
	}
	if only == nil {
		return nil
	}
	return only.route
}

// mutedBy are the names of the time intervals that keep the group from being
// told of.
func (g *group) mutedBy(now time.Time) []string {
	if g.route == nil {
		return nil
	}
	if _, muted := g.route.Muted(now); !muted {
		return nil
	}
	var names []string
	for i := range g.route.Mute {
		if g.route.Mute[i].Contains(now) {
			names = append(names, g.route.Mute[i].Name)
		}
	}
	if len(names) == 0 { // it is outside of all that it is active in
		for i := range g.route.Active {
			names = append(names, g.route.Active[i].Name)
		}
	}
	return names
}

// StanceGroup is a group as one receiver is told of it.
type StanceGroup struct {
	Key      string
	Labels   alert.Labels
	Receiver string
	Muted    []string
	Stances  []Stance
}

// StanceGroups returns the groups, by labels and receiver, with the alerts that
// the query selects; empty ones are left out.
func (d *Dispatcher) StanceGroups(q *alert.StandingQuery, now time.Time) []StanceGroup {
	var out []StanceGroup
	shared := map[*Route][]string{}
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		by := map[string][]Stance{}
		for _, e := range g.entries {
			if !e.active || !e.matches(q.Matchers) {
				continue
			}
			s := d.stance(e, shared, now)
			if !selects(q, &s) {
				continue
			}
			for m := range e.membersIn(g) {
				if name := d.receiverOf(m); m.step == 0 && !m.leaving && (q.Receiver == nil || q.Receiver(name)) {
					by[name] = append(by[name], s)
				}
			}
		}
		for _, name := range sortedKeys(by) {
			out = append(out, StanceGroup{Key: key, Labels: g.record.Labels, Receiver: name, Muted: g.mutedBy(now), Stances: by[name]})
		}
	}
	return out
}
