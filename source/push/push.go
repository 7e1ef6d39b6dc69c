// Package push is the source that applications push to: POST /api/v1/ingest
// with a JSON document of their counters and gauges. It is called by the API,
// through Hub.Ingest, and by cmd, which runs it. It never asks an application
// for anything, and never stores or judges.
//
// A document (every field but instance may be left out; unknown fields are
// mistakes):
//
//	{
//	  "instance": "web-1",                    // the process that pushes
//	  "started_at": "2024-01-15T10:00:00Z",   // or unix seconds or milliseconds
//	  "seq": 17,                              // rises with each push
//	  "strategies": {"USER_PROFILE": {"hits": 0, "misses": 0, "sets": 0,
//	                 "deletes": 0, "invalidations": 0, "errors": 0}},
//	  "memory": {"used": 0, "limit": 0, "heap_used": 0},
//	  "pool": {"active": 0, "idle": 0, "total": 0, "waiting": 0, "limit": 0},
//	  "queries": {"average_ms": 0,
//	              "slow": [{"query": "", "duration_ms": 0, "at": 0}]},
//	  "requests": {"count": 0, "errors": 0, "p95_ms": 0},
//	  "metrics": {"name": 0},
//	  "counters": {"name": 0},
//	  "samples": [{"metric": "name", "labels": {}, "value": 0, "at": 0}]
//	}
//
// Strategies, requests and counters are cumulative since started_at. What the
// catalog knows is yielded under its names, with the label instance; metrics
// and counters under their own, a counter also as name:rate, its rise a
// second. A counter that has the name of a rate of the catalog is that rate.
package push

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// defaultInterval is for a Spec that gives none.
const defaultInterval = 10 * time.Second

// Hub takes what the instances of an application push. Ingest may be called
// from many goroutines, also before Run.
type Hub struct {
	cfg   Config
	spec  source.Spec
	sink  source.Sink
	board *source.Board
	log   *slog.Logger

	mu        sync.Mutex // guards all below
	instances map[string]*instance
	tracker   source.StrategyTracker
	counting  map[string]bool // the instances that push strategies
	status    source.Status
	late      int // documents dropped since the last round
	stopped   bool
}

// Accepted is the answer to a document: how many numbers of it were taken, or
// dropped because the document came late.
type Accepted struct {
	Accepted int `json:"accepted"`
	Dropped  int `json:"dropped"`
}

// NewHub makes a hub; Run does the rest. The board shows it at once, as a
// source of which nothing is known.
func NewHub(cfg Config, spec source.Spec, sink source.Sink, board *source.Board, log *slog.Logger) *Hub {
	if spec.Interval <= 0 {
		spec.Interval = defaultInterval
	}
	h := &Hub{
		cfg: cfg, spec: spec, sink: sink, board: board,
		log:       log.With("source", spec.Name, "type", spec.Type),
		instances: map[string]*instance{}, counting: map[string]bool{},
		status: source.Status{Name: spec.Name, Type: spec.Type, Interval: spec.Interval, Health: source.Unknown},
	}
	board.Set(h.status)
	return h
}

func (h *Hub) staleAfter() time.Duration {
	if h.cfg.StaleAfter > 0 {
		return h.cfg.StaleAfter
	}
	return 3 * h.spec.Interval
}

// errStopped is what a push during a reload or the daemon's end is told.
var errStopped = errors.New("this source has ended")

// Ingest takes one document. A document that is wrong is refused whole, with a
// *BadDocument; one that is older than what its instance pushed before is
// dropped and counted, without error. Other errors are the sink's: the same
// document may then be pushed again.
func (h *Hub) Ingest(ctx context.Context, body []byte) (Accepted, error) {
	now := time.Now()
	d, err := parse(body, now)
	if err != nil {
		return Accepted{}, err
	}
	batch, undo, err := h.take(d, now)
	if err != nil {
		return Accepted{}, err
	}
	if batch == nil {
		return Accepted{Dropped: max(1, d.values)}, nil
	}
	if err := h.sink.Ingest(ctx, *batch); err != nil {
		undo()
		return Accepted{}, err
	}
	return Accepted{Accepted: d.values}, nil
}

