package main

import (
	"context"
	"fmt"
	"regexp"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/engine/rule/ruletest"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// ruleTests are the tests that stand beside rules, and the rules.
type ruleTests struct {
	written []configs.RuleTest
	rules   ruletest.Rules
	enabled []*rule.Rule // in the order of the files
}

func newRuleTests(written []configs.RuleTest, enabled []*rule.Rule, all map[string]*rule.Rule, catalog source.Catalog, metrics rule.Metrics) *ruleTests {
	return &ruleTests{written: written, rules: ruletest.Rules{ByID: all, Catalog: catalog, Metrics: metrics}, enabled: enabled}
}

// outcome is what came of one test.
type outcome struct {
	name     string
	test     *ruletest.Test
	place    yamlpos.Mistake // where the test stands; File, Line and Column of it
	failures []failure
	steps    []ruletest.Step
}

// failure is one failed expectation at its place.
type failure struct {
	ruletest.Failure
	place yamlpos.Mistake
}

func (o *outcome) passed() bool { return len(o.failures) == 0 }

// testRun is what came of all.
type testRun struct {
	outcomes []outcome
	rows     []ruletest.Row // of the rules that are enabled, and of those tested
}

// run plays the tests whose name the expression finds, all for nil, and returns
// the mistakes of all tests, played or not. It ends early with ctx.
func (s *ruleTests) run(ctx context.Context, only *regexp.Regexp) (testRun, yamlpos.Mistakes) {
	var out testRun
	var mistakes yamlpos.Mistakes
	numbers := map[string]int{}
	coverage := ruletest.NewCoverage(s.countedRules())
	for _, written := range s.written {
		if ctx.Err() != nil {
			break
		}
		id := written.Spec.Rule
		numbers[id]++
		name := written.Spec.Name
		if name == "" {
			name = fmt.Sprintf("%s #%d", id, numbers[id])
		}
		t, problems := ruletest.Compile(written.Spec, s.rules)
		mistakes = append(mistakes, written.Locate(problems)...)
		if t == nil || written.Garbled || only != nil && !only.MatchString(name) {
			continue
		}
		out.outcomes = append(out.outcomes, play(name, t, written, coverage))
	}
	out.rows = coverage.Rows()
	return out, mistakes
}

func play(name string, t *ruletest.Test, written configs.RuleTest, coverage *ruletest.Coverage) outcome {
	result := t.Run(coverage)
	o := outcome{name: name, test: t, steps: result.Steps, place: placeOf(written, "rule")}
	for _, f := range result.Failures {
		place := placeOf(written, f.Path)
		place.Path, place.Message = "", fmt.Sprintf("test %q: %s", name, f.Message)
		o.failures = append(o.failures, failure{Failure: f, place: place})
	}
	return o
}

func placeOf(written configs.RuleTest, path string) yamlpos.Mistake {
	for _, m := range written.Locate(problem.List{{Path: path}}) {
		return m
	}
	return yamlpos.Mistake{}
}

// countedRules are those whose coverage counts: the enabled ones, and disabled
// ones that have tests.
func (s *ruleTests) countedRules() []*rule.Rule {
	counted := append([]*rule.Rule(nil), s.enabled...)
	seen := map[string]bool{}
	for _, r := range s.enabled {
		seen[r.ID] = true
	}
	for _, written := range s.written {
		if r := s.rules.ByID[written.Spec.Rule]; r != nil && !seen[r.ID] {
			seen[r.ID] = true
			counted = append(counted, r)
		}
	}
	return counted
}

// mistakes runs all tests and returns their mistakes, failures among them.
func (s *ruleTests) mistakes(ctx context.Context) yamlpos.Mistakes {
	run, mistakes := s.run(ctx, nil)
	return append(mistakes, run.failures()...)
}

func (r *testRun) failures() yamlpos.Mistakes {
	var all yamlpos.Mistakes
	for i := range r.outcomes {
		all = append(all, r.outcomes[i].mistakes()...)
	}
	return all
}

func (o *outcome) mistakes() yamlpos.Mistakes {
	var all yamlpos.Mistakes
	for _, f := range o.failures {
		all = append(all, f.place)
	}
	return all
}

// failed counts the tests that failed.
func (r *testRun) failed() int {
	n := 0
	for i := range r.outcomes {
		if !r.outcomes[i].passed() {
			n++
		}
	}
	return n
}

// covered counts the conditions that tests saw both true and false.
func (r *testRun) covered() int {
	n := 0
	for _, row := range r.rows {
		if row.True && row.False {
			n++
		}
	}
	return n
}
