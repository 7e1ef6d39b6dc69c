package route

import (
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/store"
)

// place puts a firing alert into the groups of the routes that it takes. What
// a receiver was told in a group that the alert leaves comes along; a receiver
// that none of its groups reaches any more is told of the end by the old one.
func (d *Dispatcher) place(a *alert.Alert, raised bool, now time.Time, out *store.Change) {
	labels := a.AllLabels()
	entries := d.entries(a.ID)
	stays := map[store.MemberKey]bool{}
	reached := map[string]bool{}
	for _, r := range d.options.Root.Take(labels) {
		if !slices.ContainsFunc(r.Receivers, func(name string) bool { return !reached[name] }) {
			continue
		}
		g := d.group(r, labels, now)
		if raised { // a severity that moves up is sent at once
			g.record.FlushAt = now
			d.touch(g, out)
		}
		for _, receiver := range r.Receivers {
			// With continue, several routes may name a receiver: the first that
			// does tells it.
			if reached[receiver] {
				continue
			}
			reached[receiver] = true
			key := store.MemberKey{Group: g.record.Key, Receiver: receiver, AlertID: a.ID}
			stays[key] = true
			d.join(g, key, entries, a, now, out)
		}
	}
	d.leave(a, stays, reached, out)
	d.endBefore(a, now, out)
}

// entries returns what each receiver knows of an alert. Where two groups tell
// one receiver, as an older store may have it, the greater knowledge counts.
func (d *Dispatcher) entries(id string) map[string]store.Member {
	entries := map[string]store.Member{}
	for _, groupKey := range sortedKeys(d.homes[id]) {
		for key, m := range d.groups[groupKey].of(id) {
			known, twice := entries[key.Receiver]
			if !twice || m.ToldFiring() && (known.Told == "" || m.Severity > known.Severity) {
				entries[key.Receiver] = *m
			}
		}
	}
	return entries
}

// group finds or makes the group of an alert on a route.
func (d *Dispatcher) group(r *Route, labels alert.Labels, now time.Time) *group {
	key := r.GroupKey(labels)
	g := d.groups[key]
	if g == nil {
		g = newGroup(store.Group{
			Key: key, Route: r.Path, Labels: r.GroupLabels(labels), CreatedAt: now, FlushAt: now.Add(r.GroupWait),
		})
		d.groups[key] = g
	}
	g.route, g.record.Receivers = r, r.Receivers
	return g
}

// join makes the alert a member of the group for one receiver, and sees that
// the group is flushed in time.
func (d *Dispatcher) join(g *group, key store.MemberKey, told map[string]store.Member, a *alert.Alert, now time.Time, out *store.Change) {
	delete(g.leaving, key)
	m, here := g.members[key]
	if !here {
		fresh := store.Member{MemberKey: key, At: now}
		if before, ok := told[key.Receiver]; ok {
			fresh.Told, fresh.Severity, fresh.At = before.Told, before.Severity, before.At
		}
		m = &fresh
		d.put(g, m)
	}
	// A fall is not told, and is remembered: when the severity moves up again,
	// that is news.
	fell := m.ToldFiring() && m.Severity > a.Severity
	if fell {
		m.Severity = a.Severity
	}
	if fell || !here {
		out.Members = append(out.Members, *m)
	}
	switch {
	case m.Told == "" && !here:
		d.hasten(g, now, out)
		out.Events = append(out.Events, alert.Event{
			AlertID: a.ID, At: now, Kind: alert.EventGrouped, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold, Receiver: key.Receiver,
			Reason: fmt.Sprintf("grouped as %s, to be sent in %s", g.record.Key, units.Duration(g.record.FlushAt.Sub(now))),
		})
	case !here:
		d.touch(g, out)
	}
}

// hasten moves the group's next look forward: after a change it comes one
// group_interval after the last notification, or with the group's first.
func (d *Dispatcher) hasten(g *group, now time.Time, out *store.Change) {
	at := now
	switch {
	case g.route == nil: // nothing to wait for: its route is gone
	case g.record.SentAt.IsZero():
		at = now.Add(g.route.GroupWait)
	default:
		at = later(now, g.record.SentAt.Add(g.route.GroupInterval))
	}
	if g.record.FlushAt.IsZero() || at.Before(g.record.FlushAt) {
		g.record.FlushAt = at
	}
	d.touch(g, out)
}

func (d *Dispatcher) touch(g *group, out *store.Change) {
	for i := range out.Groups {
		if out.Groups[i].Key == g.record.Key {
			out.Groups[i] = g.record
			return
		}
	}
	out.Groups = append(out.Groups, g.record)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// leave takes the alert out of the groups that it does not belong to any more,
// but for the receivers that were told it fires and that no group tells now.
func (d *Dispatcher) leave(a *alert.Alert, stays map[store.MemberKey]bool, reached map[string]bool, out *store.Change) {
	for _, groupKey := range sortedKeys(d.homes[a.ID]) {
		g := d.groups[groupKey]
		for key, m := range g.of(a.ID) {
			if stays[key] || m.ToldFiring() && !reached[key.Receiver] {
				if !stays[key] {
					g.leaving[key] = true
				}
				continue
			}
			d.remove(g, key)
			out.DropMembers = append(out.DropMembers, key)
		}
		d.retire(g, out)
	}
}

func (d *Dispatcher) remove(g *group, key store.MemberKey) {
	delete(g.members, key)
	delete(g.leaving, key)
	if g.receivers[key.Receiver]--; g.receivers[key.Receiver] == 0 {
		delete(g.receivers, key.Receiver)
	}
	if home := d.homes[key.AlertID]; home[key.Group] > 1 {
		home[key.Group]--
	} else {
		delete(home, key.Group)
	}
}

// put makes a member of the group that is none yet.
func (d *Dispatcher) put(g *group, m *store.Member) {
	g.members[m.MemberKey] = m
	g.receivers[m.Receiver]++
	if d.homes[m.AlertID] == nil {
		d.homes[m.AlertID] = map[string]int{}
	}
	d.homes[m.AlertID][m.Group]++
}

// retire drops a group without members.
func (d *Dispatcher) retire(g *group, out *store.Change) {
	if len(g.members) > 0 {
		return
	}
	delete(d.groups, g.record.Key)
	out.Groups = slices.DeleteFunc(out.Groups, func(r store.Group) bool { return r.Key == g.record.Key })
	out.DropGroups = append(out.DropGroups, g.record.Key)
}
