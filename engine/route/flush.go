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
	var due []*group
	for _, key := range sortedKeys(d.groups) {
		if g := d.groups[key]; !g.record.FlushAt.IsZero() && !g.record.FlushAt.After(now) {
			due = append(due, g)
		}
	}
	// Ends go before next occurrences, over all groups: a receiver that knows
	// alerts by fingerprint would take the new one for ended.
	for _, g := range due {
		d.flushEnds(g, now, &out)
	}
	for _, g := range due {
		d.flush(g, now, &out)
	}
	return out
}

// flushEnds tells the ends of the alerts that fire again already.
func (d *Dispatcher) flushEnds(g *group, now time.Time, out *store.Change) {
	for _, name := range sortedKeys(g.byReceiver()) {
		if d.receivers[name].SkipResolved {
			continue
		}
		p := plan{reason: "resolved, and fires again"}
		for _, m := range g.byReceiver()[name] {
			a := d.alerts[m.AlertID]
			switch {
			case a.Active():
				p.known++
			case d.fires[a.Fingerprint] != "" && d.why(m, a) != reasonSkip:
				p.add(m, a)
			}
		}
		if len(p.alerts) == 0 {
			continue
		}
		d.queue(g, name, p, now, out)
		for _, m := range p.tell {
			d.drop(g, m.MemberKey, out)
		}
	}
}

// byReceiver sorts the group's members by receiver, each in the order of the
// alerts' ids.
func (g *group) byReceiver() map[string][]*store.Member {
	receivers := map[string][]*store.Member{}
	for key, m := range g.members {
		receivers[key.Receiver] = append(receivers[key.Receiver], m)
	}
	for _, members := range receivers {
		slices.SortFunc(members, func(a, b *store.Member) int { return strings.Compare(a.AlertID, b.AlertID) })
	}
	return receivers
}

