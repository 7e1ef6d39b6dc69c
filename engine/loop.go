package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// The loop's own times.
const (
	commitTimeout    = 30 * time.Second
	retryCommit      = time.Second // how often a store that refuses is asked again
	keepSamplesFor   = 10 * time.Second
	keepWaitingFor   = time.Second // where a `for` runs: what a restart would not know of is lost to it
	maxKeptSamples   = 50_000      // samples for later starts that wait for the store
	housekeeping     = 10 * time.Minute
	pruneRows        = 50_000
	rememberEnded    = 24 * time.Hour // what alerts that have ended leave to the next ones
	maxBatchesAtOnce = 256
)

// Run loads the state of before the restart and works until ctx ends. It
// returns ctx's error, or why the state could not be loaded. The last commit
// is waited for.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.stopped)
	if err := e.load(ctx); err != nil {
		return err
	}
	close(e.ready)
	samples := make(chan []alert.Sample, 1)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		e.keep(samples)
	}()
	defer func() {
		close(samples)
		<-kept
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	flushSamples := time.NewTicker(keepWaitingFor)
	defer flushSamples.Stop()
	for {
		select {
		case <-ctx.Done():
			e.handOver(samples)
			_ = e.commit(context.WithoutCancel(ctx), store.Change{}, time.Now()) // it is logged
			return ctx.Err()
		case first := <-e.batches:
			e.step(ctx, e.gather(first))
		case first := <-e.posts:
			e.take(ctx, first)
		case first := <-e.orders:
			e.obey(ctx, first)
		case <-e.nudge:
			e.step(ctx, nil)
		case r := <-e.reloads:
			e.reload(ctx, r)
		case <-timer.C:
			e.step(ctx, nil)
		case <-flushSamples.C:
			if e.waiting || time.Since(e.handedAt) >= keepSamplesFor {
				e.handOver(samples)
			}
		}
		timer.Reset(e.untilDue(time.Now()))
	}
}

// load brings back alerts, windows, groups and what is not sent yet.
func (e *Engine) load(ctx context.Context) error {
	snapshot, err := e.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	now := time.Now()
	if err := e.loadSamples(ctx, snapshot.Alerts, now); err != nil {
		return err
	}
	past, err := e.store.Ended(ctx, e.evaluator.Remembering(), now.Add(-rememberEnded))
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	past = slices.DeleteFunc(past, func(a alert.Alert) bool { return a.Outside != nil })
	e.mu.Lock()
	ours, records := e.sort(snapshot.Alerts, now)
	ended := append(e.evaluator.Restore(append(past, ours...), now), e.unwatch(e.watched, now)...)
	e.dispatcher.Restore(snapshot, func(a *alert.Alert) route.Body {
		if rec := records[a.ID]; rec != nil {
			return rec
		}
		return nil
	}, now)
	change := e.record(ended, now)
	e.mu.Unlock()
	e.outbox.SetMarks(snapshot.Marks)
	e.outbox.SetReferences(snapshot.References)
	e.outbox.Enqueue(snapshot.Deliveries)
	_ = e.commit(ctx, change, now) // it is logged, and tried again
	if n := len(snapshot.Alerts); n > 0 || len(snapshot.Deliveries) > 0 {
		e.log.Info("state restored", "alerts", n, "groups", len(snapshot.Groups), "unsent", len(snapshot.Deliveries))
	}
	return nil
}

// sort tells our own alerts from those of outside, which the registry takes.
func (e *Engine) sort(alerts []alert.Alert, now time.Time) (ours []alert.Alert, outside map[string]*external.Record) {
	outside = map[string]*external.Record{}
	for i := range alerts {
		if alerts[i].Outside != nil {
			outside[alerts[i].ID] = e.outside.Restore(&alerts[i], now)
		} else {
			ours = append(ours, alerts[i])
		}
	}
	return ours, outside
}

