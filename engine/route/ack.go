package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Acknowledge takes an alert up, or snoozes it; false when no such alert fires.
// AlertID and Severity are filled in.
func (d *Dispatcher) Acknowledge(id string, ack alert.Ack, now time.Time) bool {
	e := d.firing(id)
	if e == nil {
		return false
	}
	ack.AlertID, ack.Severity, ack.At = e.id(), e.severity, now
	e.setAck(&ack)
	for m := range e.members() {
		d.setAgain(e, m, false) // whoever takes it up needs not be told
	}
	d.out.ack(ack)
	kind, reason := alert.EventAcknowledged, "acknowledged"+by(ack.By)+comment(ack.Comment)
	if ack.Snooze() {
		kind, reason = alert.EventSnoozed, "snoozed until "+moment(ack.Until)+by(ack.By)+comment(ack.Comment)
		for g := range e.groups() {
			d.bring(g, ack.Until)
		}
	}
	d.out.event(e, kind, "", "", reason, now)
	if ack.Snooze() {
		d.noteAck(e, reasonSnoozed, now)
	} else {
		d.noteAck(e, reasonAcked, now)
	}
	return true
}

// Unacknowledge takes that back; false when no such alert fires.
func (d *Dispatcher) Unacknowledge(id, who string, now time.Time) bool {
	e := d.firing(id)
	if e == nil {
		return false
	}
	if e.ack() != nil {
		snoozed := e.ack().Snooze()
		d.reopen(e, "taken back"+by(who), now)
		if !snoozed { // what a snooze kept is told anyway
			d.noteAck(e, reasonTakenBack, now)
		}
		d.hastenAll(e, now)
	}
	return true
}

// Fires says whether an alert with that id or fingerprint fires.
func (d *Dispatcher) Fires(id string) bool { return d.firing(id) != nil }

// firing returns the alert that fires with that id or fingerprint.
func (d *Dispatcher) firing(id string) *entry {
	if e := d.byID(id); e != nil && e.active {
		return e
	}
	if fp, err := alert.ParseFingerprint(id); err == nil {
		return d.fires(fp)
	}
	return nil
}

// reopen ends an acknowledgement or a snooze. What a snooze kept from the
// receivers is told now, and the escalation counts from here.
func (d *Dispatcher) reopen(e *entry, why string, now time.Time) {
	snooze := e.ack().Snooze()
	e.setAck(nil)
	d.out.dropAck(e.id())
	what := "acknowledgement"
	if snooze {
		what = "snooze"
	}
	d.out.event(e, alert.EventReopened, "", "", what+" is over: "+why, now)
	if e.since != 0 {
		d.escalateFrom(e, now)
	}
	if !snooze {
		return
	}
	for m := range e.members() {
		d.setAgain(e, m, m.again || m.toldFiring())
	}
}

// wake ends the snoozes in a group whose time has come.
func (d *Dispatcher) wake(g *group, now time.Time) {
	for _, e := range g.entries {
		if ack := e.ack(); ack != nil && ack.Snooze() && !now.Before(ack.Until) {
			d.reopen(e, "its time has passed", now)
		}
	}
}

// SetFailing says that a receiver does not take what is sent, and why; an empty
// reason says that it does again. Routes whose receivers all fail bring in
// their fallback.
func (d *Dispatcher) SetFailing(name, reason string, now time.Time) {
	failed := d.failing[name] != ""
	if reason == "" {
		delete(d.failing, name)
	} else {
		d.failing[name] = reason
	}
	if failed == (reason != "") {
		return // only the reason is another
	}
	for _, e := range d.sorted() {
		if e.active && e.hasFallback() {
			d.place(e, e.body.Labels(), false, now)
		}
	}
}

func (e *entry) hasFallback() bool {
	for g := range e.groups() {
		if r := g.route; r != nil && len(r.Fallback) > 0 {
			return true
		}
	}
	return false
}
