package ruletest

import (
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
)

// Result is what came of a test; it passed when nothing failed.
type Result struct {
	Failures []Failure
	// Steps are the states that the alert went through, the worst where there
	// are several.
	Steps []Step
}

// Failure is one expectation that was not met.
type Failure struct {
	// Path is where it is written, below the test: expect.3m.severity.
	Path string
	At   time.Duration // since the first poll
	// Message says what was wanted, what there was, and why.
	Message string
}

// Step is a state and the moment since the first poll from which it was so.
type Step struct {
	At    time.Duration
	State string // ok, pending, info, warning, critical
}

// String writes the step as "3m30s warning".
func (s Step) String() string { return clockText(s.At) + " " + s.State }

// player is one run of a test.
type player struct {
	test     *Test
	coverage *Coverage
	eval     *rule.Evaluator
	cursors  [][]cursor // by source and series
	batch    []alert.Sample
	now      time.Duration
	wanted   []expectation // still to come
	asked    map[alert.Fingerprint]bool
	last     *rule.Judged // the newest verdict on a series that is meant
	result   Result
	misses   []pendingMiss
}

// pendingMiss is a failure to which is added, in the end, when what was wanted
// came about.
type pendingMiss struct {
	failure int // its index
	state   string
}

// Run plays the test and adds what it saw to coverage, which may be nil.
func (t *Test) Run(coverage *Coverage) Result {
	p := player{test: t, coverage: coverage, eval: newEvaluator(t.Rule), wanted: t.wanted, asked: map[alert.Fingerprint]bool{}}
	p.result.Steps = []Step{{State: wantOK}}
	p.eval.Watch(p.look)
	for _, f := range t.sources {
		p.cursors = append(p.cursors, make([]cursor, len(f.series)))
	}
	for i := range t.polls {
		at := time.Duration(i) * t.every
		p.expectUntil(at, false)
		p.poll(at)
	}
	p.expectUntil(time.Duration(t.polls)*t.every, true)
	for _, m := range p.misses {
		p.result.Failures[m.failure].Message += p.whenElse(m.state, p.result.Failures[m.failure].At)
	}
	return p.result
}

// look takes note of a verdict.
func (p *player) look(j rule.Judged) {
	p.coverage.judged(p.test.Rule, j)
	if p.meant(j.Series) {
		p.last = &j
	}
}

// meant says whether the test is about the alert of a series.
func (p *player) meant(series alert.Labels) bool {
	if len(p.test.labels) == 0 {
		return true
	}
	fp := series.Fingerprint()
	meant, known := p.asked[fp]
	if !known {
		meant = p.test.labels.Subset(p.test.Rule.Identity(series))
		p.asked[fp] = meant
	}
	return meant
}

func (p *player) moment(at time.Duration) time.Time { return p.test.begins.Add(at) }

// expectUntil lets the clock run to each moment at which something is expected,
// before the given one or, at the end, at it too, and looks. What is expected at
// the moment of a poll is looked for before the next one.
func (p *player) expectUntil(at time.Duration, end bool) {
	for len(p.wanted) > 0 && (p.wanted[0].at < at || end) {
		p.tick(p.wanted[0].at)
		p.judge(&p.wanted[0])
		p.wanted = p.wanted[1:]
	}
}

// tick lets the clock run, as the engine does: at each moment that something
// is due.
func (p *player) tick(to time.Duration) {
	moment := p.moment(to)
	for due := p.eval.NextDue(); !due.IsZero() && due.Before(moment); due = p.eval.NextDue() {
		p.now = due.Sub(p.test.begins)
		p.note(p.eval.Tick(due))
	}
	p.now = to
	p.note(p.eval.Tick(moment))
}

