package route

import (
	"hash/maphash"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Receiver is what the dispatcher must know of a receiver.
type Receiver struct {
	Name string
	// SkipResolved leaves out resolutions (send_resolved: false).
	SkipResolved bool
	// Cap is how many notifications it is sent within CapPer; beyond it, news of
	// many groups is merged into a digest. 0 is no cap.
	Cap    int
	CapPer time.Duration
	// Acks says that it shows who has taken an alert up, and is told when
	// somebody does.
	Acks bool
}

// Options are what a dispatcher works by. They are not changed after New.
type Options struct {
	Root        *Route
	Inhibitions []Inhibition
	Maintenance []Maintenance
	// DependsOn has, by rule, the rules that hold its alerts back while they
	// fire. Covers says whether a rule judges anything of a source; nil is no.
	DependsOn   map[string][]Dependency
	Covers      func(rule, source string) bool
	Receivers   []Receiver
	ExternalURL string
	// NewID gives each notification its id.
	NewID func() string
	// SilenceWarning is how long before a silence ends that is warned of, where
	// something that it matches still fires; 0 is never.
	SilenceWarning time.Duration
}

// Dispatcher decides which receiver is told what and when: it keeps the groups
// and what each receiver was told of each alert. It is driven by transitions
// (Apply), by people (silences, acknowledgements) and by the clock (Flush), all
// with the time as argument; Take returns what must be committed. It is not
// safe for concurrent use.
type Dispatcher struct {
	options   Options
	receivers map[string]*receiver
	// alerts are those that fire, or ended and are not told to all yet: the first
	// of each fingerprint, which has the next. Those that fire come first.
	alerts map[alert.Fingerprint]*entry
	// named finds those whose ids do not begin with their fingerprints.
	named   map[string]*entry
	endings int   // how many of them do not fire any more
	names   names // of receivers
	seed    maphash.Seed
	groups  map[string]*group
	agenda  agenda
	// depended has the alerts that fire of each rule that another depends on.
	depended   map[string]map[*entry]bool
	inhibitors []inhibitor
	byLabel    labelIndex
	silences   silences
	present    present
	// failing has the receivers that do not take what is sent, with the reason.
	failing map[string]string
	acked   ackNews
	out     *changes
}

// receiver is a receiver with what its cap must remember.
type receiver struct {
	Receiver
	sent     []time.Time // the last notifications, Cap at most, oldest first
	digestAt time.Time   // the last digest
	digests  int64
}

// MaxAlerts is how many alerts one notification carries; the worst stand
// first, and the rest is counted.
const MaxAlerts = 1000

// New makes a dispatcher without groups.
func New(o Options) *Dispatcher {
	seed := maphash.MakeSeed()
	d := &Dispatcher{
		seed:   seed,
		alerts: map[alert.Fingerprint]*entry{}, named: map[string]*entry{}, groups: map[string]*group{},
		silences: newSilences(), byLabel: newLabelIndex(seed), failing: map[string]string{}, out: newChanges(),
	}
	d.set(o)
	return d
}

// set takes other options, before anything is indexed by them.
func (d *Dispatcher) set(o Options) {
	before := d.receivers
	d.options, d.receivers, d.depended = o, map[string]*receiver{}, map[string]map[*entry]bool{}
	for _, on := range o.DependsOn {
		for i := range on {
			d.depended[on[i].Rule] = map[*entry]bool{}
		}
	}
	for _, r := range o.Receivers {
		d.receivers[r.Name] = &receiver{Receiver: r}
		if old := before[r.Name]; old != nil {
			d.receivers[r.Name].sent, d.receivers[r.Name].digestAt, d.receivers[r.Name].digests = old.sent, old.digestAt, old.digests
		}
	}
	for name := range d.failing { // who is taken out may come back another
		if d.receivers[name] == nil {
			delete(d.failing, name)
		}
	}
	d.inhibitors, d.present, d.silences.warnKnown = newInhibitors(o.Inhibitions), present{}, false
}

// skipsResolved says whether the receiver is not told of ends.
func (d *Dispatcher) skipsResolved(name string) bool {
	r := d.receivers[name]
	return r != nil && r.SkipResolved
}

// Take returns what was decided since the last time and must be committed.
func (d *Dispatcher) Take() store.Change { return d.out.take() }

// Apply takes an alert's transition: it fired, moved, or resolved. Transitions
// of alerts that do not fire are of no interest here.
func (d *Dispatcher) Apply(a alert.Alert, kind alert.EventKind, now time.Time) {
	d.ApplyBody(&a, &whole{a}, kind, now)
}

// ApplyBody is Apply for an alert whose body is kept by somebody else. a is
// not kept.
func (d *Dispatcher) ApplyBody(a *alert.Alert, body Body, kind alert.EventKind, now time.Time) {
	e := d.occurrence(a.Fingerprint, a.ID)
	switch {
	case a.State == alert.Firing && isNews(kind):
		raised := e != nil && e.severity < a.Severity
		e = d.note(e, a, body)
		if raised && e.ack() != nil {
			d.reopen(e, "the severity rose to "+a.Severity.String(), now)
		}
		d.place(e, a.AllLabels(), raised, now)
		if kind == alert.EventFlapping || kind == alert.EventSettled {
			d.hastenAll(e, now)
		}
	case a.State == alert.Resolved && e != nil:
		was := e.active
		d.unindex(e)
		d.fill(e, a, body)
		d.endSteps(e, now)
		d.end(e, was)
		if e.ack() != nil {
			e.setAck(nil)
			d.out.dropAck(e.id())
		}
		d.hastenAll(e, now)
	}
}

// note makes or renews the entry of an alert that fires.
func (d *Dispatcher) note(e *entry, a *alert.Alert, body Body) *entry {
	if e == nil {
		e = &entry{}
		d.fill(e, a, body)
		d.enter(e)
	} else {
		was := e.active
		d.unindex(e)
		d.fill(e, a, body)
		if !was {
			d.withdraw(e, was)
			d.enter(e)
		}
	}
	d.index(e, a.AllLabels())
	return e
}

func (d *Dispatcher) fill(e *entry, a *alert.Alert, body Body) {
	e.body, e.severity, e.active, e.flapping = body, a.Severity, a.Active(), a.Flapping()
}

// Refresh takes an alert's newest value and message, so that the next
// notification shows them. It decides nothing.
func (d *Dispatcher) Refresh(a alert.Alert) { d.RefreshBody(&whole{a}) }

// RefreshBody is Refresh for an alert whose body is kept by somebody else.
// Its labels are the same.
func (d *Dispatcher) RefreshBody(body Body) {
	if e := d.occurrence(body.Fingerprint(), body.ID()); e != nil && e.active {
		e.body = body
	}
}

// isNews says whether the transition of an alert that fires may concern a
// receiver.
func isNews(kind alert.EventKind) bool {
	switch kind { //nolint:exhaustive // the others are of alerts that do not fire, or the dispatcher's own
	case alert.EventFiring, alert.EventSeverity, alert.EventFlapping, alert.EventSettled:
		return true
	}
	return false
}

// index enters an alert that fires where others look for what holds them back.
func (d *Dispatcher) index(e *entry, labels alert.Labels) {
	if len(d.depended) > 0 {
		if of := d.depended[e.body.Rule()]; of != nil {
			of[e] = true
		}
	}
	d.inhibit(e, labels)
	d.byLabel.add(e)
}

func (d *Dispatcher) unindex(e *entry) {
	if len(d.depended) > 0 {
		delete(d.depended[e.body.Rule()], e)
	}
	d.uninhibit(e)
	d.byLabel.remove(e)
}

// endSteps takes out the receivers of steps that an ended alert has not come to.
func (d *Dispatcher) endSteps(e *entry, now time.Time) {
	for m := range e.members() {
		if m.step > 0 && m.told == toldNothing {
			d.out.event(e, alert.EventHeld, d.receiverOf(m), "", "not sent: it ended before its escalation", now)
			d.out.drop(d.key(e, m))
			g := m.group
			e.remove(m)
			d.retire(g)
		}
	}
}

// Due returns the firing alerts that are kept as they came and whose groups
// Flush would look at, for Refresh.
func (d *Dispatcher) Due(now time.Time) []alert.Alert {
	var out []alert.Alert
	d.agenda.due(now, func(g *group) {
		for _, e := range g.entries {
			if w, ok := e.body.(*whole); ok && e.active {
				out = append(out, w.Alert())
			}
		}
	})
	return out
}

// NextDue returns when Flush next has work; zero for never.
func (d *Dispatcher) NextDue() time.Time {
	due := earlier(d.silences.nextWarning(d.options.SilenceWarning), d.acked.since)
	if len(d.agenda) > 0 {
		due = earlier(due, d.agenda[0].record.FlushAt)
	}
	return due
}

// Groups returns the groups, sorted by key.
func (d *Dispatcher) Groups() []store.Group {
	out := make([]store.Group, 0, len(d.groups))
	for _, key := range sortedKeys(d.groups) {
		out = append(out, d.groups[key].record)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier returns the earlier of two moments; a zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
