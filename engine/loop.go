package engine

import (
	"context"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
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
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		(&committer{e: e}).run()
	}()
	defer func() {
		close(e.decided)
		<-committed
	}()
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
			return ctx.Err()
		case first := <-e.batches:
			e.step(e.gather(first))
		case first := <-e.posts:
			e.take(first)
		case first := <-e.orders:
			e.obey(first)
		case <-e.nudge:
			e.step(nil)
		case r := <-e.reloads:
			e.reload(r)
		case <-timer.C:
			e.step(nil)
		case <-flushSamples.C:
			if e.waiting || time.Since(e.handedAt) >= keepSamplesFor {
				e.handOver(samples)
			}
		}
		timer.Reset(e.untilDue(time.Now()))
	}
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
func (e *Engine) step(batches []source.Batch) {
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
	e.commit(change)
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

// untilDue is how long the loop may sleep.
func (e *Engine) untilDue(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	wait := housekeeping
	for _, due := range [...]time.Time{e.evaluator.NextDue(), e.outside.NextDue(), e.dispatcher.NextDue()} {
		if !due.IsZero() {
			wait = min(wait, max(0, due.Sub(now)))
		}
	}
	return wait
}

// reload exchanges rules and routes between two steps: no sample is lost. What
// waits is judged by the old ones: a batch of a source that was just taken out
// must not come after its alerts were ended.
func (e *Engine) reload(r reload) {
	if len(e.batches) > 0 {
		e.step(e.gather(<-e.batches))
	}
	now := time.Now()
	e.mu.Lock()
	ended := append(e.evaluator.Reload(r.setup.Rules, now), e.unwatch(r.setup.Watched, now)...)
	change := e.record(ended, now)
	e.outside.Exchange(r.setup.External)
	e.dispatcher.Exchange(e.routing(r.setup), now)
	change.Append(e.dispatcher.Take())
	e.mu.Unlock()
	e.commit(change)
	close(r.done)
}

func (e *Engine) unwatch(watched func(alert.Labels) bool, now time.Time) []rule.Transition {
	if watched == nil {
		return nil
	}
	return e.evaluator.Unwatch(watched, now)
}
