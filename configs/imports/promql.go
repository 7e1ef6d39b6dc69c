package imports

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tocsin-dev/tocsin/engine/rule"
)

// said is what an expression of PromQL comes to in our language.
type said struct {
	metric    string
	match     []string
	by        []string
	combine   string
	condition string
	// derived, when set, is the metric that the rule looks at; it has no name yet.
	derived *rule.Derived
	// absent says that the rule fires when there is no data, for absentFor.
	absent    bool
	absentFor time.Duration
	jobs      []string
	remarks   []string
}

// unsayable says why an expression cannot be said, and where.
type unsayable struct {
	at  int
	why string
}

func (u *unsayable) Error() string { return u.why }

func offsetOf(err error) int {
	var u *unsayable
	if errors.As(err, &u) {
		return u.at
	}
	return 0
}

// sayAlert turns the expression of an alert.
func sayAlert(text string) (out said, err error) {
	expr, err := parse(text)
	if err != nil {
		return said{}, err
	}
	defer recoverUnsayable(&err)
	s := speaker{out: &out}
	s.alert(expr)
	return out, nil
}

// sayMetric turns the expression of a recording rule.
func sayMetric(text string) (d rule.Derived, err error) {
	expr, err := parse(text)
	if err != nil {
		return rule.Derived{}, err
	}
	defer recoverUnsayable(&err)
	var out said
	s := speaker{out: &out, aggregated: aggregates(expr), deriving: true}
	d.Expr = s.number(expr, 0)
	if len(s.matchers) > 0 {
		stop(expr, "a derived metric reads every series of a metric, not those of some matchers")
	}
	if s.aggregated {
		names := append([]string{}, s.grouping...)
		d.Labels = &names
	}
	return d, nil
}

func parse(text string) (parser.Expr, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	var wrong parser.ParseErrors
	if errors.As(err, &wrong) && len(wrong) > 0 {
		return nil, &unsayable{int(wrong[0].PositionRange.Start), "not PromQL: " + wrong[0].Err.Error()}
	}
	if err != nil {
		return nil, &unsayable{0, "not PromQL: " + err.Error()}
	}
	return expr, nil
}

// stop leaves the translation; recoverUnsayable catches it. It keeps a walk over
// twenty kinds of nodes free of an error at each step.
func stop(n parser.Node, format string, args ...any) {
	panic(&unsayable{int(n.PositionRange().Start), fmt.Sprintf(format, args...)})
}

func recoverUnsayable(err *error) {
	switch u := recover().(type) {
	case nil:
	case *unsayable:
		*err = u
	default:
		panic(u)
	}
}

// speaker is one translation.
type speaker struct {
	out *said
	// own is the selector whose series the rule judges; the others are read
	// beside it.
	own *parser.VectorSelector
	// In a derived metric there is none. aggregated says that series are joined,
	// by the labels of grouping; matchers are those of all selectors.
	// joining is set within an aggregation.
	deriving, aggregated, grouped, joining bool
	grouping                               []string
	matchers                               []*labels.Matcher
}

func (s *speaker) alert(expr parser.Expr) {
	expr = unwrap(expr)
	if call, ok := expr.(*parser.Call); ok && strings.HasPrefix(call.Func.Name, "absent") {
		s.absent(call)
		return
	}
	s.aggregated = aggregates(expr)
	s.deriving = s.aggregated
	s.out.condition = s.comparison(expr)
	switch {
	case s.own != nil:
		s.out.metric, s.out.match = metricName(s.own), s.match(s.own.LabelMatchers)
	case s.aggregated && s.out.derived != nil:
		s.group()
	default:
		stop(expr, "it looks at no metric")
	}
}

