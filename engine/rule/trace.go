package rule

import (
	"math"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Trace is a condition as it stands at a moment: what holds, what does not, and
// why what is unknown is so. For people who ask why an alert is what it is.
type Trace struct {
	Text string `json:"text"`
	// Op is and, or, not, or a comparison's operator; empty for what is
	// neither, such as labels.x matches "re".
	Op string `json:"op,omitempty"`
	// Holds is true, false or unknown.
	Holds string `json:"holds"`
	// Left and Right are a comparison's.
	Left  *TraceValue `json:"left,omitempty"`
	Right *TraceValue `json:"right,omitempty"`
	// Parts are what and, or, not joins: all of them, also where one decided
	// alone.
	Parts []Trace `json:"parts,omitempty"`
}

// TraceValue is one side of a comparison.
type TraceValue struct {
	Text  string       `json:"text"`            // as it is written
	Value alert.Number `json:"value"`           // null for unknown, and for a text
	Unit  string       `json:"unit,omitempty"`  // of Value
	Is    *string      `json:"is,omitempty"`    // the value of a text
	Why   string       `json:"why,omitempty"`   // the value is unknown
	Fixed bool         `json:"fixed,omitempty"` // a constant
}

// branch is a condition's part as it was compiled.
type branch struct {
	op          string
	text        string
	cond        func(*frame) Truth
	left, right *operand
	parts       []*branch
	// among are the numbers that `in` looks for the left one in.
	among   []float64
	at      int  // where it begins in the condition, in bytes
	literal bool // true or false
}

type operand struct {
	node
	text string
	subjectMatter
	percent bool // it is written with %
}

// Trace tells how the condition stands over the frame's series.
func (c *Condition) Trace(f *frame) Trace {
	out := c.tree.trace(f)
	out.Text = spelled([]rune(c.Text))
	return out
}

func (b *branch) trace(f *frame) Trace {
	if b.op == "not" && len(b.parts) == 1 && b.parts[0].op == "in" && strings.Contains(b.parts[0].text+b.text, " not in ") {
		out := b.parts[0].trace(f) // `x not in y` is one comparison to whoever wrote it
		out.Op, out.Holds = "not in", b.cond(f).String()
		return out
	}
	out := Trace{Text: b.text, Op: b.op, Holds: b.cond(f).String(), Left: b.left.trace(f), Right: b.right.trace(f)}
	for _, part := range b.joined() {
		out.Parts = append(out.Parts, part.trace(f))
	}
	return out
}

// joined lists what and, or, not joins: `a and b and c` is one of three.
func (b *branch) joined() []*branch {
	var all []*branch
	for _, part := range b.parts {
		if part.op == b.op && b.op != "not" {
			all = append(all, part.joined()...)
			continue
		}
		all = append(all, part)
	}
	return all
}

func (o *operand) trace(f *frame) *TraceValue {
	if o == nil {
		return nil
	}
	out := &TraceValue{Text: o.text, Value: alert.Unknown(), Fixed: o.constant != nil || o.literalText != nil}
	if o.kind == text {
		is := o.str(f)
		out.Is = &is
		return out
	}
	out.Value, out.Unit = alert.Number(o.num(f)), o.unit.name()
	if !out.Value.Known() {
		out.Why = o.reason(f)
	}
	return out
}

// reason says why a number is unknown.
func (n *node) reason(f *frame) string {
	if n.why != nil {
		return n.why(f)
	}
	return "unknown"
}

// whyOf explains a number that is made of others: by the first of them that is
// unknown, or else by its own reason.
func whyOf(own string, of ...node) func(*frame) string {
	return func(f *frame) string {
		for i := range of {
			if of[i].kind == number && math.IsNaN(of[i].num(f)) {
				return of[i].reason(f)
			}
		}
		return own
	}
}

// Comparison is one comparison of a condition, for checks of rules: with a
// constant, on the right.
type Comparison struct {
	Left string // what is compared, in one spelling
	Op   string // < <= > >= == !=
	// Threshold is in Unit, the metric's where the left side is one. It is
	// NaN when it is not constant.
	Threshold float64
	Unit      string
}

// FormKind says what a part of a condition is.
type FormKind string

// The kinds of parts.
const (
	FormAnd     FormKind = "and"
	FormOr      FormKind = "or"
	FormNot     FormKind = "not"
	FormCompare FormKind = "compare" // of numbers
	FormOther   FormKind = "other"   // anything else that holds or does not
	FormFixed   FormKind = "fixed"   // it always holds, or never does
)

// Form is the shape of a condition. `a and b and c` is one FormAnd of three.
type Form struct {
	Kind       FormKind
	Text       string
	Comparison Comparison // of FormCompare
	Parts      []Form     // of and, or, not
	// Offset is where it begins in the condition, in bytes.
	Offset int
	// Func is what a comparison compares, where it is one thing: value, age, a
	// window function, abs, or metric for the last value of another one. Metric
	// is what it is of, and Own whether that is the rule's.
	Func   string
	Metric source.Metric
	Own    bool
	// Percent says that a comparison's threshold is written with %.
	Percent bool
	// Holds is the outcome of FormFixed.
	Holds bool
}

// Form returns the shape of the condition.
func (c *Condition) Form() Form { return c.tree.form() }

// Comparisons lists the comparisons of a condition that is one comparison, or
// several joined by nothing but and, or nothing but or; join says which, and is
// FormCompare for one alone. For any other condition the list is nil.
func (c *Condition) Comparisons() (list []Comparison, join FormKind) {
	form := c.Form()
	switch form.Kind {
	case FormCompare:
		return []Comparison{form.Comparison}, FormCompare
	case FormNot, FormOther, FormFixed:
		return nil, form.Kind
	case FormAnd, FormOr:
	}
	for i := range form.Parts {
		if form.Parts[i].Kind != FormCompare {
			return nil, form.Kind
		}
		list = append(list, form.Parts[i].Comparison)
	}
	return list, form.Kind
}

func (b *branch) form() Form {
	out := Form{Kind: FormOther, Text: b.text, Offset: b.at}
	switch {
	case b.fixed():
		out.Kind, out.Holds = FormFixed, b.cond(nil) == True
	case b.op == "in" && b.left.kind == number:
		out.Kind = FormOr
		for _, v := range b.among {
			out.Parts = append(out.Parts, b.compared(b.left, "==", v))
		}
	case b.op == "and" || b.op == "or" || b.op == "not":
		out.Kind = FormKind(b.op)
		for _, part := range b.joined() {
			out.Parts = append(out.Parts, part.form())
		}
	case b.left != nil && b.right != nil && b.left.kind == number && b.right.kind == number:
		out = b.compared(b.left, b.op, math.NaN())
		out.Comparison = b.comparison()
		left, right := b.left, b.right
		if left.constant != nil {
			left, right = right, left
		}
		out.Func, out.Metric, out.Own, out.Percent = left.name, left.of, left.own, right.percent
	}
	return out
}

// compared is the form of a comparison.
func (b *branch) compared(left *operand, op string, threshold float64) Form {
	return Form{
		Kind: FormCompare, Text: b.text, Offset: b.at, Func: left.name, Metric: left.of, Own: left.own,
		Comparison: Comparison{Left: left.text, Op: op, Threshold: threshold, Unit: left.unit.name()},
	}
}

// fixed says whether nothing that is looked at can change the outcome.
func (b *branch) fixed() bool {
	if b.left != nil && b.right != nil {
		return b.left.constant != nil && b.right.constant != nil && b.cond(nil) != Unknown
	}
	return b.literal
}

func (b *branch) comparison() Comparison {
	left, right, op := b.left, b.right, b.op
	if left.constant != nil && right.constant == nil {
		left, right, op = right, left, mirrored(op)
	}
	out := Comparison{Left: left.text, Op: op, Threshold: math.NaN(), Unit: left.unit.name()}
	if right.constant != nil {
		out.Threshold = *right.constant
	}
	return out
}

// joinName is the word for a connective.
func joinName(op string) string {
	switch op {
	case "&&":
		return "and"
	case "||":
		return "or"
	case "!":
		return "not"
	}
	return op
}

// operand keeps one side of a comparison.
func (c *compiler) operand(n ast.Node, of node) *operand {
	out := &operand{node: of, text: c.textOf(n), subjectMatter: c.subjectMatter(n)}
	if name, ok := n.(*ast.IdentifierNode); ok {
		out.percent = c.scanned.literals[name.Location().From].dim == units.Percent
	}
	return out
}

// subjectMatter is the one thing that a number is, of a metric; see Form.
type subjectMatter struct {
	name string
	of   source.Metric
	own  bool
}

func (c *compiler) subjectMatter(n ast.Node) subjectMatter {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "value" || n.Value == "age" {
			return subjectMatter{n.Value, c.metric, true}
		}
	case *ast.CallNode:
		return c.calledMatter(n)
	}
	return subjectMatter{}
}

// calledMatter takes avg(5m), metric("x").avg(5m), avg(metric("x"), 5m),
// metric("x") and abs(…) apart.
func (c *compiler) calledMatter(n *ast.CallNode) subjectMatter {
	out := subjectMatter{of: c.metric, own: true}
	arguments := n.Arguments
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		out.name = callee.Value
	case *ast.MemberNode:
		if property, ok := callee.Property.(*ast.StringNode); ok {
			out.name, arguments = property.Value, append([]ast.Node{callee.Node}, arguments...)
		}
	}
	named := n
	if len(arguments) > 0 && c.isMetricCall(arguments[0]) {
		named = arguments[0].(*ast.CallNode)
	}
	switch {
	case c.isMetricCall(named):
		name, ok := named.Arguments[0].(*ast.StringNode)
		if !ok {
			return subjectMatter{}
		}
		out.of, _ = c.catalog.Lookup(name.Value)
		out.own = false
	case out.name == "abs":
		return subjectMatter{name: out.name}
	case len(arguments) != 1: // min and max of two numbers
		return subjectMatter{}
	}
	if out.name != "metric" && !isWindow(out.name) {
		return subjectMatter{}
	}
	return out
}
