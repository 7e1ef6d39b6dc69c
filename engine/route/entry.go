package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Body is the content of an alert, as whoever keeps it has it: the dispatcher
// keeps what it decides by, and asks for the rest when it tells of it. It is
// asked from any goroutine.
type Body interface {
	// ID and Fingerprint are never another's.
	ID() string
	Fingerprint() alert.Fingerprint
	// Rule and StartsAt are those of the alert.
	Rule() string
	StartsAt() time.Time
	// Alert returns the whole alert as it is now.
	Alert() alert.Alert
	// Labels returns its labels, severity among them.
	Labels() alert.Labels
	// Label returns one of them; empty when it has none of that name.
	Label(name string) string
}

// whole is the body of an alert that is kept as it came.
type whole struct{ a alert.Alert }

func (w *whole) ID() string                     { return w.a.ID }
func (w *whole) Fingerprint() alert.Fingerprint { return w.a.Fingerprint }
func (w *whole) Rule() string                   { return w.a.Rule }
func (w *whole) StartsAt() time.Time            { return w.a.StartsAt }
func (w *whole) Alert() alert.Alert             { return w.a }
func (w *whole) Labels() alert.Labels           { return w.a.AllLabels() }

func (w *whole) Label(name string) string {
	if name == alert.LabelSeverity && w.a.Outside == nil {
		return w.a.Severity.String()
	}
	return w.a.Labels.Get(name)
}

// entry is an alert as the dispatcher knows it. A hundred thousand may stand at
// once: what its body can answer is not kept, nor what few have.
type entry struct {
	body  Body
	extra *extra // nil for none of it
	// since is what escalation counts from, as a stamp: when any receiver was
	// first told, or when an acknowledgement ended after that. 0 before anybody
	// was told. The members of steps that are not told keep it over a restart.
	since stamp
	// first is the first of its members, and in the list of them also while it is
	// free: most alerts have one.
	first    member
	severity alert.Severity
	active   bool // it fires
	flapping bool
}

// extra is what few entries have.
type extra struct {
	ack *alert.Ack // nil for none
	// next is another alert of the same fingerprint: the last occurrence, of which
	// not all know the end, or one that was posted from outside with the labels of
	// a rule's own.
	next *entry
	// inhibits are the places of the entry in the inhibitions' indexes.
	inhibits []*inhibitKey
}

func (e *entry) id() string            { return e.body.ID() }
func (e *entry) fp() alert.Fingerprint { return e.body.Fingerprint() }

// ack is the alert's acknowledgement or snooze; nil for none.
func (e *entry) ack() *alert.Ack { return e.rare().ack }

// next is another entry of the same fingerprint; nil for none.
func (e *entry) next() *entry { return e.rare().next }

// rare returns what few entries have, to be read.
func (e *entry) rare() *extra {
	if e.extra == nil {
		return &extra{}
	}
	return e.extra
}

// setRare changes it.
func (e *entry) setRare(change func(x *extra)) {
	if e.extra == nil {
		e.extra = &extra{}
	}
	change(e.extra)
	if x := e.extra; x.ack == nil && x.next == nil && len(x.inhibits) == 0 {
		e.extra = nil
	}
}

func (e *entry) setAck(ack *alert.Ack) {
	if e.ack() != ack {
		e.setRare(func(x *extra) { x.ack = ack })
	}
}

func (e *entry) setNext(next *entry) {
	if e.next() != next {
		e.setRare(func(x *extra) { x.next = next })
	}
}

// stamp is a moment in nanoseconds since 1970; 0 is none.
type stamp int64

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	return stamp(t.UnixNano())
}

func (s stamp) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(s)).UTC()
}
