package ruletest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// played writes n polls of a series: numbers, _ and !.
func played(runs []run, n int) string {
	var c cursor
	var out []string
	for range n {
		value, action := c.next(runs)
		switch action {
		case gives:
			out = append(out, fmt.Sprint(value))
		case misses:
			out = append(out, "_")
		case fails:
			out = append(out, "!")
		}
	}
	return strings.Join(out, " ")
}

func TestSeriesTextSaysWhatEachPollBrings(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"90", "90"},
		{"90x3", "90 90 90"},
		{"90x2 80 60x2", "90 90 80 60 60"},
		{"90..60x4", "90 80 70 60"},
		{"0..1x3", "0 0.5 1"},
		{"-5..5x3", "-5 0 5"},
		{"1.5..-1.5x2", "1.5 -1.5"},
		{"_ 1 _x2", "_ 1 _ _"},
		{"1 down 1 downx2", "1 ! 1 ! !"},
		{"0x10", "0 0 0 0 0 0 0 0 0 0"},
		{"1e3x2 1e-3 +7 .5", "1000 1000 0.001 7 0.5"},
		{"1x2 5x*", "1 1 5 5 5 5"},
		{"1 _x*", "1 _ _ _"},
		{"  1\t2\n3  ", "1 2 3"},
		{"-1e308..1e308x3", "-1e+308 0 1e+308"},
		{"200msx2", "200 200"},
		{"50%..10%x2", "50 10"},
	} {
		runs, problems := parseText(tt.text)
		if len(problems) > 0 {
			t.Errorf("%q: %v", tt.text, problems.Err())
			continue
		}
		if got := played(runs, len(strings.Fields(tt.want))); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
		if got := length(runs); !strings.HasSuffix(tt.text, "x*") && got != len(strings.Fields(tt.want)) {
			t.Errorf("%q: %d polls", tt.text, got)
		}
	}
}

func TestMistakesInSeriesTextStandWhereTheyAre(t *testing.T) {
	for _, tt := range []struct {
		text   string
		offset int
		says   string
	}{
		{"", 0, "the series says nothing; write for example 90x4 60x8"},
		{"90 donw", 3, `"donw" is not a poll; did you mean "down"?`},
		{"90 x4", 3, `"x4" is not a poll; write 90x4, without a space before the x`},
		{"90 NaN", 3, `"NaN" is not a poll; a poll without a sample is _`},
		{"90 -", 3, `"-" is not a poll; a poll without a sample is _`},
		{"up", 0, `"up" is not a poll; a source is up in every poll that is not down; write the samples`},
		{"90*4", 2, `"*4" cannot stand here; write 90x4 for four polls`},
		{"90×4", 2, `"×4" cannot stand here; write 90x4 for four polls`},
		{"90X4", 2, `unknown unit "X"`},
		{"90,80", 2, `",80" cannot stand here; separate polls by spaces, as in 90x4 60x8`},
		{"0+10x3", 1, `"+10x3" cannot stand here; a ramp is its first value, its last and its polls: 90..60x10`},
		{"_5", 1, `"5" cannot stand here; write _x5`},
		{"1 down3", 6, `"3" cannot stand here; write downx3`},
		{"90x", 3, "x wants a number of polls; write for example 90x4, or 90x* to the end"},
		{"90x4.5", 3, "x wants a number of polls"},
		{"90x-4", 3, "x wants a number of polls"},
		{"90x0", 3, "a run has one poll at least"},
		{"90..60", 0, "a ramp wants a number of polls; write 90..60x10"},
		{"90..60x*", 7, "a ramp wants a number of polls; write 90..60x10"},
		{"90..60x1", 7, "a ramp has two polls at least"},
		{"90..x3", 4, "a ramp wants a number to go to; write for example 90..60x10"},
		{"5mz", 1, `unknown unit "mz"; did you mean "ms"?`},
		{"1e999", 0, `"1e999" is no number that a sample can have`},
		{"1x100001", 2, "a series has at most 100000 polls"},
		{"1x99999999999999999999", 2, "a series has at most 100000 polls"},
		{"1x60000 2x60000", 8, "a series has at most 100000 polls"},
		{"1x* 2", 4, "nothing can follow x*, which goes on to the end"},
		{strings.Repeat("1 ", maxTextBytes), 0, "the text of a series is at most 64 KB long"},
	} {
		_, problems := parseText(tt.text)
		if len(problems) != 1 {
			t.Errorf("%.20q: %d problems: %v", tt.text, len(problems), problems.Err())
			continue
		}
		p := problems[0]
		if p.Offset != tt.offset || !strings.HasPrefix(p.Error(), tt.says) {
			t.Errorf("%.20q: at %d: %s\nwant at %d: %s", tt.text, p.Offset, p.Error(), tt.offset, tt.says)
		}
	}
}

func TestOneMistakeOfASeriesHidesNoOther(t *testing.T) {
	_, problems := parseText("9O 80*3 80 donw 7mz")
	if len(problems) != 4 {
		t.Errorf("%d problems: %v", len(problems), problems.Err())
	}
}

