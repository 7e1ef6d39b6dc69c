package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// setBy checks `by` and `combine` and names the family that the rule judges.
func (r *Rule) setBy(spec Spec, problems *problem.List) {
	r.family = r.Metric.Name
	for i, name := range spec.By {
		if !alert.IsLabelName(name) {
			problems.Add(fmt.Sprintf("by[%d]", i), "%q is not the name of a label", name)
		}
	}
	switch {
	case len(spec.By) == 0 && spec.Combine != "":
		problems.AddHint("combine", "add for example by: [service]", "there is nothing to combine without by")
		return
	case len(spec.By) == 0:
		return
	case spec.Combine != "" && !slices.Contains(combinations(), spec.Combine):
		problems.AddHint("combine", problem.DidYouMean(spec.Combine, combinations()), "%q is not one of %s", spec.Combine, strings.Join(combinations(), ", "))
		return
	}
	how := spec.Combine
	if how == "" {
		how = r.worst()
	}
	if how == "" {
		problems.AddHint("by", "add combine: sum, avg, min, max or count",
			"it is not clear which of several series is the worst: the conditions do not all look one way")
		return
	}
	by := slices.Sorted(slices.Values(spec.By))
	by = slices.Compact(by)
	match := make([]string, len(r.Match))
	for i := range r.Match {
		match[i] = r.Match[i].String()
	}
	slices.Sort(match)
	name := fmt.Sprintf("%s of %s by (%s)", how, r.Metric.Name, strings.Join(by, ","))
	if len(match) > 0 {
		name += " {" + strings.Join(match, ",") + "}"
	}
	r.family = name
	r.combined = &derivation{name: name, inputs: []string{r.Metric.Name}, keep: by, match: r.Match, value: combining(how)}
}

// worst is min where all conditions fire below a threshold, max where all do
// above one, and empty where it cannot be told.
func (r *Rule) worst() string {
	below, above := false, false
	for i := range r.levels {
		if r.levels[i].when == nil {
			continue
		}
		terms := r.levels[i].when.terms
		own := slices.IndexFunc(terms, func(t term) bool { return t.left.from != originOther })
		if own < 0 {
			return ""
		}
		for _, t := range terms {
			switch {
			case t.left.from == originOther:
			case t.op == "<" || t.op == "<=":
				below = true
			case t.op == ">" || t.op == ">=":
				above = true
			default:
				return ""
			}
		}
	}
	switch {
	case below && !above:
		return combineMin
	case above && !below:
		return combineMax
	}
	return ""
}

// combining computes one value of the last ones of a group's only input.
func combining(how string) func(*Evaluator, *group) float64 {
	return func(e *Evaluator, g *group) float64 {
		var ok bool
		e.present, ok = g.present(g.of.inputs[0], e.frame.now, e.present[:0])
		if !ok {
			return math.NaN()
		}
		e.values = e.values[:0]
		for _, s := range e.present {
			e.values = append(e.values, s.last.value)
		}
		return combine(how, e.values)
	}
}

// matches says whether the rule judges a series of its family.
func (r *Rule) matches(labels alert.Labels) bool {
	return r.combined != nil || r.Match.Matches(labels)
}

// without takes the rule's own labels out of an alert's.
func (r *Rule) without(identity alert.Labels) alert.Labels {
	names := make([]string, 0, len(r.labels))
	for _, label := range r.labels {
		names = append(names, label.Name)
	}
	return identity.Without(names...)
}
