package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
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

// Explainer says how rules stand and why. The value that it returns is the
// answer's body; ok is false when there is no such rule.
type Explainer interface {
	Explain(rule string, match alert.Matchers, limit int) (answer any, ok bool)
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

// RuleFiles shows and edits the files that the rules are read from. The errors
// are those of mistakes.go.
type RuleFiles interface {
	// RuleFiles lists the files, in the order in which they are read.
	RuleFiles(ctx context.Context) ([]RuleFile, error)
	// RuleFile finds a file by its path as RuleFiles gives it, or by the base
	// name that only one has.
	RuleFile(ctx context.Context, name string) (RuleFile, error)
	// WriteRuleFile checks a text as a reload would, puts it into the place of
	// the file and works by it; or nothing of that happens.
	WriteRuleFile(ctx context.Context, w RuleWrite) (RuleWritten, error)
	// CheckRules finds the mistakes of a text: alone, or with everything else
	// in the place of the file when one is named.
	CheckRules(ctx context.Context, file string, text []byte) (RuleCheck, error)
}

// RuleFile is one file of rules.
type RuleFile struct {
	Path    string
	Text    []byte // as it is now, which may not be what runs
	Missing bool   // there is no such file now
	Rules   int    // of the file that run
}

// RuleWrite is an edit.
type RuleWrite struct {
	Name string
	Text []byte
	By   string // the name of the client's token, for the log; empty without tokens
	// Allow judges the edit by the file as it is now, while no other can come
	// between; its error is returned as it is.
	Allow func(now RuleFile) error
}

// RuleWritten is what an edit came to.
type RuleWritten struct {
	Path    string
	Created bool
	Rules   int // of the file
	Total   int // that run now
}

// RuleCheck is what was found in a text.
type RuleCheck struct {
	Rules    int // that could be read
	Mistakes []Mistake
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
	// ClearMargin, MinVolume, Flapping, By and Combine are as they are written;
	// empty for none. Overrides is how many there are.
	ClearMargin, MinVolume, Flapping, Combine string
	By, DependsOn                             []string
	Overrides                                 int
	NoData                                    string // keep, ok, info, warning or critical
	Message                                   string // the template
	File                                      string // where the rule is written
	Line                                      int

	State    alert.Severity // the worst that fires now; OK when none does
	Series   int            // label sets that the rule judges
	LastEval time.Time      // zero before the first

	Labels      map[string]string
	Annotations map[string]string
}

// RuleCondition is one severity's condition as it is written.
type RuleCondition struct {
	Expr          string
	For           time.Duration
	KeepFiringFor time.Duration
	Polls         string // "3 of 5"; empty where the last poll decides
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

	InFlight   int
	Sent, Dead uint64 // since the start
	// Breaker is closed, open or probing; empty is closed. The times are zero
	// where it is closed.
	Breaker                              string
	BreakerSince, NextProbe, PausedUntil time.Time
	Failing                              bool // its fallback is told in its place
	Disabled                             bool // it answered that it is gone
	DisabledReason                       string
	DisabledAt                           time.Time
	Rate                                 string // as it is written; empty for none
	Concurrency                          int
}

// Deliveries is what the API reads of the outbox's rows. Delivery returns an
// error that wraps store.ErrNotFound for an unknown id, Deliveries one that
// wraps store.ErrBadCursor.
type Deliveries interface {
	Deliveries(ctx context.Context, q store.DeliveryQuery) (store.DeliveryPage, error)
	Delivery(ctx context.Context, id string) (alert.Delivery, error)
}

// Sender is what people may have sent. A receiver or a delivery that is not
// there is an error that wraps store.ErrNotFound.
type Sender interface {
	// Redeliver sends a delivery once more that was sent or given up; for one
	// that is pending the error wraps store.ErrPending.
	Redeliver(ctx context.Context, id string) (alert.Delivery, error)
	// TestReceiver sends a test and waits for the answer. The result tells of it
	// where there is an error, too, which holds no secret.
	TestReceiver(ctx context.Context, name string) (TestResult, error)
	// EnableReceiver lets a receiver be told again that was disabled.
	EnableReceiver(ctx context.Context, name string) error
}

// TestResult is how a test of a receiver went.
type TestResult struct {
	Attempt   alert.Attempt
	Reference string // what the receiver calls the message
}

// Router is what the API reads of the alerts that fire, our own and those from
// outside, and of how they stand with the router.
type Router interface {
	// Standings calls yield with each alert that the query selects, in the order
	// of their fingerprints, until it returns false. What it is given is valid
	// during the call only. It may be slow: nothing waits for it.
	Standings(q alert.StandingQuery, yield func(*alert.Standing) bool)
	// Standing finds one alert by its id or fingerprint; false when none fires.
	Standing(id string) (alert.Standing, bool)
	// StandingGroups returns the groups that hold any alert of the query.
	StandingGroups(q alert.StandingQuery) []alert.StandingGroup
}

// Poster takes alerts from outside. When Post returns nil they are on the disk.
// The alerts and their label sets may be reused after it has returned, and their
// strings share memory with all of the request: what is kept is copied.
type Poster interface {
	Post(ctx context.Context, alerts []alert.Posted) error
}

// Operator is how people hold alerts back and take them up. What it changes is
// on the disk when it returns nil. An unknown id is an error that wraps
// store.ErrNotFound; what the client asks wrongly is a BadRequest.
type Operator interface {
	// Silences returns them all, those that ended lately included, by their end.
	Silences() []alert.Silence
	// PutSilence creates a silence without an ID, or changes the one with it.
	// One that changes what it matches while it is active ends the old one and
	// makes another, as Alertmanager does. The silence comes back as it is kept.
	PutSilence(ctx context.Context, s alert.Silence) (alert.Silence, error)
	// ExpireSilence ends a silence now.
	ExpireSilence(ctx context.Context, id, by string) (alert.Silence, error)
	// Acknowledge takes alerts up, or snoozes them; it returns them as they
	// stand then. AlertID and Severity of the ack are filled in.
	Acknowledge(ctx context.Context, ids []string, ack alert.Ack) ([]alert.Standing, error)
	// Unacknowledge takes that back.
	Unacknowledge(ctx context.Context, ids []string, by string) ([]alert.Standing, error)
}

// AlertExplainer says how an alert that fires stands with each of its receivers
// and what is due next; false for one that does not fire.
type AlertExplainer interface {
	ExplainAlert(id string) (alert.Outlook, bool)
}

// Heart is where signs of life come in.
type Heart interface {
	// Beat notes that one came. The error wraps store.ErrNotFound for a name that
	// is not configured.
	Beat(ctx context.Context, name string) error
	// Heartbeats returns how each stands, in the order of the configuration.
	Heartbeats() []HeartbeatStatus
}

// HeartbeatStatus is one heartbeat and how it stands.
type HeartbeatStatus struct {
	Name         string
	Every, Grace time.Duration
	Severity     alert.Severity // of the alert when it is late
	LastBeat     time.Time      // zero when none has come
	// LateAt is when it is late, or was late since.
	LateAt time.Time
	Late   bool
}

// Buttons is a receiver whose messages have buttons. ReadPress reads what its
// service says of a pressed one; the error is notifiers.ErrNotSigned unless the
// receiver's own service signed it, and otherwise one that the client may read.
type Buttons interface {
	ReadPress(header http.Header, body []byte) (notifiers.Press, error)
}
