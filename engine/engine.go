// Package engine is the loop in the middle: it takes batches of samples,
// judges the rules, routes what changed, commits all of it in one transaction
// and hands what must be sent to the outbox. It is called by cmd, which gives
// it the store; the API reads from it. It speaks to no source, no receiver and
// no network itself.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// Store is what the engine needs of a store.
type Store interface {
	// Commit writes everything of a change, durably, or nothing.
	Commit(ctx context.Context, c store.Change) error
	// Load returns what a restart goes on from.
	Load(ctx context.Context) (store.Snapshot, error)
	// Ended returns the newest alert of each identity of some rules, where it
	// ended after a moment.
	Ended(ctx context.Context, rules []string, after time.Time) ([]alert.Alert, error)
	// AppendSamples keeps samples for the windows of a later start.
	AppendSamples(ctx context.Context, samples []alert.Sample) error
	// LoadSamples gives the kept samples of a metric, oldest first.
	LoadSamples(ctx context.Context, metric string, since time.Time, fn func(alert.Sample) error) error
	// Prune forgets what is too old or too much; it returns how many rows.
	Prune(ctx context.Context, r store.Retention, maxRows int) (int64, error)
}

// Outbox is what the engine needs of the outbox.
type Outbox interface {
	// Enqueue takes deliveries that the store has.
	Enqueue(deliveries []alert.Delivery)
	// EnqueueUnstored takes deliveries that the store refuses for now: they are
	// sent all the same, and their outcomes wait until stored is closed.
	EnqueueUnstored(deliveries []alert.Delivery, stored <-chan struct{})
	// SetMarks and SetReferences bring back what it knew before the restart.
	SetMarks(marks []store.Mark)
	SetReferences(references []store.Reference)
}

// Setup is what can be replaced while the engine runs.
type Setup struct {
	Rules []*rule.Rule
	Route route.Options
	// External says how alerts that are posted from outside are taken.
	External external.Options
	// Watched says of a series' labels whether anything yields it; nil is yes.
	// Alerts about what nobody watches any more end.
	Watched func(alert.Labels) bool
}

// Options are what the engine is made with.
type Options struct {
	Setup
	Store  Store
	Outbox Outbox
	Log    *slog.Logger
	// Retention bounds what the store keeps; zero keeps for ever.
	HistoryRetention, DeliveriesRetention, SamplesRetention time.Duration
	// MaxStoreBytes bounds its size; zero sets no bound.
	MaxStoreBytes int64
}

// Engine is the loop and its state. Run owns the state; the other methods are
// safe for concurrent use.
type Engine struct {
	store     Store
	outbox    Outbox
	log       *slog.Logger
	retention struct {
		history, deliveries, samples time.Duration
		maxBytes                     int64
	}

	watched func(alert.Labels) bool // of the setup that the start is made with
	batches chan source.Batch
	posts   chan *post
	orders  chan *order
	reloads chan reload
	decided chan decided  // what the committer is to write
	nudge   chan struct{} // 1 deep: a receiver's health has changed
	ready   chan struct{} // closed when the state is loaded
	stopped chan struct{} // closed when Run has returned

	healthMu sync.Mutex
	health   map[string]string // by receiver, why it fails; not heeded yet

	mu         sync.Mutex // guards what follows
	evaluator  *rule.Evaluator
	outside    *external.Registry
	dispatcher *route.Dispatcher
	seen       snapshot
	stats      Stats
	evaluated  map[string]time.Time // by rule

	// The loop's own.
	samples []alert.Sample // for a later start, not handed over yet
	// waiting says that they hold one that a running `for` depends on.
	waiting  bool
	handedAt time.Time // when samples were last handed over
}

type reload struct {
	setup Setup
	done  chan struct{}
}

// snapshot is what readers were last given.
type snapshot struct {
	version uint64
	alerts  []alert.Alert
	made    bool
}

// Stats counts what the engine has done since it started.
type Stats struct {
	Batches, Samples, Transitions, Commits uint64
	CommitErrors                           uint64
	StoreDown                              bool // the last commit failed, and nothing was lost yet
	StoreDownSince                         time.Time
	LastCommit                             time.Duration
}

