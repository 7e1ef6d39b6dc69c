package alert_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

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
		"":                    `matcher "": no operator`,
		"severity":            `matcher "severity": no operator`,
		"= critical":          "no label name",
		"severity == x":       "at character 10: no such operator ==; did you mean =?",
		"severity ! x":        "at character 10: no such operator; want",
		"severity ~= x":       "at character 10: no such operator ~=; did you mean =~?",
		`severity = "x`:       "at character 12: the quotes do not close",
		`severity = say "hi"`: `at character 16: want a comma or the end before "\"hi\""`,
		`severity =~ "("`:     "at character 13: error parsing regexp: missing closing",
		`severity =~ "a)|(b"`: "at character 13: error parsing regexp: unexpected )",
		"two words = x":       `at character 5: no operator before "words = x"`,
		"größe! = x":          "at character 6: no such operator",
		"{a} = x":             "at character 3: no operator",
		`"" = x`:              "no label name, not",
		`"a" = "\d"`:          `at character 7: "\d" has an escape that is none`,
		`"a" = "\xff"`:        "has an escape that is none",
		"\"a\" = \xff":        "not UTF-8",
	} {
		_, err := alert.ParseMatcher(text)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "want a label's name", "no label name"), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	if _, err := alert.ParseMatcher("{a=b,c=d}"); err == nil || !strings.Contains(err.Error(), "2 matchers where one is wanted") {
		t.Error(err)
	}
}

// TestSetsAreReadAsAlertmanagerDoes: what Alertmanager 0.34 makes of each text in
// its default mode, written as it writes sets; - is a text that it refuses.
func TestSetsAreReadAsAlertmanagerDoes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{``, `{}`},
		{`{}`, `{}`},
		{`{foo=bar}`, `{foo="bar"}`},
		{`{foo=bar,}`, `{foo="bar"}`},
		{`foo=bar,`, `{foo="bar"}`},
		{`foo=bar,bar!=baz`, `{foo="bar",bar!="baz"}`},
		{` { foo = bar , bar =~ "b.z" } `, `{foo="bar",bar=~"b.z"}`},
		{`{foo=~[a-z]+}`, `{foo=~"[a-z]+"}`},
		{`{foo!~[a-z]+}`, `{foo!~"[a-z]+"}`},
		{`{foo="bar,baz",x=y}`, `{foo="bar,baz",x="y"}`},
		{`{foo="a}b"}`, `{foo="a}b"}`},
		{`{foo=🙂bar}`, `{foo="🙂bar"}`},
		{`{foo🙂=bar,bar=baz🙂}`, `{foo🙂="bar",bar="baz🙂"}`},
		{`{"foo"="bar"}`, `{foo="bar"}`},
		{`{"my label"="x"}`, `{"my label"="x"}`},
		{`{"a=b"=~"c|d"}`, `{"a=b"=~"c|d"}`},
		{`{"foo"="\xf0\x9f\x99\x82"}`, `{foo="🙂"}`},
		{`{"foo"="\U0001f642"}`, `{foo="🙂"}`},
		{`{"foo"="bar\t"}`, `{"foo"="bar\t"}`},
		{`{foo="bar\n"}`, `{foo="bar\n"}`},
		{`{foo="\"bar\""}`, `{foo="\"bar\""}`},
		{`{foo="bar\\"}`, `{foo="bar\\"}`},
		// Only the older syntax takes these.
		{`{foo=!bar,bar=$baz\n}`, `{foo="!bar",bar="$baz\n"}`},
		{`foo=`, `{foo=""}`},
		{`{foo=}`, `{foo=""}`},
		{`foo="bar"}`, `{foo="bar"}`},
		{`{foo=bar`, `{foo="bar"}`},
		{`foo=two words`, `{foo="two words"}`},
		{`instance=~"web-\d+"`, `{instance=~"web-\\d+"}`},
		{`{foo=~"\d\",x",a=b}`, `{foo=~"\\d\",x",a="b"}`},
		{`{foo=bar\w}`, `{foo="bar\\w"}`},
		{`{foo=:b}`, `{foo=":b"}`},
		// Both do, and the older one is meant.
		{`{foo="\xf0\x9f"}`, `{foo="\\xf0\\x9f"}`},
		{`{foo=~"\bweb\b"}`, `{foo=~"\\bweb\\b"}`},
		// Neither does.
		{`,`, `-`},
		{`{,}`, `-`},
		{`{`, `{}`},
		{`}`, `{}`},
		{`foo`, `-`},
		{`{foo!bar}`, `-`},
		{`foo=bar,,a=b`, `-`},
		{`{"foo"="bar\w"}`, `-`},
		{`{"foo"="\xf0\x9f"}`, `-`},
		{`{foo=:"bar"}`, `-`},
		{`foo="a`, `-`},
		{`{"foo"=bar`, `-`},
		{`"foo"=bar}`, `-`},
		{`foo=~"("`, `-`},
	} {
		got := "-"
		if ms, err := alert.ParseMatchers(tt.text); err == nil {
			got = ms.String()
		}
		if got != tt.want {
			t.Errorf("%s is read as %s, want %s", tt.text, got, tt.want)
		}
	}
}

