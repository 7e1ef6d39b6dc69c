package alert_test

import (
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestMatcher(t *testing.T) {
	labels := alert.LabelsOf("severity", "critical", "strategy", "USER_RUNS", "note", `say "hi"`)
	for _, tt := range []struct {
		text    string
		matches bool
	}{
		{`severity = critical`, true},
		{`severity="critical"`, true},
		{`  severity  =  critical  `, true},
		{`"severity" = critical`, true},
		{`severity != critical`, false},
		{`severity = warning`, false},
		{`strategy =~ "USER_.*"`, true},
		{`strategy =~ USER`, false}, // anchored
		{`strategy =~ USER|USER_RUNS`, true},
		{`strategy !~ "USER_.*"`, false},
		{`absent = ""`, true},
		{`absent =`, true},
		{`absent != x`, true},
		{`absent =~ ".+"`, false},
		{`absent !~ ".+"`, true},
		{`note = "say \"hi\""`, true},
		{`note = say "hi"`, true},
	} {
		m, err := alert.ParseMatcher(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got := m.Matches(labels); got != tt.matches {
			t.Errorf("%s matches %s: %t", tt.text, labels, got)
		}
	}
}

func TestMistakesInMatchers(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "no operator",
		"severity":            "no operator",
		"= critical":          "no label name",
		"severity == x":       "did you mean =?",
		"severity ! x":        "no such operator",
		"severity ~= x":       "not a label name",
		`severity = "x`:       "quotes do not close",
		`severity =~ "("`:     "missing closing",
		`severity =~ "a)|(b"`: "unexpected )",
		"two words = x":       "not a label name",
		"{a} = x":             "not a label name",
		`"a\x3db" = x`:        "not a label name",
	} {
		_, err := alert.ParseMatcher(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestMatchersMatchTogether(t *testing.T) {
	labels := alert.LabelsOf("a", "1", "b", "2")
	one, _ := alert.ParseMatcher("a=1")
	two, _ := alert.ParseMatcher("b!=2")
	if !(alert.Matchers{}).Matches(labels) || !(alert.Matchers{one}).Matches(labels) || (alert.Matchers{one, two}).Matches(labels) {
		t.Error("the empty set matches everything, the others when all do")
	}
	if got := (alert.Matchers{one, two}).String(); got != `{a="1",b!="2"}` {
		t.Error(got)
	}
}

func FuzzParseMatcher(f *testing.F) {
	for _, seed := range []string{`a=b`, `severity != "critical"`, `x =~ "a|b"`, `x!~.*`, `"q"=~"\xff"`, `a= =b`, "a\u00a0=b", `a="\u2028"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			return
		}
		back, err := alert.ParseMatcher(m.String())
		if err != nil || back.Name != m.Name || back.Op != m.Op || back.Value != m.Value {
			t.Fatalf("%q is written %s and reads back as %s, %v", text, m, back, err)
		}
		back.Matches(alert.LabelsOf(m.Name, m.Value))
	})
}
