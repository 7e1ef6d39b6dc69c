package ruletest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// sourceUp is the metric that says whether a source can be read.
const sourceUp = "source.up"

// binder makes a test of what is written, by the rule that it is about.
type binder struct {
	*written
	rules Rules
	rule  *rule.Rule
	// watched are the metrics that the rule looks at.
	watched []string
	all     []series
}

func (b *binder) bind() *Test {
	found, known := b.rules.ByID[b.spec.Rule]
	switch {
	case b.spec.Rule == "":
		return nil
	case !known:
		b.problems.AddHint("rule", problem.DidYouMean(b.spec.Rule, slices.Sorted(maps.Keys(b.rules.ByID))), "there is no rule %q", clip(b.spec.Rule))
		return nil
	case found == nil:
		return nil
	}
	b.rule = enabled(found, b.rules)
	b.watched = slices.Sorted(maps.Keys(newEvaluator(b.rule).Lookback()))
	for _, one := range b.series {
		b.bindSeries(one)
	}
	b.bindFigures()
	b.bindLabels()
	t := &Test{
		Name: b.spec.Name, Rule: b.rule, every: b.every, begins: b.begins, polls: b.polls,
		labels: alert.FromMap(b.spec.Labels), sources: b.feeds(), wanted: b.wanted,
	}
	if b.spec.Started != nil {
		t.started = t.begins.Add(-*b.spec.Started)
	}
	return t
}

// enabled returns a disabled rule as it would be: a test of it says that it is
// right when somebody needs it.
func enabled(r *rule.Rule, rules Rules) *rule.Rule {
	if !r.Spec.Disabled {
		return r
	}
	spec := r.Spec
	spec.Disabled = false
	if on, problems := rule.Compile(spec, rules.Catalog, rules.Metrics...); len(problems) == 0 {
		return on
	}
	return r
}

// newEvaluator judges the rule under test alone. What other rules say has no
// part in what this one says, and thousands of tests of thousands of rules
// stay cheap.
func newEvaluator(r *rule.Rule) *rule.Evaluator { return rule.NewEvaluator([]*rule.Rule{r}) }

func (b *binder) bindSeries(w writtenSeries) {
	if w.key == rule.OwnSeries {
		w.metric, w.labels = b.rule.Metric.Name, b.ownLabels()
	}
	m, ok := b.rules.Catalog.Lookup(w.metric)
	if w.metric == b.rule.Metric.Name {
		m, ok = b.rule.Metric, true
	}
	if !ok {
		b.inKey(w.path, problem.DidYouMean(w.metric, append(b.watched, b.rules.Catalog.Names()...)), "unknown metric %q", clip(w.metric))
		return
	}
	if !slices.Contains(b.watched, w.metric) && w.metric != sourceUp {
		b.inKey(w.path, "it looks at "+strings.Join(b.watched, ", "), "rule %s does not look at %s", b.rule.ID, w.metric)
		b.problems[len(b.problems)-1].Warning = true
	}
	s := series{metric: m, labels: alert.LabelsOf(alert.LabelSource, DefaultSource).Merge(alert.FromMap(w.labels)), runs: slices.Clone(w.runs)}
	for i := range s.runs {
		for _, q := range [...]*quantity{&s.runs[i].from, &s.runs[i].to} {
			factor, fits := conversion(q.unit, m)
			if !fits {
				b.problems = append(b.problems, unitMistake(w.path, *q, m))
				break
			}
			if q.number, q.unit = q.number*factor, ""; math.IsInf(q.number, 0) {
				b.problems = append(b.problems, problem.Problem{Path: w.path, Offset: q.offset, Message: "no sample can be as large as this"})
				break
			}
		}
	}
	for _, other := range b.all {
		if other.metric.Name == s.metric.Name && other.labels.Equal(s.labels) {
			b.inKey(w.path, "", "the series %s%s stands here twice", s.metric.Name, s.labels)
			return
		}
	}
	b.all = append(b.all, s)
}

