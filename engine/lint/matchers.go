package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// giving returns the sources that can give a metric.
func (l *Linter) giving(metric string) []Source {
	var giving []Source
	for _, s := range l.Sources {
		if strings.HasPrefix(metric, "source.") || s.Yield.Gives(metric) {
			giving = append(giving, s)
		}
	}
	return giving
}

// of returns the sources that can give a series that the rule judges.
func (l *Linter) of(r *rule.Rule) []Source {
	return slices.DeleteFunc(l.giving(r.Metric.Name), func(s Source) bool { return !s.satisfies(r.Match, r.Metric) })
}

// values returns all values that a label of a metric's series from this source
// can have, "" where they may lack it. known is false when nobody can say.
func (s Source) values(label string, m source.Metric) (values []string, known bool) {
	configured, isConfigured := s.Labels[label]
	switch {
	case label == alert.LabelSource:
		return []string{s.Name}, true
	case label == "type" && strings.HasPrefix(m.Name, "source."):
		return []string{s.Type}, true
	case s.Yield.Open && !strings.HasPrefix(m.Name, "source."):
		return nil, false
	case slices.Contains(m.Labels, label):
		values, known = s.Yield.Labels[label]
		return values, known && !isConfigured
	case isConfigured:
		return []string{configured}, true
	}
	return []string{""}, true
}

// satisfies says whether the source can give a series that matches.
func (s Source) satisfies(match alert.Matchers, m source.Metric) bool {
	for _, name := range names(match) {
		values, known := s.values(name, m)
		if known && !slices.ContainsFunc(values, func(v string) bool { return fits(match, name, v) }) {
			return false
		}
	}
	return true
}

// names returns the labels that matchers look at, each once.
func names(match alert.Matchers) []string {
	var all []string
	for _, m := range match {
		if !slices.Contains(all, m.Name) {
			all = append(all, m.Name)
		}
	}
	return all
}

// fits says whether a value of a label satisfies all matchers of it.
func fits(match alert.Matchers, label, value string) bool {
	labels := alert.FromMap(map[string]string{label: value})
	return !slices.ContainsFunc(match, func(m alert.Matcher) bool { return m.Name == label && !m.Matches(labels) })
}

// matchers warns of a rule that judges nothing: its metric has no source, or its
// matchers, or those of an override, fit no series.
func (j *judgement) matchers() {
	r := j.rule
	giving := j.world.giving(r.Metric.Name)
	if len(j.world.Sources) > 0 && len(giving) == 0 && j.world.builtin[r.Metric.Name] && !r.Spec.Disabled && !strings.HasPrefix(r.Metric.Name, "tocsin.") {
		j.warn(problem.NoSource, 0, sourceOf(r.Metric.Name), "no configured source yields "+r.Metric.Name, "metric")
		return
	}
	for i, text := range j.world.unmatched(r.Match, r.Metric, giving) {
		if text.message != "" {
			j.warn(text.code, 0, text.hint, text.message, fmt.Sprintf("match[%d]", i))
		}
	}
}

// overrides warns of overrides for label sets that there are not.
func (l *Linter) overrides(r *rule.Rule) problem.List {
	var out problem.List
	for _, v := range r.Overridden() {
		both := append(slices.Clone(v.Match), r.Match...)
		for i, text := range l.unmatched(both, r.Metric, l.giving(r.Metric.Name)) {
			if i < len(v.Match) && text.message != "" {
				out.Warn(text.code, fmt.Sprintf("%s.match[%d]", v.Path, i), text.hint, "%s", text.message)
			}
		}
	}
	return out
}

// remark is what is wrong with one matcher; empty when nothing is.
type remark struct{ code, message, hint string }

// unmatched returns a remark for each matcher.
func (l *Linter) unmatched(match alert.Matchers, m source.Metric, giving []Source) []remark {
	remarks := make([]remark, len(match))
	for i, matcher := range match {
		if remarks[i] = contradiction(match, i); remarks[i].message == "" && l.Configured && len(giving) > 0 {
			remarks[i] = alone(matcher, m, giving)
		}
	}
	none := !slices.ContainsFunc(remarks, func(r remark) bool { return r.message != "" })
	if none && l.Configured && len(giving) > 0 && len(match) > 0 &&
		!slices.ContainsFunc(giving, func(s Source) bool { return s.satisfies(match, m) }) {
		remarks[0], none = remark{problem.NoSuchSeries, "no source gives series that satisfy all of these matchers", ""}, false
	}
	if none {
		return l.notSeen(match, m.Name)
	}
	return remarks
}

// contradiction finds a matcher that cannot hold beside an earlier one.
func contradiction(match alert.Matchers, i int) remark {
	for k := range match[:i] {
		a, b := match[k], match[i]
		if a.Op != alert.MatchEqual {
			a, b = b, a
		}
		if a.Name == b.Name && a.Op == alert.MatchEqual && !b.Matches(alert.FromMap(map[string]string{a.Name: a.Value})) {
			return remark{problem.NoSuchSeries, fmt.Sprintf("nothing satisfies this and %s", match[k]), ""}
		}
	}
	return remark{}
}

// alone judges a matcher that no source's series can satisfy.
func alone(matcher alert.Matcher, m source.Metric, giving []Source) remark {
	can := map[string]bool{}
	for _, s := range giving {
		values, known := s.values(matcher.Name, m)
		if !known {
			return remark{}
		}
		for _, v := range values {
			can[v] = true
		}
	}
	values := slices.Sorted(maps.Keys(can))
	fitting := slices.ContainsFunc(values, func(v string) bool { return fits(alert.Matchers{matcher}, matcher.Name, v) })
	if slices.Equal(values, []string{""}) {
		return absent(matcher, m, giving, fitting)
	}
	if fitting {
		return remark{}
	}
	return remark{
		problem.NoSuchSeries, fmt.Sprintf("no series of %s has %s", m.Name, matcher),
		suggestion(matcher.Value, values),
	}
}

// absent judges a matcher of a label that the metric does not have. One that
// holds without it may be meant for another configuration, unless the name is
// misspelt.
func absent(matcher alert.Matcher, m source.Metric, giving []Source, fitting bool) remark {
	known := []string{alert.LabelSource}
	for _, s := range giving {
		known = append(known, slices.Collect(maps.Keys(s.Labels))...)
	}
	known = append(known, m.Labels...)
	slices.Sort(known)
	known = slices.Compact(known)
	hint := problem.DidYouMean(matcher.Name, known)
	switch {
	case !fitting && hint == "":
		hint = "it has " + strings.Join(known, ", ")
	case fitting && hint == "":
		return remark{}
	}
	effect := "this matches nothing"
	if fitting {
		effect = "this matches every series"
	}
	return remark{problem.UnknownLabel, fmt.Sprintf("no series of %s has a label %s: %s", m.Name, matcher.Name, effect), hint}
}

// suggestion names the value that was meant, or a few of those that there are.
func suggestion(given string, values []string) string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	if hint := problem.DidYouMean(given, values); hint != "" {
		return hint
	}
	if len(values) == 0 {
		return ""
	}
	const shown = 8
	if len(values) > shown {
		values = append(values[:shown:shown], "…")
	}
	return "there is " + strings.Join(values, ", ")
}

// sourceOf says what would yield a metric.
func sourceOf(metric string) string {
	family, _, _ := strings.Cut(metric, ".")
	switch family {
	case "cache":
		return "it comes of the strategy_stats of a source of type redis, or of one of type prometheus, json or push"
	case "app":
		return "it comes of a source of type prometheus, json or push"
	}
	return "it comes of a source of type " + family
}
