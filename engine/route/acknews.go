package route

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// The reasons of what is told of acknowledgements alone.
const (
	reasonAcked     = "acknowledged"
	reasonSnoozed   = "snoozed"
	reasonTakenBack = "acknowledgement taken back"
)

// ackNews is what receivers that show acknowledgements are told at the next
// look, whatever their groups wait for: who took up what they know to fire. It
// is not kept over a restart, and costs a message its line at worst.
type ackNews struct {
	since time.Time // zero for none
	news  map[ackKey]map[*entry]string
}

type ackKey struct {
	group    *group
	receiver string
}

// noteAck has those told that know of the alert.
func (d *Dispatcher) noteAck(e *entry, what string, now time.Time) {
	for m := range e.members() {
		r := d.receivers[d.receiverOf(m)]
		if r == nil || !r.Acks || m.leaving || !m.toldFiring() {
			continue
		}
		if d.acked.since.IsZero() {
			d.acked = ackNews{since: now, news: map[ackKey]map[*entry]string{}}
		}
		key := ackKey{m.group, r.Name}
		if d.acked.news[key] == nil {
			d.acked.news[key] = map[*entry]string{}
		}
		d.acked.news[key][e] = what
	}
}

// tellAcks queues what was noted, a notification a group and receiver. It moves
// no timer of the group, and heeds no silence: nothing is said of an alert that
// the receiver does not show already.
func (d *Dispatcher) tellAcks(now time.Time) {
	noted := d.acked.news
	d.acked = ackNews{}
	keys := make([]ackKey, 0, len(noted))
	for key := range noted {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b ackKey) int {
		return cmp.Or(strings.Compare(a.group.record.Key, b.group.record.Key), strings.Compare(a.receiver, b.receiver))
	})
	for _, key := range keys {
		p, counts := plan{group: key.group, receiver: key.receiver}, map[string]int{}
		for _, e := range key.group.entries {
			m := e.of(key.group, d.names.number(key.receiver))
			switch what := noted[key][e]; {
			case m == nil, !e.active, m.leaving, !m.toldFiring():
			case what == "":
				p.known++
			default:
				counts[what]++
				p.tell = append(p.tell, d.item(m, e))
			}
		}
		p.reason = phrase(counts)
		if len(p.tell) > 0 && d.spend(key.receiver, now) {
			d.queueAcks(p, now)
		}
	}
}

// spend takes one notification of the receiver's cap; false when there is none
// left: what its digests tell is worth more than this.
func (d *Dispatcher) spend(receiver string, now time.Time) bool {
	r := d.receivers[receiver]
	if r == nil || r.Cap == 0 {
		return r != nil
	}
	r.sent = slices.DeleteFunc(r.sent, func(at time.Time) bool { return !at.After(now.Add(-r.CapPer)) })
	if len(r.sent) >= r.Cap {
		return false
	}
	r.sent = append(r.sent, now)
	return true
}

func (d *Dispatcher) queueAcks(p plan, now time.Time) {
	n := d.groupNotification(p, now)
	n.Quiet, n.Acks = true, d.acks(p.group, p.receiver)
	for _, i := range p.tell {
		d.out.event(i.e, alert.EventQueued, p.receiver, n.ID, p.reason, now)
	}
	d.out.groups[p.group] = true
	d.enqueue(n, now)
}

// acks are those of the alerts that the receiver knows to fire.
func (d *Dispatcher) acks(g *group, receiver string) []alert.Ack {
	var out []alert.Ack
	number := d.names.number(receiver)
	for _, e := range g.entries {
		if e.ack() == nil || !e.active || len(out) == MaxAlerts {
			continue
		}
		if m := e.of(g, number); m != nil && m.toldFiring() {
			out = append(out, *e.ack())
		}
	}
	slices.SortFunc(out, func(a, b alert.Ack) int { return strings.Compare(a.AlertID, b.AlertID) })
	return out
}
