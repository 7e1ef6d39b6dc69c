package rule

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Quantity is a number in a metric's unit, as templates see it: printed, it is
// the bare number with at most one decimal.
type Quantity struct {
	Float float64
	Unit  string
}

// String returns the number without its unit, in the unit that suits it:
// 85, 15.2, or "unknown".
func (q Quantity) String() string {
	if math.IsNaN(q.Float) || math.IsInf(q.Float, 0) {
		return "unknown"
	}
	return units.Number(q.Float)
}

// MessageData is what message and annotation templates see.
type MessageData struct {
	Rule     string
	Category string
	Metric   string
	Unit     string
	Labels   map[string]string
	Severity string
	// Verb is below, above, at or below, at or above, at, not at, increased to,
	// decreased to or changed to.
	Verb      string
	Value     Quantity
	Threshold Quantity
	// ValueText and ThresholdText have the unit: 82.3%, 768MB.
	ValueText     string
	ThresholdText string
	Reason        string
	StartsAt      time.Time
}

// Functions are the functions of message and annotation templates.
func Functions() template.FuncMap {
	return template.FuncMap{
		"round": known(func(q Quantity) string { return units.Number(math.Round(q.Float)) }),
		"bytes": known(func(q Quantity) string { return units.Size(q.Float) }),
		"duration": known(func(q Quantity) string {
			seconds := q.Float
			if dim, factor := units.Of(q.Unit); dim == units.Time {
				seconds *= factor
			}
			return units.Duration(time.Duration(seconds * 1e9))
		}),
		"upper": strings.ToUpper,
		"lower": strings.ToLower,
	}
}

// known makes a function say unknown of what is not known.
func known(write func(Quantity) string) func(Quantity) string {
	return func(q Quantity) string {
		if math.IsNaN(q.Float) || math.IsInf(q.Float, 0) {
			return "unknown"
		}
		return write(q)
	}
}

func (r *Rule) setTemplates(spec Spec, problems *problem.List) {
	if spec.Message != "" {
		r.message = parseTemplate("message", spec.Message, problems)
	}
	r.annotations = map[string]*template.Template{}
	for _, name := range slices.Sorted(maps.Keys(spec.Annotations)) {
		if t := parseTemplate("annotations."+name, spec.Annotations[name], problems); t != nil {
			r.annotations[name] = t
		}
	}
}

// Bounds of a template: a mistake in one must not stop the daemon.
const (
	maxTemplateBytes = 4096
	maxMessageBytes  = 16 << 10
)

// parseTemplate parses a template and runs it once, so that a wrong field is
// found at load and not at three in the morning.
func parseTemplate(path, text string, problems *problem.List) *template.Template {
	if len(text) > maxTemplateBytes {
		problems.Add(path, "a template is at most %d bytes long", maxTemplateBytes)
		return nil
	}
	t, err := template.New(path).Funcs(Functions()).Option("missingkey=zero").Parse(text)
	if err == nil {
		err = tame(t)
	}
	if err == nil {
		sample := MessageData{Labels: map[string]string{}, Value: Quantity{1, "%"}, Threshold: Quantity{2, "%"}}
		err = t.Execute(&limited{}, sample)
	}
	if err != nil {
		*problems = append(*problems, templateProblem(path, text, err))
		return nil
	}
	return t
}

// tame refuses what could run for ever: templates that call templates, and
// loops over anything but the labels.
func tame(t *template.Template) error {
	if t.Tree == nil {
		return nil // white space only
	}
	if len(t.Templates()) > 1 {
		return errors.New("define and block have no place in a message")
	}
	return tameNodes(t.Root, false)
}

func tameNodes(list *parse.ListNode, inLoop bool) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.TemplateNode:
			err = errors.New("{{template}} has no place in a message")
		case *parse.IfNode:
			err = tameBranch(&n.BranchNode, inLoop)
		case *parse.WithNode:
			err = tameBranch(&n.BranchNode, inLoop)
		case *parse.RangeNode:
			over := n.Pipe.String()
			if _, after, declares := strings.Cut(over, ":="); declares {
				over = strings.TrimSpace(after)
			}
			if inLoop || over != ".Labels" && over != "$.Labels" {
				return errors.New("range goes over .Labels only, and not within another range")
			}
			err = tameBranch(&n.BranchNode, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tameBranch(n *parse.BranchNode, inLoop bool) error {
	if err := tameNodes(n.List, inLoop); err != nil {
		return err
	}
	return tameNodes(n.ElseList, inLoop)
}

// limited collects what a template writes, up to a bound.
type limited struct{ strings.Builder }

var errTooLong = fmt.Errorf("the text is longer than %d bytes", maxMessageBytes)

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxMessageBytes {
		return 0, errTooLong
	}
	return l.Builder.Write(p)
}

// WriteString keeps io.WriteString within the bound.
func (l *limited) WriteString(s string) (int, error) { return l.Write([]byte(s)) }

// Describe fills in the alert's message and annotations from its other fields.
// A template that fails gives way to the default text, which says so.
func (r *Rule) Describe(a *alert.Alert) {
	data := MessageData{
		Rule: r.ID, Category: r.Category, Metric: r.Metric.Name, Unit: r.Metric.Unit,
		Labels: a.Labels.Map(), Severity: a.Severity.String(), Verb: a.Verb,
		Value:         Quantity{float64(a.Value), r.Metric.Unit},
		Threshold:     Quantity{float64(a.Threshold), r.Metric.Unit},
		ValueText:     units.Quantity(float64(a.Value), r.Metric.Unit),
		ThresholdText: units.Quantity(float64(a.Threshold), r.Metric.Unit),
		Reason:        a.Reason, StartsAt: a.StartsAt,
	}
	a.Message = r.defaultMessage(a, &data)
	if r.message != nil && !isMissing(a.Reason) {
		a.Message = run(r.message, &data, a.Message)
	}
	if len(r.annotations) == 0 {
		return
	}
	a.Annotations = make(map[string]string, len(r.annotations))
	for name, t := range r.annotations {
		a.Annotations[name] = run(t, &data, "")
	}
}

func run(t *template.Template, data *MessageData, otherwise string) string {
	var b limited
	if err := t.Execute(&b, *data); err != nil {
		return strings.TrimSpace(fmt.Sprintf("%s (template %s failed: %v)", otherwise, t.Name(), err))
	}
	return b.String()
}

// defaultMessage reads "cache.hit_rate is 82.3%, below 85% {strategy="X"}".
func (r *Rule) defaultMessage(a *alert.Alert, data *MessageData) string {
	var b strings.Builder
	b.WriteString(r.Metric.Name)
	switch {
	case isMissing(a.Reason) || !a.Value.Known():
		b.WriteString(": " + a.Reason)
	case !a.Threshold.Known() || data.Verb == "":
		b.WriteString(" is " + data.ValueText)
	case strings.HasSuffix(data.Verb, "to"):
		fmt.Fprintf(&b, " %s %s from %s", data.Verb, data.ValueText, data.ThresholdText)
	default:
		fmt.Fprintf(&b, " is %s, %s %s", data.ValueText, data.Verb, data.ThresholdText)
	}
	own := a.Labels.Without(alert.LabelName, alert.LabelCategory)
	if len(own) > 0 {
		b.WriteString(" " + own.String())
	}
	return b.String()
}
