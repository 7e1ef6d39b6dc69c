package rule

import (
	"math"

	"github.com/expr-lang/expr/ast"
)

func (c *compiler) unary(n *ast.UnaryNode) node {
	before := len(c.terms)
	negates := n.Operator == "!" || n.Operator == "not"
	c.negated = c.negated != negates
	operand := c.compile(n.Node)
	c.negated = c.negated != negates
	if operand.bad() {
		return operand
	}
	switch n.Operator {
	case "!", "not":
		if operand.kind != boolean {
			return c.fail(n, "", "%s wants a condition, not %s", n.Operator, operand.kind)
		}
		for i := before; i < len(c.terms); i++ {
			c.terms[i] = c.terms[i].negated()
		}
		cond := func(f *frame) Truth { return not(operand.cond(f)) }
		return node{kind: boolean, cond: cond, branch: &branch{op: "not", cond: cond, parts: []*branch{operand.branch}}}
	case "-", "+":
		if operand.kind != number {
			return c.fail(n, "", "%s wants a number, not %s", n.Operator, operand.kind)
		}
		if n.Operator == "+" {
			return operand
		}
		if !c.noArithmetic(n, operand, operand) {
			return node{}
		}
		out := node{kind: number, unit: operand.unit, literal: operand.literal, why: operand.why, num: func(f *frame) float64 { return -operand.num(f) }}
		if operand.from == originChange { // a fall is a change, too
			out.from, out.base = originChange, operand.base
		}
		return c.fold(out, operand)
	}
	return c.fail(n, "", "operator %s is not part of the condition language", n.Operator)
}

// fold makes a number of constants a constant.
func (c *compiler) fold(n node, operands ...node) node {
	for i := range operands {
		if operands[i].constant == nil {
			return n
		}
	}
	v := n.num(nil)
	n.constant, n.num = &v, func(*frame) float64 { return v }
	return n
}

func (c *compiler) conditional(n *ast.ConditionalNode) node {
	c.undirected++
	cond := c.compile(n.Cond)
	c.undirected--
	yes, no := c.compile(n.Exp1), c.compile(n.Exp2)
	switch {
	case cond.bad() || yes.bad() || no.bad():
		return node{}
	case cond.kind != boolean:
		return c.fail(n.Cond, "", "what stands before ? must be a condition, not %s", cond.kind)
	case yes.kind != no.kind:
		return c.fail(n, "", "both outcomes of ?: must be of one kind: one is %s, the other %s", yes.kind, no.kind)
	}
	switch yes.kind {
	case boolean:
		return node{kind: boolean, cond: func(f *frame) Truth {
			switch cond.cond(f) {
			case True:
				return yes.cond(f)
			case False:
				return no.cond(f)
			case Unknown:
			}
			return Unknown
		}}
	case text:
		return node{kind: text, str: func(f *frame) string {
			if cond.cond(f) == True {
				return yes.str(f)
			}
			return no.str(f)
		}}
	case number:
	}
	yes, no, ok := c.align(n, yes, no)
	if !ok {
		return node{}
	}
	why := func(f *frame) string {
		switch cond.cond(f) {
		case True:
			return yes.reason(f)
		case False:
			return no.reason(f)
		case Unknown:
		}
		return cond.branch.text + " is unknown"
	}
	return node{kind: number, unit: yes.unit, why: why, num: func(f *frame) float64 {
		switch cond.cond(f) {
		case True:
			return yes.num(f)
		case False:
			return no.num(f)
		case Unknown:
		}
		return math.NaN()
	}}
}