// comparison turns an expression that is there or not.
func (s *speaker) comparison(expr parser.Expr) string {
	expr = unwrap(expr)
	b, ok := expr.(*parser.BinaryExpr)
	switch {
	case !ok:
		stop(expr, "it compares nothing: it fires as long as there is a series")
	case b.Op.IsSetOperator():
		stop(b, "%s joins series of two expressions", b.Op)
	case !b.Op.IsComparisonOperator():
		stop(expr, "it compares nothing: it fires as long as there is a series")
	case b.ReturnBool:
		stop(expr, "bool gives 0 or 1, and never nothing")
	}
	if left, ok := unwrap(b.LHS).(*parser.BinaryExpr); ok && left.Op.IsComparisonOperator() {
		if s.aggregated {
			stop(b, "two comparisons of an aggregation")
		}
		first := s.comparison(left)
		inner := left.LHS
		if constant(inner) {
			inner = left.RHS
		}
		return first + " and " + s.number(inner, 3) + " " + b.Op.String() + " " + s.limit(b.RHS)
	}
	op, value, limit := b.Op.String(), b.LHS, b.RHS
	if constant(value) {
		op, value, limit = flipped(op), limit, value
	}
	if s.aggregated {
		if !constant(limit) {
			value, limit = &parser.BinaryExpr{Op: parser.SUB, LHS: b.LHS, RHS: b.RHS, VectorMatching: b.VectorMatching}, &parser.NumberLiteral{}
		}
		s.out.derived = &rule.Derived{Expr: s.number(value, 0)}
		return "value " + op + " " + s.limit(limit)
	}
	s.checkMatching(b)
	return s.number(value, 3) + " " + op + " " + s.number(limit, 3)
}

// limit turns what a value is compared with, which must be a number.
func (s *speaker) limit(expr parser.Expr) string {
	if !constant(expr) {
		stop(expr, "a comparison of a comparison wants a number")
	}
	return s.number(expr, 3)
}

func flipped(op string) string {
	return map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}[op]
}

// number turns an expression into a number of ours. outer is how tightly the
// operator around it binds.
func (s *speaker) number(expr parser.Expr, outer int) string {
	switch n := expr.(type) {
	case *parser.ParenExpr:
		return s.number(n.Expr, outer)
	case *parser.StepInvariantExpr:
		return s.number(n.Expr, outer)
	case *parser.NumberLiteral:
		if math.IsNaN(n.Val) || math.IsInf(n.Val, 0) {
			stop(n, "%s is no number here", n)
		}
		return strconv.FormatFloat(n.Val, 'f', -1, 64)
	case *parser.UnaryExpr:
		if n.Op == parser.SUB {
			return "-" + s.number(n.Expr, 9)
		}
		return s.number(n.Expr, outer)
	case *parser.VectorSelector:
		return s.selector(n, "", "")
	case *parser.BinaryExpr:
		return s.arithmetic(n, outer)
	case *parser.AggregateExpr:
		return s.aggregate(n)
	case *parser.Call:
		return s.call(n)
	case *parser.SubqueryExpr:
		stop(n, "a subquery")
	case *parser.StringLiteral, *parser.MatrixSelector:
		stop(n, "%s is no number", n)
	}
	stop(expr, "%s cannot be said", expr)
	return ""
}

func (s *speaker) arithmetic(b *parser.BinaryExpr, outer int) string {
	binds := map[parser.ItemType]int{parser.ADD: 4, parser.SUB: 4, parser.MUL: 5, parser.DIV: 5, parser.MOD: 5, parser.POW: 6}[b.Op]
	switch {
	case b.Op.IsSetOperator():
		stop(b, "%s joins series of two expressions", b.Op)
	case binds == 0:
		stop(b, "%s within an expression", b.Op)
	}
	s.checkMatching(b)
	op := b.Op.String()
	if b.Op == parser.POW {
		op = "**"
	}
	left, right := binds, binds+1
	if b.Op == parser.POW { // to the right
		left, right = right, left
	}
	text := s.number(b.LHS, left) + " " + op + " " + s.number(b.RHS, right)
	if binds < outer {
		return "(" + text + ")"
	}
	return text
}

// checkMatching refuses what pairs series of other labels.
func (s *speaker) checkMatching(b *parser.BinaryExpr) {
	m := b.VectorMatching
	if m == nil || constant(b.LHS) || constant(b.RHS) {
		return
	}
	if m.Card != parser.CardOneToOne || !s.aggregated && (m.On || len(m.MatchingLabels) > 0) {
		stop(b, "on, ignoring and group_left pair series of different labels")
	}
	if s.aggregated && (m.On || len(m.MatchingLabels) > 0) {
		wanted := slices.Sorted(slices.Values(m.MatchingLabels))
		s.setGrouping(b, wanted, m.On)
	}
}
