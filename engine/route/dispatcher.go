package route

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Receiver is what the dispatcher must know of a receiver.
type Receiver struct {
	Name string
	// SkipResolved leaves out resolutions (send_resolved: false).
	SkipResolved bool
	// Cap is how many notifications it gets in CapPer at most; 0 is no cap.
	Cap    int
	CapPer time.Duration
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
}

// Dispatcher decides which receiver is told what and when: it keeps the groups
// and what each receiver was told of each alert. It is driven by transitions
// (Apply) and by the clock (Flush), both with the time as argument, and
// answers with what must be committed. It is not safe for concurrent use.
type Dispatcher struct {
	options   Options
	receivers map[string]Receiver
	alerts    map[string]*alert.Alert // firing, or ended and not told to all yet
	groups    map[string]*group
	homes     map[string]map[string]int // alert id to the keys of its groups, with the number of its members there
	// ended are the alerts that do not fire any more and are not told to all
	// yet, by fingerprint.
	ended map[alert.Fingerprint]map[string]bool
	// fires has the alert of each fingerprint that fires.
	fires map[alert.Fingerprint]string
	// depended has the alerts that fire of each rule that another depends on.
	depended map[string]map[string]bool
}

// group is one notification group.
type group struct {
	record  store.Group
	route   *Route // nil while it only drains: its route is gone
	members map[store.MemberKey]*store.Member
	// receivers counts the members of each, so that those of one alert are
	// found without a look at all.
	receivers map[string]int
	// leaving are the members whose alert still fires and takes another way
	// now, while no other group tells their receiver: they are told of the end
	// and of nothing before it.
	leaving map[store.MemberKey]bool
}

func newGroup(record store.Group) *group {
	return &group{record: record, members: map[store.MemberKey]*store.Member{}, receivers: map[string]int{}, leaving: map[store.MemberKey]bool{}}
}

// of yields the members of an alert: one a receiver at most. The one at hand
// may be removed meanwhile.
func (g *group) of(id string) iter.Seq2[store.MemberKey, *store.Member] {
	return func(yield func(store.MemberKey, *store.Member) bool) {
		for receiver := range g.receivers {
			key := store.MemberKey{Group: g.record.Key, Receiver: receiver, AlertID: id}
			if m := g.members[key]; m != nil && !yield(key, m) {
				return
			}
		}
	}
}

// MaxAlerts is how many alerts one notification carries; the worst stand
// first, and the rest is counted.
const MaxAlerts = 1000

// New makes a dispatcher without groups.
func New(o Options) *Dispatcher {
	d := &Dispatcher{
		options: o, receivers: map[string]Receiver{}, alerts: map[string]*alert.Alert{},
		groups: map[string]*group{}, homes: map[string]map[string]int{}, ended: map[alert.Fingerprint]map[string]bool{},
		fires: map[alert.Fingerprint]string{}, depended: map[string]map[string]bool{},
	}
	for _, on := range o.DependsOn {
		for i := range on {
			d.depended[on[i].Rule] = map[string]bool{}
		}
	}
	for _, r := range o.Receivers {
		d.receivers[r.Name] = r
	}
	return d
}

// Restore takes the groups of before a restart, and routes the alerts anew:
// the tree may have been edited meanwhile. Nothing is told again that was
// told, and every receiver that was told of an alert is told of its end.
func (d *Dispatcher) Restore(s store.Snapshot, now time.Time) store.Change {
	var out store.Change
	for i := range s.Alerts {
		a := s.Alerts[i]
		d.alerts[a.ID] = &a
	}
	for _, record := range s.Groups {
		d.groups[record.Key] = newGroup(record)
	}
	for _, m := range s.Members {
		d.adopt(m, &out)
	}
	for id, a := range d.alerts {
		switch {
		case a.Active():
			d.begin(a)
		case len(d.homes[id]) == 0:
			delete(d.alerts, id)
		default:
			d.end(a)
		}
	}
	for _, id := range sortedKeys(d.alerts) {
		if a := d.alerts[id]; a.Active() {
			d.place(a, false, now, &out)
		}
	}
	for _, key := range sortedKeys(d.groups) {
		g := d.groups[key]
		if g.route == nil {
			g.route = d.options.Root.find(g.record.Route)
		}
		// Its route's times may have been edited.
		if g.hasEnded(d.alerts) {
			d.hasten(g, now, &out)
		}
		if look := d.nextLook(g, false, now); !look.IsZero() && look.Before(g.record.FlushAt) {
			g.record.FlushAt = look
			d.touch(g, &out)
		}
		d.retire(g, &out)
	}
	return out
}

