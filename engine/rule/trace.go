package rule

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/alert"
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
}

type operand struct {
	node
	text string
}

// Trace tells how the condition stands over the frame's series.
func (c *Condition) Trace(f *frame) Trace {
	out := c.tree.trace(f)
	out.Text = spelled([]rune(c.Text))
	return out
}

func (b *branch) trace(f *frame) Trace {
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
)

// Form is the shape of a condition. `a and b and c` is one FormAnd of three.
type Form struct {
	Kind       FormKind
	Text       string
	Comparison Comparison // of FormCompare
	Parts      []Form     // of and, or, not
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
	case FormNot, FormOther:
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
	out := Form{Kind: FormOther, Text: b.text}
	switch {
	case b.op == "and" || b.op == "or" || b.op == "not":
		out.Kind = FormKind(b.op)
		for _, part := range b.joined() {
			out.Parts = append(out.Parts, part.form())
		}
	case b.left != nil && b.right != nil && b.left.kind == number && b.right.kind == number:
		out.Kind, out.Comparison = FormCompare, b.comparison()
	}
	return out
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
	return &operand{node: of, text: c.textOf(n)}
}
