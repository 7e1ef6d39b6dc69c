package route

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// digestsPer is how many digests are sent within a receiver's CapPer at most.
const digestsPer = 4

// send queues plans. A receiver with a cap gets so many notifications, the
// worst first; what is beyond it goes into one digest, and where a digest was
// sent just now, waits for the next.
func (d *Dispatcher) send(plans []plan, again map[*group]time.Time, now time.Time) {
	capped := map[string][]plan{}
	for _, p := range plans {
		if r := d.receivers[p.receiver]; r != nil && r.Cap > 0 {
			capped[p.receiver] = append(capped[p.receiver], p)
			continue
		}
		d.queue(p, now)
	}
	for _, name := range sortedKeys(capped) {
		d.sendCapped(d.receivers[name], capped[name], again, now)
	}
}

func (d *Dispatcher) sendCapped(r *receiver, plans []plan, again map[*group]time.Time, now time.Time) {
	slices.SortStableFunc(plans, func(a, b plan) int { return cmp.Compare(b.weight(), a.weight()) })
	for len(plans) > 0 && !r.full(now) {
		d.queue(plans[0], now)
		plans = plans[1:]
	}
	if len(plans) == 0 {
		return
	}
	next := r.digestAt.Add(r.CapPer / digestsPer)
	if !now.Before(next) {
		d.digest(r, plans, now)
		return
	}
	if len(r.sent) > 0 {
		next = earlier(next, r.sent[0].Add(r.CapPer)) // a place is free then
	}
	for _, p := range plans {
		again[p.group] = earlier(again[p.group], next)
	}
}

// full says whether the receiver's cap is reached; else it counts one
// notification more.
func (r *receiver) full(now time.Time) bool {
	if r.Cap <= 0 {
		return false
	}
	r.sent = slices.DeleteFunc(r.sent, func(at time.Time) bool { return !at.After(now.Add(-r.CapPer)) })
	if len(r.sent) >= r.Cap {
		return true
	}
	r.sent = append(r.sent, now)
	return false
}

// weight orders plans: the worst alert that fires decides.
func (p *plan) weight() alert.Severity {
	worst := alert.OK
	for _, i := range p.tell {
		if i.e.active {
			worst = max(worst, i.e.severity)
		}
	}
	return worst
}

// digest tells the news of many groups in one notification.
func (d *Dispatcher) digest(r *receiver, plans []plan, now time.Time) {
	var all []item
	known := 0
	for _, p := range plans {
		all = append(all, p.tell...)
		known += p.known
	}
	n := d.notification(r.Name, all, now)
	r.digests++
	r.digestAt = now
	n.GroupKey, n.Seq, n.Opened, n.StillFiring = "digest:"+r.Name, r.digests, now, known
	n.Digest = &alert.Digest{Groups: len(plans), Alerts: len(all)}
	if known > 0 {
		n.Status = alert.Firing
	}
	groups := fmt.Sprintf("%d groups", len(plans))
	if len(plans) == 1 {
		groups = "1 group"
	}
	n.Reason = fmt.Sprintf("digest of %s: the receiver's cap is %d in %s", groups, r.Cap, units.Duration(r.CapPer))
	for _, p := range plans {
		d.tell(p, n.ID, fmt.Sprintf("%s; in a digest of %s, for the receiver's cap is reached", p.reason, groups), now)
	}
	d.enqueue(n, now)
}
