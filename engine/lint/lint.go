// Package lint finds what a configuration and its rules say that can be read and
// cannot be meant: conditions that never hold, severities that are never seen,
// matchers that nothing satisfies, routes that no alert reaches. The check of the
// command line calls it on rules that compile; the daemon does not need it. It
// performs no I/O, and never warns where it does not understand a condition.
package lint

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// World is what is known of where the samples of rules come from.
type World struct {
	// Configured says that Sources are all there are; without a configuration
	// nothing is known of them.
	Configured bool
	Sources    []Source
	// Seen returns the label sets of a metric that a running daemon has seen, and
	// whether they are all; nil when none is asked.
	Seen func(metric string) (series []alert.Labels, all bool)
	// Retention is how long samples are kept; zero when it is not known.
	Retention time.Duration
}

// Source is one configured source.
type Source struct {
	Name, Type string
	Interval   time.Duration // zero for one that is pushed to
	Labels     map[string]string
	Yield      source.Yield
}

// Linter judges rules by what is known of the world. It is safe for concurrent
// use when World.Seen is.
type Linter struct {
	World
	builtin map[string]bool // the catalog's own metrics
}

// New makes a linter.
func New(w World) *Linter {
	l := &Linter{World: w, builtin: map[string]bool{}}
	for _, m := range source.Builtin() {
		l.builtin[m.Name] = true
	}
	return l
}

// Rule returns the warnings of one rule, with paths below it. It is to have
// compiled without problems.
func (l *Linter) Rule(r *rule.Rule) problem.List {
	own, variants := l.judge(r), l.variants(r)
	var out problem.List
	for _, f := range own {
		if !slices.ContainsFunc(variants, f.isEndedBy) {
			out = append(out, f.at(f.paths[0]))
		}
	}
	for _, v := range variants {
		for _, f := range v.findings {
			path := slices.IndexFunc(f.paths, v.Wrote)
			if path < 0 || told(own, f) || strings.HasPrefix(f.paths[path], "match") || f.paths[path] == "metric" {
				continue // the rule's own, told there
			}
			out = append(out, f.at(problem.Join(v.Path, f.paths[path])))
		}
	}
	return append(out, l.overrides(r)...)
}

// variant is what an override makes of the rule, and the warnings of that.
type variant struct {
	rule.Changed
	findings []finding
}

// variants returns those of the overrides that leave the rule on.
func (l *Linter) variants(r *rule.Rule) []variant {
	var all []variant
	for _, v := range r.Overridden() {
		if v.Rule != nil {
			all = append(all, variant{v, l.judge(v.Rule)})
		}
	}
	return all
}

// isEndedBy says whether a severity that the rule itself never shows is seen
// where the override has it from the rule.
func (f finding) isEndedBy(v variant) bool {
	if f.Code != problem.Shadowed && f.Code != problem.SameCondition || v.Wrote(f.paths[0]) {
		return false
	}
	return !slices.ContainsFunc(v.findings, func(g finding) bool {
		return (g.Code == problem.Shadowed || g.Code == problem.SameCondition) && g.paths[0] == f.paths[0]
	})
}

// finding is one warning.
type finding struct {
	problem.Problem
	// text is the condition that is warned of, or empty.
	text string
	// paths are the places that could be changed to end it, best first. An
	// override is told of what it has written itself.
	paths []string
}

func (f finding) at(path string) problem.Problem {
	p := f.Problem
	if path != f.paths[0] {
		p.Offset = 0
	}
	p.Path, p.Warning = path, true
	return p
}

func told(known []finding, f finding) bool {
	return slices.ContainsFunc(known, func(k finding) bool { return k.Code == f.Code && k.Message == f.Message && k.text == f.text })
}

// judge returns the warnings of a rule without its overrides.
func (l *Linter) judge(r *rule.Rule) []finding {
	j := &judgement{rule: r, world: l, parts: r.Parts(), sources: l.of(r), known: map[question]answer{}}
	for i := range j.parts {
		j.condition(&j.parts[i])
	}
	j.severities()
	j.clear()
	j.times()
	j.matchers()
	return j.findings
}

// judgement is one judge at work.
type judgement struct {
	rule  *rule.Rule
	world *Linter
	parts []rule.Part
	// sources are those that can give the rule's series.
	sources  []Source
	findings []finding
	known    map[question]answer
}

// question is in what ways a part can hold, or fail.
type question struct {
	part  *rule.Part
	holds bool
}

type answer struct {
	ways       []alternative
	understood bool
}

// ways returns the alternatives of a part, worked out once. They must not be
// changed.
func (j *judgement) ways(p *rule.Part, holds bool) ([]alternative, bool) {
	q := question{p, holds}
	a, ok := j.known[q]
	if !ok {
		a.ways, a.understood = j.alternatives(p.Form, holds)
		j.known[q] = a
	}
	return a.ways, a.understood
}

// warn adds a warning; see finding for the paths.
func (j *judgement) warn(code string, offset int, hint, message string, paths ...string) {
	f := finding{Problem: problem.Problem{Code: code, Offset: offset, Message: message, Hint: hint}, paths: paths}
	if p := j.part(paths[0]); p != nil {
		f.text = p.Condition.Text
	}
	j.findings = append(j.findings, f)
}

// part returns the part that is written at a path; nil when there is none.
func (j *judgement) part(path string) *rule.Part {
	for i := range j.parts {
		if j.parts[i].Path == path {
			return &j.parts[i]
		}
	}
	return nil
}

// levels returns the conditions of the severities, gravest first.
func (j *judgement) levels() []*rule.Part {
	var levels []*rule.Part
	for i := range j.parts {
		if j.parts[i].Severity > 0 {
			levels = append(levels, &j.parts[i])
		}
	}
	return levels
}
