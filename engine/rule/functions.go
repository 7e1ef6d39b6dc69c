package rule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// window describes a window function.
type window struct {
	compute windowFunc
	unit    func(of unit) unit
	from    origin
	// ofNothing is the value over a series that is not there: unknown, but 0
	// for a count.
	ofNothing float64
	// unclear is why it may be unknown over two samples and more.
	unclear string
}

func sameUnit(of unit) unit { return of }
func noUnit(unit) unit      { return bareUnit() }
func plainUnit(of unit) unit {
	of.dim, of.factor, of.bare = units.None, 1, false
	return of
}
func percentOf(unit) unit { return percentUnit() }
func windowNames() []string {
	return []string{"avg", "min", "max", "sum", "count", "stddev", "rate", "change", "change_pct", "median", "p50", "p90", "p95", "p99", "zscore", "forecast", "baseline", "spread"}
}

// windowOf finds a window function by name; pNN is any percentile.
func windowOf(name string) (window, bool) {
	switch name {
	case "avg":
		return window{average, sameUnit, originSeries, math.NaN(), ""}, true
	case "min":
		return window{minimum, sameUnit, originSeries, math.NaN(), ""}, true
	case "max":
		return window{maximum, sameUnit, originSeries, math.NaN(), ""}, true
	case "sum":
		return window{sum, sameUnit, originSeries, math.NaN(), ""}, true
	case "count":
		return window{count, noUnit, originOther, 0, ""}, true
	case "stddev":
		return window{deviation, sameUnit, originOther, math.NaN(), ""}, true
	case "rate":
		return window{rate, noUnit, originOther, math.NaN(), ""}, true
	case "change":
		return window{change, sameUnit, originChange, math.NaN(), ""}, true
	case "change_pct":
		return window{changePct, percentOf, originChange, math.NaN(), ""}, true
	case "zscore":
		return window{deviationScore, plainUnit, originOther, math.NaN(), "all samples are the same"}, true
	case "median":
		return window{quantile(0.5), sameUnit, originSeries, math.NaN(), ""}, true
	}
	if digits, ok := strings.CutPrefix(name, "p"); ok {
		if n, err := strconv.Atoi(digits); err == nil && n > 0 && n < 100 {
			return window{quantile(float64(n) / 100), sameUnit, originSeries, math.NaN(), ""}, true
		}
	}
	return window{}, false
}

// isWindow says whether there is such a function over a series.
func isWindow(name string) bool {
	_, ok := windowOf(name)
	return ok || name == "forecast" || name == "baseline" || name == "spread"
}

func mathNames() []string { return []string{"abs", "round", "floor", "ceil", "sqrt", "metric"} }

func functionNames() []string { return slices.Concat(windowNames(), mathNames(), clockNames()) }

func (c *compiler) call(n *ast.CallNode) node {
	if callee, ok := n.Callee.(*ast.MemberNode); ok {
		return c.methodCall(n, callee)
	}
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "", "only named functions can be called")
	}
	name := callee.Value
	switch name {
	case "abs", "round", "floor", "ceil", "sqrt":
		return c.math(n, name)
	case "metric":
		return c.otherMetric(n)
	case "time", "weekday", "now":
		return c.clockCall(n, name)
	case "min", "max":
		if len(n.Arguments) == 2 && (!c.isMetricCall(n.Arguments[0]) || c.overGroup(n.Arguments[1])) {
			return c.minMax(n, name)
		}
	}
	if isWindow(name) {
		return c.windowCall(n, name, n.Arguments)
	}
	hint := problem.DidYouMean(name, functionNames())
	if hint == "" {
		hint = "there are " + strings.Join(functionNames(), ", ")
	}
	return c.failAs(problem.UnknownName, n, hint, "unknown function %s", quote(name))
}

// methodCall is metric("x").avg(5m), which is avg(metric("x"), 5m).
func (c *compiler) methodCall(n *ast.CallNode, callee *ast.MemberNode) node {
	property, ok := callee.Property.(*ast.StringNode)
	if !ok || !c.isMetricCall(callee.Node) {
		return c.fail(n, "", "only metric(\"…\") has functions of its own")
	}
	if !isWindow(property.Value) {
		return c.fail(n, problem.DidYouMean(property.Value, windowNames()), "unknown window function %s", quote(property.Value))
	}
	return c.windowCall(n, property.Value, append([]ast.Node{callee.Node}, n.Arguments...))
}

