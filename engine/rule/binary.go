package rule

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

func (c *compiler) binary(n *ast.BinaryNode) node {
	switch n.Operator {
	case "in":
		return c.in(n)
	case "matches":
		return c.matches(n)
	}
	left, right := c.compile(n.Left), c.compile(n.Right)
	if left.bad() || right.bad() {
		return node{}
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		return c.connective(n, left, right)
	case "<", "<=", ">", ">=", "==", "!=":
		return c.comparison(n, left, right)
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n, left, right)
	case "??":
		return c.otherwise(n, left, right)
	case "contains", "startsWith", "endsWith":
		return c.textual(n, left, right)
	}
	return c.fail(n, "", "operator %s is not part of the condition language", n.Operator)
}

func (c *compiler) connective(n *ast.BinaryNode, left, right node) node {
	for i, operand := range [...]node{left, right} {
		if operand.kind != boolean {
			at := [...]ast.Node{n.Left, n.Right}[i]
			return c.fail(at, "compare it with something, as in value < 70", "%s joins two conditions; this is %s", n.Operator, operand.kind)
		}
	}
	a, b := left.cond, right.cond
	cond := func(f *frame) Truth {
		first := a(f)
		if first == True {
			return True
		}
		return or(first, b(f))
	}
	op := joinName(n.Operator)
	if op == "and" {
		cond = func(f *frame) Truth {
			first := a(f)
			if first == False {
				return False
			}
			return and(first, b(f))
		}
	}
	return node{kind: boolean, cond: cond, branch: &branch{op: op, cond: cond, parts: []*branch{left.branch, right.branch}}}
}

func (c *compiler) comparison(n *ast.BinaryNode, left, right node) node {
	leftRead, ok := c.clockText(n.Left, right.clock, left)
	rightRead, alsoOK := c.clockText(n.Right, left.clock, right)
	if !ok || !alsoOK {
		return node{}
	}
	left, right = leftRead, rightRead
	if left.kind != right.kind {
		return c.fail(n, "", "%s compares two of a kind; left is %s, right is %s", n.Operator, left.kind, right.kind)
	}
	switch left.kind {
	case text:
		return c.compareTexts(n, left, right)
	case boolean:
		return c.fail(n, "join conditions with and, or, not", "%s does not compare conditions", n.Operator)
	case number:
	}
	if !c.clockFits(n, left, right) {
		return node{}
	}
	left, right, ok = c.align(n, left, right)
	if !ok {
		return node{}
	}
	left, right = c.widened(n.Operator, left, right)
	out := node{kind: boolean, cond: compareNumbers(n.Operator, left.num, right.num)}
	out.branch = &branch{op: n.Operator, cond: out.cond, left: c.operand(n.Left, left), right: c.operand(n.Right, right)}
	c.remember(n.Operator, left, right, out.cond)
	return out
}

// compareNumbers makes the comparison; one with an unknown number is unknown.
func compareNumbers(op string, a, b func(*frame) float64) func(*frame) Truth {
	compare := func(holds func(x, y float64) bool) func(*frame) Truth {
		return func(f *frame) Truth {
			x, y := a(f), b(f)
			if math.IsNaN(x) || math.IsNaN(y) {
				return Unknown
			}
			return truth(holds(x, y))
		}
	}
	switch op {
	case "<":
		return compare(func(x, y float64) bool { return x < y })
	case "<=":
		return compare(func(x, y float64) bool { return x <= y })
	case ">":
		return compare(func(x, y float64) bool { return x > y })
	case ">=":
		return compare(func(x, y float64) bool { return x >= y })
	case "==":
		return compare(func(x, y float64) bool { return x == y })
	}
	return compare(func(x, y float64) bool { return x != y })
}

// remember keeps a comparison, whose threshold messages show. What stands on
// the other side of the series is the threshold.
func (c *compiler) remember(op string, left, right node, cond func(*frame) Truth) {
	if leftIsThreshold(left, right) {
		left, right, op = right, left, mirrored(op)
	}
	if left.constant == nil {
		c.terms = append(c.terms, term{cond: cond, left: left, threshold: right.num, op: op})
	}
}

func mirrored(op string) string {
	return map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}[op]
}

// negated is the comparison that holds when t does not.
func (t term) negated() term {
	cond := t.cond
	t.cond = func(f *frame) Truth { return not(cond(f)) }
	t.op = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}[t.op]
	return t
}

// otherwise is a ?? b: a, and b while a is unknown.
func (c *compiler) otherwise(n *ast.BinaryNode, left, right node) node {
	if left.kind != number || right.kind != number {
		return c.fail(n, "", "?? gives a number for an unknown number; left is %s, right is %s", left.kind, right.kind)
	}
	left, right, ok := c.align(n, left, right)
	if !ok {
		return node{}
	}
	a, b := left.num, right.num
	out := node{kind: number, unit: left.unit, from: left.from, base: left.base, why: left.why, num: func(f *frame) float64 {
		if v := a(f); !math.IsNaN(v) {
			return v
		}
		return b(f)
	}}
	return c.fold(out, left, right)
}

func (c *compiler) compareTexts(n *ast.BinaryNode, left, right node) node {
	cond := func(f *frame) Truth { return truth(left.str(f) == right.str(f)) }
	switch n.Operator {
	case "==":
	case "!=":
		cond = func(f *frame) Truth { return truth(left.str(f) != right.str(f)) }
	default:
		return c.fail(n, "texts compare with == and !=", "%s does not compare texts", n.Operator)
	}
	return node{kind: boolean, cond: cond, branch: &branch{op: n.Operator, cond: cond, left: c.operand(n.Left, left), right: c.operand(n.Right, right)}}
}

