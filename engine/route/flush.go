package route

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Flush looks at every group that is due and queues what its receivers have
// not been told. The notifications are in the change's Deliveries.
func (d *Dispatcher) Flush(now time.Time) store.Change {
	var out store.Change
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		if !g.record.FlushAt.IsZero() && !g.record.FlushAt.After(now) {
			d.flush(g, now, &out)
		}
	}
	return out
}

// flush is one look at one group.
func (d *Dispatcher) flush(g *group, now time.Time, out *store.Change) {
	receivers := map[string][]*store.Member{}
	for key, m := range g.members {
		receivers[key.Receiver] = append(receivers[key.Receiver], m)
	}
	held := false
	for _, name := range sortedKeys(receivers) {
		repeatAt := d.repeatAt(g, receivers[name])
		p := d.plan(g, receivers[name], !repeatAt.IsZero() && !now.Before(repeatAt), now, out)
		held = held || p.held
		for _, part := range p.split() {
			if part.reason != "" {
				g.record.SentAt = now
				d.queue(g, name, part, now, out)
			}
		}
	}
	d.settle(g, out)
	g.record.FlushAt = d.nextLook(g, held, now)
	d.touch(g, out)
	d.retire(g, out)
}

// nextLook is when the group must be looked at though nothing changes: for its
// repeat, and soon where an inhibition holds something back.
func (d *Dispatcher) nextLook(g *group, held bool, now time.Time) time.Time {
	receivers := map[string][]*store.Member{}
	for key, m := range g.members {
		receivers[key.Receiver] = append(receivers[key.Receiver], m)
	}
	var look time.Time
	if held && g.route != nil {
		look = now.Add(g.route.GroupInterval)
	}
	for _, members := range receivers {
		if at := d.repeatAt(g, members); !at.IsZero() && (look.IsZero() || at.Before(look)) {
			look = at
		}
	}
	return look
}

// repeatAt is when a receiver is told again what it knows: one repeat_interval
// after it was last told of anything in the group. Zero when it knows of
// nothing that fires, or the group only drains. It is counted by receiver and
// member, not by group: what another receiver is told puts off no repeat, and
// an alert that came from another group brings its time along.
func (d *Dispatcher) repeatAt(g *group, members []*store.Member) time.Time {
	var last time.Time
	for _, m := range members {
		if m.Told == alert.Firing && d.alerts[m.AlertID].Active() && !g.leaving[m.MemberKey] {
			last = later(last, m.At)
		}
	}
	if g.route == nil || last.IsZero() {
		return time.Time{}
	}
	return last.Add(g.route.RepeatInterval)
}

// plan is what one receiver is to be told.
type plan struct {
	alerts []alert.Alert
	tell   []*store.Member
	reason string // empty: nothing to tell
	held   bool   // an inhibition holds something back
}

// split makes two of a plan in which an alert that ended stands beside its next
// occurrence: the end goes first, or the receiver would take the new one for
// ended.
func (p *plan) split() []plan {
	fires := map[alert.Fingerprint]bool{}
	for i := range p.alerts {
		if p.alerts[i].Active() {
			fires[p.alerts[i].Fingerprint] = true
		}
	}
	first, rest := plan{reason: "resolved, and fires again"}, plan{reason: p.reason}
	for i := range p.alerts {
		part := &rest
		if !p.alerts[i].Active() && fires[p.alerts[i].Fingerprint] {
			part = &first
		}
		part.alerts, part.tell = append(part.alerts, p.alerts[i]), append(part.tell, p.tell[i])
	}
	if len(first.alerts) == 0 {
		return []plan{rest}
	}
	return []plan{first, rest}
}

// plan sorts a receiver's members: what it has not been told, in order of
// weight, gives the reason.
func (d *Dispatcher) plan(g *group, members []*store.Member, repeat bool, now time.Time, out *store.Change) plan {
	var p plan
	counts := map[string]int{}
	slices.SortFunc(members, func(a, b *store.Member) int { return strings.Compare(a.AlertID, b.AlertID) })
	for _, m := range members {
		a := d.alerts[m.AlertID]
		if a.Active() && g.leaving[m.MemberKey] {
			continue
		}
		why := d.why(m, a)
		if why == reasonNew {
			if by := d.inhibitedBy(a); by != "" {
				p.held = true
				d.recordHeld(m, a, by, now, out)
				continue
			}
		}
		if why == reasonSkip {
			if m.Told == "" {
				out.Events = append(out.Events, alert.Event{
					AlertID: a.ID, At: now, Kind: alert.EventHeld, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
					Receiver: m.Receiver, Reason: "not sent: it resolved before its group was sent, and the receiver wants no resolutions",
				})
			}
			continue
		}
		if why != "" {
			counts[why]++
		}
		p.alerts = append(p.alerts, *a)
		p.tell = append(p.tell, m)
	}
	p.reason = phrase(counts, repeat && slices.ContainsFunc(p.alerts, func(a alert.Alert) bool { return a.Active() }))
	return p
}