// loadSamples fills the windows, and brings back the last sample of each alert
// that waits for a `for`: it says how much of the time was seen to count.
func (e *Engine) loadSamples(ctx context.Context, alerts []alert.Alert, now time.Time) error {
	waiting := map[string]map[alert.Fingerprint]time.Time{}
	for i := range alerts {
		a := &alerts[i]
		if a.Outside != nil || (a.State != alert.Pending && a.State != alert.Firing) || !rule.Waits(a) {
			continue
		}
		family := e.evaluator.Family(a)
		if waiting[family] == nil {
			waiting[family] = map[alert.Fingerprint]time.Time{}
		}
		if at, twice := waiting[family][a.Series]; !twice || a.UpdatedAt.Before(at) {
			waiting[family][a.Series] = a.UpdatedAt
		}
	}
	for metric, window := range e.evaluator.Lookback() {
		inWindow := now.Add(-window)
		since := inWindow
		for _, at := range waiting[metric] {
			if at.Before(since) {
				since = at
			}
		}
		if window == 0 && len(waiting[metric]) == 0 {
			continue
		}
		err := e.store.LoadSamples(ctx, metric, since, func(s alert.Sample) error {
			if window == 0 || s.At.Before(inWindow) {
				if at, waits := waiting[metric][s.Labels.Fingerprint()]; !waits || s.At.Before(at) {
					return nil
				}
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.evaluator.Preload(s, now)
			return nil
		})
		if err != nil {
			return fmt.Errorf("load samples of %s: %w", metric, err)
		}
	}
	return nil
}

// gather takes what else is waiting, so that one commit serves it all.
func (e *Engine) gather(first source.Batch) []source.Batch {
	batches := []source.Batch{first}
	for len(batches) < maxBatchesAtOnce {
		select {
		case b := <-e.batches:
			batches = append(batches, b)
		default:
			return batches
		}
	}
	return batches
}

// step judges batches and whatever is due, routes, and commits.
func (e *Engine) step(ctx context.Context, batches []source.Batch) {
	now := time.Now()
	e.mu.Lock()
	e.heed(now)
	transitions := e.evaluator.Tick(now)
	for _, b := range batches {
		from := rule.Context{Source: b.Source, Interval: b.Interval, StartedAt: b.StartedAt, Failed: b.Failed}
		transitions = append(transitions, e.evaluator.Observe(b.Samples, from, now)...)
		e.noteBatch(b, now)
	}
	change := e.record(transitions, now)
	e.noteOutside(&change, e.outside.Tick(now), now)
	e.flush(&change, now)
	e.mu.Unlock()
	_ = e.commit(ctx, change, now) // it is logged, and tried again
}

// flush tells of what is due, and takes what was decided.
func (e *Engine) flush(c *store.Change, now time.Time) {
	if due := e.dispatcher.NextDue(); !due.IsZero() && !due.After(now) {
		e.refresh(now)
		e.dispatcher.Flush(now)
	}
	c.Append(e.dispatcher.Take())
}

func (e *Engine) noteBatch(b source.Batch, now time.Time) {
	e.stats.Batches++
	e.stats.Samples += uint64(len(b.Samples))
	e.noteSamples(b.Samples, false, now)
	e.noteSamples(e.evaluator.Made(), true, now)
}

// noteSamples keeps the samples that a later start must know of. made says that
// the evaluator made them of others.
func (e *Engine) noteSamples(samples []alert.Sample, made bool, now time.Time) {
	lookback := e.evaluator.Lookback()
	for i := range samples {
		window, watched := lookback[samples[i].Metric]
		if !watched || e.evaluator.Makes(samples[i].Metric) != made {
			continue
		}
		e.evaluated[samples[i].Metric] = now
		waits := e.evaluator.Waits(&samples[i])
		e.waiting = e.waiting || waits
		if (window > 0 || waits) && len(e.samples) < maxKeptSamples {
			e.samples = append(e.samples, samples[i])
		}
	}
}

// refresh gives the dispatcher the present values of what it is about to send.
func (e *Engine) refresh(now time.Time) {
	for _, old := range e.dispatcher.Due(now) {
		if a, ok := e.evaluator.Alert(old.Rule, old.Fingerprint); ok && a.ID == old.ID {
			e.dispatcher.Refresh(a)
		}
	}
}

// record turns transitions into rows: the alert, its event, and what routing
// makes of it.
func (e *Engine) record(transitions []rule.Transition, now time.Time) store.Change {
	var c store.Change
	e.stats.Transitions += uint64(len(transitions))
	for i := range transitions {
		t := &transitions[i]
		if t.Kind != "" {
			c.Events = append(c.Events, alert.Event{
				AlertID: t.Alert.ID, At: now, Kind: t.Kind, Severity: t.Alert.Severity, From: t.From,
				Value: t.Alert.Value, Threshold: t.Alert.Threshold, Reason: t.Alert.Reason,
			})
		}
		c.Alerts = append(c.Alerts, t.Alert)
		if t.Kind == alert.EventHeld {
			continue // nobody is told
		}
		e.dispatcher.Apply(t.Alert, t.Kind, now)
	}
	c.Append(e.dispatcher.Take())
	return c
}

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

// untilDue is how long the loop may sleep.
func (e *Engine) untilDue(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	wait := housekeeping
	for _, due := range [...]time.Time{e.evaluator.NextDue(), e.outside.NextDue(), e.dispatcher.NextDue(), e.retryAt} {
		if !due.IsZero() {
			wait = min(wait, max(0, due.Sub(now)))
		}
	}
	return wait
}

// reload exchanges rules and routes between two steps: no sample is lost. What
// waits is judged by the old ones: a batch of a source that was just taken out
// must not come after its alerts were ended.
func (e *Engine) reload(ctx context.Context, r reload) {
	if len(e.batches) > 0 {
		e.step(ctx, e.gather(<-e.batches))
	}
	now := time.Now()
	e.mu.Lock()
	ended := append(e.evaluator.Reload(r.setup.Rules, now), e.unwatch(r.setup.Watched, now)...)
	change := e.record(ended, now)
	e.outside.Exchange(r.setup.External)
	e.dispatcher.Exchange(e.routing(r.setup), now)
	change.Append(e.dispatcher.Take())
	e.mu.Unlock()
	_ = e.commit(ctx, change, now) // it is logged, and tried again
	close(r.done)
}

func (e *Engine) unwatch(watched func(alert.Labels) bool, now time.Time) []rule.Transition {
	if watched == nil {
		return nil
	}
	return e.evaluator.Unwatch(watched, now)
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
