package main

import (
	"maps"
	"strings"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/lint"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// linter warns of what can be read and cannot be meant. Nil warns of nothing.
type linter struct {
	rules *lint.Linter
	// categories of the rules that were judged, by id: with severity they are
	// what routes can go by.
	categories map[string]string
}

// newLinter judges by what a configuration says of the sources; with nil by the
// rules alone. seen is what a running daemon tells; nil when none is asked.
func newLinter(c *configs.Config, written *configs.Written, seen seenFunc) *linter {
	w := lint.World{Seen: seen}
	if c != nil {
		w.Configured, w.Retention = true, c.Store.Retention.Samples
		for i := range written.Sources {
			w.Sources = append(w.Sources, lintSource(&written.Sources[i]))
		}
	}
	return &linter{rules: lint.New(w), categories: map[string]string{}}
}

// remember notes what later warnings must know of a rule; nil is none.
func (l *linter) remember(r *rule.Rule) {
	if l != nil && r != nil {
		l.categories[r.ID] = r.Category
	}
}

// rule returns the warnings of a rule that compiles, with paths below it; none
// for nil. It is safe for concurrent use.
func (l *linter) rule(r *rule.Rule) problem.List {
	if l == nil || r == nil {
		return nil
	}
	return l.rules.Rule(r)
}

// yielder is what a source's settings say of what it can give.
type yielder interface {
	Yields(name string) source.Yield
}

// lintSource describes a source. What one of no known type would yield, nobody
// can say.
func lintSource(s *configs.Source) lint.Source {
	out := lint.Source{Name: s.Name, Type: s.Type, Labels: s.Labels, Interval: s.Interval, Yield: source.Yield{Metrics: []string{"*"}, Open: true}}
	if s.Type == typePush {
		out.Interval = 0 // its own is not that of the pushes
	}
	if y, ok := s.Settings.(yielder); ok {
		out.Yield = y.Yields(s.Name)
	}
	return out
}

// config returns the warnings of the configuration beside its rules, which have
// been judged. Where one of the mistakes stands in the way of a warning, it is
// left out: its cause is told.
func (l *linter) config(c *configs.Config, written *configs.Written, mistakes, ofRules yamlpos.Mistakes) yamlpos.Mistakes {
	if l == nil {
		return nil
	}
	var out problem.List
	alerts := l.alerts(c, mistakes, ofRules)
	if sound(mistakes, "route") {
		out.Under("route", lint.Routes(written.Route, alerts))
	}
	if sound(mistakes, "inhibit") {
		out.Under("inhibit", lint.Inhibitions(written.Inhibit, alerts))
	}
	if sound(mistakes, "route") && sound(mistakes, "receivers") {
		names := make([]string, len(written.Receivers))
		for i := range written.Receivers {
			names[i] = written.Receivers[i].Name
		}
		out.Under("receivers", lint.Receivers(names, written.Route))
	}
	return written.Locate(out)
}

// alerts is what alerts there can be; nil while the rules have mistakes, for
// there may be others.
func (l *linter) alerts(c *configs.Config, mistakes, ofRules yamlpos.Mistakes) lint.Alerts {
	if ofRules.Err() != nil || !sound(mistakes, "rules") {
		return nil
	}
	if len(l.categories) == 0 {
		return lint.NewAlerts(nil) // the rules are still to be written
	}
	categories := maps.Clone(l.categories)
	for _, r := range builtinRules(c, nil) {
		categories[r.ID] = r.Category
	}
	return lint.NewAlerts(categories)
}

// sound says whether there is no mistake in a part of the configuration.
func sound(known yamlpos.Mistakes, part string) bool {
	for _, m := range known {
		if rest, ok := strings.CutPrefix(m.Path, part); ok && !m.Warning && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return false
		}
	}
	return true
}