// poll takes what each source brings at a moment.
func (p *player) poll(at time.Duration) {
	p.tick(at)
	now := p.moment(at)
	for i := range p.test.sources {
		f := &p.test.sources[i]
		p.batch = p.batch[:0]
		from := rule.Context{Source: f.name, Interval: p.test.every, StartedAt: p.test.started}
		for k := range f.series {
			s := &f.series[k]
			value, action := p.cursors[i][k].next(s.runs)
			switch action {
			case gives:
				p.batch = append(p.batch, alert.Sample{Metric: s.metric.Name, Labels: s.labels, Value: value, At: now})
			case fails:
				from.Failed = true
			case misses:
			}
		}
		if f.tellsUp {
			p.batch = append(p.batch, alert.Sample{Metric: sourceUp, Labels: alert.LabelsOf(alert.LabelSource, f.name), Value: oneUnless(from.Failed), At: now})
		}
		p.note(p.eval.Observe(p.batch, from, now))
	}
}

func oneUnless(down bool) float64 {
	if down {
		return 0
	}
	return 1
}

// note takes down what the transitions brought about.
func (p *player) note(transitions []rule.Transition) {
	if len(transitions) == 0 {
		return
	}
	p.coverage.moved(p.test.Rule, transitions)
	state := stateOf(p.worst())
	if p.result.Steps[len(p.result.Steps)-1].State == state {
		return
	}
	if n := len(p.result.Steps); p.result.Steps[n-1].At == p.now {
		p.result.Steps[n-1].State = state
		return
	}
	p.result.Steps = append(p.result.Steps, Step{p.now, state})
}

// worst is the worst of the alerts that are meant: one that fires before one
// that is pending; nil for none.
func (p *player) worst() *alert.Alert {
	var worst *alert.Alert
	for _, a := range p.eval.Alerts() { // the worst severity first
		if !p.test.labels.Subset(a.Labels) {
			continue
		}
		if a.State == alert.Firing {
			return &a
		}
		if worst == nil {
			worst = &a
		}
	}
	return worst
}

// judge compares what there is with what is wanted.
func (p *player) judge(e *expectation) {
	a := p.worst()
	for i, m := range e.judge(a, p.test.Rule.Metric) {
		text := m.text
		if i == 0 {
			text += " (" + p.because(a) + ")" + p.samples(a, e.at)
		}
		if m.state && e.state != "" {
			p.misses = append(p.misses, pendingMiss{len(p.result.Failures), e.state})
		}
		p.result.Failures = append(p.result.Failures, Failure{Path: m.path, At: e.at, Message: "at " + clockText(e.at) + ": " + text})
	}
}

// whenElse says when, nearest to a moment, what was wanted at it was so.
func (p *player) whenElse(state string, at time.Duration) string {
	text, nearest := "; it never is in this test", time.Duration(-1)
	consider := func(distance time.Duration, found string) {
		if nearest < 0 || distance < nearest {
			text, nearest = found, distance
		}
	}
	for i, s := range p.result.Steps {
		switch {
		case !is(state, s.State):
		case s.At > at:
			consider(s.At-at, fmt.Sprintf("; it is %s from %s on", s.State, clockText(s.At)))
		case i+1 < len(p.result.Steps):
			end := p.result.Steps[i+1].At
			consider(at-end, fmt.Sprintf("; it was %s from %s to %s", s.State, clockText(s.At), clockText(end)))
		}
	}
	return text
}

// is says whether a state answers to what is wanted.
func is(want, state string) bool {
	return want == state || want == wantFiring && state != wantOK && state != wantPending
}

// cursor is a place in a series' runs.
type cursor struct {
	run, done int // done polls of the run
}

// next returns what the series does in the next poll.
func (c *cursor) next(runs []run) (float64, action) {
	for c.run < len(runs) && runs[c.run].polls != toTheEnd && c.done >= runs[c.run].polls {
		c.run, c.done = c.run+1, 0
	}
	if c.run >= len(runs) {
		return 0, misses
	}
	r := &runs[c.run]
	value := r.from.number
	if r.ramp {
		// By shares of both ends, so that a ramp between huge numbers does not
		// overflow, and ends at what is written.
		share := float64(c.done) / float64(r.polls-1)
		value = r.from.number*(1-share) + r.to.number*share
	}
	c.done++
	return value, r.action
}
