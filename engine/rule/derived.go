package rule

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Expression is the compiled expression of a derived metric: a number made of
// other metrics' series, which come in groups of like labels. It is immutable
// and safe for concurrent use; the series that it is evaluated over are not.
type Expression struct {
	Text string
	needs
	num   func(*frame) float64
	unit  unit
	reads []Read
}

// Read is a metric that an expression reads.
type Read struct {
	Metric string
	// Aggregated says that all its series in the group are joined into one
	// number. Where it is false, a group with several has no value.
	Aggregated bool
}

// CompileExpression compiles the expression of a derived metric. In it,
// metric("x") is the only series of x in the group at hand, and sum, avg, min,
// max and count of it join all of them: sum(metric("x")), or with a window of
// each, sum(metric("x").rate(5m)). Problems carry the byte offset into the text.
func CompileExpression(text string, catalog source.Catalog, o Options) (*Expression, problem.List) {
	o.Derived = true
	c, root, problems := compileText(text, source.Metric{}, catalog, o, "an expression")
	switch {
	case len(problems) > 0:
		return nil, problems
	case root.kind != number:
		return nil, problem.List{{Message: "this is " + string(root.kind) + ", not a number", Hint: `write for example sum(metric("redis.ops_per_sec"))`}}
	case len(c.reads) == 0:
		return nil, problem.List{{Message: "the expression reads no metric", Hint: `write for example sum(metric("redis.ops_per_sec"))`}}
	}
	return &Expression{Text: text, needs: c.needs, num: root.num, unit: root.unit, reads: c.reads}, nil
}

// Eval computes the number now. group gives the series of a metric in the group
// at hand, those with fresh samples; it is not called for metrics that Reads
// does not list. NaN is unknown.
func (e *Expression) Eval(now time.Time, group func(metric string) []*Series) float64 {
	return finite(e.num(&frame{now: now.UnixNano(), group: group}))
}

// Reads lists the metrics that the expression reads, each once, in their order
// in the text. One that is read both ways is not aggregated.
func (e *Expression) Reads() []Read { return e.reads }

// Metrics lists the names of the metrics that the expression reads.
func (e *Expression) Metrics() []string {
	names := make([]string, len(e.reads))
	for i := range e.reads {
		names[i] = e.reads[i].Metric
	}
	return names
}

// Unit names the unit that the number is in, as metrics name theirs; empty for
// a plain number.
func (e *Expression) Unit() string { return e.unit.name() }

// In gives the expression in a metric's unit, ms instead of s; false when the
// unit measures something else. A plain number fits every unit, for products
// and quotients are plain: the unit that is declared says what they are.
func (e *Expression) In(unitName string) (*Expression, bool) {
	want := unitOf(source.Metric{Unit: unitName})
	if e.unit.bare || e.unit.dim == units.None {
		return e, true
	}
	if e.unit.dim != want.dim {
		return nil, false
	}
	out := *e
	if want.factor != e.unit.factor {
		n := rescale(node{kind: number, unit: e.unit, num: e.num}, want)
		out.num, out.unit = n.num, n.unit
	}
	return &out, true
}

// groupable says whether a function can join the series of a group.
func groupable(name string) bool {
	return slices.Contains([]string{"sum", "avg", "min", "max", "count"}, name)
}

// overGroup says whether an argument is metric("x"), or a window over it in
// either form.
func (c *compiler) overGroup(n ast.Node) bool {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	if callee, ok := call.Callee.(*ast.MemberNode); ok {
		return c.isMetricCall(callee.Node)
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	return c.isMetricCall(n) || ok && isWindow(callee.Value) && len(call.Arguments) > 0 && c.isMetricCall(call.Arguments[0])
}

// groupCall is sum(metric("x")), or sum(metric("x").rate(5m)).
func (c *compiler) groupCall(n *ast.CallNode, name string, arg ast.Node) node {
	if c.each {
		return c.fail(n, "", "%s joins the series already", name)
	}
	c.each, c.eachMetric = true, ""
	inner := c.compile(arg)
	metric := c.eachMetric
	c.each = false
	if inner.bad() {
		return inner
	}
	out := node{kind: number, unit: inner.unit, num: joined(name, metric, inner.num)}
	if name == "count" {
		out.unit = bareUnit()
	}
	out.why = func(*frame) string { return "no series of " + metric + " in the group has a value" }
	return out
}

// joined computes over the series of the group whose value is known; without
// any it is unknown, and a count 0. The order of the series does not matter.
func joined(name, metric string, inner func(*frame) float64) func(*frame) float64 {
	return func(f *frame) float64 {
		var of total
		n, least, most := 0.0, math.Inf(1), math.Inf(-1)
		for _, s := range f.group(metric) {
			f.item = s
			if v := inner(f); !math.IsNaN(v) {
				of.add(v)
				n, least, most = n+1, min(least, v), max(most, v)
			}
		}
		f.item = nil
		switch {
		case name == "count":
			return n
		case n == 0:
			return math.NaN()
		case name == "min":
			return least
		case name == "max":
			return most
		case name == "avg":
			return of.value() / n
		}
		return of.value()
	}
}

// read notes a metric of a derived one, and how to find its series.
func (c *compiler) read(metric string) func(*frame) *Series {
	i := slices.IndexFunc(c.reads, func(r Read) bool { return r.Metric == metric })
	if i < 0 {
		c.reads = append(c.reads, Read{Metric: metric, Aggregated: true})
		i = len(c.reads) - 1
	}
	if c.each {
		c.eachMetric = metric
		return func(f *frame) *Series { return f.item }
	}
	c.reads[i].Aggregated = false
	return func(f *frame) *Series {
		if all := f.group(metric); len(all) == 1 {
			return all[0]
		}
		return nil
	}
}

// ownless says that a derived metric has no series of its own.
func (c *compiler) ownless(n ast.Node, name string) node {
	return c.fail(n, `read metrics with metric("…"), or join them as in `+strings.Join([]string{`sum(metric("…"))`, `avg(metric("…"))`}, ", "),
		"%s is not there in a derived metric, which has no series of its own", name)
}
