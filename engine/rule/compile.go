package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// frame is what an expression sees while it is evaluated.
type frame struct {
	now    int64
	series *Series
	// other finds another metric's series with the same labels; nil when
	// there is none.
	other func(metric string, labels alert.Labels) *Series
	// group gives the series of a metric in the group that a derived metric is
	// computed of; item is the one at hand while they are joined.
	group func(metric string) []*Series
	item  *Series
}

// kind is the type of an expression.
type kind string

const (
	number  kind = "a number"
	boolean kind = "a condition"
	text    kind = "a text"
)

// unit is what a number measures. A bare number fits every unit.
type unit struct {
	dim    units.Dimension
	factor float64 // how many base units of dim one is
	bare   bool
	// unknown marks the unit of source.UnitUnknown: it is bare, but says nothing
	// beside a quantity.
	unknown bool
}

func (u unit) String() string {
	switch {
	case u.bare || u.dim == units.None:
		return "a plain number"
	case u.dim == units.Percent:
		return "%"
	case u.dim == units.Bytes:
		return "bytes"
	case u.factor == 1e-3:
		return "ms"
	}
	return "s"
}

func bareUnit() unit    { return unit{factor: 1, bare: true} }
func unknownUnit() unit { return unit{factor: 1, bare: true, unknown: true} }
func secondsUnit() unit { return unit{dim: units.Time, factor: 1} }
func percentUnit() unit { return unit{dim: units.Percent, factor: 1} }

// node is a compiled expression: one of num, cond and str is set, by kind.
type node struct {
	kind kind
	unit unit
	num  func(*frame) float64 // NaN is unknown
	cond func(*frame) Truth
	str  func(*frame) string
	// constant is set for a number known when it was compiled.
	constant *float64
	// literal marks a quantity, whose value is in base units until it meets an
	// operand that says in what unit it is wanted.
	literal bool
	// from says what of the series a number tells, for messages.
	from origin
	// base is the value it was changed from, for from == originChange.
	base func(*frame) float64
	// literalText is set for a text in quotes.
	literalText *string
	clock       clockKind
	// why says why the number is unknown.
	why func(*frame) string
	// branch explains a condition.
	branch *branch
}

// origin says where a number comes from.
type origin uint8

const (
	originOther    origin = iota
	originSeries          // the series' value, or a window function in its unit
	originChange          // a change of the series against a baseline
	originForecast        // where the series is heading
)

// compiler turns expr-lang's tree into closures. expr-lang parses; its own VM
// would box every float, and knows neither units nor unknown values.
type compiler struct {
	text    string
	runes   []rune // text, with the value that a leading operator implies
	scanned scanned
	catalog source.Catalog
	metric  source.Metric
	options Options
	derived bool

	problems problem.List
	needs    needs // by metric; the rule's own under its name
	terms    []term
	calls    []Window
	usesAge  bool
	// negated and undirected say how a comparison makes the condition hold:
	// by not holding, or in no one way.
	negated    bool
	undirected int
	// each is set within what joins a group's series, of eachMetric.
	each       bool
	eachMetric string
	reads      []Read
}

// term is one comparison of the series with a threshold.
type term struct {
	cond      func(*frame) Truth
	left      node
	threshold func(*frame) float64
	op        string
}

