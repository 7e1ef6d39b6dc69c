package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/source"
)

// TestTheShippedRulesPassTheirTests runs rules.test.yaml, which is to see every
// condition of rules.yaml true and false, and every severity fire.
func TestTheShippedRulesPassTheirTests(t *testing.T) {
	files := []string{filepath.Join(house, "rules.yaml"), filepath.Join(house, "rules.test.yaml")}
	_, _, tests, mistakes := loadRules(files, configs.Input{}, source.NewCatalog(nil, false))
	if mistakes.Err() != nil {
		t.Fatal(mistakes)
	}
	run, more := tests.run(t.Context(), nil)
	if len(more) > 0 || run.failed() > 0 || len(run.outcomes) == 0 {
		t.Errorf("%d tests\n%v\n%v", len(run.outcomes), more, run.failures())
	}
	for _, row := range run.rows {
		if !row.True || !row.False || !row.Fired && row.Condition != "clear" {
			t.Errorf("%s %s: true %v, false %v, fired %v", row.Rule, row.Condition, row.True, row.False, row.Fired)
		}
	}
}

// A file of thousands of tests is run while one waits: a test costs what its own
// rule costs, whatever other rules there are.
func TestThousandsOfTestsAreRunAtOnce(t *testing.T) {
	const n = 3000
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {id: r%d, metric: cache.hit_rate, warning: {when: 'avg(5m) < 85', for: 1m}}\n", i)
	}
	b.WriteString("tests:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {rule: r%d, series: 90x20 80x40, expect: {5m: ok, 14m: warning}}\n", i)
	}
	_, _, tests, mistakes := loadRules([]string{"-"}, configs.Input{Stdin: strings.NewReader(b.String())}, source.NewCatalog(nil, false))
	if mistakes.Err() != nil {
		t.Fatal(mistakes)
	}
	began := time.Now()
	run, more := tests.run(t.Context(), nil)
	if len(more) > 0 || run.failed() > 0 || len(run.outcomes) != n {
		t.Fatalf("%d tests, %d failed\n%v", len(run.outcomes), run.failed(), more)
	}
	took := time.Since(began)
	t.Logf("%d tests in %s", n, took)
	if took > 10*time.Second {
		t.Errorf("%d tests took %s", n, took)
	}
}
