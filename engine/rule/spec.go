package rule

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/units"
)

// File is a rule file as it is written.
type File struct {
	// Use names the files and packs whose rules this file brings in. A rule of
	// this file with the id of one of those changes it, field by field.
	Use []string `yaml:"use"`
	// Metrics are made of others, for rules to look at.
	Metrics []Derived `yaml:"metrics"`
	// Rules say what is wrong, and when.
	Rules []Spec `yaml:"rules"`
	// Tests say what the rules are to do; `tocsin test` plays them.
	Tests []TestSpec `yaml:"tests"`
}

// Spec is a rule as it is written. Compile checks it and makes a Rule of it.
type Spec struct {
	// ID names the rule and its alerts: letters, digits and - _ . :
	ID string `yaml:"id"`
	// Category is the alerts' label by which they are grouped; left out, it
	// follows from the metric.
	Category string `yaml:"category"`
	// Metric names the series that the rule judges: one alert per label set.
	Metric string `yaml:"metric"`
	// Match limits the rule to label sets that satisfy every matcher.
	Match []string `yaml:"match"`
	// By makes one alert for each set of these labels, of a value that Combine
	// makes of their series: sum, avg, min, max or count. Left out, it is the
	// worst: min where the conditions ask for less, max where for more.
	By      []string `yaml:"by"`
	Combine string   `yaml:"combine"`

	// Critical, Warning and Info are the conditions of the severities; the worst
	// that holds is the alert's.
	Critical When `yaml:"critical"`
	Warning  When `yaml:"warning"`
	Info     When `yaml:"info"`
	// Clear must hold before an alert that fires may resolve.
	Clear string `yaml:"clear"`
	// ClearMargin is how far a value must be on the good side of a threshold
	// before a severity that fires ends.
	ClearMargin MarginSpec `yaml:"clear_margin"`
	// For is the severities' `for` where they give none of their own, and
	// KeepFiringFor how long they go on firing after their condition has ended.
	For           time.Duration `yaml:"for"`
	KeepFiringFor time.Duration `yaml:"keep_firing_for"`
	// MinVolume is a condition: while it does not hold there is too little to
	// judge, and nothing new fires.
	MinVolume string `yaml:"min_volume"`
	// Flapping, when set, keeps an alert firing that changes too often.
	Flapping *Flapping `yaml:"flapping"`

	// NoData is keep, ok, info, warning or critical; empty is keep.
	NoData string `yaml:"no_data"`
	// NoDataAfter is how old the last sample may grow; zero is three intervals
	// of its source.
	NoDataAfter time.Duration `yaml:"no_data_after"`
	// GoneAfter is how long the source must be read without a label set until
	// its alerts are closed; zero is 15 minutes or ten intervals.
	GoneAfter time.Duration `yaml:"gone_after"`
	// WarmUp holds the judgement of a source whose process has just started.
	WarmUp time.Duration `yaml:"warm_up"`
	// Timezone is that of time(), weekday() and baseline(); empty is UTC.
	Timezone string `yaml:"timezone"`

	// DependsOn names rules: while one of them fires, the alerts of this one
	// are judged and not sent.
	DependsOn []Dependency `yaml:"depends_on"`
	// Overrides change the rule for some label sets; the first that matches.
	Overrides []Override `yaml:"overrides"`

	// Message is a text/template; the manual lists its fields.
	Message string `yaml:"message"`
	// Labels are added to every alert of the rule.
	Labels map[string]string `yaml:"labels"`
	// Annotations are texts for people, templates like Message.
	Annotations map[string]string `yaml:"annotations"`
	// Disabled switches the rule off.
	Disabled bool `yaml:"disabled"`
}

// When is one severity's condition: a bare expression, or a mapping with its
// own times.
type When struct {
	// When is the condition.
	When string `yaml:"when"`
	// Polls asks for the condition on some of the last polls: "3 of 5".
	Polls Polls `yaml:"polls"`
	// For is how long the condition must hold until it fires; left out, it is the
	// rule's.
	For *time.Duration `yaml:"for"`
	// KeepFiringFor is how long it goes on firing after the condition has ended;
	// left out, it is the rule's.
	KeepFiringFor *time.Duration `yaml:"keep_firing_for"`

	removed bool // written as an empty text
}

// FromScalar takes the short form, `critical: value < 70`. An empty text takes
// away what a used rule has.
func (w *When) FromScalar(text string) error {
	if text == "" {
		*w = When{}
	}
	w.When, w.removed = text, text == ""
	return nil
}

// FromEntry takes the form `when: {3 of 5: value < 70}`.
func (w *When) FromEntry(field, key, value string) error {
	if field != "when" {
		return fmt.Errorf("want text, not a mapping")
	}
	w.When, w.removed = value, false
	return w.Polls.FromScalar(key)
}

