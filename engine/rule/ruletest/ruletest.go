// Package ruletest plays the tests that stand beside rules: series written poll
// by poll, and what the rule must make of them. cmd/tocsin calls it for test and
// check, configs for the tests' form. It is pure: no clock, no I/O; an evaluator
// of its own is driven at made-up moments.
package ruletest

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// DefaultEvery is the time between two polls of a test that gives none.
const DefaultEvery = 15 * time.Second

// DefaultBegins is the first poll of a test that gives no moment: a Monday,
// 00:00 UTC.
func DefaultBegins() time.Time { return time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) }

// DefaultSource is the label source of series that are written without one.
const DefaultSource = "test"

// Rules is what tests are about.
type Rules struct {
	// ByID holds every rule; nil for one that has mistakes of its own, whose
	// tests are passed over.
	ByID    map[string]*rule.Rule
	Catalog source.Catalog
	Metrics rule.Metrics // the derived ones of the catalog
}

// Test is one test, checked and ready to be played any number of times. It is
// immutable and safe for concurrent use.
type Test struct {
	Name   string // as written; may be empty
	Rule   *rule.Rule
	every  time.Duration
	begins time.Time
	// started is when the watched process was; zero where nobody knows.
	started time.Time
	polls   int          // of the longest series
	labels  alert.Labels // of the alerts that are meant
	sources []feed       // in the order in which they are polled
	wanted  []expectation
}

// feed is one source and its series.
type feed struct {
	name   string
	series []series
	// tellsUp says that source.up is made of the polls that are down.
	tellsUp bool
}

// series is one series and what it does.
type series struct {
	metric source.Metric
	labels alert.Labels
	runs   []run // in the metric's unit
}

// Check finds the mistakes of a test that can be found without knowing the
// rules, with paths below the test.
func Check(spec rule.TestSpec) problem.List {
	w := written{spec: spec}
	w.read()
	return w.problems
}

// Compile finds all mistakes of a test, with paths below it, and makes it ready
// to be played; nil when there are any but warnings, or when its rule has.
func Compile(spec rule.TestSpec, rules Rules) (*Test, problem.List) {
	w := written{spec: spec}
	w.read()
	formed := len(w.problems) == 0
	b := binder{written: &w, rules: rules}
	t := b.bind()
	if !formed || refuses(w.problems) {
		return nil, w.problems
	}
	return t, w.problems
}

func refuses(problems problem.List) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}
