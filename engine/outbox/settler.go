package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tocsin-dev/tocsin/store"
)

const (
	// settleTimeout bounds one write of outcomes. It is not the drain's: an
	// attempt that ended with the drain must still be recorded.
	settleTimeout = 10 * time.Second
	// settleEvery is how often a store that does not take outcomes is asked
	// again.
	settleEvery = time.Second
	// maxSettle bounds one write, so that a storm does not hold up the commits of
	// others for long.
	maxSettle = 1000
	// maxSettleEntries is of the history in it.
	maxSettleEntries = 50_000
)

// settler writes the outcomes of all lanes: whatever waits when the write
// before has ended goes into the next, so that ten thousand deliveries do not
// take ten thousand waits for the disk. Outcomes reach the store in their order,
// or a late "failed" would bury a "sent". It does not rest before the store has
// them: a delivery that was sent and is not settled would be sent again by the
// next process. The lanes go on meanwhile, for a store that is full must not
// silence them, until so many outcomes wait that a kill would have too much sent
// twice: then they hold, and what is not sent stays theirs.
type settler struct {
	store  Store
	policy *Policy
	log    *slog.Logger
	onRoom func()        // is called without a lock when holds ends
	wake   chan struct{} // 1 deep
	// holds says that nothing may be sent.
	holds atomic.Bool
	// writing is full while outcomes are on their way from waiting to the store.
	writing chan struct{}

	mu      sync.Mutex
	waiting []store.Settlement
	load    load // of waiting and parked
	marks   []store.Mark
	// parked are outcomes of deliveries that the store does not have yet, by what
	// is closed when it does.
	parked map[<-chan struct{}][]store.Settlement
	wg     sync.WaitGroup // of those that wait for that
	// refusedSince is when the store began to take nothing; zero while it does.
	refusedSince time.Time

	ended chan struct{} // closed when nothing is added any more
}

// load is what is kept in memory for the store.
type load struct{ outcomes, entries int }

func (l *load) add(o *store.Settlement, sign int) {
	l.outcomes += sign
	l.entries += sign * len(o.Events)
}

func newSettler(s Store, p *Policy, log *slog.Logger, onRoom func()) *settler {
	return &settler{
		store: s, policy: p, log: log, onRoom: onRoom, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1), parked: map[<-chan struct{}][]store.Settlement{},
		ended: make(chan struct{}),
	}
}

// add takes an outcome; it does not wait. stored is closed when the store has
// the delivery, nil when it does.
func (s *settler) add(o store.Settlement, stored <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load.add(&o, 1)
	if s.full() && !s.holds.Swap(true) {
		s.log.Error("nothing is sent until the store takes the outcomes of what was sent", "waiting", s.load.outcomes, "history", s.load.entries)
	}
	if stored != nil {
		waits := s.parked[stored]
		if len(waits) == 0 {
			select {
			case <-stored:
				stored = nil
			default:
				s.wg.Go(func() { s.unpark(stored) })
			}
		}
		if stored != nil {
			s.parked[stored] = append(waits, o)
			return
		}
	}
	s.waiting = append(s.waiting, o)
	s.nudge()
}

// full says whether no more should be sent. mu is held.
func (s *settler) full() bool {
	return s.load.outcomes >= s.policy.Unsettled || s.load.entries >= s.policy.UnsettledEntries
}

// unpark lets outcomes go on once their deliveries are stored. At a stop they
// are tried once all the same.
func (s *settler) unpark(stored <-chan struct{}) {
	select {
	case <-stored:
	case <-s.ended:
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, s.parked[stored]...)
	delete(s.parked, stored)
	s.mu.Unlock()
	s.nudge()
}

// mark takes a mark; it does not wait.
func (s *settler) mark(m store.Mark) {
	s.mu.Lock()
	s.marks = append(s.marks, m)
	s.mu.Unlock()
	s.nudge()
}

func (s *settler) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// stop says that nothing is added any more: what waits is tried once more.
func (s *settler) stop() { close(s.ended) }

// run writes until it is stopped.
func (s *settler) run() {
	complained := false
	for {
		err := s.flush()
		s.note(err)
		if err == nil {
			complained = false
			select {
			case <-s.wake:
				continue
			case <-s.ended:
			}
			s.wg.Wait()
			s.last()
			return
		}
		if !complained {
			s.log.Error("outcomes of notifications were not stored, it is tried again", "error", err)
			complained = true
		}
		timer := time.NewTimer(settleEvery)
		select {
		case <-timer.C:
		case <-s.ended:
			timer.Stop()
			s.wg.Wait()
			s.last()
			return
		}
		timer.Stop()
	}
}

