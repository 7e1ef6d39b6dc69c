package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/store"
)

// decided is what one step of the loop has decided, on its way to the store.
type decided struct {
	change store.Change
	// until is the registry's epoch that the change is of, done who waits for it.
	until uint64
	done  []chan<- error // of capacity 1 each
}

// changesAhead is how many steps the loop may be ahead of the store.
const changesAhead = 16

// commit hands a change to the committer. Each of done is told when it is on the
// disk, or why it is not. It is called with no lock held.
func (e *Engine) commit(c store.Change, done ...chan<- error) {
	if c.Empty() && len(done) == 0 {
		return
	}
	e.mu.Lock()
	until := e.outside.Epoch()
	e.mu.Unlock()
	e.decided <- decided{change: c, until: until, done: done}
}

// committer writes what the loop decides, in its order, while the loop goes on:
// what comes during one write goes into the next. A store that fails loses
// nothing: the change waits for it, and people are told meanwhile, for an alert
// that is told twice is better than one that is not told.
type committer struct {
	e       *Engine
	backlog store.Change  // what the store has not taken yet
	until   uint64        // the epoch of its newest part
	retryAt time.Time     // when the store is asked again; zero while it takes everything
	stored  chan struct{} // closed when the store has taken the backlog; nil for no backlog
}

// run writes until the loop has ended, and once more what is left then.
func (k *committer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case d, open := <-k.e.decided:
			if !open {
				k.retryAt = time.Time{}
				k.write(nil)
				return
			}
			k.write(k.gather(d))
		case <-timer.C:
			k.write(nil)
		}
		if !k.retryAt.IsZero() {
			timer.Reset(max(0, time.Until(k.retryAt)))
		}
	}
}

// gather takes what else is waiting, so that one write serves it all.
func (k *committer) gather(first decided) []decided {
	all := []decided{first}
	for len(all) < changesAhead {
		select {
		case d, open := <-k.e.decided:
			if !open {
				return all // run finds it closed
			}
			all = append(all, d)
		default:
			return all
		}
	}
	return all
}

// write offers the store the backlog with what is new, hands over what is to be
// sent, and tells those who wait.
func (k *committer) write(all []decided) {
	changes := make([]store.Change, len(all))
	for i := range all {
		changes[i] = all[i].change
		k.until = all[i].until
	}
	fresh := store.Sum(changes)
	deliveries := fresh.Deliveries
	k.backlog.Append(fresh)
	err := k.offer()
	if err == nil {
		k.e.outbox.Enqueue(deliveries)
	} else {
		// The outbox changes what it is given, and the backlog is read again.
		k.e.outbox.EnqueueUnstored(slices.Clone(deliveries), k.stored)
	}
	for i := range all {
		for _, done := range all[i].done {
			done <- err
		}
	}
}

// offer writes the backlog. The error wraps store.ErrNotStored.
func (k *committer) offer() error {
	if k.backlog.Empty() {
		return nil
	}
	if !k.retryAt.IsZero() && time.Now().Before(k.retryAt) {
		return store.ErrNotStored
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	err := k.e.store.Commit(ctx, k.backlog)
	cancel()
	k.e.noteCommit(err, time.Since(started), k.until)
	if err != nil {
		// A store that hangs must not take up the committer: it is given as much
		// time to recover as it took to refuse.
		k.retryAt = time.Now().Add(max(retryCommit, time.Since(started)))
		if k.stored == nil {
			k.stored = make(chan struct{})
		}
		return fmt.Errorf("%w: %w", store.ErrNotStored, err)
	}
	k.retryAt, k.backlog = time.Time{}, store.Change{}
	if k.stored != nil {
		close(k.stored)
		k.stored = nil
	}
	return nil
}

func (e *Engine) noteCommit(err error, took time.Duration, until uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.LastCommit = took
	if err == nil {
		if e.stats.StoreDown {
			e.log.Info("store takes changes again")
		}
		e.stats.Commits++
		e.stats.StoreDown, e.stats.StoreDownSince = false, time.Time{}
		e.outside.Stored(until)
		return
	}
	e.stats.CommitErrors++
	if !e.stats.StoreDown {
		e.stats.StoreDownSince = time.Now()
		e.log.Error("store does not take changes; they are kept in memory and tried again", "error", err)
	}
	e.stats.StoreDown = true
}