// New makes an engine; Run starts it.
func New(o Options) *Engine {
	e := &Engine{
		store: o.Store, outbox: o.Outbox, log: o.Log, watched: o.Watched,
		batches: make(chan source.Batch, 64), posts: make(chan *post, 64), orders: make(chan *order, 64), decided: make(chan decided, changesAhead), nudge: make(chan struct{}, 1), health: map[string]string{},
		reloads: make(chan reload), ready: make(chan struct{}), stopped: make(chan struct{}),
		evaluator: rule.NewEvaluator(o.Rules), evaluated: map[string]time.Time{},
	}
	e.outside = external.New(o.External)
	e.dispatcher = route.New(e.routing(o.Setup))
	e.retention.history, e.retention.samples = o.HistoryRetention, o.SamplesRetention
	e.retention.deliveries, e.retention.maxBytes = o.DeliveriesRetention, o.MaxStoreBytes
	return e
}

// routing returns what a dispatcher works by: what rules depend on is theirs to
// say.
func (e *Engine) routing(s Setup) route.Options {
	options := s.Route
	options.Covers, options.DependsOn = e.covers, map[string][]route.Dependency{}
	for _, r := range s.Rules {
		for _, d := range r.DependsOn {
			options.DependsOn[r.ID] = append(options.DependsOn[r.ID], route.Dependency{Rule: d.Rule, Equal: d.Equal})
		}
	}
	return options
}

// ErrStopped is returned for what is handed to an engine that has stopped.
var ErrStopped = errors.New("the engine has stopped")

// Ingest hands a batch to the loop. It waits while the loop is behind, until
// ctx ends or the engine stops.
func (e *Engine) Ingest(ctx context.Context, b source.Batch) error {
	select {
	case <-e.stopped: // there may be room, and nobody to take it
		return ErrStopped
	default:
	}
	select {
	case e.batches <- b:
		return nil
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reload puts other rules and routes in the place of the present ones, and
// returns when the loop works by them. Alerts go on by id and labels.
func (e *Engine) Reload(ctx context.Context, s Setup) error {
	r := reload{setup: s, done: make(chan struct{})}
	select {
	case e.reloads <- r:
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	<-r.done
	return nil
}

// Ready is closed once the state of before the restart is loaded.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Alerts returns the pending and the firing alerts, worst first. The slice is
// shared: it must not be changed.
func (e *Engine) Alerts() []alert.Alert {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v := e.evaluator.Version(); !e.seen.made || e.seen.version != v {
		e.seen = snapshot{version: v, alerts: e.evaluator.Alerts(), made: true}
	}
	return e.seen.alerts
}

// Version rises whenever an alert or its value changes.
func (e *Engine) Version() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.evaluator.Version()
}

// covers says whether a rule judges any series of a source. It is asked by the
// dispatcher, which the loop calls with the lock held.
func (e *Engine) covers(rule, source string) bool { return e.evaluator.Covers(rule, source) }

// Stats returns what the engine has done.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// RuleState is one rule and how it stands.
type RuleState struct {
	Rule     *rule.Rule
	Series   int
	LastEval time.Time // zero before the first sample
}

// Rules returns the rules in their order.
func (e *Engine) Rules() []RuleState {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]RuleState, 0, len(e.evaluator.Rules()))
	for _, r := range e.evaluator.Rules() {
		out = append(out, RuleState{Rule: r, Series: e.evaluator.SeriesCount(r.ID), LastEval: e.evaluated[r.Metric.Name]})
	}
	return out
}

// Series returns the series of a metric; see rule.Evaluator.
func (e *Engine) Series(metric string, match alert.Matchers, limit int) (found []rule.SeriesState, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.evaluator.Series(metric, match, limit)
}

// Explain tells how a rule stands over the series that match, the first limit of
// them, and why; false when there is no such rule.
func (e *Engine) Explain(id string, match alert.Matchers, limit int) (rule.Explained, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.evaluator.Explain(id, match, limit, time.Now())
}

// Groups returns the notification groups as they stand.
func (e *Engine) Groups() []store.Group {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dispatcher.Groups()
}
