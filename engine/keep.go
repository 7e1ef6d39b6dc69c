package engine

import (
	"context"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

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
