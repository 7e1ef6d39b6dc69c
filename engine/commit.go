package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// commit writes a change, behind what the store has refused before, and hands
// over what is to be sent. A store that fails loses nothing: the change waits
// for it, and people are told meanwhile, for an alert that is told twice is
// better than one that is not told. The error wraps store.ErrNotStored.
func (e *Engine) commit(ctx context.Context, c store.Change, now time.Time) error {
	deliveries := c.Deliveries
	e.backlog.Append(c)
	if e.backlog.Empty() {
		return nil
	}
	if !e.retryAt.IsZero() && now.Before(e.retryAt) {
		e.outbox.EnqueueUnstored(deliveries, e.stored)
		return store.ErrNotStored
	}
	started := time.Now()
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	err := e.store.Commit(write, e.backlog)
	cancel()
	e.noteCommit(err, time.Since(started))
	if err != nil {
		// A store that hangs must not take up the loop: it is given as much
		// time to recover as it took to refuse.
		e.retryAt = time.Now().Add(max(retryCommit, time.Since(started)))
		if e.stored == nil {
			e.stored = make(chan struct{})
		}
		e.outbox.EnqueueUnstored(deliveries, e.stored)
		return fmt.Errorf("%w: %w", store.ErrNotStored, err)
	}
	e.retryAt, e.backlog = time.Time{}, store.Change{}
	if e.stored != nil {
		close(e.stored)
		e.stored = nil
	}
	e.outbox.Enqueue(deliveries)
	return nil
}

func (e *Engine) noteCommit(err error, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.LastCommit = took
	if err == nil {
		if e.stats.StoreDown {
			e.log.Info("store takes changes again")
		}
		e.stats.Commits++
		e.stats.StoreDown, e.stats.StoreDownSince = false, time.Time{}
		e.outside.Stored() // only the loop makes news, and all of it is in the change
		return
	}
	e.stats.CommitErrors++
	if !e.stats.StoreDown {
		e.stats.StoreDownSince = time.Now()
		e.log.Error("store does not take changes; they are kept in memory and tried again", "error", err)
	}
	e.stats.StoreDown = true
}

// handOver gives the samples to their writer, unless it is still busy: they
// wait for the next time then.
func (e *Engine) handOver(samples chan<- []alert.Sample) {
	if len(e.samples) == 0 {
		return
	}
	select {
	case samples <- e.samples:
		e.samples, e.waiting, e.handedAt = nil, false, time.Now()
	default:
	}
}

// keep writes samples for later starts and does the housekeeping, apart from
// the loop: neither may delay an alert.
func (e *Engine) keep(samples <-chan []alert.Sample) {
	ticker := time.NewTicker(housekeeping)
	defer ticker.Stop()
	for {
		select {
		case batch, open := <-samples:
			if !open {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
			if err := e.store.AppendSamples(ctx, batch); err != nil {
				e.log.Warn("samples were not kept for a later start", "error", err, "samples", len(batch))
			}
			cancel()
		case <-ticker.C:
			e.tidy(time.Now())
		}
	}
}

func (e *Engine) tidy(now time.Time) {
	e.mu.Lock()
	e.evaluator.Sweep(now)
	e.mu.Unlock()
	before := func(keep time.Duration) time.Time {
		if keep == 0 {
			return time.Time{}
		}
		return now.Add(-keep)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	n, err := e.store.Prune(ctx, store.Retention{
		HistoryBefore: before(e.retention.history), DeliveriesBefore: before(e.retention.deliveries),
		SamplesBefore: before(e.retention.samples), MaxBytes: e.retention.maxBytes,
	}, pruneRows)
	if err != nil {
		e.log.Warn("old history was not removed", "error", err)
	} else if n > 0 {
		e.log.Info("old history removed", "rows", n)
	}
}