// note remembers since when the store takes nothing.
func (s *settler) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.refusedSince = time.Time{}
	case s.refusedSince.IsZero():
		s.refusedSince = time.Now()
	}
}

// last tries for the last time. What is lost is sent again by the next process,
// with the same ids.
func (s *settler) last() {
	if err := s.flush(); err != nil {
		s.mu.Lock()
		lost := s.load.outcomes
		s.mu.Unlock()
		s.log.Error("outcomes of notifications were not stored before the stop", "error", err, "lost", lost)
	}
}

// flush writes what waits, and what comes meanwhile.
func (s *settler) flush() error {
	for {
		more, err := s.flushSome()
		if err != nil || !more {
			return err
		}
	}
}

func (s *settler) flushSome() (more bool, err error) {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.mu.Lock()
	batch, marks := s.waiting, s.marks
	s.mu.Unlock()
	if len(batch)+len(marks) == 0 {
		return false, nil
	}
	batch = first(batch)
	if err := s.write(batch, marks); err != nil {
		return false, err
	}
	if s.drop(len(batch), len(marks)) {
		s.log.Info("the store takes outcomes again; notifications are sent again")
		s.onRoom()
	}
	return true, nil
}

// fenced calls do while nothing is written, unless an outcome of that delivery
// is still to be written: a store may have taken it and have said that it did
// not, and it comes again. After do it would settle what do has begun anew. The
// error wraps store.ErrPending then, or is that of ctx or of do.
func (s *settler) fenced(ctx context.Context, id string, do func() error) error {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	if s.waits(id) {
		return fmt.Errorf("the outcome of its last attempt is not stored yet: %w", store.ErrPending)
	}
	return do()
}

// waits says whether an outcome of that delivery waits.
func (s *settler) waits(id string) bool {
	of := func(o store.Settlement) bool { return o.ID == id }
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.waiting, of) {
		return true
	}
	for _, parked := range s.parked {
		if slices.ContainsFunc(parked, of) {
			return true
		}
	}
	return false
}

// first is what one write takes: an outcome at least.
func first(waiting []store.Settlement) []store.Settlement {
	entries := 0
	for i := range waiting {
		if entries += len(waiting[i].Events); i == maxSettle || entries > maxSettleEntries && i > 0 {
			return waiting[:i]
		}
	}
	return waiting
}

// drop lets go of what the store has taken, and says whether that ended the
// hold.
func (s *settler) drop(outcomes, marks int) (room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range outcomes {
		s.load.add(&s.waiting[i], -1)
		s.waiting[i] = store.Settlement{} // its history may go
	}
	s.marks = s.marks[marks:]
	if s.waiting = s.waiting[outcomes:]; len(s.waiting) == 0 {
		s.waiting = nil // let go of the storm's array
	}
	return !s.full() && s.holds.Swap(false)
}

// unsettled is what waits for the store.
func (s *settler) unsettled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load.outcomes
}

// write offers the store a batch. The write is not cut off by a stop: it is
// short.
func (s *settler) write(batch []store.Settlement, marks []store.Mark) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if len(batch) > 0 {
		if err := s.settle(ctx, batch); err != nil {
			return err
		}
	}
	if len(marks) == 0 {
		return nil
	}
	return s.store.Commit(ctx, store.Change{Marks: marks})
}

// settle parts a batch that the store can never take until the outcome is found
// that it cannot: one must not hold up all others. That one goes without its
// history first, for that something was sent counts more than what is told of
// it; where that does not help it is left out, and its notification is sent
// again by the next process. A store that only refuses for now is not asked
// about the parts. What it has taken of a batch it is given again when the rest
// is: settling twice is no error.
func (s *settler) settle(ctx context.Context, batch []store.Settlement) error {
	err := s.store.Settle(ctx, batch)
	switch {
	case err == nil || !errors.Is(err, store.ErrInvalid):
		return err
	case len(batch) > 1:
		half := len(batch) / 2
		if err := s.settle(ctx, batch[:half]); err != nil {
			return err
		}
		return s.settle(ctx, batch[half:])
	case len(batch[0].Events) > 0:
		bare := batch[0]
		bare.Events = nil
		s.log.Error("the history of a notification can never be stored", "delivery", bare.ID, "error", err)
		return s.settle(ctx, []store.Settlement{bare})
	}
	s.log.Error("the outcome of a notification can never be stored", "delivery", batch[0].ID, "error", err)
	return nil
}
