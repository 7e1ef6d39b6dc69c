package outbox

import (
	"container/heap"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// row is one delivery in a lane.
type row struct {
	d     *alert.Delivery // whoever tries it owns it
	queue *queue
	since time.Time // what its age counts from
	// stored is closed when the store has the delivery; nil when it does.
	stored <-chan struct{}
	behind int // see order
	// again says that somebody had it sent again: it tells how things stood then,
	// and must not take the place of what tells how they stand.
	again bool
}

// queue is one group's deliveries, oldest first.
type queue struct {
	key   string
	rows  []*row
	place place
	index int // in the heap of those that wait
	// stuck says that a call was abandoned and has not returned.
	stuck bool
}

// place is where a queue stands.
type place uint8

const (
	idle    place = iota // an older delivery of another group holds its head back
	ready                // its head may be tried now
	waiting              // its head may be tried at its NextAt
	busy                 // its head is being tried
)

func (q *queue) head() *row { return q.rows[0] }

func (q *queue) pop() {
	q.rows[0] = nil
	q.rows = q.rows[1:]
}

// line is the queues of a lane by when they may be tried: those that may, in
// the order in which they came to it, and a heap of those that wait. A queue is
// in one of them at most, so that the work is that of what falls due and not of
// what there is.
type line struct {
	ready   []*queue
	waiting byTime
}

// put places a queue whose head may be tried now or later.
func (l *line) put(q *queue, now time.Time) {
	if q.head().d.NextAt.After(now) {
		q.place = waiting
		heap.Push(&l.waiting, q)
		return
	}
	q.place = ready
	l.ready = append(l.ready, q)
}

// promote moves what has fallen due.
func (l *line) promote(now time.Time) {
	for len(l.waiting) > 0 && !l.waiting[0].head().d.NextAt.After(now) {
		q, _ := heap.Pop(&l.waiting).(*queue)
		q.place = ready
		l.ready = append(l.ready, q)
	}
}

// take takes the first queue that is ready; there is one.
func (l *line) take() *queue {
	q := l.ready[0]
	l.ready[0] = nil
	if l.ready = l.ready[1:]; len(l.ready) == 0 {
		l.ready = nil // let go of the storm's array
	}
	q.place = busy
	return q
}

// hurry makes everything that waits due.
func (l *line) hurry(now time.Time) {
	for _, q := range l.waiting {
		q.head().d.NextAt = now
	}
	l.promote(now) // all are equal: the heap still holds
}

// byTime is a heap of queues by the NextAt of their heads.
type byTime []*queue

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].head().d.NextAt.Before(h[j].head().d.NextAt) }
func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap.Interface's.
func (h *byTime) Push(x any) {
	if q, ok := x.(*queue); ok {
		q.index = len(*h)
		*h = append(*h, q)
	}
}

// Pop is heap.Interface's.
func (h *byTime) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return q
}

// older takes out the queues whose heads are older than a moment, and that
// nothing holds back.
func (l *line) older(than time.Time) []*queue {
	var out []*queue
	keep := func(q *queue) bool {
		if q.head().since.After(than) {
			return true
		}
		out = append(out, q)
		return false
	}
	ready := l.ready[:0:0]
	for _, q := range l.ready {
		if keep(q) {
			ready = append(ready, q)
		}
	}
	still := l.waiting[:0:0]
	for _, q := range l.waiting {
		if keep(q) {
			still = append(still, q)
		}
	}
	if len(out) > 0 {
		l.ready, l.waiting = ready, still
		heap.Init(&l.waiting)
		for i, q := range l.waiting {
			q.index = i
		}
	}
	for _, q := range out {
		q.place = busy
	}
	return out
}