// hasEnded says whether an alert of the group does not fire any more.
func (g *group) hasEnded(alerts map[string]*alert.Alert) bool {
	for key := range g.members {
		if !alerts[key.AlertID].Active() {
			return true
		}
	}
	return false
}

// adopt puts a stored member back, unless its receiver or alert is gone.
func (d *Dispatcher) adopt(m store.Member, out *store.Change) {
	g := d.groups[m.Group]
	_, receiver := d.receivers[m.Receiver]
	if g == nil || !receiver || d.alerts[m.AlertID] == nil {
		out.DropMembers = append(out.DropMembers, m.MemberKey)
		return
	}
	d.put(g, &m)
}

// find returns the route with that path, nil when there is none.
func (r *Route) find(path string) *Route {
	if r.Path == path {
		return r
	}
	for _, child := range r.Routes {
		if found := child.find(path); found != nil {
			return found
		}
	}
	return nil
}

// Apply takes an alert's transition: it fired, moved, or resolved. Transitions
// of alerts that do not fire are of no interest here.
func (d *Dispatcher) Apply(a alert.Alert, kind alert.EventKind, now time.Time) store.Change {
	var out store.Change
	switch {
	case a.State == alert.Firing && isNews(kind):
		before := d.alerts[a.ID]
		raised := before != nil && before.Severity < a.Severity
		d.alerts[a.ID] = &a
		d.begin(&a)
		d.place(&a, raised, now, &out)
		if kind == alert.EventFlapping || kind == alert.EventSettled {
			for key := range d.homes[a.ID] {
				d.hasten(d.groups[key], now, &out)
			}
		}
	case a.State == alert.Resolved && d.alerts[a.ID] != nil:
		d.alerts[a.ID] = &a
		d.end(&a)
		for key := range d.homes[a.ID] {
			d.hasten(d.groups[key], now, &out)
		}
	}
	return out
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

// endBefore sees that the end of an alert's last occurrence is told before the
// next one, where they stand in different groups: a receiver that knows alerts
// by fingerprint would take the new one for ended.
func (d *Dispatcher) endBefore(a *alert.Alert, now time.Time, out *store.Change) {
	for id := range d.ended[a.Fingerprint] {
		for key := range d.homes[id] {
			if d.homes[a.ID][key] == 0 {
				g := d.groups[key]
				g.record.FlushAt = now
				d.touch(g, out)
			}
		}
	}
}

func (d *Dispatcher) begin(a *alert.Alert) {
	d.fires[a.Fingerprint] = a.ID
	if of := d.depended[a.Rule]; of != nil {
		of[a.ID] = true
	}
}

func (d *Dispatcher) end(a *alert.Alert) {
	delete(d.depended[a.Rule], a.ID)
	if d.fires[a.Fingerprint] == a.ID {
		delete(d.fires, a.Fingerprint)
	}
	if d.ended[a.Fingerprint] == nil {
		d.ended[a.Fingerprint] = map[string]bool{}
	}
	d.ended[a.Fingerprint][a.ID] = true
}

// forget drops an alert that every receiver knows the end of.
func (d *Dispatcher) forget(id string) {
	fp := d.alerts[id].Fingerprint
	delete(d.ended[fp], id)
	if len(d.ended[fp]) == 0 {
		delete(d.ended, fp)
	}
	delete(d.homes, id)
	delete(d.alerts, id)
}

// Due returns the firing alerts of the groups that Flush would look at, for
// Refresh.
func (d *Dispatcher) Due(now time.Time) []alert.Alert {
	var out []alert.Alert
	for _, g := range d.groups {
		if g.record.FlushAt.IsZero() || g.record.FlushAt.After(now) {
			continue
		}
		for key := range g.members {
			if a := d.alerts[key.AlertID]; a.Active() {
				out = append(out, *a)
			}
		}
	}
	return out
}

// Refresh takes an alert's newest value and message, so that the next
// notification shows them. It decides nothing.
func (d *Dispatcher) Refresh(a alert.Alert) {
	if known := d.alerts[a.ID]; known != nil && known.State == alert.Firing {
		*known = a
	}
}

// NextDue returns when Flush next has work; zero for never.
func (d *Dispatcher) NextDue() time.Time {
	var due time.Time
	for _, g := range d.groups {
		if at := g.record.FlushAt; !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}

// Snapshot returns everything that the dispatcher knows, for Restore.
func (d *Dispatcher) Snapshot() store.Snapshot {
	s := store.Snapshot{Groups: d.Groups()}
	for _, key := range sortedKeys(d.groups) {
		for _, m := range d.groups[key].members {
			s.Members = append(s.Members, *m)
		}
	}
	for _, id := range sortedKeys(d.alerts) {
		s.Alerts = append(s.Alerts, *d.alerts[id])
	}
	return s
}
