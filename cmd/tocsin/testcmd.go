package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// testFlags are what the command line of test says.
type testFlags struct {
	files
	run         string
	output      string
	verbose     bool
	coverageMin float64 // percent
}

func newTest(w world) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [--config FILE] [--run REGEXP] [--output text|json|junit] [FILE]…",
		Short: "Run the tests that stand beside the rules",
		Long: `Plays the tests of rule files: series written poll by poll, and what the rules
must make of them at which moment. Prints a line for each test, the failures at
their lines and columns, and which conditions the tests saw true and false.
Nothing is connected or started, and no time passes.

  tests:
    - rule: cache-hit-rate
      series: 90x4 80x12 60x8 90x8       # one word for each run of polls, 15s apart
      expect: {0s: ok, 3m30s: warning, 5m30s: critical}

Without --config, metrics of the application's own are any name without a dot.

Exit status: 0 when all pass, 1 when one fails or is mistaken, or there are
none, 2 when a file could not be read. The file - is standard input.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.rules = append(f.rules, args...)
			return test(cmd.Context(), f, w)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the configuration `FILE`; the tests of its rule files are run")
	cmd.Flags().StringArrayVarP(&f.rules, "rules", "r", nil, "a rule `FILE`, in the place of the configuration's own; may be repeated")
	cmd.Flags().StringVar(&f.run, "run", "", "run the tests whose name this `REGEXP` finds")
	cmd.Flags().StringVarP(&f.output, "output", "o", outputText, "text, json or junit")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the states that each alert went through")
	cmd.Flags().Float64Var(&f.coverageMin, "coverage-min", 0, "fail when less than `PCT` percent of the conditions are seen both true and false")
	return cmd
}

// The outputs of test.
const (
	outputText  = "text"
	outputJSON  = "json"
	outputJUnit = "junit"
)

func test(ctx context.Context, f testFlags, w world) error {
	only, err := f.check()
	if err != nil {
		return err
	}
	f.tests = true
	tests, mistakes := loadTests(f.files, w)
	var run testRun
	if tests != nil {
		var more yamlpos.Mistakes
		run, more = tests.run(ctx, only)
		mistakes = append(mistakes, more...).Sorted()
	}
	if err := ctx.Err(); err != nil {
		return &exitError{exitUnread, "interrupted"}
	}
	switch f.output {
	case outputJSON:
		err = run.writeJSON(w.stdout, mistakes)
	case outputJUnit:
		if err = mistakes.Write(w.stderr); err == nil {
			err = run.writeJUnit(w.stdout)
		}
	default:
		if err = mistakes.Write(w.stderr); err == nil {
			err = run.writeText(w.stdout, f.verbose)
		}
	}
	return cmp.Or(err, run.verdict(mistakes, f))
}

// check finds what is wrong with the command line.
func (f *testFlags) check() (*regexp.Regexp, error) {
	outputs := []string{outputText, outputJSON, outputJUnit}
	switch {
	case f.config == "" && len(f.rules) == 0:
		return nil, &exitError{exitUnread, "nothing to test: give rule files or --config FILE"}
	case !slices.Contains(outputs, f.output):
		text := fmt.Sprintf("--output %q is not one of %s", f.output, strings.Join(outputs, ", "))
		if hint := problem.DidYouMean(f.output, outputs); hint != "" {
			text += "; " + hint
		}
		return nil, &exitError{exitUnread, text}
	case f.run == "":
		return nil, nil
	}
	only, err := regexp.Compile(f.run)
	if err != nil {
		return nil, &exitError{exitUnread, fmt.Sprintf("--run: %v", err)}
	}
	return only, nil
}

// loadTests reads the rules and their tests. Without a configuration nobody
// knows which metrics of its own the application has: any may be.
func loadTests(f files, w world) (*ruleTests, yamlpos.Mistakes) {
	if f.config == "" {
		_, _, tests, mistakes := loadRules(f.rules, configs.Input{Environ: w.environ, Stdin: w.stdin}, source.NewCatalog(nil, true))
		return tests, mistakes
	}
	p, mistakes := load(f, w)
	if p == nil {
		return nil, mistakes
	}
	return p.tests, mistakes
}

// verdict is how the command ends.
func (r *testRun) verdict(mistakes yamlpos.Mistakes, f testFlags) error {
	var texts []string
	wrong := 0
	for _, m := range mistakes {
		if !m.Warning && !m.Unread {
			wrong++
		}
	}
	if wrong > 0 {
		texts = append(texts, count(wrong, "mistake"))
	}
	if failed := r.failed(); failed > 0 {
		texts = append(texts, count(failed, "test")+" failed")
	}
	if covered := r.covered(); 100*float64(covered) < f.coverageMin*float64(len(r.rows)) {
		texts = append(texts, fmt.Sprintf("%d of %s covered, less than %v%%", covered, count(len(r.rows), "condition"), f.coverageMin))
	}
	switch {
	case mistakes.Unread():
		return &exitError{exitUnread, strings.Join(append(texts, "a file could not be read"), ", and ")}
	case len(texts) > 0:
		return &exitError{exitMistakes, strings.Join(texts, ", and ")}
	case len(r.outcomes) == 0 && f.run != "":
		return &exitError{exitMistakes, fmt.Sprintf("no test is called like %q", f.run)}
	case len(r.outcomes) == 0:
		return &exitError{exitMistakes, "there are no tests"}
	}
	return nil
}