// Equal says whether two conditions ask for the same.
func (w When) Equal(o When) bool {
	w.removed, o.removed = false, false
	return reflect.DeepEqual(w, o)
}

// given says whether there is a condition, or a part of one.
func (w *When) given() bool { return w.When != "" || !w.bare() }

// bare says whether there are no times and polls.
func (w *When) bare() bool { return w.Polls == (Polls{}) && w.For == nil && w.KeepFiringFor == nil }

// Polls is on how many of how many last polls a condition must hold; zero asks
// for the last one.
type Polls struct{ Need, Of int }

// MaxPolls is how many polls are remembered.
const MaxPolls = 64

// FromScalar reads "3 of 5".
func (p *Polls) FromScalar(text string) error {
	need, of, ok := strings.Cut(text, " of ")
	n, err := strconv.Atoi(strings.TrimSpace(need))
	m, err2 := strconv.Atoi(strings.TrimSpace(of))
	switch {
	case !ok || err != nil || err2 != nil:
		return fmt.Errorf("%q is not a number of polls; write for example 3 of 5", text)
	case n < 1 || n > m || m > MaxPolls:
		return fmt.Errorf("%q cannot be; the first number is at least 1, the second no less and at most %d", text, MaxPolls)
	}
	p.Need, p.Of = n, m
	return nil
}

// String writes what FromScalar reads.
func (p Polls) String() string { return fmt.Sprintf("%d of %d", p.Need, p.Of) }

// MarginSpec is a Margin as it is written: a quantity in the metric's unit, or a
// share of the threshold.
type MarginSpec struct {
	Text string
	// Value is in the base unit of Dim; of a percentage its number.
	Value float64
	Dim   units.Dimension
}

// FromScalar reads 2, 10ms, 16MB or 5%.
func (m *MarginSpec) FromScalar(text string) error {
	text = strings.TrimSpace(text)
	value, err := parseFloat(text)
	dim := units.None
	if err != nil {
		lit, ok := parseQuantity(text)
		if !ok {
			return fmt.Errorf("%q is not a margin; write for example 2, 10ms, 16MB or 5%%", text)
		}
		value, dim = lit.value, lit.dim
	}
	if !(value >= 0) {
		return fmt.Errorf("a margin cannot be negative")
	}
	*m = MarginSpec{Text: text, Value: value, Dim: dim}
	return nil
}

// Flapping is how many changes in how long a time are too many.
type Flapping struct {
	// Changes is how many changes are too many, Within in how long a time.
	Changes int           `yaml:"changes"`
	Within  time.Duration `yaml:"within"`
}

// FromScalar reads "6 in 30m"; off, or nothing, takes away what a used rule or
// the rule itself says.
func (f *Flapping) FromScalar(text string) error {
	if text == "" || text == "off" {
		*f = Flapping{}
		return nil
	}
	changes, within, ok := strings.Cut(text, " in ")
	n, err := strconv.Atoi(strings.TrimSpace(changes))
	d, err2 := units.ParseDuration(strings.TrimSpace(within))
	if !ok || err != nil || err2 != nil {
		return fmt.Errorf("%q does not say how many changes are too many; write for example 6 in 30m", text)
	}
	f.Changes, f.Within = n, d
	return nil
}

// String writes what FromScalar reads.
func (f Flapping) String() string {
	if f == (Flapping{}) {
		return ""
	}
	return fmt.Sprintf("%d in %s", f.Changes, units.Duration(f.Within))
}

// Dependency is a rule that this one depends on.
type Dependency struct {
	// Rule is the id of the other rule.
	Rule string `yaml:"rule"`
	// Equal are labels that both alerts must share. Left out, an alert of the
	// same source counts; one of another source only where the other rule
	// judges nothing of this alert's source.
	Equal []string `yaml:"equal"`
}

// FromScalar takes the short form, the rule's id.
func (d *Dependency) FromScalar(text string) error {
	d.Rule = text
	return nil
}

// Derived is a metric that is made of others.
type Derived struct {
	// Name is what rules call the metric.
	Name string `yaml:"name"`
	// Expr gives its value, over metric("…") and over sum, avg, min, max and
	// count of the series of a metric that share the labels kept.
	Expr string `yaml:"expr"`
	// Unit is "", "%", "ms", "s", "bytes", "/s", "/min" or "bytes/s".
	Unit string `yaml:"unit"`
	// Description is what people read beside the name.
	Description string `yaml:"description"`
	// Labels are those that are kept: one series for each set of them. Left out,
	// all are kept.
	Labels *[]string `yaml:"labels"`
}