// The reasons for which a receiver is told.
const (
	reasonRaised   = "severity raised"
	reasonNew      = "new"
	reasonResolved = "resolved"
	reasonMissed   = "fired and resolved meanwhile"
	reasonSkip     = "skip" // a resolution that the receiver does not want
)

// why says what the receiver has not been told of the alert; empty when it
// knows everything.
func (d *Dispatcher) why(m *store.Member, a *alert.Alert) string {
	switch {
	case a.Active() && m.Told == "":
		return reasonNew
	case a.Active() && m.Severity < a.Severity:
		return reasonRaised
	case a.Active():
		return ""
	case d.receivers[m.Receiver].SkipResolved:
		return reasonSkip
	case m.Told == alert.Firing:
		return reasonResolved
	}
	return reasonMissed
}

func phrase(counts map[string]int, repeat bool) string {
	var parts []string
	for _, why := range [...]string{reasonRaised, reasonNew, reasonResolved, reasonMissed} {
		if n := counts[why]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, why))
		}
	}
	if len(parts) == 0 && repeat {
		return "repeat"
	}
	return strings.Join(parts, ", ")
}

// inhibitedBy names the firing alert that holds this one back, or "".
func (d *Dispatcher) inhibitedBy(a *alert.Alert) string {
	labels := a.AllLabels()
	for i := range d.options.Inhibitions {
		in := &d.options.Inhibitions[i]
		if !in.Target.Matches(labels) {
			continue
		}
		by := ""
		for _, other := range d.alerts {
			if other.Active() && other.ID != a.ID && (by == "" || other.Rule < by) && in.holds(other.AllLabels(), labels) {
				by = other.Rule
			}
		}
		if by != "" {
			return by
		}
	}
	return ""
}

// recordHeld writes into the history that an alert is held back; once, which
// the member's severity remembers.
func (d *Dispatcher) recordHeld(m *store.Member, a *alert.Alert, by string, now time.Time, out *store.Change) {
	if m.Severity == a.Severity {
		return
	}
	m.Severity = a.Severity
	out.Members = append(out.Members, *m)
	out.Events = append(out.Events, alert.Event{
		AlertID: a.ID, At: now, Kind: alert.EventHeld, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
		Receiver: m.Receiver, Reason: "held back: " + by + " fires, which inhibits it",
	})
}

// queue makes the delivery and notes what the receiver knows then.
func (d *Dispatcher) queue(g *group, receiver string, p plan, now time.Time, out *store.Change) {
	g.record.Seq++
	n := alert.Notification{
		ID: d.options.NewID(), Receiver: receiver, GroupKey: g.record.Key, GroupLabels: g.record.Labels,
		Seq: g.record.Seq, Status: alert.Resolved, Reason: p.reason, Alerts: p.alerts, ExternalURL: d.options.ExternalURL, At: now,
	}
	slices.SortStableFunc(n.Alerts, worstFirst)
	if n.Alerts[0].Active() {
		n.Status = alert.Firing
	}
	for _, m := range p.tell {
		a := d.alerts[m.AlertID]
		m.Told, m.Severity, m.At = a.State, a.Severity, now
		out.Events = append(out.Events, alert.Event{
			AlertID: a.ID, At: now, Kind: alert.EventQueued, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
			Receiver: receiver, DeliveryID: n.ID, Reason: p.reason,
		})
		if a.Active() {
			out.Members = append(out.Members, *m)
		}
	}
	if extra := len(n.Alerts) - MaxAlerts; extra > 0 {
		n.Alerts, n.Truncated = n.Alerts[:MaxAlerts], extra
	}
	out.Deliveries = append(out.Deliveries, alert.Delivery{Notification: n, State: alert.DeliveryPending, CreatedAt: now, NextAt: now})
}

// worstFirst orders firing before resolved, worst severity first, oldest first.
func worstFirst(a, b alert.Alert) int {
	switch {
	case a.Active() != b.Active():
		if a.Active() {
			return -1
		}
		return 1
	case a.Severity != b.Severity:
		return int(b.Severity) - int(a.Severity)
	}
	return a.StartsAt.Compare(b.StartsAt)
}

// settle drops the members that nothing more is to be told of, and forgets
// the alerts that are in no group any more.
func (d *Dispatcher) settle(g *group, out *store.Change) {
	var ended []string
	for key, m := range g.members {
		a := d.alerts[key.AlertID]
		if a.Active() || m.Told == alert.Firing && !d.receivers[key.Receiver].SkipResolved {
			continue
		}
		g.remove(key)
		out.DropMembers = append(out.DropMembers, key)
		out.Members = slices.DeleteFunc(out.Members, func(x store.Member) bool { return x.MemberKey == key })
		if !slices.Contains(ended, key.AlertID) {
			ended = append(ended, key.AlertID)
		}
	}
	for _, id := range ended {
		if g.has(id) {
			continue
		}
		delete(d.homes[id], g.record.Key)
		if len(d.homes[id]) == 0 {
			delete(d.homes, id)
			delete(d.alerts, id)
		}
	}
}

func (g *group) has(id string) bool {
	for key := range g.members {
		if key.AlertID == id {
			return true
		}
	}
	return false
}
