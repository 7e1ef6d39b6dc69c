package route

import (
	"iter"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// member is what one receiver of a group was told of one alert. Members stay
// where they are in memory for as long as they are members.
type member struct {
	group *group  // nil for a free one, which only an entry's first can be
	next  *member // of the same alert
	at    stamp   // told at; else joined at, or for a step what its delay counts from
	held  uint32  // a hash of why it was last held back, to write that down once; 0 for none
	slot  int32   // the alert's in the group's entries
	// receiver is its number among the dispatcher's names.
	receiver uint16
	// step of the escalation that brings the receiver in, counted from 1; 0 for
	// a receiver of the route.
	step     int16
	told     told
	severity alert.Severity // that it was told with
	// leaving says that the alert takes another way now, while no other group
	// tells the receiver: it is told of the end and of nothing before it.
	leaving bool
	// again says that a snooze is over, which is news.
	again bool
}

// stepFallback stands for the fallback in member.step.
const stepFallback = -1

// The bounds of what a member can say.
const (
	maxNames = 1 << 16
	maxSteps = 1<<15 - 1
)

// told is what a receiver knows of an alert.
type told uint8

const (
	toldNothing told = iota
	toldFiring
	toldFlapping // it fires, and changes too often
	toldResolved
)

// state is what the store calls it.
func (t told) state() alert.State {
	return [...]alert.State{"", alert.Firing, store.ToldFlapping, alert.Resolved}[t]
}

func toldOf(s alert.State) told {
	for t := toldFiring; t <= toldResolved; t++ {
		if t.state() == s {
			return t
		}
	}
	return toldNothing
}

func (m *member) toldFiring() bool { return m.told == toldFiring || m.told == toldFlapping }

func (m *member) toldAt() time.Time { return m.at.time() }

// names gives receivers numbers.
type names struct {
	texts   []string
	numbers map[string]uint16
}

// number is the receiver's. There are no more than maxNames of them: Compile
// sees to it, and a reload numbers them anew.
func (n *names) number(name string) uint16 {
	if number, ok := n.numbers[name]; ok {
		return number
	}
	if n.numbers == nil {
		n.numbers = map[string]uint16{}
	}
	number := uint16(len(n.texts)) //nolint:gosec // see maxNames
	n.texts, n.numbers[name] = append(n.texts, name), number
	return number
}

func (d *Dispatcher) receiverOf(m *member) string { return d.names.texts[m.receiver] }

func (d *Dispatcher) key(e *entry, m *member) store.MemberKey {
	return store.MemberKey{Group: m.group.record.Key, Receiver: d.receiverOf(m), AlertID: e.id()}
}

func (d *Dispatcher) row(e *entry, m *member) store.Member {
	row := store.Member{MemberKey: d.key(e, m), Told: m.told.state(), Severity: m.severity, At: m.toldAt()}
	if m.again {
		row.Severity = alert.OK
	}
	return row
}

// setAgain notes, for a restart too, whether a snooze is over that the receiver
// is not told of yet.
func (d *Dispatcher) setAgain(e *entry, m *member, again bool) {
	if m.again != again {
		m.again = again
		d.out.put(d.row(e, m))
	}
}

// members yields what the alert's receivers were told. The one that is yielded
// may be removed meanwhile.
func (e *entry) members() iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for m := &e.first; m != nil; {
			next := m.next
			if m.group != nil && !yield(m) {
				return
			}
			m = next
		}
	}
}

// membersIn yields those of one group.
func (e *entry) membersIn(g *group) iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for m := &e.first; m != nil; {
			next := m.next
			if m.group == g && !yield(m) {
				return
			}
			m = next
		}
	}
}

// groups yields each group that the alert is in, once.
func (e *entry) groups() iter.Seq[*group] {
	return func(yield func(*group) bool) {
		for m := range e.members() {
			if e.in(m.group) == m && !yield(m.group) {
				return
			}
		}
	}
}

// in returns the first of the alert's members in a group; nil for none.
func (e *entry) in(g *group) *member {
	for m := range e.membersIn(g) {
		return m
	}
	return nil
}

// routed says whether anybody is to be told of the alert, or was.
func (e *entry) routed() bool {
	for range e.members() {
		return true
	}
	return false
}

// of returns the receiver's member of a group; nil for none.
func (e *entry) of(g *group, receiver uint16) *member {
	for m := range e.membersIn(g) {
		if m.receiver == receiver {
			return m
		}
	}
	return nil
}

// put makes a receiver of a group one that is told of the alert, and returns
// where it is kept.
func (e *entry) put(g *group, m member) *member {
	if first := e.in(g); first != nil {
		m.slot = first.slot
	} else {
		m.slot = int32(len(g.entries)) //nolint:gosec // of so many there is no memory for
		g.entries = append(g.entries, e)
	}
	m.group = g
	if e.first.group == nil {
		m.next = e.first.next
		e.first = m
		return &e.first
	}
	last := &e.first
	for last.next != nil {
		last = last.next
	}
	further := m
	last.next, further.next = &further, nil
	return &further
}

// remove takes a member back, and the alert out of the group when it was the
// last.
func (e *entry) remove(m *member) {
	g, slot := m.group, m.slot
	if m == &e.first {
		e.first = member{next: m.next}
	} else {
		before := &e.first
		for before.next != m {
			before = before.next
		}
		before.next = m.next
	}
	if e.in(g) == nil {
		g.leave(slot)
	}
}

// item is one member with its alert.
type item struct {
	*member
	e        *entry
	receiver string
}

func (d *Dispatcher) item(m *member, e *entry) item { return item{m, e, d.receiverOf(m)} }

// byReceiver sorts the group's members by receiver.
func (d *Dispatcher) byReceiver(g *group) map[string][]item {
	receivers := map[string][]item{}
	for _, e := range g.entries {
		for m := range e.membersIn(g) {
			i := d.item(m, e)
			receivers[i.receiver] = append(receivers[i.receiver], i)
		}
	}
	return receivers
}
