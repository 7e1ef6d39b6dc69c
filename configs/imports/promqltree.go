package imports

import "github.com/prometheus/prometheus/promql/parser"

// What is asked of an expression before it is turned.

// constantValue computes an expression without series.
func constantValue(expr parser.Expr) (float64, bool) {
	switch n := unwrap(expr).(type) {
	case *parser.NumberLiteral:
		return n.Val, true
	case *parser.UnaryExpr:
		v, ok := constantValue(n.Expr)
		if n.Op == parser.SUB {
			v = -v
		}
		return v, ok
	case *parser.BinaryExpr:
		a, ok := constantValue(n.LHS)
		b, ok2 := constantValue(n.RHS)
		switch {
		case !ok || !ok2:
		case n.Op == parser.ADD:
			return a + b, true
		case n.Op == parser.SUB:
			return a - b, true
		case n.Op == parser.MUL:
			return a * b, true
		case n.Op == parser.DIV:
			return a / b, true
		}
	}
	return 0, false
}

// constant says whether an expression is a number without any series.
func constant(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			found = true
		case *parser.Call:
			found = found || len(n.Args) == 0
		}
		return nil
	})
	return !found
}

func aggregates(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		_, is := n.(*parser.AggregateExpr)
		found = found || is
		return nil
	})
	return found
}

func unwrap(expr parser.Expr) parser.Expr {
	for {
		switch n := expr.(type) {
		case *parser.ParenExpr:
			expr = n.Expr
		case *parser.StepInvariantExpr:
			expr = n.Expr
		default:
			return expr
		}
	}
}

func lastArg(call *parser.Call) parser.Expr {
	if len(call.Args) == 0 {
		return nil
	}
	for _, arg := range call.Args {
		if m, ok := unwrap(arg).(*parser.MatrixSelector); ok {
			return m
		}
	}
	return unwrap(call.Args[len(call.Args)-1])
}
