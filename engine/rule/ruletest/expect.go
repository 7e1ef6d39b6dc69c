package ruletest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// What can be expected of an alert's state beside the severities.
const (
	wantOK      = "ok"
	wantPending = "pending"
	wantFiring  = "firing"
)

func states() []string {
	return []string{wantOK, wantPending, "info", "warning", "critical", wantFiring}
}

// expectation is what is wanted at one moment since the first poll.
type expectation struct {
	at               time.Duration
	path             string // expect.3m
	state            string // empty: not asked
	value, threshold *figure
	message, reason  string
}

// figure is a number that is wanted, to as many decimals as are written, and
// to one at least.
type figure struct {
	quantity
	text      string
	tolerance float64 // in the unit that is written
}

func (e *expectation) read(spec rule.ExpectSpec, problems *problem.List) {
	e.state, e.message, e.reason = spec.Severity, spec.Message, spec.Reason
	asked := spec.Value != "" || spec.Threshold != "" || spec.Message != "" || spec.Reason != ""
	switch {
	case spec.Severity == "" && !asked:
		problems.AddHint(e.path, "write for example 3m: warning", "nothing is expected here")
	case spec.Severity == wantOK && asked:
		problems.AddHint(e.path+".severity", "ask for it while the alert is pending or fires", "when all is well there is no alert that has a value or a message")
	case spec.Severity != "":
		checkState(e.path+".severity", spec.Severity, problems)
	}
	e.value = readFigure(e.path+".value", spec.Value, problems)
	e.threshold = readFigure(e.path+".threshold", spec.Threshold, problems)
}

func checkState(path, state string, problems *problem.List) {
	for _, s := range states() {
		if s == state {
			return
		}
	}
	hint := problem.DidYouMean(state, states())
	switch strings.ToLower(state) {
	case "resolved", "inactive", "none", "quiet", "nothing":
		hint = "when nothing is pending or fires, write ok"
	}
	problems.AddHint(path, hint, "%q is not one of %s", clip(state), strings.Join(states(), ", "))
}

func readFigure(path, text string, problems *problem.List) *figure {
	if text == "" {
		return nil
	}
	p := runParser{text: strings.TrimSpace(text)}
	f := figure{text: p.text}
	switch {
	case !beginsNumber(p.text):
		p.fail(0, "write for example 60 or 200ms", "%q is not a number", clip(text))
	case !p.quantity(&f.quantity):
	case p.rest() != "":
		p.fail(p.at, "write for example 60 or 200ms", "%q cannot stand here", clip(p.rest()))
	}
	if p.mistake != nil {
		p.mistake.Path = path
		*problems = append(*problems, *p.mistake)
		return nil
	}
	f.tolerance = math.Pow10(lastPlace(f.text)) / 2
	return &f
}

// lastPlace is the power of ten of the last digit of a number: -2 for 1.25, 8
// for 1.5e9; at most -1 for a number without exponent, since messages show one
// decimal.
func lastPlace(text string) int {
	number := text[:numberLength(text)]
	mantissa, exponent, powered := strings.Cut(strings.ToLower(number), "e")
	_, decimals, _ := strings.Cut(mantissa, ".")
	if !powered {
		return -max(1, len(decimals))
	}
	x := 0
	if _, err := fmt.Sscanf(exponent, "%d", &x); err != nil {
		return 0
	}
	return max(-300, min(300, x-len(decimals)))
}

// fits converts the figure to a metric's unit and says whether a number is it.
func (f *figure) fits(n alert.Number, m source.Metric) bool {
	factor, _ := conversion(f.unit, m)
	want := f.number * factor
	return n.Known() && math.Abs(float64(n)-want) <= f.tolerance*factor+1e-9*math.Abs(want)
}

// conversion is what a number with a unit is multiplied by to be in a metric's;
// false when they do not go together.
func conversion(unit string, m source.Metric) (float64, bool) {
	if unit == "" {
		return 1, true
	}
	factor, dim, known := units.Suffix(unit)
	own, base := units.Of(m.Unit)
	if !known || dim != own {
		return 1, false
	}
	return factor / base, true
}

func unitMistake(path string, q quantity, m source.Metric) problem.Problem {
	in := m.Unit
	if in == "" {
		in = "plain numbers"
	}
	return problem.Problem{
		Path: path, Offset: q.offset, Message: fmt.Sprintf("%s is in %s, which does not go with %s", m.Name, in, q.unit),
		Hint: "a number without a unit is in the metric's own",
	}
}

// judge returns what is wanted and not so, each under the path of its key.
func (e *expectation) judge(a *alert.Alert, m source.Metric) []miss {
	var misses []miss
	add := func(key, format string, args ...any) {
		misses = append(misses, miss{path: e.path + "." + key, text: fmt.Sprintf(format, args...), state: key == "severity"})
	}
	if got := stateOf(a); e.state != "" && !matches(e.state, a) {
		add("severity", "want %s, got %s", e.state, got)
	}
	if a == nil {
		if e.state == "" {
			add("severity", "want an alert, got ok")
		}
		return misses
	}
	if e.value != nil && !e.value.fits(a.Value, m) {
		add("value", "want value %s, got %s", e.value.text, units.Quantity(float64(a.Value), m.Unit))
	}
	if e.threshold != nil && !e.threshold.fits(a.Threshold, m) {
		add("threshold", "want threshold %s, got %s", e.threshold.text, units.Quantity(float64(a.Threshold), m.Unit))
	}
	if e.message != "" && e.message != a.Message {
		add("message", "want message %q, got %q", e.message, a.Message)
	}
	if e.reason != "" && !strings.Contains(a.Reason, e.reason) {
		add("reason", "want a reason with %q in it, got %q", e.reason, a.Reason)
	}
	return misses
}

// miss is one thing that is not as it is wanted.
type miss struct {
	path, text string
	state      bool // it is the state
}

func matches(want string, a *alert.Alert) bool {
	switch {
	case want == wantOK:
		return a == nil
	case a == nil:
		return false
	case want == wantPending:
		return a.State == alert.Pending
	case a.State != alert.Firing:
		return false
	}
	return want == wantFiring || want == a.Severity.String()
}

// stateOf is one word of states; for a pending alert also what it waits to be.
func stateOf(a *alert.Alert) string {
	switch {
	case a == nil:
		return wantOK
	case a.State == alert.Pending:
		return wantPending
	}
	return a.Severity.String()
}
