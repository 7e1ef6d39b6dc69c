package rule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// What follows is a condition taken apart, for those who reason about it: which
// comparisons it is made of, and how they are joined.

// Formula is a condition as its logic sees it: one of All, Any, Not, Compare,
// Fixed and Opaque.
type Formula interface{ formula() }

// All holds when each of its parts does.
type All []Formula

// Any holds when one of its parts does.
type Any []Formula

// Not holds when its part does not.
type Not struct{ Part Formula }

// Compare holds a number against a constant.
type Compare struct {
	Left Operand
	// Op is <, <=, >, >=, == or !=.
	Op string
	// Threshold is in the unit of Left; Percent says that it is written with %.
	Threshold float64
	Percent   bool
	// Offset is where the comparison begins in the condition, in bytes.
	Offset int
}

// Fixed always holds, or never.
type Fixed bool

// Opaque is anything else, told apart by its text.
type Opaque struct{ Text string }

func (All) formula()     {}
func (Any) formula()     {}
func (Not) formula()     {}
func (Compare) formula() {}
func (Fixed) formula()   {}
func (Opaque) formula()  {}

// Operand is the number that a comparison looks at. Two are the same when their
// texts are.
type Operand struct {
	Text string
	// Func is value, age, a window function, abs, or metric for the last value
	// of another one; empty for anything that is computed.
	Func string
	// Metric is what Func is of, and Own whether that is the rule's.
	Metric source.Metric
	Own    bool
}

// Window is one call of a window function in a condition.
type Window struct {
	Func   string
	Metric string
	Length time.Duration
	// Offset is where the call begins in the condition, in bytes.
	Offset int
}

// Part is one condition of a rule, and how it counts.
type Part struct {
	// Path is where it is written below the rule: critical, warning.when, clear.
	Path string
	// Severity is OK for clear and min_volume.
	Severity alert.Severity
	Text     string
	For      time.Duration
	Keep     time.Duration // keep_firing_for
	Polls    Polls
	Formula  Formula
	Windows  []Window
}

// Parts takes the conditions of a rule apart that compiled without problems,
// gravest first, then clear and min_volume. Its overrides are rules of their
// own: see Variants.
func (r *Rule) Parts(catalog source.Catalog) []Part {
	var parts []Part
	add := func(p Part, c *Condition) {
		if c != nil {
			p.Text = c.Text
			p.Formula, p.Windows = inspect(c.Text, r.Metric, catalog)
			parts = append(parts, p)
		}
	}
	for _, severity := range alert.Severities() {
		lv, when, path := &r.levels[severity-1], r.Spec.level(severity), severity.String()
		if when != (When{When: when.When}) {
			path += ".when"
		}
		add(Part{Path: path, Severity: severity, For: lv.hold, Keep: lv.keep, Polls: lv.polls}, lv.when)
	}
	add(Part{Path: "clear"}, r.clear)
	add(Part{Path: "min_volume"}, r.minVolume)
	return parts
}

// Variant is a rule as an override makes it; Path is overrides[0] and so on.
type Variant struct {
	Path  string
	Match alert.Matchers
	Rule  *Rule // nil where the rule is off
	// Wrote says whether the override has the field at a path itself.
	Wrote func(path string) bool
}

// Variants returns what the overrides make of the rule.
func (r *Rule) Variants() []Variant {
	all := make([]Variant, 0, len(r.variants))
	for i, v := range r.variants {
		o := &r.Spec.Overrides[i]
		all = append(all, Variant{Path: fmt.Sprintf("overrides[%d]", i), Match: v.match, Rule: v.rule, Wrote: o.wrote})
	}
	return all
}

// inspect takes a condition apart that is known to compile.
func inspect(text string, metric source.Metric, catalog source.Catalog) (Formula, []Window) {
	prepared, p := scan(text)
	if p != nil {
		return Opaque{text}, nil
	}
	tree, err := parser.ParseWithConfig(prepared.source, parserConfig())
	if err != nil {
		return Opaque{text}, nil
	}
	in := inspector{text: text, metric: metric, catalog: catalog, scanned: prepared}
	f := in.formula(tree.Node)
	in.windowsOf(tree.Node)
	return f, in.windows
}

type inspector struct {
	text    string
	metric  source.Metric
	catalog source.Catalog
	scanned scanned
	windows []Window
}

// compiler returns a fresh one, for a part of the condition.
func (in *inspector) compiler() *compiler {
	return &compiler{text: in.text, scanned: in.scanned, catalog: in.catalog, metric: in.metric, windows: map[string]time.Duration{}}
}

func (in *inspector) formula(n ast.Node) Formula {
	switch n := n.(type) {
	case *ast.BoolNode:
		return Fixed(n.Value)
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return Not{in.formula(n.Node)}
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return All{in.formula(n.Left), in.formula(n.Right)}
		case "or", "||":
			return Any{in.formula(n.Left), in.formula(n.Right)}
		case "<", "<=", ">", ">=", "==", "!=":
			if f := in.comparison(n, n.Right); f != nil {
				return f
			}
		case "in":
			if f := in.member(n); f != nil {
				return f
			}
		}
	}
	return Opaque{in.print(n)}
}

