package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tocsin-dev/tocsin/engine/rule/ruletest"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// writeText prints a line for each test, its failures below it, and the
// coverage.
func (r *testRun) writeText(w io.Writer, verbose bool) error {
	var b strings.Builder
	for i := range r.outcomes {
		o := &r.outcomes[i]
		word := "PASS"
		if !o.passed() {
			word = "FAIL"
		}
		fmt.Fprintf(&b, "%s  %s\n", word, o.name)
		if verbose {
			fmt.Fprintf(&b, "      %s\n", stepsText(o.steps))
		}
		if err := o.mistakes().Write(&b); err != nil {
			return err
		}
	}
	if len(r.outcomes) > 0 {
		b.WriteByte('\n')
		r.writeCoverage(&b)
		fmt.Fprintf(&b, "tests: %d passed, %d failed\n", len(r.outcomes)-r.failed(), r.failed())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func stepsText(steps []ruletest.Step) string {
	parts := make([]string, len(steps))
	for i, s := range steps {
		parts[i] = s.String()
	}
	return strings.Join(parts, ", ")
}

// writeCoverage prints the conditions of the rules that were tested, and names
// the rules that were not.
func (r *testRun) writeCoverage(b *strings.Builder) {
	var lines strings.Builder
	table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "rule\tcondition\ttrue\tfalse\tfired")
	var untested []string
	before := ""
	severities, fired := 0, 0
	for _, row := range r.rows {
		isSeverity := row.Condition != ruletest.ClearCondition
		if isSeverity {
			severities++
		}
		if row.Fired {
			fired++
		}
		name := row.Rule
		if row.Match != "" {
			name = "  where " + row.Match
		}
		whose := name
		if name == before {
			name = ""
		}
		before = whose
		switch {
		case row.Tested:
			firedText := yesNo(row.Fired)
			if !isSeverity {
				firedText = ""
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, row.Condition, yesNo(row.True), yesNo(row.False), firedText)
		case name != "" && row.Match == "":
			untested = append(untested, name)
		}
	}
	table.Flush() //nolint:errcheck // a strings.Builder takes everything
	for line := range strings.Lines(lines.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if len(untested) > 0 {
		fmt.Fprintf(b, "no test: %s\n", strings.Join(untested, ", "))
	}
	fmt.Fprintf(b, "conditions: %d of %d seen both true and false; %d of %d severities fired\n", r.covered(), len(r.rows), fired, severities)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// What writeJSON writes.
type (
	testJSON struct {
		Tests    []outcomeJSON  `json:"tests"`
		Coverage []coverageJSON `json:"coverage"`
		Mistakes []placeJSON    `json:"mistakes"`
		Passed   int            `json:"passed"`
		Failed   int            `json:"failed"`
	}
	outcomeJSON struct {
		Name     string      `json:"name"`
		Rule     string      `json:"rule"`
		File     string      `json:"file"`
		Line     int         `json:"line"`
		Column   int         `json:"column"`
		Passed   bool        `json:"passed"`
		Steps    []stepJSON  `json:"steps"`
		Failures []placeJSON `json:"failures"`
	}
	stepJSON struct {
		AtSeconds float64 `json:"at_seconds"`
		State     string  `json:"state"`
	}
	placeJSON struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
		Warning bool   `json:"warning,omitempty"`
	}
	coverageJSON struct {
		Rule      string `json:"rule"`
		Match     string `json:"match,omitempty"`
		Condition string `json:"condition"`
		Text      string `json:"text"`
		Tested    bool   `json:"tested"`
		True      bool   `json:"true"`
		False     bool   `json:"false"`
		Fired     bool   `json:"fired"`
	}
)

func placesJSON(mistakes yamlpos.Mistakes) []placeJSON {
	out := make([]placeJSON, 0, len(mistakes))
	for _, m := range mistakes {
		out = append(out, placeJSON{m.File, m.Line, m.Column, m.Message, m.Hint, m.Warning})
	}
	return out
}

func (r *testRun) writeJSON(w io.Writer, mistakes yamlpos.Mistakes) error {
	out := testJSON{
		Tests: make([]outcomeJSON, 0, len(r.outcomes)), Coverage: make([]coverageJSON, 0, len(r.rows)), Mistakes: placesJSON(mistakes),
		Passed: len(r.outcomes) - r.failed(), Failed: r.failed(),
	}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		one := outcomeJSON{
			Name: o.name, Rule: o.test.Rule.ID, File: o.place.File, Line: o.place.Line, Column: o.place.Column,
			Passed: o.passed(), Failures: placesJSON(o.mistakes()),
		}
		for _, s := range o.steps {
			one.Steps = append(one.Steps, stepJSON{s.At.Seconds(), s.State})
		}
		out.Tests = append(out.Tests, one)
	}
	for _, row := range r.rows {
		out.Coverage = append(out.Coverage, coverageJSON{row.Rule, row.Match, row.Condition, row.Text, row.Tested, row.True, row.False, row.Fired})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// What writeJUnit writes: the form that CI systems read.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name     string         `xml:"name,attr"`
		Class    string         `xml:"classname,attr"`
		File     string         `xml:"file,attr"`
		Line     int            `xml:"line,attr"`
		Failures []junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (r *testRun) writeJUnit(w io.Writer) error {
	suite := junitSuite{Name: "tocsin test", Tests: len(r.outcomes), Failures: r.failed()}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		one := junitCase{Name: o.name, Class: o.test.Rule.ID, File: o.place.File, Line: o.place.Line}
		for _, f := range o.failures {
			one.Failures = append(one.Failures, junitFailure{Message: f.Message, Text: f.place.Error()})
		}
		suite.Cases = append(suite.Cases, one)
	}
	data, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	if err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}
