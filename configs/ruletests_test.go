package configs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

func TestTestsComeWithTheirPlaces(t *testing.T) {
	dir := t.TempDir()
	rules := write(t, dir, "rules.yaml", "rules:\n  - {id: one}\ntests:\n  - {rule: one, series: 90, expect: {0s: ok}}\n")
	tests := write(t, dir, "rules.test.yaml", "tests:\n  - rule: gone\n    series: {'no.such{a=\"b\"}': 90x4}\n    expect: {30s: {severity: warning, value: 80}}\n")
	set, mistakes := configs.LoadRules([]string{rules, tests}, configs.Input{}, nil)
	found := set.Tests
	if len(found) != 2 || mistakes.Err() != nil {
		t.Fatalf("%d tests, %v", len(found), mistakes)
	}
	got := found[1].Locate(problem.List{
		{Path: "rule", Message: "a"},
		{Path: `series.no.such{a="b"}`, Offset: 8, InKey: true, Message: "b"},
		{Path: `series.no.such{a="b"}`, Offset: 2, Message: "c"},
		{Path: "expect.30s.severity", Message: "d"},
		{Path: "expect.30s.threshold", Message: "e"},
	})
	want := `rules.test.yaml:2:11: tests[0].rule: a
rules.test.yaml:3:23: tests[0].series.no.such{a="b"}: b
rules.test.yaml:3:34: tests[0].series.no.such{a="b"}: c
rules.test.yaml:4:14: tests[0].expect.30s.threshold: e
rules.test.yaml:4:30: tests[0].expect.30s.severity: d`
	if diff := cmp.Diff(want, strings.ReplaceAll(got.Error(), dir+"/", "")); diff != "" {
		t.Error(diff)
	}
}

// A test that is out of date does not refuse the rules; one that cannot be read
// does.
func TestTheFormOfTestsIsJudgedWithTheRules(t *testing.T) {
	dir := t.TempDir()
	stale := write(t, dir, "stale.yaml", "rules: []\ntests:\n  - {rule: gone, series: 90, expect: {0s: critical}}\n")
	if _, mistakes := configs.LoadRules([]string{stale}, configs.Input{}, nil); mistakes.Err() != nil {
		t.Errorf("a stale test: %v", mistakes)
	}
	wrong := write(t, dir, "wrong.yaml", "rules: []\ntests:\n  - {rule: one, series: 90x4 donw, expect: {0s: {sevrity: critical}}}\n  -\n  - {rule: one, series: [90], expect: {0s: ok}}\n  - {rul: one, sereis: 90, expect: {0s: ok, 5s: wrong}}\n")
	_, mistakes := configs.LoadRules([]string{wrong}, configs.Input{}, nil)
	want := `wrong.yaml:3:30: tests[0].series: "donw" is not a poll; did you mean "down"?
wrong.yaml:3:50: tests[0].expect.0s.sevrity: unknown field; did you mean "severity"?
wrong.yaml:4:4: tests[1]: want a mapping, not nothing
wrong.yaml:5:25: tests[2].series: want a text or a mapping, not a list
wrong.yaml:6:6: tests[3].rul: unknown field; did you mean "rule"?
wrong.yaml:6:16: tests[3].sereis: unknown field; did you mean "series"?
wrong.yaml:6:49: tests[3].expect.5s.severity: "wrong" is not one of ok, pending, info, warning, critical, firing`
	if diff := cmp.Diff(want, strings.ReplaceAll(mistakes.Error(), dir+"/", "")); diff != "" {
		t.Error(diff)
	}
}

func TestTestsAloneAreNoRules(t *testing.T) {
	dir := t.TempDir()
	alone := write(t, dir, "a.yaml", "tests:\n  - {rule: one, series: 90, expect: {0s: ok}}\n")
	rules := write(t, dir, "b.yaml", "rules: []\n")
	empty := write(t, dir, "c.yaml", "")
	for _, tt := range []struct {
		files []string
		want  string
	}{
		{[]string{alone, rules}, ""},
		{[]string{rules, alone}, ""},
		{[]string{alone}, "a.yaml:1:1: the file holds tests and no rules; give the file of the rules along with it"},
		{[]string{rules, empty}, "c.yaml:1:1: the file holds no rules; write rules: [] when none are meant"},
	} {
		_, mistakes := configs.LoadRules(tt.files, configs.Input{}, nil)
		if got := strings.ReplaceAll(mistakes.Error(), dir+"/", ""); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.files, got, tt.want)
		}
	}
}
