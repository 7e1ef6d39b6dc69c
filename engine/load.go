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
)

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
	e.commit(change)
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
