package rule

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/templating"
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
	b := templating.Limited{Limit: maxMessageBytes}
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
		if a.Severity != alert.OK && r.levels[a.Severity-1].when != nil {
			b.WriteString(", and " + strings.Join(strings.Fields(r.levels[a.Severity-1].when.Text), " "))
		}
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
