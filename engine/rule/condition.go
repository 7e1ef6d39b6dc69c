package rule

import (
	"errors"
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// Condition is one compiled condition. It is immutable and safe for concurrent
// use; the series that it is evaluated over are not.
type Condition struct {
	Text string
	needs
	eval  func(*frame) Truth
	terms []term
	tree  *branch
	calls []Window
	// usesAge marks a condition over the age of the data: it must be judged by
	// the clock while no data comes.
	usesAge bool
}

// maxConditionBytes bounds what is parsed.
const maxConditionBytes = 4096

// CompileCondition compiles a condition over a metric. Problems carry the byte
// offset into the text.
func CompileCondition(text string, metric source.Metric, catalog source.Catalog, o Options) (*Condition, problem.List) {
	c, root, problems := compileText(text, metric, catalog, o, "a condition")
	switch {
	case len(problems) > 0:
		return nil, problems
	case root.kind != boolean:
		return nil, problem.List{{Message: "this is " + string(root.kind) + ", not a condition", Hint: "compare it with something, as in value < 70"}}
	}
	return &Condition{Text: text, eval: root.cond, terms: c.terms, needs: c.needs, usesAge: c.usesAge, tree: root.branch, calls: c.calls}, nil
}

// compileText parses and compiles what may be a condition or an expression.
func compileText(text string, metric source.Metric, catalog source.Catalog, o Options, what string) (*compiler, node, problem.List) {
	if strings.TrimSpace(text) == "" {
		hint := "write for example value < 70"
		if o.Derived {
			hint = `write for example sum(metric("redis.ops_per_sec"))`
		}
		return nil, node{}, problem.List{{Message: "empty " + strings.TrimPrefix(strings.TrimPrefix(what, "an "), "a "), Hint: hint}}
	}
	if len(text) > maxConditionBytes {
		return nil, node{}, problem.List{{Message: what + " is at most 4096 bytes long"}}
	}
	prepared, p := scan(text)
	if p != nil {
		return nil, node{}, problem.List{*p}
	}
	tree, err := parser.ParseWithConfig(prepared.source, parserConfig())
	if err != nil {
		return nil, node{}, problem.List{parseProblem(text, prepared, err)}
	}
	c := &compiler{
		text: text, runes: []rune(impliedValue[:prepared.shift] + text), scanned: prepared,
		catalog: catalog, metric: metric, options: o, derived: o.Derived, needs: newNeeds(),
	}
	root := c.compile(tree.Node)
	return c, root, c.problems
}

// parserConfig makes expr-lang parse every function as a plain call: its own
// builtins, and the predicates among them, are not ours. The parser only reads
// the tables, which are a hundred entries long.
func parserConfig() *conf.Config {
	disabled, functions := parserTables()
	return &conf.Config{MaxNodes: conf.DefaultMaxNodes, Disabled: disabled, Functions: functions}
}

//nolint:gochecknoglobals // a constant that Go cannot spell
var parserTables = sync.OnceValues(func() (map[string]bool, conf.FunctionsTable) {
	disabled, functions := map[string]bool{}, conf.FunctionsTable{}
	for name := range builtin.Index {
		disabled[name] = true
	}
	for _, name := range overridden() {
		functions[name] = &builtin.Function{Name: name}
	}
	return disabled, functions
})

func parseProblem(text string, prepared scanned, err error) problem.Problem {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return problem.Problem{Message: err.Error()}
	}
	said := fe.Message
	if lit, ok := prepared.literals[fe.From]; ok { // the parser saw its stand-in
		said = strings.Replace(said, strings.Repeat("_", utf8.RuneCountInString(lit.text)), lit.text, 1)
	}
	message, hint := conditionMessage(said)
	return problem.Problem{Message: message, Hint: hint, Offset: prepared.byteOffset(text, fe.From)}
}

// finding is what a condition that holds has to say of the series.
type finding struct {
	value     float64 // what was compared, in the metric's unit
	threshold float64 // what with; NaN when the condition has no such thing
	verb      string
}

// explain finds the comparison that speaks for the condition: the first that
// holds and looks at the rule's own series. When the condition holds without
// any such, it is another metric that made it hold, and there is no threshold
// to name; otherwise the first that looks at the series says what is compared.
func (c *Condition) explain(f *frame, holds bool) finding {
	first := -1
	for i := range c.terms {
		if c.terms[i].left.from == originOther {
			continue
		}
		if c.terms[i].cond(f) == True {
			return c.terms[i].finding(f)
		}
		if first < 0 {
			first = i
		}
	}
	if first < 0 || holds {
		return finding{value: lastValue(f), threshold: math.NaN()}
	}
	return c.terms[first].finding(f)
}

func (t *term) finding(f *frame) finding {
	if t.left.from == originChange {
		out := finding{value: lastValue(f), threshold: t.left.base(f), verb: "changed to"}
		switch {
		case out.value > out.threshold:
			out.verb = "increased to"
		case out.value < out.threshold:
			out.verb = "decreased to"
		}
		return out
	}
	if t.left.from == originForecast { // the value is what it is, and not what it may become
		return finding{value: lastValue(f), threshold: t.threshold(f), verb: heading + verbOf(t.op)}
	}
	return finding{value: t.left.num(f), threshold: t.threshold(f), verb: verbOf(t.op)}
}

// heading begins the verb of a forecast.
const heading = "heading "

func verbOf(op string) string {
	switch op {
	case "<":
		return "below"
	case "<=":
		return "at or below"
	case ">":
		return "above"
	case ">=":
		return "at or above"
	case "==":
		return "at"
	}
	return "not at"
}