// judged returns the labels of what the rule judges: those of its series, or of
// the series that it makes of several. What an override switches off counts, too:
// a test may say that it stays quiet.
func (b *binder) judged() []alert.Labels {
	var judged []alert.Labels
	for _, s := range b.all {
		if s.metric.Name == b.rule.Metric.Name && b.rule.Match.Matches(s.labels) {
			judged = append(judged, judgedLabels(b.rule, s.labels))
		}
	}
	e := newEvaluator(b.rule)
	e.Watch(func(j rule.Judged) { judged = append(judged, j.Series) })
	now := b.begins
	for i, s := range b.all {
		e.Observe([]alert.Sample{{Metric: s.metric.Name, Labels: s.labels, Value: float64(i + 1), At: now}}, rule.Context{Source: s.labels.Get(alert.LabelSource), Interval: b.every}, now)
	}
	return judged
}

// judgedLabels are the labels of what the rule judges of a series.
func judgedLabels(r *rule.Rule, series alert.Labels) alert.Labels {
	if len(r.Spec.By) > 0 {
		return series.Only(r.Spec.By...)
	}
	return series
}

func (b *binder) inKey(path, hint, format string, args ...any) {
	b.problems = append(b.problems, problem.Problem{Path: path, InKey: true, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// ownLabels are those of the series that the short form gives: the test's, less
// what the rule itself adds to its alerts, and what the rule's match asks for.
func (b *binder) ownLabels() map[string]string {
	labels := map[string]string{}
	for _, m := range b.rule.Match {
		if m.Op == alert.MatchEqual {
			labels[m.Name] = m.Value
		}
	}
	for name, value := range b.spec.Labels {
		if b.rule.Labels().Get(name) != value {
			labels[name] = value
		}
	}
	return labels
}

func (b *binder) bindFigures() {
	for _, e := range b.wanted {
		for _, one := range [...]struct {
			key string
			*figure
		}{{"value", e.value}, {"threshold", e.threshold}} {
			if one.figure == nil {
				continue
			}
			if _, fits := conversion(one.unit, b.rule.Metric); !fits {
				b.problems = append(b.problems, unitMistake(e.path+"."+one.key, one.quantity, b.rule.Metric))
			}
		}
	}
}

// bindLabels makes sure that the test is about something: a series that the
// rule does not take would be well for ever.
func (b *binder) bindLabels() {
	if refuses(b.problems) {
		return
	}
	judged := b.judged()
	if len(judged) == 0 {
		hint := "it judges " + b.rule.Metric.Name
		if len(b.rule.Match) > 0 {
			hint += " where " + strings.Join(b.rule.Spec.Match, ", ")
		}
		b.problems.AddHint("series", hint, "rule %s judges none of these series", b.rule.ID)
		return
	}
	wanted := alert.FromMap(b.spec.Labels)
	if !slices.ContainsFunc(judged, func(l alert.Labels) bool { return wanted.Subset(b.rule.Identity(l)) }) {
		b.problems.AddHint("labels", "its alerts have "+b.rule.Identity(judged[0]).String(), "no alert of this test has these labels")
	}
}

// feeds groups the series by their source. The sources of the rule's own metric
// come last, so that a poll sees what all others brought in the same poll.
func (b *binder) feeds() []feed {
	var feeds []feed
	own := map[string]bool{}
	for _, s := range b.all {
		name := s.labels.Get(alert.LabelSource)
		i := slices.IndexFunc(feeds, func(f feed) bool { return f.name == name })
		if i < 0 {
			i = len(feeds)
			feeds = append(feeds, feed{name: name, tellsUp: true})
		}
		feeds[i].series = append(feeds[i].series, s)
		feeds[i].tellsUp = feeds[i].tellsUp && s.metric.Name != sourceUp
		own[name] = own[name] || s.metric.Name == b.rule.Metric.Name
	}
	rank := func(f feed) int {
		if own[f.name] {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(feeds, func(a, b feed) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.name, b.name)) })
	return feeds
}
