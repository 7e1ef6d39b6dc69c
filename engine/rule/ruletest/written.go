package ruletest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// What a test may ask for beside MaxPolls.
const (
	MaxSeries  = 1000
	MaxSamples = 5_000_000 // of all series together
	minEvery   = time.Millisecond
	maxEvery   = 24 * time.Hour
	maxLength  = 10 * 365 * 24 * time.Hour
)

// written is a test's form: what can be read of it without its rule.
type written struct {
	spec     rule.TestSpec
	problems problem.List

	every  time.Duration
	begins time.Time
	polls  int
	// garbled says that a series could not be read whole, so that nobody knows
	// how long it is.
	garbled bool
	endless bool // a series goes on to the end
	series  []writtenSeries
	wanted  []expectation // in the order of time
}

type writtenSeries struct {
	path   string
	key    string // as written; rule.OwnSeries for the short form
	metric string // empty for the short form
	labels map[string]string
	runs   []run
}

func (w *written) read() {
	s := w.spec
	if s.Rule == "" {
		w.problems.AddHint("rule", "add for example `rule: cache-hit-rate`", "a test needs a rule")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		switch {
		case name == alert.LabelSeverity:
			w.problems.AddHint("labels."+name, "say under expect which severity is wanted", "an alert is not chosen by its severity")
		case !alert.IsLabelName(name):
			w.problems.Add("labels."+name, "%q is not a label name", name)
		}
	}
	w.readTimes()
	w.readSeries()
	w.readExpect()
	w.measure()
}

func (w *written) readTimes() {
	w.every, w.begins = w.spec.Every, DefaultBegins()
	if w.every == 0 {
		w.every = DefaultEvery
	}
	if w.every < minEvery || w.every > maxEvery {
		w.problems.Add("every", "polls are between %s and %s apart", minEvery, units.Duration(maxEvery))
		w.every = DefaultEvery
	}
	if w.spec.Started != nil && (*w.spec.Started < 0 || *w.spec.Started > maxLength) {
		w.problems.Add("started", "a process was started between now and 10 years ago")
	}
	if w.spec.Begins == "" {
		return
	}
	begins, err := time.Parse(time.RFC3339, w.spec.Begins)
	switch {
	case err != nil:
		w.problems.AddHint("begins", "write for example 2026-01-05T09:00:00+01:00", "%q is not a moment", w.spec.Begins)
	case begins.Year() < 2000 || begins.Year() > 2200:
		w.problems.Add("begins", "a test begins between the years 2000 and 2200")
	default:
		w.begins = begins.UTC()
	}
}

func (w *written) readSeries() {
	switch n := len(w.spec.Series); {
	case n == 0:
		w.problems.AddHint("", "add for example `series: 90x4 60x8`", "a test needs series")
	case n > MaxSeries:
		w.problems.Add("series", "a test has at most %d series", MaxSeries)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(w.spec.Series)) {
		one := writtenSeries{path: problem.Join("series", key), key: key}
		var mistake *problem.Problem
		if key != rule.OwnSeries {
			one.metric, one.labels, mistake = parseName(key)
		}
		if mistake == nil && key != rule.OwnSeries && one.metric == "" {
			mistake = &problem.Problem{InKey: true, Message: "a series needs a metric", Hint: `write for example cache.hit_rate{strategy="A"}`}
		}
		if mistake != nil {
			mistake.Path = one.path
			w.problems = append(w.problems, *mistake)
		}
		runs, problems := parseText(w.spec.Series[key])
		one.runs = runs
		w.problems.Under(one.path, problems)
		w.garbled = w.garbled || len(problems) > 0
		if mistake == nil {
			w.series = append(w.series, one)
		}
		w.polls = max(w.polls, length(runs))
		w.endless = w.endless || len(runs) > 0 && runs[len(runs)-1].polls == toTheEnd
	}
}

// length is how many polls the runs are, less those of x*.
func length(runs []run) int {
	n := 0
	for _, r := range runs {
		n += max(r.polls, 0)
	}
	return n
}

func (w *written) readExpect() {
	if len(w.spec.Expect) == 0 {
		w.problems.AddHint("", "add for example `expect: {0s: ok, 3m: warning}`", "a test needs something to expect")
	}
	texts := map[time.Duration]string{}
	for _, key := range slices.Sorted(maps.Keys(w.spec.Expect)) {
		path := problem.Join("expect", key)
		at, err := units.ParseDuration(key)
		other, twice := texts[at]
		switch {
		case err != nil:
			w.problems = append(w.problems, problem.Problem{
				Path: path, InKey: true, Message: fmt.Sprintf("%q is not a moment since the first poll", clip(key)), Hint: "write for example 0s, 45s or 5m30s",
			})
			at = -1
		case twice:
			w.problems = append(w.problems, problem.Problem{Path: path, InKey: true, Message: fmt.Sprintf("%s is the moment %s, which stands here already", key, other)})
		default:
			texts[at] = key
		}
		e := expectation{at: at, path: path}
		e.read(w.spec.Expect[key], &w.problems)
		if at >= 0 {
			w.wanted = append(w.wanted, e)
		}
	}
	slices.SortStableFunc(w.wanted, func(a, b expectation) int { return cmp.Compare(a.at, b.at) })
}

// measure settles how long the test lasts: as long as its longest series, and
// where one goes on to the end as long as something is expected.
func (w *written) measure() {
	if w.endless && len(w.wanted) > 0 {
		last := w.wanted[len(w.wanted)-1]
		w.polls = max(w.polls, int(min(last.at/w.every+1, MaxPolls)))
	}
	end := time.Duration(w.polls) * w.every
	switch {
	case end > maxLength:
		w.problems.AddHint("every", "poll more often, or less", "a test lasts at most 10 years")
	case w.polls*len(w.spec.Series) > MaxSamples:
		w.problems.Add("series", "the series of a test have at most %d samples together", MaxSamples)
	}
	if w.polls == 0 || w.garbled {
		return
	}
	for _, e := range w.wanted {
		if e.at <= end {
			continue
		}
		w.problems = append(w.problems, problem.Problem{
			Path: e.path, InKey: true, Message: "the series end at " + clockText(end),
			Hint: fmt.Sprintf("add _x%d for polls without samples, or let the last value go on with x*", (e.at-end+w.every-1)/w.every),
		})
	}
}