func (c *compiler) isMetricCall(n ast.Node) bool {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	return ok && callee.Value == "metric"
}

// otherMetric is metric("x"): the last value of another metric with the same
// labels.
func (c *compiler) otherMetric(n *ast.CallNode) node {
	other, pick, ok := c.metricArgument(n)
	if !ok {
		return node{}
	}
	of := subject{metric: other, pick: pick}
	stale := int64(otherStale)
	if c.derived { // the group holds what is fresh
		stale = math.MaxInt64
	}
	out := node{kind: number, unit: unitOf(other), num: func(f *frame) float64 {
		s := pick(f)
		if s == nil || !s.seen || f.now-s.last.at > stale {
			return math.NaN()
		}
		return s.last.value
	}}
	out.why = of.why(func(s *Series, now int64) string {
		return fmt.Sprintf("the last sample of %s is %s old", other.Name, units.Duration(time.Duration(now-s.last.at)))
	})
	return out
}

// otherStale is how old another metric's last value may be: a value from
// before an outage proves nothing about now.
const otherStale = 5 * time.Minute

func (c *compiler) metricArgument(n *ast.CallNode) (source.Metric, func(*frame) *Series, bool) {
	if len(n.Arguments) != 1 {
		c.fail(n, "write metric(\"redis.ops_per_sec\")", "metric wants one name in quotes")
		return source.Metric{}, nil, false
	}
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		c.fail(n.Arguments[0], "write metric(\"redis.ops_per_sec\")", "metric wants a name in quotes")
		return source.Metric{}, nil, false
	}
	found, ok := c.catalog.Lookup(name.Value)
	if !ok {
		c.failAs(problem.UnknownMetric, name, suggestMetric(name.Value, c.catalog), "unknown metric %s", quote(name.Value))
		return source.Metric{}, nil, false
	}
	c.needs.window(found.Name, 0, 0)
	if c.derived {
		return found, c.read(found.Name), true
	}
	return found, func(f *frame) *Series { return f.other(found.Name, f.series.Labels) }, true
}

func (c *compiler) math(n *ast.CallNode, name string) node {
	if len(n.Arguments) != 1 {
		return c.fail(n, "", "%s wants one number", name)
	}
	arg := c.compile(n.Arguments[0])
	if arg.bad() {
		return arg
	}
	if arg.kind != number {
		return c.fail(n.Arguments[0], "", "%s wants a number, not %s", name, arg.kind)
	}
	compute := map[string]func(float64) float64{
		"abs": math.Abs, "round": math.Round, "floor": math.Floor, "ceil": math.Ceil, "sqrt": math.Sqrt,
	}[name]
	num := arg.num
	out := arg
	out.constant = nil
	out.num = func(f *frame) float64 { return compute(num(f)) }
	out.why = whyOf(name+" of a number that has none", arg)
	return c.fold(out, arg)
}

// minMax is the smaller or larger of two numbers.
func (c *compiler) minMax(n *ast.CallNode, name string) node {
	left, right := c.compile(n.Arguments[0]), c.compile(n.Arguments[1])
	if left.bad() || right.bad() {
		return node{}
	}
	if left.kind != number || right.kind != number {
		return c.fail(n, "", "%s wants a window, or two numbers", name)
	}
	left, right, ok := c.align(n, left, right)
	if !ok {
		return node{}
	}
	pick := math.Min
	if name == "max" {
		pick = math.Max
	}
	out := node{kind: number, unit: left.unit, literal: left.literal && right.literal, num: func(f *frame) float64 { return pick(left.num(f), right.num(f)) }, why: whyOf("", left, right)}
	if left.from == originSeries || right.from == originSeries {
		out.from = originSeries
	}
	return c.fold(out, left, right)
}

// overridden lists the names that expr-lang would take for its own builtins.
func overridden() []string {
	names := functionNames()
	slices.Sort(names)
	return names
}