// take notes a document and makes a batch of it; nil for one that came late.
// undo lets the document come again.
func (h *Hub) take(d *document, now time.Time) (batch *source.Batch, undo func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, nil, errStopped
	}
	in := h.instances[d.instance]
	if in == nil {
		if len(h.instances) >= h.cfg.MaxInstances {
			return nil, nil, bad("instance", "%d instances push already, which is max_instances", len(h.instances))
		}
		in = &instance{name: d.instance}
		h.instances[d.instance] = in
		h.log.Info("an instance pushes", "instance", d.instance)
	}
	if !in.accept(d) {
		h.late++
		return nil, nil, nil
	}
	r := in.reading(d, now)
	samples := r.Samples
	if d.strategies != nil {
		h.tracker.Observe(d.instance, in.run, now, h.withTTL(d.strategies))
		h.counting[d.instance] = true
		// What a single instance did is the whole, and is judged at once; what
		// several did is summed up on the interval.
		if len(h.counting) == 1 {
			samples = append(samples, h.tracker.Flush(now)...)
		}
	}
	h.publish(now, len(samples))
	seq := d.seq
	return h.batch(samples, in.startedAt, now), func() { h.forgive(in, seq) }, nil
}

// forgive takes back that a document came, when no one took its samples. Its
// counters begin again: their rise is lost, and must not come out as 0.
func (h *Hub) forgive(in *instance, seq *uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq != nil && in.seq != nil && *in.seq == *seq {
		in.seq = nil
	}
	in.rates.Forget()
}

func (h *Hub) withTTL(strategies source.Strategies) source.Strategies {
	for name, s := range strategies {
		s.TTL = h.cfg.Strategies[name].TTL
		strategies[name] = s
	}
	return strategies
}

// batch labels samples as the poll loop does.
func (h *Hub) batch(samples []alert.Sample, startedAt, now time.Time) *source.Batch {
	own := h.own()
	for i := range samples {
		samples[i].Labels = samples[i].Labels.Merge(own)
		if samples[i].At.IsZero() {
			samples[i].At = now
		}
	}
	return &source.Batch{
		Source: h.spec.Name, Type: h.spec.Type, At: now, Samples: samples,
		StartedAt: startedAt, Interval: h.spec.Interval,
	}
}

func (h *Hub) own() alert.Labels { return h.spec.Labels.With(alert.LabelSource, h.spec.Name) }

// publish puts up what is known now, after a push.
func (h *Hub) publish(now time.Time, samples int) {
	s := &h.status
	s.Up, s.Health, s.Error = true, source.Healthy, ""
	s.LastPoll, s.LastOK, s.Samples = now, now, samples
	s.Polls++
	s.Facts = h.facts()
	h.board.Set(*s)
}

// Run sums up the strategies on the source's interval, and lets instances go
// that are silent, until ctx ends. It returns ctx's error.
func (h *Hub) Run(ctx context.Context) error {
	defer h.stop()
	h.appear()
	ticker := time.NewTicker(h.spec.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		batch := h.round(time.Now())
		if batch == nil {
			continue
		}
		if err := h.sink.Ingest(ctx, *batch); err != nil && ctx.Err() == nil {
			h.log.Error("reading was not taken", "error", err)
		}
	}
}

// appear puts the hub up again: the one that it follows after a reload has the
// same name, and was taken off the board after this one was made.
func (h *Hub) appear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.board.Set(h.status)
}

func (h *Hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.board.Remove(h.spec.Name)
}

