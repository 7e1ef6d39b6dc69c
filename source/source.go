// Package source is how values enter Tocsin: the Source that every adapter
// implements, the loop that polls it, the catalog of metrics with their units,
// and the arithmetic of counters. The adapters live in the folders below and
// never import each other. It is called by cmd and engine; it judges nothing
// and stores nothing.
package source

import (
	"context"
	"errors"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Source is one thing that is polled. The loop calls Poll from one goroutine,
// never twice at a time, with a deadline on ctx; Close is called once, after
// the last Poll returned or was abandoned.
type Source interface {
	// Poll reads the thing once. It returns what it could read, also beside an
	// error: redis.up 0 comes with the error that says why. The error is a
	// *Fault where the source knows what kind it is.
	Poll(ctx context.Context) (Reading, error)
	Close() error
}

// Reading is what one poll found.
type Reading struct {
	// Samples need no source label and no time: the loop adds the source's
	// name, its configured labels, and the poll's time where At is zero.
	Samples []alert.Sample
	Facts   Facts
	// Health is the watched service's state as far as this source can tell;
	// empty means Healthy after a poll without error.
	Health Health
	// Problems are queries that failed alone, while others succeeded.
	Problems []Problem
	// StartedAt is when the watched process started, for the warm-up of rules;
	// zero when not known.
	StartedAt time.Time
}

// Add appends a sample with labels name, value, name, value, …
func (r *Reading) Add(metric string, value float64, labels ...string) {
	r.Samples = append(r.Samples, alert.Sample{Metric: metric, Value: value, Labels: alert.LabelsOf(labels...)})
}

// Problem is one query that failed alone. Err holds no secret.
type Problem struct {
	Query string
	Err   error
}

// Health is how a watched service is, in the words of the guide.
type Health string

// The states of a service, best first. Unknown means that nobody looks.
const (
	Unknown   Health = "unknown"
	Healthy   Health = "healthy"
	Degraded  Health = "degraded"
	Unhealthy Health = "unhealthy"
)

// Worse returns the worse of two states; Unknown never makes anything worse.
func (h Health) Worse(other Health) Health {
	if other.rank() > h.rank() {
		return other
	}
	return h
}

func (h Health) rank() int {
	switch h {
	case Healthy:
		return 1
	case Degraded:
		return 2
	case Unhealthy:
		return 3
	case Unknown:
	}
	return 0
}

// FaultKind sorts the reasons for which a poll fails.
type FaultKind string

// The kinds of fault.
const (
	Down     FaultKind = "down"     // nothing answers
	Busy     FaultKind = "busy"     // it answers that it cannot serve
	Starting FaultKind = "starting" // it answers that it will serve soon
	Full     FaultKind = "full"     // it serves, and takes no more connections
	Blind    FaultKind = "blind"    // it may be well: the monitor is not allowed to see
	Garbled  FaultKind = "garbled"  // the answer cannot be understood
)

// Fault is a poll's error with its kind. Err holds no secret.
type Fault struct {
	Kind FaultKind
	Err  error
}

// Error returns the cause's text.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// KindOf returns the kind of fault that err carries; Down when it carries none.
func KindOf(err error) FaultKind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Down
}

// HealthOf returns what a failed poll says of the service.
func HealthOf(err error) Health {
	switch KindOf(err) {
	case Starting, Blind, Garbled:
		return Degraded
	case Down, Busy, Full:
		return Unhealthy
	}
	return Unhealthy
}

// Batch is what one poll or one push gave, ready to be judged: every sample
// has its source label and its time.
type Batch struct {
	Source    string
	Type      string
	At        time.Time
	Samples   []alert.Sample
	StartedAt time.Time
	// Interval is how often the source gives a batch; zero when nobody knows.
	Interval time.Duration
	// Failed marks a poll that could not read its source.
	Failed bool
}

// Sink takes batches. Ingest returns when the batch is taken, or with ctx's
// error; it is safe for concurrent use and keeps no reference that the caller
// may still change.
type Sink interface {
	Ingest(ctx context.Context, b Batch) error
}
