package pluginhost

import (
	"context"
	"slices"
	"sync"
)

// mostShares is how many receivers that hang a plugin can bear: as many parts its
// turns are divided into, less one, when it has that many receivers.
const mostShares = 4

// turns bounds the calls of one process that are under way at a time, and those of
// each receiver and source: one whose service hangs must leave turns to the others.
// It is safe for concurrent use.
type turns struct {
	slots int

	mu    sync.Mutex
	taken int
	// by counts the turns of each that has ever asked for one.
	by      map[string]int
	waiting []*turn // the longest first
}

// turn is one call that waits.
type turn struct {
	who     string
	granted chan struct{} // closed once it may go on
}

func newTurns(slots int) *turns { return &turns{slots: slots, by: map[string]int{}} }

// take waits for a turn; false when ctx ended first. done gives it back.
func (t *turns) take(ctx context.Context, who string) (done func(), ok bool) {
	done = func() { t.giveBack(who) }
	t.mu.Lock()
	t.by[who] += 0 // it is known from now on
	if t.fits(who) {
		t.grant(who)
		t.mu.Unlock()
		return done, true
	}
	mine := &turn{who: who, granted: make(chan struct{})}
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()
	select {
	case <-mine.granted:
		return done, true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, mine)
	if i < 0 {
		return done, true // it came at the last moment
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return nil, false
}

func (t *turns) giveBack(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	t.by[who]--
	t.waiting = slices.DeleteFunc(t.waiting, func(next *turn) bool {
		if !t.fits(next.who) {
			return false
		}
		t.grant(next.who)
		close(next.granted)
		return true
	})
}

// grant counts a turn. mu is held.
func (t *turns) grant(who string) {
	t.taken++
	t.by[who]++
}

// fits says whether one may have a turn now. mu is held.
func (t *turns) fits(who string) bool {
	return t.taken < t.slots && t.by[who] < max(1, t.slots/min(len(t.by), mostShares))
}
