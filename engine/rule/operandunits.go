package rule

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// align brings two numbers to one unit: a quantity takes the unit of the other
// side, a bare number fits anything, and different dimensions are a mistake.
func (c *compiler) align(at ast.Node, left, right node) (node, node, bool) {
	l, r := left.unit, right.unit
	left, right = undecided(left, r), undecided(right, l)
	switch {
	case l.bare && r.bare:
	case l.bare:
		left.unit = r
		if right.literal { // 2 * 5m, or 70 < 5m: a bare number beside a quantity counts base units
			left.literal = true
		}
	case r.bare:
		right.unit = l
		if left.literal {
			right.literal = true
		}
	case l.dim != r.dim:
		c.failAs(problem.UnitMismatch, at, "", "%s", mismatch(c, left, right))
		return left, right, false
	case left.literal && !right.literal:
		left = rescale(left, r)
	case l.factor != r.factor:
		right = rescale(right, l)
	}
	return left, right, true
}

// undecided makes a number unknown whose unit is not known, beside one that has a
// unit: 700 may be more than 1s, or less.
func undecided(n node, beside unit) node {
	if n.unit.unknown && !beside.bare {
		n.num = func(*frame) float64 { return math.NaN() }
		n.why = func(*frame) string { return "its unit is not known: the plugin that yields it could not be asked" }
	}
	return n
}

func mismatch(c *compiler, left, right node) string {
	value, literalSide := left, right
	if left.literal {
		value, literalSide = right, left
	}
	if value.from == originSeries {
		return c.metric.Name + " is in " + unitName(c.metric.Unit) + ", which does not compare with " + dimensionName(literalSide.unit)
	}
	return value.unit.String() + " does not go with " + dimensionName(literalSide.unit)
}

func unitName(unit string) string {
	switch unit {
	case "":
		return "plain numbers"
	case "%":
		return "percent"
	}
	return unit
}

func dimensionName(u unit) string {
	switch u.dim {
	case units.Time:
		return "a time"
	case units.Bytes:
		return "a size in bytes"
	case units.Percent:
		return "a percentage"
	case units.None:
	}
	return "a plain number"
}

// rescale gives a number in another unit of its dimension.
func rescale(n node, to unit) node {
	factor := n.unit.factor / to.factor
	num := n.num
	n.num = func(f *frame) float64 { return num(f) * factor }
	if n.constant != nil {
		v := *n.constant * factor
		n.constant, n.num = &v, func(*frame) float64 { return v }
	}
	n.unit, n.literal = to, false
	return n
}
