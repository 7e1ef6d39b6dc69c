package imports

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tocsin-dev/tocsin/alert"
)

// aggregate is sum by (a) (x), of which every series has the labels of the
// derived metric.
func (s *speaker) aggregate(n *parser.AggregateExpr) string {
	fn := n.Op.String()
	switch {
	case !slices.Contains([]string{"sum", "avg", "min", "max", "count"}, fn):
		stop(n, "%s joins series in a way that is not known here", fn)
	case n.Without:
		stop(n, "without keeps labels that are not known here; write by")
	case !s.deriving:
		stop(n, "an aggregation within an expression over single series")
	}
	s.setGrouping(n, slices.Sorted(slices.Values(n.Grouping)), true)
	inner := unwrap(n.Expr)
	var vs *parser.VectorSelector
	switch of := inner.(type) {
	case *parser.VectorSelector:
		vs = of
	case *parser.Call:
		if ms, ok := lastArg(of).(*parser.MatrixSelector); ok {
			vs, _ = ms.VectorSelector.(*parser.VectorSelector)
		}
	}
	if vs == nil {
		stop(inner, "an aggregation of anything but one metric, or one window over it")
	}
	s.sameMatchers(vs)
	s.joining = true
	text := fn + "(" + s.number(inner, 0) + ")"
	s.joining = false
	return text
}

// setGrouping notes the labels by which series are joined: all parts of an
// expression must agree.
func (s *speaker) setGrouping(n parser.Node, names []string, on bool) {
	for _, name := range names {
		if !alert.IsLabelName(name) || name == labels.BucketLabel {
			stop(n, "an aggregation by the label %s", name)
		}
	}
	if !on || s.grouped && !slices.Equal(s.grouping, names) {
		stop(n, "its parts are joined by different labels")
	}
	s.grouping, s.grouped = names, true
}

// sameMatchers holds the matchers of all parts together. Only = can be said: its
// label is kept, and the rule asks for it.
func (s *speaker) sameMatchers(vs *parser.VectorSelector) {
	var own []*labels.Matcher
	for _, m := range vs.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		if m.Type != labels.MatchEqual || m.Value == "" {
			stop(vs, "an aggregation of some series, by %s; give that metric a name of its own in the map of its source, or in the application", m)
		}
		own = append(own, m)
	}
	slices.SortFunc(own, func(a, b *labels.Matcher) int { return strings.Compare(a.String(), b.String()) })
	if s.matchers != nil && !slices.EqualFunc(s.matchers, own, func(a, b *labels.Matcher) bool { return a.String() == b.String() }) {
		stop(vs, "its parts are of different series; give each a name of its own in the map of its source, or in the application")
	}
	s.matchers = append([]*labels.Matcher{}, own...)
}

// group ends a derived metric: equal matchers become labels that are kept, so
// that the rule can ask for them.
func (s *speaker) group() {
	names := append([]string{}, s.grouping...)
	for _, m := range s.matchers {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	s.out.derived.Labels = &names
	s.out.match = s.match(s.matchers)
}
