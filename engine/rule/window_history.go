package rule

import (
	"sort"
	"time"
)

// history is what a series keeps for the windows over it: the samples before
// its last one. The last itself stays outside until the next one comes, and is
// then kept or, in a window of very many samples, thinned out; so that what is
// in here never changes but at its two ends.
type history struct {
	// keep is the longest window that any condition looks back over.
	keep time.Duration
	// The samples numbered first to end-1, oldest first; number n stands at
	// points[n&(len(points)-1)]. The numbers only rise.
	points     []point
	first, end uint64
	slides     []slide
	coarse     *coarse // the first of a list
}

// maxPoints bounds the memory of a huge window: its samples are thinned to
// that many, evenly in time, the newest always among them. At one sample in 5 s
// that concerns windows of more than 22 hours.
const maxPoints = 16384

// slack is how much longer than a window its samples are kept, so that
// change(1h) finds the sample that stood an hour ago.
func slack(window time.Duration) time.Duration { return window / 4 }

// take keeps the sample that was the series' last until now. Of a huge window
// it keeps one in each slot of Unix time, the first: which ones are kept does
// not depend on when the keeping began.
func (h *history) take(p point, now int64) {
	if h.keep == 0 {
		return
	}
	h.expire(now)
	if slot := int64(h.keep / maxPoints); h.end > h.first && slot > 0 && h.at(h.end-1).at/slot == p.at/slot {
		return
	}
	h.push(p)
}

func (h *history) expire(now int64) {
	oldest := now - int64(h.keep+slack(h.keep))
	for h.first < h.end && h.at(h.first).at < oldest {
		h.first++
	}
}

func (h *history) push(p point) {
	if h.end-h.first == uint64(len(h.points)) {
		grown := make([]point, max(8, 2*len(h.points))) // a power of two
		for n := h.first; n < h.end; n++ {
			grown[n&uint64(len(grown)-1)] = h.at(n)
		}
		h.points = grown
	}
	h.points[h.end&uint64(len(h.points)-1)] = p
	h.end++
}

func (h *history) at(n uint64) point { return h.points[n&uint64(len(h.points)-1)] }

// after returns the number of the first sample newer than the moment.
func (h *history) after(moment int64) uint64 {
	return h.first + uint64(sort.Search(int(h.end-h.first), func(i int) bool {
		return h.at(h.first+uint64(i)).at > moment
	}))
}

// rewind forgets the samples after a moment, and gives back the newest that is
// left: it is the series' last now.
func (h *history) rewind(moment int64) (point, bool) {
	for i := range h.slides {
		h.slides[i].stale = true
	}
	for c := h.coarse; c != nil; c = c.next {
		c.rewind(moment)
	}
	h.end = h.after(moment)
	if h.end == h.first {
		return point{}, false
	}
	h.end--
	return h.at(h.end), true
}