// comparison returns nil for one that does not hold a number against a
// constant.
func (in *inspector) comparison(n *ast.BinaryNode, against ast.Node) Formula {
	c := in.compiler()
	left, right := c.compile(n.Left), c.compile(against)
	if left.kind != number || right.kind != number {
		return nil
	}
	left, right, ok := c.align(n, left, right)
	if !ok || len(c.problems) > 0 {
		return nil
	}
	op, side, limit, threshold := n.Operator, n.Left, against, right.constant
	if op == "in" {
		op = "=="
	}
	if left.constant != nil {
		op, side, limit, threshold = mirrored(op), against, n.Left, left.constant
	}
	switch {
	case left.constant != nil && right.constant != nil:
		switch compareNumbers(op, right.num, left.num)(nil) {
		case True:
			return Fixed(true)
		case False:
			return Fixed(false)
		case Unknown:
		}
		return nil
	case threshold == nil || math.IsNaN(*threshold):
		return nil
	}
	return Compare{Left: in.operand(side), Op: op, Threshold: *threshold, Percent: in.isPercent(limit), Offset: in.offset(n)}
}

// member is value in [1, 2].
func (in *inspector) member(n *ast.BinaryNode) Formula {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return nil
	}
	var any Any
	for _, item := range list.Nodes {
		f := in.comparison(n, item)
		if f == nil {
			return nil
		}
		any = append(any, f)
	}
	return any
}

func (in *inspector) isPercent(n ast.Node) bool {
	name, ok := n.(*ast.IdentifierNode)
	return ok && in.scanned.literals[name.Location().From].dim == units.Percent
}

func (in *inspector) operand(n ast.Node) Operand {
	q := Operand{Text: in.print(n)}
	switch n := n.(type) {
	case *ast.IdentifierNode:
		q.Func, q.Metric, q.Own = n.Value, in.metric, true
	case *ast.CallNode:
		q.Func, q.Metric, q.Own = in.called(n)
	}
	return q
}

// called says which function is called, and of which metric.
func (in *inspector) called(n *ast.CallNode) (name string, of source.Metric, own bool) {
	of, own = in.metric, true
	arguments := n.Arguments
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		name = callee.Value
	case *ast.MemberNode:
		property, _ := callee.Property.(*ast.StringNode)
		if property == nil {
			return "", source.Metric{}, false
		}
		name, arguments = property.Value, append([]ast.Node{callee.Node}, arguments...)
	}
	c := in.compiler()
	switch {
	case name == "metric":
		of, _, _ = c.metricArgument(n)
		own = false
	case len(arguments) > 0 && c.isMetricCall(arguments[0]):
		of, _, _ = c.metricArgument(arguments[0].(*ast.CallNode))
		own = false
	}
	_, isWindow := windowOf(name)
	if name == "metric" || isWindow && in.lastWindow(arguments) > 0 {
		return name, of, own
	}
	if name == "abs" {
		return name, source.Metric{}, false
	}
	return "", source.Metric{}, false
}

// lastWindow returns the last argument as a window; 0 when it is none.
func (in *inspector) lastWindow(arguments []ast.Node) time.Duration {
	if len(arguments) == 0 {
		return 0
	}
	name, ok := arguments[len(arguments)-1].(*ast.IdentifierNode)
	if !ok {
		return 0
	}
	lit, ok := in.scanned.literals[name.Location().From]
	if !ok || lit.dim != units.Time {
		return 0
	}
	return time.Duration(lit.value * float64(time.Second))
}

// windowsOf finds the calls of window functions, however deep.
func (in *inspector) windowsOf(n ast.Node) {
	ast.Walk(&n, visitor(func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok {
			return
		}
		name, of, _ := in.called(call)
		if length := in.lastWindow(call.Arguments); name != "" && length > 0 {
			in.windows = append(in.windows, Window{Func: name, Metric: of.Name, Length: length, Offset: in.offset(call)})
		}
	}))
	slices.SortStableFunc(in.windows, func(a, b Window) int { return a.Offset - b.Offset })
}

type visitor func(ast.Node)

// Visit is called by ast.Walk for every node.
func (v visitor) Visit(n *ast.Node) { v(*n) }

// offset is where the first name or number of a node stands, in bytes.
func (in *inspector) offset(n ast.Node) int {
	first := math.MaxInt
	ast.Walk(&n, visitor(func(n ast.Node) { first = min(first, n.Location().From) }))
	return in.scanned.byteOffset(in.text, first)
}

// print writes a node so that two which mean the same by their form have the
// same text: 60s is 1m.
func (in *inspector) print(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if lit, ok := in.scanned.literals[n.Location().From]; ok {
			return strconv.FormatFloat(lit.value, 'g', -1, 64) + string(lit.dim)
		}
		return n.Value
	case *ast.UnaryNode:
		return n.Operator + " " + in.print(n.Node)
	case *ast.BinaryNode:
		return "(" + in.print(n.Left) + " " + n.Operator + " " + in.print(n.Right) + ")"
	case *ast.ConditionalNode:
		return "(" + in.print(n.Cond) + " ? " + in.print(n.Exp1) + " : " + in.print(n.Exp2) + ")"
	case *ast.CallNode:
		arguments := n.Arguments
		callee := n.Callee
		if member, ok := callee.(*ast.MemberNode); ok { // metric("x").avg(5m) is avg(metric("x"), 5m)
			if property, ok := member.Property.(*ast.StringNode); ok {
				return property.Value + in.printList(append([]ast.Node{member.Node}, arguments...))
			}
		}
		return in.print(callee) + in.printList(arguments)
	case *ast.MemberNode:
		return in.print(n.Node) + "[" + in.print(n.Property) + "]"
	case *ast.ArrayNode:
		return "list" + in.printList(n.Nodes)
	case *ast.ChainNode:
		return in.print(n.Node)
	}
	return n.String()
}

func (in *inspector) printList(nodes []ast.Node) string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		texts[i] = in.print(n)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}
