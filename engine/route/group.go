package route

import (
	"container/heap"
	"time"

	"github.com/tocsin-dev/tocsin/store"
)

// group is one notification group.
type group struct {
	record  store.Group
	route   *Route // nil while it only drains: its route is gone
	entries []*entry
	// held says that something in it was held back at the last look.
	held   bool
	inHeap int // the place among the groups by their next look; -1 for none
}

// leave takes the entry of a slot out.
func (g *group) leave(slot int32) {
	last := len(g.entries) - 1
	moved := g.entries[last]
	g.entries[slot], g.entries[last] = moved, nil
	g.entries = g.entries[:last]
	for m := range moved.membersIn(g) {
		m.slot = slot
	}
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
