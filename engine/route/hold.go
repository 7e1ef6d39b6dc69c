package route

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// hold is what keeps a receiver from being told of an alert for now.
type hold struct {
	kind   alert.EventKind // empty: nothing does
	reason string
	until  time.Time // when that is known to end; zero when it is not
}

// heldBack says what keeps the receivers of a group from being told of an
// alert.
func (d *Dispatcher) heldBack(e *entry, g *group, now time.Time) hold {
	if by := d.dependsOnFiring(e); by != "" {
		return hold{kind: alert.EventHeld, reason: "held back: it depends on " + by + ", which fires"}
	}
	if len(d.inhibitors) > 0 || d.silences.any(now) || len(d.options.Maintenance) > 0 {
		if h := d.heldByLabels(e.body.Labels(), now); h.kind != "" {
			return h
		}
	}
	if h := d.at(now).muted(g.route); h.kind != "" {
		return h
	}
	if ack := e.ack(); ack != nil && ack.Snooze() && now.Before(ack.Until) {
		return hold{kind: alert.EventSnoozed, reason: "snoozed until " + moment(ack.Until) + by(ack.By), until: ack.Until}
	}
	return hold{}
}

// heldByLabels is the part of heldBack that hangs on the alert's labels alone.
func (d *Dispatcher) heldByLabels(labels alert.Labels, now time.Time) hold {
	if by := d.inhibitedBy(labels); by != nil {
		return hold{kind: alert.EventInhibited, reason: "held back: " + by.body.Rule() + " fires, which inhibits it"}
	}
	if s := d.silences.first(labels, now); s != nil {
		return hold{kind: alert.EventSilenced, reason: "silenced until " + moment(s.EndsAt) + by(s.CreatedBy) + comment(s.Comment), until: s.EndsAt}
	}
	for _, w := range d.at(now).windows {
		if w.Match.Matches(labels) {
			return w.hold
		}
	}
	return hold{}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + who
}

func comment(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return ": " + text
}

// recordHeld writes into the history that an alert is held back; once, which
// the member's severity remembers over a restart.
func (d *Dispatcher) recordHeld(i item, h hold, now time.Time) {
	reason := max(1, uint32(maphash.String(d.seed, h.reason))) //nolint:gosec // any 32 bits of it
	if i.held == reason {
		return
	}
	known := i.held == 0 && i.told == toldNothing && i.severity == i.e.severity && i.severity != alert.OK
	i.held = reason
	if i.told == toldNothing && i.severity != i.e.severity {
		i.severity = i.e.severity
		d.out.put(d.row(i.e, i.member))
	}
	if !known {
		d.out.event(i.e, h.kind, i.receiver, "", h.reason, now)
	}
}

// unsent says why a receiver never hears of an alert that has ended; empty when
// it has heard of it.
func unsent(m *member) string {
	switch {
	case m.told != toldNothing:
		return ""
	case m.severity != alert.OK: // see recordHeld
		return "not sent: it ended while it was held back"
	}
	return "not sent: it resolved before its group was sent, and the receiver wants no resolutions"
}

// toldAs is what a receiver that is told of the alert now knows.
func (e *entry) toldAs() told {
	switch {
	case !e.active:
		return toldResolved
	case e.flapping:
		return toldFlapping
	}
	return toldFiring
}