// round is one tick; nil before the first push.
func (h *Hub) round(now time.Time) *source.Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.LastOK.IsZero() {
		return nil
	}
	h.expire(now)
	samples := h.tracker.Flush(now)
	batch := h.batch(samples, h.newestStart(), now)
	batch.Failed = !h.status.Up
	labels := h.own().With("type", h.spec.Type)
	up := 0.0
	if h.status.Up {
		up = 1
	}
	batch.Samples = append(batch.Samples,
		alert.Sample{Metric: "source.up", Labels: labels, Value: up, At: now},
		alert.Sample{Metric: "source.age", Labels: labels, Value: now.Sub(h.status.LastOK).Seconds(), At: now})
	h.status.Problems = nil
	if h.late > 0 {
		h.status.Problems = []source.Problem{{Query: "seq", Err: lateError(h.late)}}
		h.late = 0
	}
	h.board.Set(h.status)
	return batch
}

// expire forgets the instances that are silent. What was known of the last of
// them stays: it is missing, not gone.
func (h *Hub) expire(now time.Time) {
	var gone []string
	for name, in := range h.instances {
		if now.Sub(in.last) > h.staleAfter() {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		h.log.Info("an instance is silent", "instance", name, "for", h.staleAfter())
		delete(h.instances, name)
		h.tracker.Forget(name)
		delete(h.counting, name)
	}
	switch {
	case len(h.instances) > 0:
		if len(gone) > 0 {
			h.status.Facts = h.facts()
		}
	case h.status.Up:
		h.status.Up, h.status.Health = false, source.Unhealthy
		h.status.Error = "no instance has pushed for " + h.staleAfter().String()
		h.log.Warn("source cannot be read", "error", h.status.Error, "kind", source.Down)
	}
}

// newestStart is when the youngest instance started: its cache is the coldest.
func (h *Hub) newestStart() time.Time {
	var newest time.Time
	for _, in := range h.instances {
		if in.startedAt.After(newest) {
			newest = in.startedAt
		}
	}
	return newest
}

// facts sums up the instances. What only some of them tell is the sum of
// those.
func (h *Hub) facts() source.Facts {
	var app source.App
	var averages []float64
	for _, name := range slices.Sorted(maps.Keys(h.instances)) {
		in := h.instances[name]
		if !in.startedAt.IsZero() && (app.StartedAt.IsZero() || in.startedAt.Before(app.StartedAt)) {
			app.StartedAt = in.startedAt
		}
		app.MemoryUsed = plus(app.MemoryUsed, in.memory.used)
		app.MemoryLimit = plus(app.MemoryLimit, in.memory.limit)
		app.Pool = addPool(app.Pool, in.pool)
		if in.averageMs != nil {
			averages = append(averages, *in.averageMs)
		}
		app.Slow = append(app.Slow, in.slow...)
	}
	if len(averages) > 0 {
		mean := 0.0
		for _, ms := range averages {
			mean += ms / float64(len(averages))
		}
		app.AverageQueryMs = &mean
	}
	slices.SortStableFunc(app.Slow, func(a, b source.SlowQuery) int { return b.At.Compare(a.At) })
	app.Slow = slices.Clip(app.Slow[:min(len(app.Slow), maxSlow)])
	facts := source.Facts{App: &app}
	if totals := h.tracker.Totals(); len(totals) > 0 {
		facts.Strategies = totals
	}
	return facts
}

func plus(sum, v *float64) *float64 {
	if v == nil {
		return sum
	}
	total := *v
	if sum != nil {
		total += *sum
	}
	return &total
}

// addPool adds the pools of two instances. The sum has a queue or a limit
// only where both tell theirs.
func addPool(sum, p *source.Pool) *source.Pool {
	if p == nil {
		return sum
	}
	total := *p
	if sum == nil {
		return &total
	}
	total.Active += sum.Active
	if sum.Total < 0 || p.Total < 0 {
		total.Idle, total.Total = -1, -1 // not known
	} else {
		total.Idle += sum.Idle
		total.Total += sum.Total
	}
	total.Waiting = nil
	if sum.Waiting != nil && p.Waiting != nil {
		n := *sum.Waiting + *p.Waiting
		total.Waiting = &n
	}
	if sum.Limit > 0 && p.Limit > 0 {
		total.Limit = sum.Limit + p.Limit
	} else {
		total.Limit = 0
	}
	return &total
}