func (c *compiler) arithmetic(n *ast.BinaryNode, left, right node) node {
	for _, operand := range [...]node{left, right} {
		if operand.kind != number {
			return c.fail(n, "", "%s wants numbers, not %s", n.Operator, operand.kind)
		}
	}
	if !c.noArithmetic(n, left, right) {
		return node{}
	}
	if n.Operator == "+" || n.Operator == "-" {
		l, r, ok := c.align(n, left, right)
		if !ok {
			return node{}
		}
		out := node{kind: number, unit: l.unit, literal: l.literal && r.literal, num: operation(n.Operator, l.num, r.num), why: whyOf("", l, r)}
		if l.from == originSeries || r.from == originSeries {
			out.from = originSeries
		}
		return c.fold(out, l, r)
	}
	out := node{kind: number, unit: productUnit(n.Operator, left, right), num: operation(n.Operator, left.num, right.num)}
	out.why = whyOf(map[string]string{"/": "division by zero", "%": "division by zero"}[n.Operator], left, right)
	out.literal = !out.unit.bare && (left.literal || right.literal) && (left.constant != nil && right.constant != nil)
	if n.Operator == "/" && !left.unit.bare && left.unit.dim == right.unit.dim && left.unit.factor != right.unit.factor {
		ratio, num := left.unit.factor/right.unit.factor, out.num
		out.num = func(f *frame) float64 { return num(f) * ratio }
	}
	return c.fold(out, left, right)
}

// productUnit: a bare factor leaves the other's unit; everything else is a
// plain number that compares with bare numbers only by being bare itself.
func productUnit(op string, left, right node) unit {
	switch {
	case left.unit.unknown || right.unit.unknown:
		return unknownUnit()
	case right.unit.bare && (op == "*" || op == "/" || op == "%"):
		return left.unit
	case left.unit.bare && op == "*":
		return right.unit
	case op == "%" && left.unit.dim == right.unit.dim:
		return left.unit
	}
	return bareUnit()
}

// operation computes; a division by zero is unknown, never infinite.
func operation(op string, a, b func(*frame) float64) func(*frame) float64 {
	switch op {
	case "+":
		return func(f *frame) float64 { return a(f) + b(f) }
	case "-":
		return func(f *frame) float64 { return a(f) - b(f) }
	case "*":
		return func(f *frame) float64 { return a(f) * b(f) }
	case "/":
		return func(f *frame) float64 { return finite(a(f) / b(f)) }
	case "%":
		return func(f *frame) float64 { return math.Mod(a(f), b(f)) }
	}
	return func(f *frame) float64 { return finite(math.Pow(a(f), b(f))) }
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func (c *compiler) textual(n *ast.BinaryNode, left, right node) node {
	if left.kind != text || right.kind != text {
		return c.fail(n, "", "%s wants two texts", n.Operator)
	}
	holds := map[string]func(s, part string) bool{
		"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
	}[n.Operator]
	return node{kind: boolean, cond: func(f *frame) Truth { return truth(holds(left.str(f), right.str(f))) }}
}

func (c *compiler) matches(n *ast.BinaryNode) node {
	left := c.compile(n.Left)
	pattern, isText := n.Right.(*ast.StringNode)
	if left.bad() {
		return left
	}
	if left.kind != text || !isText {
		return c.fail(n, "", "matches wants a text and a regular expression in quotes")
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return c.fail(n.Right, "", "%v", err)
	}
	return node{kind: boolean, cond: func(f *frame) Truth { return truth(re.MatchString(left.str(f))) }}
}

// in is labels.x in ["a", "b"], or value in [1, 2] or 1..5.
func (c *compiler) in(n *ast.BinaryNode) node {
	left := c.compile(n.Left)
	if left.bad() {
		return left
	}
	if left.kind == boolean {
		return c.fail(n.Left, "join conditions with and, or, not", "in looks for a text or a number, not for a condition")
	}
	list, isList := n.Right.(*ast.ArrayNode)
	if !isList {
		return c.fail(n.Right, "", "in wants a list, as in labels.strategy in [\"A\", \"B\"]")
	}
	var texts []string
	var numbers []float64
	for _, member := range list.Nodes {
		m, ok := c.clockText(member, left.clock, c.compile(member))
		if !ok || !m.bad() && m.kind == number && !c.clockFits(member, left, m) {
			return node{}
		}
		_, isText := member.(*ast.StringNode)
		switch {
		case m.bad():
			return m
		case m.kind != left.kind || m.kind == boolean || m.kind == number && m.constant == nil || m.kind == text && !isText:
			return c.fail(member, "", "this is %s; the list must hold constants of the same kind as what stands before in (%s)", m.kind, left.kind)
		case m.kind == text:
			texts = append(texts, m.str(nil))
		default:
			_, aligned, ok := c.align(member, left, m)
			if !ok {
				return node{}
			}
			numbers = append(numbers, *aligned.constant)
		}
	}
	cond := func(f *frame) Truth { return truth(slices.Contains(texts, left.str(f))) }
	if left.kind == number {
		cond = func(f *frame) Truth {
			v := left.num(f)
			if math.IsNaN(v) {
				return Unknown
			}
			return truth(slices.Contains(numbers, v))
		}
	}
	return node{kind: boolean, cond: cond, branch: &branch{op: "in", cond: cond, left: c.operand(n.Left, left), among: numbers}}
}
