package route

import (
	"container/heap"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Body is the content of an alert, as whoever keeps it has it: the dispatcher
// keeps what it decides by, and asks for the rest when it tells of it. It is
// asked from any goroutine.
type Body interface {
	// Alert returns the whole alert as it is now.
	Alert() alert.Alert
	// Labels returns its labels, severity among them.
	Labels() alert.Labels
	// Label returns one of them; empty when it has none of that name.
	Label(name string) string
}

// whole is the body of an alert that is kept as it came.
type whole struct{ a alert.Alert }

func (w *whole) Alert() alert.Alert   { return w.a }
func (w *whole) Labels() alert.Labels { return w.a.AllLabels() }

func (w *whole) Label(name string) string {
	if name == alert.LabelSeverity && w.a.Outside == nil {
		return w.a.Severity.String()
	}
	return w.a.Labels.Get(name)
}

// entry is an alert as the dispatcher knows it.
type entry struct {
	id       string
	fp       alert.Fingerprint
	rule     string
	body     Body
	startsAt time.Time
	severity alert.Severity
	active   bool // it fires
	flapping bool
	places   []place
	ack      *alert.Ack // nil for none
	// since is what escalation counts from: when any receiver was first told, or
	// when an acknowledgement ended after that. Zero before anybody was told. The
	// members of steps that are not told keep it over a restart.
	since time.Time
	// twin is another alert that fires with the same fingerprint, posted from
	// outside with the labels of a rule's own; nil for none, as nearly always.
	twin *entry
	// inhibits are the places of the entry in the inhibitions' indexes.
	inhibits []*inhibitKey
}

// place is an entry's stay in one group.
type place struct {
	group *group
	at    int // in the group's entries
	told  []*member
}

// member is what one receiver of a group was told of one alert.
type member struct {
	receiver string
	at       time.Time // told at; else joined at, or for a step what its delay counts from
	told     alert.State
	severity alert.Severity // that it was told with
	// step of the escalation that brings the receiver in, counted from 1; 0 for
	// a receiver of the route.
	step int
	// leaving says that the alert takes another way now, while no other group
	// tells the receiver: it is told of the end and of nothing before it.
	leaving bool
	// again says that a snooze is over, which is news.
	again bool
	// held is why it was last held back, to write that down once.
	held string
}

// stepFallback stands for the fallback in member.step.
const stepFallback = -1

func (m *member) toldFiring() bool { return m.told == alert.Firing || m.told == store.ToldFlapping }

func (e *entry) key(g *group, m *member) store.MemberKey {
	return store.MemberKey{Group: g.record.Key, Receiver: m.receiver, AlertID: e.id}
}

func (e *entry) row(g *group, m *member) store.Member {
	return store.Member{MemberKey: e.key(g, m), Told: m.told, Severity: m.severity, At: m.at}
}

// in returns the entry's stay in a group; nil for none.
func (e *entry) in(g *group) *place {
	for i := range e.places {
		if e.places[i].group == g {
			return &e.places[i]
		}
	}
	return nil
}

func (p *place) of(receiver string) *member {
	if p == nil {
		return nil
	}
	for _, m := range p.told {
		if m.receiver == receiver {
			return m
		}
	}
	return nil
}

// put makes the receiver of a group one that is told of the alert.
func (e *entry) put(g *group, m *member) {
	p := e.in(g)
	if p == nil {
		e.places = append(e.places, place{group: g, at: len(g.entries)})
		g.entries = append(g.entries, e)
		p = &e.places[len(e.places)-1]
	}
	p.told = append(p.told, m)
}

// remove takes it back, and the alert out of the group when it was the last.
func (e *entry) remove(g *group, m *member) {
	p := e.in(g)
	p.told = slices.DeleteFunc(p.told, func(other *member) bool { return other == m })
	if len(p.told) > 0 {
		return
	}
	last := g.entries[len(g.entries)-1]
	g.entries[p.at] = last
	last.in(g).at = p.at
	g.entries[len(g.entries)-1] = nil
	g.entries = g.entries[:len(g.entries)-1]
	e.places = slices.DeleteFunc(e.places, func(other place) bool { return other.group == g })
}

// group is one notification group.
type group struct {
	record  store.Group
	route   *Route // nil while it only drains: its route is gone
	entries []*entry
	// held says that something in it was held back at the last look.
	held   bool
	inHeap int // the place among the groups by their next look; -1 for none
}

// item is one member with its alert.
type item struct {
	*member
	e *entry
}

// byReceiver sorts the group's members by receiver.
func (g *group) byReceiver() map[string][]item {
	receivers := map[string][]item{}
	for _, e := range g.entries {
		for _, m := range e.in(g).told {
			receivers[m.receiver] = append(receivers[m.receiver], item{m, e})
		}
	}
	return receivers
}

// agenda is the groups by their next look, the earliest first.
type agenda []*group

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].record.FlushAt.Before(a[j].record.FlushAt) }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].inHeap, a[j].inHeap = i, j
}

func (a *agenda) Push(x any) {
	g := x.(*group) //nolint:forcetypeassert // container/heap's way
	g.inHeap = len(*a)
	*a = append(*a, g)
}

func (a *agenda) Pop() any {
	old := *a
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	g.inHeap = -1
	return g
}

// set moves the group's next look; the zero time takes it off.
func (a *agenda) set(g *group, at time.Time) {
	g.record.FlushAt = at
	switch {
	case at.IsZero() && g.inHeap >= 0:
		heap.Remove(a, g.inHeap)
	case at.IsZero():
	case g.inHeap >= 0:
		heap.Fix(a, g.inHeap)
	default:
		heap.Push(a, g)
	}
}

// due yields the groups whose look has come: of the heap only as much is seen.
func (a agenda) due(now time.Time, yield func(*group)) {
	var below func(i int)
	below = func(i int) {
		if i >= len(a) || a[i].record.FlushAt.After(now) {
			return
		}
		yield(a[i])
		below(2*i + 1)
		below(2*i + 2)
	}
	below(0)
}