func TestNamesOfSeries(t *testing.T) {
	for _, tt := range []struct{ text, metric, labels, says string }{
		{"redis.up", "redis.up", "{}", ""},
		{"redis.up{}", "redis.up", "{}", ""},
		{`a{x="1"}`, "a", `{x="1"}`, ""},
		{` a { y = "2" , x="1", } `, "a", `{x="1", y="2"}`, ""},
		{`a{x="}\",é"}`, "a", `{x="}\",é"}`, ""},
		{`a{x=1}`, "", "", `4: a label's value stands in double quotes; write x="…"`},
		{`a{x="1"`, "", "", "7: the labels do not close"},
		{`a{`, "", "", "2: the labels do not close"},
		{`a{x}`, "", "", `3: a label wants a value; write x="…"`},
		{`a{x="1" y="2"}`, "", "", "8: the labels do not close"},
		{`a{x="1"}b`, "", "", `8: "b" cannot stand after the labels`},
		{`a{1x="1"}`, "", "", `2: "1x" is not a label name`},
		{`a{x="1",x="2"}`, "", "", "8: the label x is given twice"},
		{`a{x=~"1"}`, "", "", `4: a label's value stands in double quotes`},
	} {
		metric, labels, p := parseName(tt.text)
		switch {
		case p == nil && tt.says == "":
			if got := alert.FromMap(labels).String(); metric != tt.metric || got != tt.labels {
				t.Errorf("%s: %s%s", tt.text, metric, got)
			}
		case p == nil || tt.says == "":
			t.Errorf("%s: %v, want %q", tt.text, p, tt.says)
		case !strings.HasPrefix(fmt.Sprintf("%d: %s", p.Offset, p.Error()), tt.says):
			t.Errorf("%s: %d: %s, want %s", tt.text, p.Offset, p.Error(), tt.says)
		}
	}
}

// FuzzSeriesText: no text makes the parser or the player panic or run away,
// every problem stands within the text, and what is read is written so that it
// reads back the same.
func FuzzSeriesText(f *testing.F) {
	for _, text := range []string{
		"90x4 80x12 60x8 90x20", "90..60x10 _x5 downx3", "0x10", "-1e308..1e308x3", "1x* 2", "200msx2 5mz", "1x99999999999999999999", "_5 down3 x4 NaN - 90,80",
		"50%..10%x2 90*4 90×4", "1e x", "5...6x3", "1e5e5", ".5 5. +.5x*", "\xff 1\u00a02", "downx* up", "1..2..3x4", "1µsx3", "9999999999999999999999e999", "1x100000",
	} {
		f.Add(text, `cache.hit_rate{strategy="A"}`, "2m")
	}
	f.Add("1", `a{x="\`, "-1")
	f.Add("1", `redis.up{source="x",}`, "1e9h")
	f.Add("60x20", "source.up", "3m")
	r, problems := rule.Compile(rule.Spec{
		ID: "r", Metric: "cache.hit_rate", Critical: rule.When{When: `avg(1m) < 70 and (metric("source.up") ?? 1) == 1`}, Warning: rule.When{When: "age > 1m or value < 85"},
		For: time.Minute, NoData: "warning",
	}, source.NewCatalog(nil, true))
	if r == nil {
		f.Fatal(problems.Err())
	}
	rules := Rules{ByID: map[string]*rule.Rule{"r": r}, Catalog: source.NewCatalog(nil, true)}
	f.Fuzz(func(t *testing.T, text, name, moment string) {
		runs, problems := parseText(text)
		within(t, text, problems)
		if len(problems) == 0 && (len(runs) == 0 || length(runs) > MaxPolls) {
			t.Fatalf("%q: %d runs of %d polls", text, len(runs), length(runs))
		}
		written := make([]string, len(runs))
		for i, r := range runs {
			written[i] = r.String()
		}
		again, problems := parseText(strings.Join(written, " "))
		if len(runs) > 0 && len(problems) > 0 && len(text) < maxTextBytes/8 {
			t.Fatalf("%q is written %q, which does not read back: %v", text, written, problems.Err())
		}
		for i := range again {
			if again[i].offset = runs[i].offset; again[i].String() != runs[i].String() {
				t.Fatalf("%q reads back as %q", written[i], again[i])
			}
		}
		if _, _, p := parseName(name); p != nil {
			within(t, name, problem.List{*p})
		}
		for _, series := range []rule.SeriesTexts{{rule.OwnSeries: text}, {name: text, "cache.hit_rate": "60x20"}} {
			spec := rule.TestSpec{Rule: "r", Series: series, Expect: map[string]rule.ExpectSpec{moment: {Severity: "ok"}}}
			compiled, problems := Compile(spec, rules)
			if compiled == nil && problems.Err() == nil {
				t.Fatal("neither a test nor a problem")
			}
			if compiled == nil || compiled.polls > 2000 {
				continue
			}
			first, second := compiled.Run(nil), compiled.Run(NewCoverage([]*rule.Rule{r}))
			if fmt.Sprint(first) != fmt.Sprint(second) {
				t.Fatalf("played twice, came out as\n%v\n%v", first, second)
			}
		}
	})
}

func within(t *testing.T, text string, problems problem.List) {
	t.Helper()
	for _, p := range problems {
		if p.Offset < 0 || p.Offset > len(text) || p.Message == "" {
			t.Fatalf("%q: a problem at %d: %q", text, p.Offset, p.Message)
		}
	}
}