func (c *compiler) fail(n ast.Node, hint, format string, args ...any) node {
	if member, ok := n.(*ast.MemberNode); ok {
		n = member.Node // a dotted name is wrong from its beginning on
	}
	c.problems = append(c.problems, problem.Problem{
		Offset:  c.scanned.byteOffset(c.text, n.Location().From),
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
	return node{}
}

// failAs is fail for a mistake of a class.
func (c *compiler) failAs(code string, n ast.Node, hint, format string, args ...any) node {
	out := c.fail(n, hint, format, args...)
	c.problems[len(c.problems)-1].Code = code
	return out
}

// bad marks a node whose mistake has been reported.
func (n node) bad() bool { return n.kind == "" }

func (c *compiler) compile(n ast.Node) node {
	out := c.expression(n)
	if out.kind == boolean && out.branch == nil {
		out.branch = &branch{cond: out.cond}
	}
	if out.branch != nil && out.branch.text == "" {
		from, to := c.balanced(c.span(n))
		out.branch.text = spelled(c.runes[from:to])
		out.branch.at = c.scanned.byteOffset(c.text, from)
	}
	return out
}

func (c *compiler) expression(n ast.Node) node {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(float64(n.Value), bareUnit())
	case *ast.FloatNode:
		return constant(n.Value, bareUnit())
	case *ast.BoolNode:
		t := truth(n.Value)
		cond := func(*frame) Truth { return t }
		return node{kind: boolean, cond: cond, branch: &branch{cond: cond, literal: true}}
	case *ast.StringNode:
		return node{kind: text, literalText: &n.Value, str: func(*frame) string { return n.Value }}
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.ChainNode:
		return c.compile(n.Node)
	}
	return c.fail(n, "", "%s is not part of the condition language", describe(n))
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.ArrayNode:
		return "a list outside `in`"
	case *ast.MapNode:
		return "a mapping"
	case *ast.NilNode:
		return "nil"
	case *ast.VariableDeclaratorNode:
		return "let"
	case *ast.SliceNode:
		return "a slice"
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast."), "Node"))
}

func constant(v float64, u unit) node {
	return node{kind: number, unit: u, constant: &v, num: func(*frame) float64 { return v }}
}

func (c *compiler) identifier(n *ast.IdentifierNode) node {
	if lit, ok := c.scanned.literals[n.Location().From]; ok {
		out := constant(lit.value, unit{dim: lit.dim, factor: 1})
		out.literal = true
		return out
	}
	if c.derived && (n.Value == "value" || n.Value == "age" || n.Value == "labels") {
		return c.ownless(n, n.Value)
	}
	none := func(*frame) string { return "no sample of " + c.metric.Name }
	switch n.Value {
	case "value":
		return node{kind: number, unit: unitOf(c.metric), from: originSeries, num: lastValue, why: none}
	case "age":
		c.usesAge = true
		return node{kind: number, unit: secondsUnit(), num: lastAge, why: none}
	case "labels":
		return c.fail(n, "", "labels is a mapping; write labels.NAME or labels[\"NAME\"]")
	}
	hint := problem.DidYouMean(n.Value, append(functionNames(), "value", "age", "labels"))
	if _, isDay := dayNamed(n.Value); isDay {
		hint = "a day stands in quotes: " + quote(n.Value)
	}
	if _, ok := c.catalog.Lookup(n.Value); ok && hint == "" {
		hint = fmt.Sprintf("another metric is read with metric(%q)", n.Value)
	}
	if hint == "" {
		hint = "a label is labels." + n.Value
	}
	return c.failAs(problem.UnknownName, n, hint, "unknown name %s", quote(n.Value))
}

func lastValue(f *frame) float64 {
	if f.series == nil || !f.series.seen {
		return math.NaN()
	}
	return f.series.last.value
}

func lastAge(f *frame) float64 {
	if f.series == nil || !f.series.seen {
		return math.NaN()
	}
	return float64(f.now-f.series.last.at) / 1e9
}

func unitOf(m source.Metric) unit {
	if m.Unit == source.UnitUnknown {
		return unknownUnit()
	}
	dim, factor := units.Of(m.Unit)
	return unit{dim: dim, factor: factor}
}

// member is labels.strategy or labels["strategy"], or the dotted name of
// another metric, which gets a hint.
func (c *compiler) member(n *ast.MemberNode) node {
	base, isName := n.Node.(*ast.IdentifierNode)
	property, isText := n.Property.(*ast.StringNode)
	if !isName || !isText {
		return c.fail(n, "", "only labels has members: labels.NAME")
	}
	if base.Value != "labels" {
		full := base.Value + "." + property.Value
		hint := problem.DidYouMean(full, c.catalog.Names())
		if _, ok := c.catalog.Lookup(full); ok {
			hint = fmt.Sprintf("another metric is read with metric(%q)", full)
		}
		return c.failAs(problem.UnknownName, n, hint, "unknown name %s", quote(full))
	}
	if c.derived {
		return c.ownless(n, "labels")
	}
	if _, isQuantity := c.scanned.literals[property.Location().From]; isQuantity {
		return c.fail(n.Property, "write labels[\"…\"]", "a label's name is not a quantity")
	}
	name := property.Value
	return node{kind: text, str: func(f *frame) string { return f.series.Labels.Get(name) }}
}

func quote(s string) string { return strconv.Quote(s) }

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
