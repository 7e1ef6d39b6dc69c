package api

import (
	"context"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// Board is what the API reads of the sources; *source.Board is one. Version
// rises with every change of what All returns.
type Board interface {
	All() []source.Status
	Version() uint64
}

// Engine is what the API reads of the rules. Each method returns a snapshot
// that nobody changes any more.
type Engine interface {
	// Alerts returns the pending and the firing alerts.
	Alerts() []alert.Alert
	// Version rises with every change of what Alerts returns.
	Version() uint64
	Rules() []RuleStatus
	Receivers() []ReceiverStatus
	// Series returns at most limit series of a metric, by their labels, and how
	// many match. A metric that no rule looks at has none.
	Series(metric string, match alert.Matchers, limit int) (found []SeriesStatus, total int)
}

// History is what the API reads of the store. Alert and Events return an error
// that wraps store.ErrNotFound for an unknown id, History one that wraps
// store.ErrBadCursor.
type History interface {
	History(ctx context.Context, q store.HistoryQuery) (store.HistoryPage, error)
	Alert(ctx context.Context, id string) (alert.Alert, error)
	Events(ctx context.Context, id string) ([]alert.Event, error)
}

// KeyScanner lists the keys of one cache, with the errors of source/keys.go.
type KeyScanner interface {
	Keys(ctx context.Context, q source.KeyQuery) (source.KeyPage, error)
}

// Ingester takes what an application pushed. The value that it returns is the
// answer's body. An error that is a BadRequest is told to the client.
type Ingester interface {
	Ingest(ctx context.Context, body []byte) (any, error)
}

// BadRequest is an error that the client caused and may read: it answers 400
// with the error's own text. BadRequest returns false to take that back.
type BadRequest interface {
	error
	BadRequest() bool
}

// Reloader reads the configuration anew. Its error names every mistake and
// holds no secret: the client, who has the admin scope, is shown all of it.
type Reloader interface {
	Reload(ctx context.Context) error
}

// RuleStatus is one rule and how it stands.
type RuleStatus struct {
	ID       string
	Category string
	Metric   string
	Unit     string   // the metric's
	Match    []string // in the notation of alert.Matcher
	// Conditions hold an entry for every severity that the rule has.
	Conditions map[alert.Severity]RuleCondition
	Clear      string
	NoData     string // keep, ok, info, warning or critical
	Message    string // the template
	File       string // where the rule is written
	Line       int

	State    alert.Severity // the worst that fires now; OK when none does
	Series   int            // label sets that the rule judges
	LastEval time.Time      // zero before the first

	Labels      map[string]string
	Annotations map[string]string
}

// RuleCondition is one severity's condition as it is written.
type RuleCondition struct {
	Expr string
	For  time.Duration
}

// SeriesStatus is one series of a metric, and its last sample.
type SeriesStatus struct {
	Labels alert.Labels
	Value  float64
	At     time.Time
}

// ReceiverStatus is one receiver and how its deliveries fare.
type ReceiverStatus struct {
	Name, Type string
	Pending    int // deliveries in the outbox
	// LastSuccess and LastErrorAt are zero when there was none.
	LastSuccess         time.Time
	LastError           string // holds no secret
	LastErrorAt         time.Time
	ConsecutiveFailures int
}