// flush is one look at one group.
func (d *Dispatcher) flush(g *group, now time.Time, out *store.Change) {
	receivers, held := g.byReceiver(), false
	for _, name := range sortedKeys(receivers) {
		repeatAt := d.repeatAt(g, receivers[name])
		p := d.plan(g, receivers[name], !repeatAt.IsZero() && !now.Before(repeatAt), now, out)
		held = held || p.held
		if p.reason != "" {
			d.queue(g, name, p, now, out)
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
	var look time.Time
	if held && g.route != nil {
		look = now.Add(g.route.GroupInterval)
	}
	for _, members := range g.byReceiver() {
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
		if m.ToldFiring() && d.alerts[m.AlertID].Active() && !g.leaving[m.MemberKey] {
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
	known  int    // alerts that fire and that the receiver knows of
	held   bool   // an inhibition holds something back
}

func (p *plan) add(m *store.Member, a *alert.Alert) {
	p.alerts, p.tell = append(p.alerts, *a), append(p.tell, m)
}

// plan sorts a receiver's members: what it has not been told, in order of
// weight, gives the reason.
func (d *Dispatcher) plan(g *group, members []*store.Member, repeat bool, now time.Time, out *store.Change) plan {
	var p plan
	var known []*store.Member // that fire, and that the receiver knows of
	counts := map[string]int{}
	for _, m := range members {
		a := d.alerts[m.AlertID]
		if a.Active() && g.leaving[m.MemberKey] {
			continue
		}
		why := d.why(m, a)
		if why == reasonNew {
			if reason := d.heldBack(a); reason != "" {
				p.held = true
				d.recordHeld(m, a, reason, now, out)
				continue
			}
		}
		if why == reasonSkip {
			if reason := unsent(m); reason != "" {
				out.Events = append(out.Events, alert.Event{
					AlertID: a.ID, At: now, Kind: alert.EventHeld, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
					Receiver: m.Receiver, Reason: reason,
				})
			}
			continue
		}
		if why == "" {
			known = append(known, m)
			continue
		}
		counts[why]++
		p.add(m, a)
	}
	p.reason = phrase(counts)
	if repeat {
		known = d.unrepeated(known, &p, now, out)
	}
	if repeat && len(known) > 0 {
		if p.reason == "" {
			p.reason = "repeat"
		}
		for _, m := range known {
			p.add(m, d.alerts[m.AlertID])
		}
		known = nil
	}
	p.known += len(known)
	return p
}

// unrepeated takes out of what is due to be repeated what is held back by now:
// its turn has passed, and the history says why.
func (d *Dispatcher) unrepeated(known []*store.Member, p *plan, now time.Time, out *store.Change) []*store.Member {
	var left []*store.Member
	for _, m := range known {
		a := d.alerts[m.AlertID]
		reason := d.heldBack(a)
		if reason == "" {
			left = append(left, m)
			continue
		}
		p.known++
		m.At = now
		out.Members = append(out.Members, *m)
		out.Events = append(out.Events, alert.Event{
			AlertID: a.ID, At: now, Kind: alert.EventHeld, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
			Receiver: m.Receiver, Reason: "not repeated; " + reason,
		})
	}
	return left
}

// The reasons for which a receiver is told.
const (
	reasonRaised   = "severity raised"
	reasonFlapping = "flapping" // the alert changes too often: this is the last word until it settles
	reasonSettled  = "settled"
	reasonNew      = "new"
	reasonResolved = "resolved"
	reasonMissed   = "fired and resolved meanwhile"
	reasonSkip     = "skip" // it ended, and the receiver is not to hear of it
)

// why says what the receiver has not been told of the alert; empty when it
// knows everything.
func (d *Dispatcher) why(m *store.Member, a *alert.Alert) string {
	switch {
	case a.Active() && m.Told == "":
		return reasonNew
	case a.Active() && m.Severity < a.Severity:
		return reasonRaised
	case a.Active() && a.Flapping() && m.Told != store.ToldFlapping:
		return reasonFlapping
	case a.Active() && !a.Flapping() && m.Told == store.ToldFlapping:
		return reasonSettled
	case a.Active():
		return ""
	case d.receivers[m.Receiver].SkipResolved, m.Told == "" && m.Severity != alert.OK:
		return reasonSkip
	case m.ToldFiring():
		return reasonResolved
	}
	return reasonMissed
}

// unsent says why a receiver never hears of an alert that has ended; empty when
// it has heard of it.
func unsent(m *store.Member) string {
	switch {
	case m.Told != "":
		return ""
	case m.Severity != alert.OK: // see recordHeld
		return "not sent: it ended while it was held back"
	}
	return "not sent: it resolved before its group was sent, and the receiver wants no resolutions"
}

func phrase(counts map[string]int) string {
	var parts []string
	for _, why := range [...]string{reasonRaised, reasonNew, reasonFlapping, reasonSettled, reasonResolved, reasonMissed} {
		if n := counts[why]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, why))
		}
	}
	return strings.Join(parts, ", ")
}

// recordHeld writes into the history that an alert is held back; once, which
// the member's severity remembers.
func (d *Dispatcher) recordHeld(m *store.Member, a *alert.Alert, reason string, now time.Time, out *store.Change) {
	if m.Severity == a.Severity {
		return
	}
	m.Severity = a.Severity
	out.Members = append(out.Members, *m)
	out.Events = append(out.Events, alert.Event{
		AlertID: a.ID, At: now, Kind: alert.EventHeld, Severity: a.Severity, Value: a.Value, Threshold: a.Threshold,
		Receiver: m.Receiver, Reason: reason,
	})
}

// queue makes the delivery and notes what the receiver knows then.
func (d *Dispatcher) queue(g *group, receiver string, p plan, now time.Time, out *store.Change) {
	g.record.SentAt = now
	g.record.Seq++
	n := alert.Notification{
		ID: d.options.NewID(), Receiver: receiver, GroupKey: g.record.Key, GroupLabels: g.record.Labels,
		Seq: g.record.Seq, Status: alert.Resolved, Reason: p.reason, Alerts: p.alerts, StillFiring: p.known, ExternalURL: d.options.ExternalURL, At: now,
	}
	slices.SortStableFunc(n.Alerts, worstFirst)
	if n.Alerts[0].Active() || p.known > 0 {
		n.Status = alert.Firing
	}
	for _, m := range p.tell {
		a := d.alerts[m.AlertID]
		m.Told, m.Severity, m.At = a.State, a.Severity, now
		if a.Active() && a.Flapping() {
			m.Told = store.ToldFlapping
		}
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

// settle drops the members that nothing more is to be told of.
func (d *Dispatcher) settle(g *group, out *store.Change) {
	for key, m := range g.members {
		a := d.alerts[key.AlertID]
		if a.Active() || m.ToldFiring() && !d.receivers[key.Receiver].SkipResolved {
			continue
		}
		d.drop(g, key, out)
	}
}

// drop takes an ended alert's member out of its group, and forgets the alert
// when it was the last.
func (d *Dispatcher) drop(g *group, key store.MemberKey, out *store.Change) {
	d.remove(g, key)
	out.DropMembers = append(out.DropMembers, key)
	if len(d.homes[key.AlertID]) == 0 {
		d.forget(key.AlertID)
	}
}
