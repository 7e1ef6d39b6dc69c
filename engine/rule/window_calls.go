package rule

import (
	"fmt"
	"math"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// subject is the series that a window function is about: the rule's own, or
// another metric's.
type subject struct {
	metric source.Metric
	pick   func(*frame) *Series
	own    bool
}

// subjectOf takes a leading metric("x") off the arguments.
func (c *compiler) subjectOf(n ast.Node, arguments []ast.Node) (subject, []ast.Node, bool) {
	if len(arguments) > 0 && c.isMetricCall(arguments[0]) {
		other, pick, ok := c.metricArgument(arguments[0].(*ast.CallNode))
		return subject{metric: other, pick: pick}, arguments[1:], ok
	}
	if c.derived {
		c.fail(n, `write for example metric("redis.ops_per_sec").avg(5m)`, "a derived metric has no series of its own to look back over")
		return subject{}, nil, false
	}
	return subject{metric: c.metric, pick: func(f *frame) *Series { return f.series }, own: true}, arguments, true
}

// windowCall is avg(5m), or avg(metric("x"), 5m).
func (c *compiler) windowCall(n *ast.CallNode, name string, arguments []ast.Node) node {
	if c.derived && len(arguments) == 1 && groupable(name) && c.overGroup(arguments[0]) {
		return c.groupCall(n, name, arguments[0])
	}
	switch {
	case name == "forecast", name == "zscore" && len(arguments) > 2, name == "baseline", name == "spread":
	case name == "zscore" && len(arguments) == 2 && !c.isMetricCall(arguments[0]):
	default:
		return c.plainWindow(n, name, arguments)
	}
	of, arguments, ok := c.subjectOf(n, arguments)
	switch {
	case !ok:
		return node{}
	case name == "forecast":
		return c.forecast(n, of, arguments)
	}
	return c.baseline(n, name, of, arguments)
}

// plainWindow is a function of one window.
func (c *compiler) plainWindow(n *ast.CallNode, name string, arguments []ast.Node) node {
	w, _ := windowOf(name)
	example := name + "(5m)"
	if len(arguments) == 1 && c.overGroup(arguments[0]) && groupable(name) {
		return c.fail(n, fmt.Sprintf("for a window write %s(metric(\"…\"), 5m); to join series, make a derived metric under `metrics:`", name),
			"%s over the series of a metric belongs into a derived metric", name)
	}
	of, arguments, ok := c.subjectOf(n, arguments)
	if !ok {
		return node{}
	}
	if len(arguments) != 1 {
		return c.fail(n, "write "+example, "%s wants one window", name)
	}
	length, ok := c.length(arguments[0], name, "a window", "write "+example, maxWindow)
	if !ok {
		return node{}
	}
	past := time.Duration(0)
	if w.from == originChange {
		past = slack(length)
	}
	c.needs.window(of.metric.Name, length, past)
	from, _ := c.span(n)
	c.calls = append(c.calls, Window{Func: name, Metric: of.metric.Name, Length: length, Offset: c.scanned.byteOffset(c.text, from)})
	return windowNode(w, of, length)
}

// maxWindow bounds how much of a series is kept in memory.
const maxWindow = 8 * 24 * time.Hour

// length reads a duration that must be constant.
func (c *compiler) length(n ast.Node, name, what, example string, most time.Duration) (time.Duration, bool) {
	arg := c.compile(n)
	if arg.bad() {
		return 0, false
	}
	if arg.kind != number || arg.constant == nil || arg.unit.dim != units.Time || !arg.literal {
		c.fail(n, example, "%s wants %s such as 5m", name, what)
		return 0, false
	}
	length := time.Duration(*arg.constant * 1e9)
	if length <= 0 || *arg.constant > most.Seconds() {
		c.fail(n, example, "%s is longer than 0 and at most %s", what, units.Duration(most))
		return 0, false
	}
	return length, true
}

func windowNode(w window, of subject, length time.Duration) node {
	over := func(compute windowFunc) func(*frame) float64 {
		return func(f *frame) float64 {
			s := of.pick(f)
			if s == nil || !s.seen {
				return w.ofNothing
			}
			return compute(s, f.now, length)
		}
	}
	out := node{kind: number, unit: w.unit(unitOf(of.metric)), num: over(w.compute)}
	if of.own {
		out.from = w.from
	}
	if out.from == originChange {
		out.base = over(baseValue)
	}
	out.why = of.why(func(s *Series, now int64) string {
		switch {
		case w.from == originChange:
			if then := baseValue(s, now, length); then == 0 {
				return fmt.Sprintf("%s was 0 %s ago", of.metric.Name, units.Duration(length))
			}
			return fmt.Sprintf("no sample of %s from %s ago", of.metric.Name, units.Duration(length))
		case !s.within(now, length):
			return fmt.Sprintf("no sample of %s in the last %s", of.metric.Name, units.Duration(length))
		case s.slide(pastKind, now, length).size() < 1:
			return fmt.Sprintf("only one sample of %s in the last %s", of.metric.Name, units.Duration(length))
		}
		return w.unclear
	})
	return out
}

// why makes the reason that a number over the series is unknown.
func (of subject) why(reason func(s *Series, now int64) string) func(*frame) string {
	return func(f *frame) string {
		s := of.pick(f)
		if s == nil || !s.seen {
			return "no sample of " + of.metric.Name
		}
		return reason(s, f.now)
	}
}

// maxHorizon bounds how far a forecast looks.
const maxHorizon = 366 * day

// forecast is forecast(4h), or forecast(4h, 1h) over the last hour.
func (c *compiler) forecast(n *ast.CallNode, of subject, arguments []ast.Node) node {
	const example = "write forecast(4h), or forecast(4h, 1h) to look at the last hour only"
	if len(arguments) != 1 && len(arguments) != 2 {
		return c.fail(n, example, "forecast wants how far to look ahead, and may be told over what window")
	}
	horizon, ok := c.length(arguments[0], "forecast", "a horizon", example, maxHorizon)
	if !ok {
		return node{}
	}
	length := horizon
	if len(arguments) == 2 {
		if length, ok = c.length(arguments[1], "forecast", "a window", example, maxWindow); !ok {
			return node{}
		}
	}
	if length > maxWindow {
		return c.fail(arguments[0], fmt.Sprintf("say over what window, as in forecast(%s, 7d)", units.Duration(horizon)),
			"a window is longer than 0 and at most %s", units.Duration(maxWindow))
	}
	c.needs.window(of.metric.Name, length, 0)
	out := windowNode(window{compute: forecast(horizon), unit: sameUnit, from: originForecast, ofNothing: math.NaN()}, of, length)
	out.why = of.why(func(*Series, int64) string {
		return fmt.Sprintf("less than %s of history of %s", units.Duration(length/2), of.metric.Name)
	})
	return out
}

// baseline is baseline(1h, 7d), spread(1h, 7d) or zscore(1h, 7d).
func (c *compiler) baseline(n *ast.CallNode, name string, of subject, arguments []ast.Node) node {
	example := fmt.Sprintf("write %s(1h, 7d): the hour around this time of day, on the 7 days before", name)
	if len(arguments) != 2 {
		return c.fail(n, example, "%s wants a width and a period", name)
	}
	width, ok := c.length(arguments[0], name, "a width", example, maxBaselineWidth)
	if !ok {
		return node{}
	}
	period, ok := c.length(arguments[1], name, "a period", example, maxBaselinePeriod)
	switch {
	case !ok:
		return node{}
	case width < minBaselineWidth:
		return c.fail(arguments[0], example, "a width is at least %s", units.Duration(minBaselineWidth))
	case period%day != 0:
		return c.fail(arguments[1], example, "a period is whole days, 1d to 35d")
	}
	need := Need{Width: width, Period: period}
	c.needs.baseline(of.metric.Name, need)
	return baselineNode(name, of, need, c.zone())
}

func baselineNode(name string, of subject, need Need, zone *time.Location) node {
	out := node{kind: number, unit: unitOf(of.metric)}
	pick := map[string]func(*Series, *usual) float64{
		"baseline": func(_ *Series, u *usual) float64 { return u.median },
		"spread":   func(_ *Series, u *usual) float64 { return u.spread },
		"zscore":   func(s *Series, u *usual) float64 { return finite((s.last.value - u.median) / u.spread) },
	}[name]
	if name == "zscore" {
		out.unit = plainUnit(out.unit)
	}
	out.num = func(f *frame) float64 {
		s := of.pick(f)
		if s == nil || !s.seen {
			return math.NaN()
		}
		return pick(s, baselineOf(s, f.now, need, zone))
	}
	out.why = of.why(func(s *Series, now int64) string {
		u := baselineOf(s, now, need, zone)
		if u.days >= min(3, need.days()) {
			return fmt.Sprintf("%s never varied around this time of day", of.metric.Name)
		}
		return fmt.Sprintf("%s has samples around this time of day on %d of the %d days before; it takes %d", of.metric.Name, u.days, need.days(), min(3, need.days()))
	})
	return out
}
