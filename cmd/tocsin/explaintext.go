package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// explainText writes an explanation for a terminal.
type explainText struct {
	strings.Builder
	doc     *rule.Explained
	colours bool
}

// The escape sequences of a terminal's colours.
const (
	red, yellow, green = "\x1b[31m", "\x1b[33m", "\x1b[32m"
	bold, plain        = "\x1b[1m", "\x1b[0m"
)

func writeExplained(w io.Writer, doc *rule.Explained, colours bool) error {
	t := &explainText{doc: doc, colours: colours}
	if len(doc.Series) == 0 {
		fmt.Fprintf(t, "%s  %s\n", t.in(bold, doc.Rule), doc.Metric)
	}
	for _, note := range doc.Notes {
		t.line("note", note)
	}
	for i := range doc.Series {
		if i > 0 {
			t.WriteByte('\n')
		}
		t.series(&doc.Series[i])
	}
	if more := doc.Total - len(doc.Series); more > 0 && len(doc.Series) > 0 {
		fmt.Fprintf(t, "\n%d more series; name labels, or show them with --limit\n", more)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func (t *explainText) in(colour, text string) string {
	if !t.colours {
		return text
	}
	return colour + text + plain
}

// line writes what stands behind a word of the margin.
func (t *explainText) line(word, text string) { fmt.Fprintf(t, "  %-11s%s\n", word, text) }

func (t *explainText) series(x *rule.Explanation) {
	fmt.Fprintf(t, "%s  %s  %s\n", t.in(bold, t.doc.Rule), x.Labels, t.state(x))
	if x.Reason != "" {
		t.line("reason", x.Reason)
	}
	t.line("samples", t.samples(x))
	for i := range x.Conditions {
		t.condition(&x.Conditions[i])
	}
	if x.Clear != nil {
		t.trace("clear", x.Clear)
	}
	if x.MinVolume != nil {
		t.trace("min_volume", x.MinVolume)
	}
	for _, note := range x.Notes {
		t.line("note", note)
	}
}

// state is as in PENDING warning for 1m10s.
func (t *explainText) state(x *rule.Explanation) string {
	colour := map[string]string{"firing": red, "pending": yellow}[x.State]
	if x.State == "ok" {
		return t.in(green, "OK")
	}
	text := t.in(colour, strings.ToUpper(x.State)) + " " + x.Severity.String()
	if !x.Since.IsZero() {
		text += " for " + span(t.doc.At.Sub(x.Since))
	}
	return text
}

// samples is as in 91.2 90.8 84.1 % (the last 3s ago, one every 5s).
func (t *explainText) samples(x *rule.Explanation) string {
	if len(x.Samples) == 0 {
		return "none"
	}
	unit := t.doc.Unit
	eachHasUnit := unit == "bytes" || unit == "bytes/s" || unit == "s"
	values := make([]string, len(x.Samples))
	for i, p := range x.Samples {
		if values[i] = units.Number(float64(p.Value)); eachHasUnit {
			values[i] = units.Quantity(float64(p.Value), unit)
		}
	}
	text := strings.Join(values, " ")
	if unit != "" && unit != "bool" && !eachHasUnit {
		text += " " + unit
	}
	last := x.Samples[len(x.Samples)-1].At
	return fmt.Sprintf("%s  (the last %s ago, one every %s)", text, span(t.doc.At.Sub(last)), x.Interval)
}

func (t *explainText) condition(s *rule.Standing) {
	head := s.Trace.Text
	if s.Polls != "" {
		head += " on " + s.Polls + " polls"
	}
	if s.For != "0s" && s.For != "" {
		head += ", for " + s.For
	}
	if s.Margin != "" {
		head += ", clear_margin " + s.Margin
	}
	t.line(s.Severity.String(), head)
	t.line("", s.Why)
	t.parts(&s.Trace, s.Margin != "")
}

// trace is a condition that no severity is about.
func (t *explainText) trace(word string, trace *rule.Trace) {
	t.line(word, trace.Text)
	t.parts(trace, false)
}

// parts writes what a condition is made of, a line each: whether it holds, and
// what is compared with what.
func (t *explainText) parts(trace *rule.Trace, widened bool) {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	rows := traceRows(trace, 0, widened)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush() // a builder takes everything
	for line := range strings.Lines(b.String()) {
		t.line("", "  "+strings.TrimRight(line, " \n"))
	}
}

// traceRows lists a trace's comparisons, below what joins them.
func traceRows(trace *rule.Trace, depth int, widened bool) [][]string {
	indent := strings.Repeat("  ", depth)
	switch {
	case len(trace.Parts) > 0:
		rows := [][]string{{trace.Holds, indent + trace.Op}}
		for i := range trace.Parts {
			rows = append(rows, traceRows(&trace.Parts[i], depth+1, widened)...)
		}
		return rows
	case trace.Left == nil:
		return [][]string{{trace.Holds, indent + trace.Text}}
	case trace.Right == nil: // x in […], whose text has the list
		return [][]string{{trace.Holds, indent + trace.Left.Text, valueText(trace.Left, nil, widened), strings.TrimPrefix(trace.Text, trace.Left.Text+" "), whyText(trace.Left)}}
	}
	left, right := trace.Left, trace.Right
	value := valueText(left, right, widened)
	if left.Fixed {
		value = ""
	}
	other := valueText(right, left, widened)
	if !right.Fixed {
		other = right.Text + " " + other
	}
	return [][]string{{trace.Holds, indent + left.Text, value, trace.Op + " " + strings.TrimPrefix(other, "= "), whyText(left, right)}}
}

// valueText is an operand's value: as it is written for a constant, else as in
// = 83.2%, and = ? for what is unknown.
func valueText(v, beside *rule.TraceValue, widened bool) string {
	switch {
	case v.Is != nil && v.Fixed:
		return v.Text
	case v.Is != nil:
		return "= " + strconv.Quote(*v.Is)
	case v.Fixed && !widened:
		return v.Text
	case !v.Value.Known():
		return "= ?"
	}
	text := units.Quantity(float64(v.Value), v.Unit)
	if beside != nil && beside.Value.Known() && beside.Value != v.Value && text == units.Quantity(float64(beside.Value), v.Unit) {
		text = exact(v.Value, v.Unit) // 84.97% and 85% look alike
	}
	return "= " + text
}

func exact(n alert.Number, unit string) string {
	text := strconv.FormatFloat(float64(n), 'f', -1, 64)
	if unit == "bytes" || unit == "s" || unit == "bytes/s" {
		return text + " " + unit
	}
	return text + unit
}

// whyText says why a value is unknown.
func whyText(values ...*rule.TraceValue) string {
	for _, v := range values {
		if v.Why != "" {
			return "(" + v.Why + ")"
		}
	}
	return ""
}

// span is a duration in whole seconds.
func span(d time.Duration) string {
	if d < 500*time.Millisecond {
		return "0s"
	}
	return units.Duration(d.Round(time.Second))
}