// TestPatternsMatchAsTheirExpressions holds the shortcuts against regexp.
func TestPatternsMatchAsTheirExpressions(t *testing.T) {
	expressions := []string{
		"", "a", "a|b", "USER|USER_RUNS", "web-[0-3]", "web-[a-z]+", ".*", ".+", "web.*", "web.+", "(web|db)-1", "colou?r", "(?i)web", "(?i:w)eb.*",
		"a||b", "[^a]", "a{2}", "a{1,3}", "web|", "(?s).*", "(?s)web.*", "^a$", "^a|b$", "a.b", "\\d", "(a|b)(c|d)?", "wéb.*", "[a-zA-Z0-9]", "(?m)^a$", ".*web", "web.*x", "(?U)web.*",
	}
	texts := []string{"", "a", "b", "c", "aa", "aaa", "web", "web-1", "web-3", "web-4", "WEB", "webx", "web\n", "web\nx", "db-1", "color", "colour", "ac", "bd", "a\nb", "axb", "7", "wéb2", "USER", "USER_RUNS", "Web-x", "\n", "Z", "^a"}
	for _, e := range expressions {
		m, err := alert.NewMatcher("l", alert.MatchRegexp, e)
		if err != nil {
			t.Fatal(err)
		}
		want := regexp.MustCompile("^(?:" + e + ")$")
		for _, text := range texts {
			if got := m.Matches(alert.LabelsOf("l", text)); got != want.MatchString(text) {
				t.Errorf("%q matches %q: %t", e, text, got)
			}
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a|b", "a")
	f.Add("web.*", "web\n")
	f.Add("(?i)k", "\u212a")
	f.Fuzz(func(t *testing.T, expression, text string) {
		m, err := alert.NewMatcher("l", alert.MatchRegexp, expression)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		if want := regexp.MustCompile("^(?:" + expression + ")$").MatchString(text); m.Matches(alert.LabelsOf("l", text)) != want {
			t.Errorf("%q matches %q: %t", expression, text, !want)
		}
	})
}

func BenchmarkMatchers(b *testing.B) {
	labels := alert.LabelsOf("alertname", "HighLatency", "category", "api", "instance", "web-17:9100", "job", "web", "severity", "critical", "team", "web")
	for _, text := range []string{`{severity="critical",team="web"}`, `{severity=~"critical|warning",team="web"}`, `{instance=~"web-.*"}`, `{instance=~"web-[0-9]+:.*"}`} {
		b.Run(text, func(b *testing.B) {
			ms, err := alert.ParseMatchers(text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				ms.Matches(labels)
			}
		})
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
	for _, seed := range []string{`a=b`, `severity != "critical"`, `x =~ "a|b"`, `x!~.*`, `"q"=~"\xff"`, `a= =b`, "a\u00a0=b", `a="\u2028"`, "a=\x01", `{"x y"="z"}`, `a=~"\d+"`} {
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
		if set, err := alert.ParseMatchers(alert.Matchers{m, m}.String()); err != nil || len(set) != 2 || set[0].String() != m.String() || set[1].Value != m.Value {
			t.Fatalf("%s twice reads back as %s, %v", m, set, err)
		}
	})
}
