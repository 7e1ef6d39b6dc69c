package rule

import "container/heap"

// timer is one instance's next due moment, in nanoseconds since 1970.
type timer struct {
	at   int64
	inst *instance
}

// timerHeap is a min-heap of timers. An instance may have several entries;
// only the one that equals its due counts.
type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is container/heap's.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }

// Pop is container/heap's.
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (h *timerHeap) push(t timer) { heap.Push(h, t) }

// pop takes the first instance that is due, or nil.
func (h *timerHeap) pop(now int64) *instance {
	for len(*h) > 0 && (*h)[0].at <= now {
		t, ok := heap.Pop(h).(timer)
		if ok && t.inst.due == t.at {
			t.inst.due = 0
			return t.inst
		}
	}
	return nil
}
