package rule

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// Metric is a derived metric, compiled: immutable, safe for concurrent use.
type Metric struct {
	source.Metric
	Spec Derived

	expr *Expression
	keep []string // labels; with all, every one
	all  bool
}

// Metrics are the derived metrics of one set of rule files, each after those
// that it reads.
type Metrics []*Metric

// derivedUnits are those that a metric may have; see source.Metric.
func derivedUnits() []string {
	return []string{"", "%", "ms", "s", "bytes", "/s", "/min", "bytes/s"}
}

var metricNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*([.:][A-Za-z0-9_]+)*$`)

// CompileMetrics checks derived metrics and makes Metrics of them. They may
// read each other, in any order and not in a circle. The catalog that is
// returned has them too; the problems are by the metrics' places, with paths
// below each.
func CompileMetrics(specs []Derived, catalog source.Catalog) (Metrics, source.Catalog, []problem.List) {
	problems := make([]problem.List, len(specs))
	declared := make([]source.Metric, 0, len(specs))
	byName := map[string]int{}
	for i := range specs {
		s := &specs[i]
		switch {
		case s.Name == "":
			problems[i].AddHint("name", "add for example `name: shop.error_share`", "a metric needs a name")
		case !metricNamePattern.MatchString(s.Name) || len(s.Name) > 200:
			problems[i].AddHint("name", "use letters, digits, _ and dots between", "%q cannot be a metric's name", s.Name)
		case has(catalog, s.Name):
			problems[i].AddHint("name", "give it another name", "there is a metric %q already", s.Name)
		}
		if !slices.Contains(derivedUnits(), s.Unit) {
			problems[i].AddHint("unit", problem.DidYouMean(s.Unit, derivedUnits()), "%q is not one of %s", s.Unit, strings.Join(derivedUnits()[1:], ", "))
		}
		if _, twice := byName[s.Name]; !twice && len(problems[i]) == 0 {
			byName[s.Name] = i
			declared = append(declared, s.metric())
		}
	}
	catalog = catalog.With(declared...)
	compiled := make([]*Metric, len(specs))
	for i := range specs {
		compiled[i] = compileMetric(specs[i], catalog, &problems[i])
	}
	return sortMetrics(compiled, byName, problems), catalog, problems
}

// has says whether somebody declared the name; an open catalog takes any.
func has(c source.Catalog, name string) bool {
	return slices.ContainsFunc(c.All(), func(m source.Metric) bool { return m.Name == name })
}

func (s *Derived) metric() source.Metric {
	m := source.Metric{Name: s.Name, Unit: s.Unit, Kind: source.Gauge, Description: s.Description}
	if m.Description == "" {
		m.Description = "derived: " + s.Expr
	}
	if s.Labels != nil {
		m.Labels = *s.Labels
	}
	return m
}

func compileMetric(spec Derived, catalog source.Catalog, problems *problem.List) *Metric {
	m := &Metric{Metric: spec.metric(), Spec: spec, all: spec.Labels == nil}
	if spec.Labels != nil {
		m.keep = *spec.Labels
	}
	for i, name := range m.keep {
		if !alert.IsLabelName(name) {
			problems.Add(fmt.Sprintf("labels[%d]", i), "%q is not the name of a label", name)
		}
	}
	if spec.Expr == "" {
		problems.AddHint("expr", `write for example sum(metric("app.requests_per_sec"))`, "a metric needs an expression")
		return nil
	}
	expr, mistakes := CompileExpression(spec.Expr, catalog, Options{})
	for _, p := range mistakes {
		p.Path = "expr"
		*problems = append(*problems, p)
	}
	if expr == nil {
		return nil
	}
	converted, ok := expr.In(spec.Unit)
	if !ok && slices.Contains(derivedUnits(), spec.Unit) {
		problems.Add("unit", "the expression is in %s, which is not %s", unitName(expr.Unit()), unitName(spec.Unit))
	}
	if !ok {
		return nil
	}
	m.expr = converted
	return m
}

// sortMetrics puts each metric after those that it reads; what reads itself is
// a mistake and left out.
func sortMetrics(compiled []*Metric, byName map[string]int, problems []problem.List) Metrics {
	const visiting, done = 1, 2
	state := make([]int, len(compiled))
	var out Metrics
	var path []string
	var visit func(i int)
	visit = func(i int) {
		if state[i] != 0 || compiled[i] == nil {
			return
		}
		state[i] = visiting
		path = append(path, compiled[i].Name)
		for _, name := range compiled[i].expr.Metrics() {
			to, derived := byName[name]
			switch {
			case !derived:
			case state[to] == visiting:
				from := slices.Index(path, name)
				problems[i].Add("expr", "the metrics read each other in a circle: %s", strings.Join(append(slices.Clone(path[from:]), name), " → "))
			default:
				visit(to)
			}
		}
		path = path[:len(path)-1]
		state[i] = done
		out = append(out, compiled[i])
	}
	for i := range compiled {
		visit(i)
	}
	return out
}

// reading returns those of the metrics that are named, and those that these
// read, in order.
func (ms Metrics) reading(names map[string]bool) Metrics {
	wanted := map[string]bool{}
	for i := len(ms) - 1; i >= 0; i-- { // each after those that it reads
		if m := ms[i]; names[m.Name] || wanted[m.Name] {
			wanted[m.Name] = true
			for _, name := range m.expr.Metrics() {
				wanted[name] = true
			}
		}
	}
	var out Metrics
	for _, m := range ms {
		if wanted[m.Name] {
			out = append(out, m)
		}
	}
	return out
}

// derivation is how the evaluator makes the metric's series.
func (m *Metric) derivation() *derivation {
	return &derivation{name: m.Name, inputs: m.expr.Metrics(), keep: m.keep, all: m.all, value: m.value}
}

// value computes the metric over a group.
func (m *Metric) value(e *Evaluator, g *group) float64 {
	unread := false
	f := frame{now: e.frame.now, group: func(metric string) []*Series {
		if g.of.all {
			return e.beside(g, metric)
		}
		series, ok := g.present(metric, e.frame.now, nil)
		unread = unread || !ok
		return series
	}}
	value := finite(m.expr.num(&f))
	if unread {
		return math.NaN()
	}
	return value
}

// beside gives the series of a metric for a derived one that keeps all labels:
// the group's own, and of other metrics the nearest, as conditions find them.
func (e *Evaluator) beside(g *group, metric string) []*Series {
	if metric == g.of.inputs[0] {
		return []*Series{&g.members[0].Series}
	}
	s := e.other(metric, g.labels)
	if s == nil || !s.seen || e.frame.now-s.last.at > int64(otherStale) {
		return nil
	}
	return []*Series{s}
}
