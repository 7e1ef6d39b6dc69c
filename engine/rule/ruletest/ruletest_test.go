package ruletest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

func duration(d time.Duration) *time.Duration { return &d }

// compiled makes rules of specs.
func compiled(t *testing.T, specs ...rule.Spec) Rules {
	t.Helper()
	rules := Rules{ByID: map[string]*rule.Rule{}, Catalog: source.NewCatalog(nil, true)}
	for _, spec := range specs {
		r, problems := rule.Compile(spec, rules.Catalog)
		if r == nil {
			t.Fatal(problems.Err())
		}
		rules.ByID[spec.ID] = r
	}
	return rules
}

func hitRate() rule.Spec {
	return rule.Spec{
		ID: "hit-rate", Metric: "cache.hit_rate",
		Critical: rule.When{When: "value < 70", For: duration(30 * time.Second)},
		Warning:  rule.When{When: "value < 85", For: duration(time.Minute)},
		Clear:    "value >= 87",
		Message:  "hit rate {{ .Verb }} {{ .Threshold }}%",
	}
}

func overriddenRate() rule.Spec {
	off := true
	return rule.Spec{
		ID: "overridden", Metric: "cache.hit_rate", Critical: rule.When{When: "value < 50"}, Warning: rule.When{When: "value < 85"},
		Overrides: []rule.Override{
			{Match: []string{"strategy = SOCIAL_FEED"}, Warning: rule.When{When: "value < 75"}},
			{Match: []string{"strategy = OFF"}, Disabled: &off},
		},
	}
}

// expect reads "0s ok, 3m warning".
func expect(text string) map[string]rule.ExpectSpec {
	out := map[string]rule.ExpectSpec{}
	for part := range strings.SplitSeq(text, ", ") {
		at, state, _ := strings.Cut(part, " ")
		out[at] = rule.ExpectSpec{Severity: state}
	}
	return out
}

func own(text string) rule.SeriesTexts { return rule.SeriesTexts{rule.OwnSeries: text} }

// outcomeOf plays a test and returns its failures, a line each.
func outcomeOf(t *testing.T, rules Rules, spec rule.TestSpec) (Result, []string) {
	t.Helper()
	one, problems := Compile(spec, rules)
	if one == nil {
		t.Fatal(problems.Err())
	}
	result := one.Run(nil)
	var lines []string
	for _, f := range result.Failures {
		lines = append(lines, f.Path+": "+f.Message)
	}
	return result, lines
}

func steps(r Result) string {
	var all []string
	for _, s := range r.Steps {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}

func TestATestPlaysWhatIsWritten(t *testing.T) {
	noData := hitRate()
	noData.ID, noData.NoData = "silent", "warning"
	warmUp := hitRate()
	warmUp.ID, warmUp.WarmUp = "warm-up", 2*time.Minute
	byMatch := hitRate()
	byMatch.ID, byMatch.Match = "by-match", []string{"strategy = A", "source = main"}
	disabled := hitRate()
	disabled.ID, disabled.Disabled = "disabled", true
	busy := rule.Spec{ID: "busy", Metric: "cache.hit_rate", Critical: rule.When{When: `value < 70 and metric("cache.lookups_per_sec") >= 1`}}
	up := rule.Spec{ID: "up", Metric: "source.up", Critical: rule.When{When: "value == 0"}}
	unread := rule.Spec{ID: "unread", Metric: "cache.hit_rate", Warning: rule.When{When: `metric("source.up") == 0`}}
	labelled := rule.Spec{ID: "labelled", Metric: "cache.hit_rate", Category: "cache", Critical: rule.When{When: "value < 70"}, Labels: map[string]string{"team": "web"}}
	aged := rule.Spec{ID: "aged", Metric: "cache.hit_rate", Warning: rule.When{When: "age > 1m"}}
	byService := rule.Spec{ID: "by-service", Metric: "cache.hit_rate", By: []string{"service"}, Warning: rule.When{When: "value < 85"}}
	overridden := overriddenRate()
	off := overriddenRate()
	off.ID, off.Disabled = "overridden-off", true
	thin := rule.Spec{ID: "thin", Metric: "cache.hit_rate", Warning: rule.When{When: "value < 85"}, MinVolume: `metric("cache.lookups_per_sec") >= 1`}
	spared := hitRate()
	spared.ID, spared.NoData, spared.NoDataAfter = "spared", "critical", 30*time.Second
	rules := compiled(t, hitRate(), byService, overridden, off, thin, spared, noData, warmUp, byMatch, disabled, busy, up, unread, labelled, aged)
	for _, tt := range []struct {
		name  string
		spec  rule.TestSpec
		steps string
	}{
		{
			"up and down again",
			rule.TestSpec{Rule: "hit-rate", Series: own("90x2 80x5 60x4 86x2 90x2"), Expect: expect("0s ok, 15s ok, 30s pending, 89s pending, 90s warning, 2m14s warning, 2m15s critical, 2m59s critical, 3m15s ok, 3m45s ok")},
			"0s ok, 30s pending, 1m30s warning, 2m15s critical, 3m15s ok",
		},
		{
			"between polls the clock goes on", // for: 1m ends at 1m0s, between the polls of 50s
			rule.TestSpec{Rule: "hit-rate", Every: 50 * time.Second, Series: own("80x4"), Expect: expect("59s pending, 60s warning")},
			"0s pending, 1m warning",
		},
		{
			"the worst of several alerts counts",
			rule.TestSpec{Rule: "hit-rate", Series: rule.SeriesTexts{`cache.hit_rate{strategy="A"}`: "60x8", `cache.hit_rate{strategy="B"}`: "80x8"}, Expect: expect("1m critical, 2m firing")},
			"0s pending, 30s critical",
		},
		{
			"labels choose one of them",
			rule.TestSpec{Rule: "hit-rate", Labels: map[string]string{"strategy": "B"}, Series: rule.SeriesTexts{`cache.hit_rate{strategy="A"}`: "60x8", `cache.hit_rate{strategy="B"}`: "80x8"}, Expect: expect("45s pending, 1m warning")},
			"0s pending, 1m warning",
		},
		{
			"the short form has the labels that the match asks for",
			rule.TestSpec{Rule: "by-match", Series: own("60x8"), Expect: expect("1m critical")},
			"0s pending, 30s critical",
		},
		{
			"missing data changes nothing",
			rule.TestSpec{Rule: "hit-rate", Series: own("60x4 _x8 90"), Expect: expect("2m45s critical, 3m ok")},
			"0s pending, 30s critical, 3m ok",
		},
		{
			"unless the rule says what it means",
			rule.TestSpec{Rule: "silent", Series: own("90x4 _x8"), Expect: expect("90s ok, 92s warning")},
			"0s ok, 1m30.001s warning",
		},
		{
			"warm-up",
			rule.TestSpec{Rule: "warm-up", Started: duration(time.Minute), Series: own("60x12"), Expect: expect("45s ok, 1m pending, 1m30s critical")},
			"0s ok, 1m pending, 1m30s critical",
		},
		{
			"without a start there is no warm-up",
			rule.TestSpec{Rule: "warm-up", Series: own("60x12"), Expect: expect("30s critical")},
			"0s pending, 30s critical",
		},
		{
			"a disabled rule is tested as if it were not",
			rule.TestSpec{Rule: "disabled", Series: own("60x12"), Expect: expect("30s critical")},
			"0s pending, 30s critical",
		},
		{
			"other sources are polled before, so that a poll sees them", // by their names they would come after
			rule.TestSpec{Rule: "busy", Series: rule.SeriesTexts{`cache.hit_rate{source="a"}`: "60x*", `cache.lookups_per_sec{source="b"}`: "0x2 5x2"}, Expect: expect("29s ok, 30s critical")},
			"0s ok, 30s critical",
		},
		{
			"down makes source.up of the source fall",
			rule.TestSpec{Rule: "unread", Series: rule.SeriesTexts{"cache.hit_rate": "90x*", "cache.lookups_per_sec": "5x2 downx2 5", `redis.ping{source="other"}`: "down"}, Expect: expect("15s ok, 30s warning, 45s warning, 1m ok")},
			"0s ok, 30s warning, 1m ok",
		},
		{
			"unless it is written",
			rule.TestSpec{Rule: "unread", Series: rule.SeriesTexts{"cache.hit_rate": "90x*", "cache.lookups_per_sec": "5x2 downx2 5", "source.up": "1x2 _x3"}, Expect: expect("45s ok")},
			"0s ok",
		},
		{
			"one that fires is worse than one that waits to be graver",
			rule.TestSpec{Rule: "hit-rate", Series: rule.SeriesTexts{`cache.hit_rate{strategy="A"}`: "90x6 60x2", `cache.hit_rate{strategy="B"}`: "80x8"}, Expect: expect("1m30s warning")},
			"0s pending, 1m warning",
		},
		{
			"what the rule adds to its alerts is no label of a series",
			rule.TestSpec{Rule: "labelled", Labels: map[string]string{"team": "web", "category": "cache", "strategy": "A"}, Series: own("60"), Expect: map[string]rule.ExpectSpec{"0s": {Message: `cache.hit_rate is 60%, below 70% {source="test", strategy="A", team="web"}`}}},
			"0s critical",
		},
		{
			"a source that is down spares no_data until it is back",
			rule.TestSpec{Rule: "spared", Series: own("90x2 downx8 90"), Expect: expect("2m ok")},
			"0s ok",
		},
		{
			"several series make one alert by a label",
			rule.TestSpec{Rule: "by-service", Labels: map[string]string{"service": "shop"}, Series: rule.SeriesTexts{`cache.hit_rate{service="shop",host="a"}`: "90x8", `cache.hit_rate{service="shop",host="b"}`: "90x4 80x4", `cache.hit_rate{service="blog"}`: "60x8"}, Expect: map[string]rule.ExpectSpec{"45s": {Severity: "ok"}, "1m": {Severity: "warning", Value: "80"}}},
			"0s ok, 1m warning",
		},
		{
			"an override has its own threshold",
			rule.TestSpec{Rule: "overridden", Labels: map[string]string{"strategy": "SOCIAL_FEED"}, Series: own("80 70"), Expect: expect("0s ok, 15s warning")},
			"0s ok, 15s warning",
		},
		{
			"what an override switches off stays quiet",
			rule.TestSpec{Rule: "overridden", Labels: map[string]string{"strategy": "OFF"}, Series: own("8x8"), Expect: expect("1m ok")},
			"0s ok",
		},
		{
			"overrides of a disabled rule are tested, too",
			rule.TestSpec{Rule: "overridden-off", Labels: map[string]string{"strategy": "SOCIAL_FEED"}, Series: own("80 70"), Expect: expect("0s ok, 15s warning")},
			"0s ok, 15s warning",
		},
		{
			"too little to judge",
			rule.TestSpec{Rule: "thin", Series: rule.SeriesTexts{"cache.hit_rate": "60x4", "cache.lookups_per_sec": "0.1x2 5x2"}, Expect: expect("15s ok, 30s warning")},
			"0s ok, 30s warning",
		},
		{
			"source.up can be written, too",
			rule.TestSpec{Rule: "up", Series: own("1x2 0x2 1"), Expect: expect("15s ok, 30s critical, 1m ok")},
			"0s ok, 30s critical, 1m ok",
		},
		{
			"a series that goes on to the end lasts as long as something is expected",
			rule.TestSpec{Rule: "hit-rate", Series: own("60x*"), Expect: expect("1h critical")},
			"0s pending, 30s critical",
		},
		{
			"after the last poll the clock goes on for one more",
			rule.TestSpec{Rule: "aged", Every: 50 * time.Second, Series: own("60x2 _"), Expect: expect("1m50s ok, 2m30s warning")},
			"0s ok, 2m30s warning",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result, failures := outcomeOf(t, rules, tt.spec)
			if len(failures) > 0 {
				t.Errorf("failed:\n%s", strings.Join(failures, "\n"))
			}
			if got := steps(result); got != tt.steps {
				t.Errorf("%s\nwant %s", got, tt.steps)
			}
		})
	}
}

func TestAFailureSaysWhatThereWasAndWhy(t *testing.T) {
	rules := compiled(t, hitRate())
	for _, tt := range []struct {
		series string
		at     string
		want   rule.ExpectSpec
		says   []string
	}{
		{"90x2 80x8", "45s", rule.ExpectSpec{Severity: "warning"}, []string{
			`expect.45s.severity: at 45s: want warning, got pending (value < 85 holds; fires when it has for 1m; value 80%, threshold 85%); last polls 90% 90% 80% 80%; it is warning from 1m30s on`,
		}},
		{"90x8", "1m", rule.ExpectSpec{Severity: "critical"}, []string{
			`expect.1m.severity: at 1m: want critical, got ok (critical: value < 70 is false, warning: value < 85 is false); last polls 90% 90% 90% 90% 90%; it never is in this test`,
		}},
		{"80 90x8", "1m", rule.ExpectSpec{Severity: "pending"}, []string{
			`expect.1m.severity: at 1m: want pending, got ok (critical: value < 70 is false, warning: value < 85 is false); last polls 80% 90% 90% 90% 90%; it was pending from 0s to 15s`,
		}},
		{"_x8", "1m", rule.ExpectSpec{Severity: "firing"}, []string{
			`expect.1m.severity: at 1m: want firing, got ok (no sample yet); last polls _ _ _ _ _; it never is in this test`,
		}},
		{"60x8", "1m", rule.ExpectSpec{Severity: "critical", Value: "61", Threshold: "0.7", Message: "hit rate below 71%", Reason: "warm"}, []string{
			`expect.1m.value: at 1m: want value 61, got 60% (value < 70 has held for 30s; value 60%, threshold 70%); last polls 60% 60% 60% 60% 60%`,
			`expect.1m.threshold: at 1m: want threshold 0.7, got 70%`,
			`expect.1m.message: at 1m: want message "hit rate below 71%", got "hit rate below 70%"`,
			`expect.1m.reason: at 1m: want a reason with "warm" in it, got "value < 70 has held for 30s"`,
		}},
		{"90x8", "1m", rule.ExpectSpec{Value: "90"}, []string{
			`expect.1m.severity: at 1m: want an alert, got ok (critical: value < 70 is false, warning: value < 85 is false); last polls 90% 90% 90% 90% 90%`,
		}},
	} {
		_, failures := outcomeOf(t, rules, rule.TestSpec{Rule: "hit-rate", Series: own(tt.series), Expect: map[string]rule.ExpectSpec{tt.at: tt.want}})
		if diff := cmp.Diff(tt.says, failures); diff != "" {
			t.Errorf("%s: %s", tt.series, diff)
		}
	}
}

func TestNumbersHoldToTheDecimalsThatAreWritten(t *testing.T) {
	rules := compiled(t, rule.Spec{ID: "slow", Metric: "postgres.avg_query_time", Warning: rule.When{When: "value > 0.2s"}}, rule.Spec{ID: "big", Metric: "app.memory_used", Warning: rule.When{When: "value > 512MB"}})
	for _, tt := range []struct {
		rule, series, value string
		fits                bool
	}{
		{"slow", "231.04x4", "231", true},
		{"slow", "231.04x4", "231ms", true},
		{"slow", "231.04x4", "0.231s", true},
		{"slow", "231.04x4", "0.2310s", true},
		{"slow", "231.04x4", "0.23104s", true},
		{"slow", "231.04x4", "0.23101s", false},
		{"slow", "231.04x4", "231.04", true},
		{"slow", "231.04x4", "231.01", false},
		{"slow", "231.04x4", "232", false},
		{"big", "1.5GBx4", "1536MB", true},
		{"big", "1.5GBx4", "1.5GB", true},
		{"big", "1.5GBx4", "1.4GB", false},
		{"big", "1.5GBx4", "1.6e9", true},
		{"big", "1.5GBx4", "1.61e9", true},
		{"big", "1.5GBx4", "1.62e9", false},
	} {
		_, failures := outcomeOf(t, rules, rule.TestSpec{Rule: tt.rule, Series: own(tt.series), Expect: map[string]rule.ExpectSpec{"45s": {Value: tt.value}}})
		if (len(failures) == 0) != tt.fits {
			t.Errorf("%s as %s: %v", tt.series, tt.value, failures)
		}
	}
}

func TestMistakesOfTests(t *testing.T) {
	matching := hitRate()
	matching.ID, matching.Match = "by-strategy", []string{`strategy =~ "A|B"`}
	rules := compiled(t, hitRate(), matching)
	rules.ByID["garbled"] = nil
	good := func(change func(*rule.TestSpec)) rule.TestSpec {
		s := rule.TestSpec{Rule: "hit-rate", Series: own("90x8"), Expect: expect("1m ok")}
		change(&s)
		return s
	}
	many := rule.SeriesTexts{}
	for i := range MaxSeries + 1 {
		many[strings.Repeat("a", i+1)] = "1"
	}
	for _, tt := range []struct {
		name string
		spec rule.TestSpec
		says []string
	}{
		{"nothing", rule.TestSpec{}, []string{
			"rule: a test needs a rule; add for example `rule: cache-hit-rate`",
			"a test needs series; add for example `series: 90x4 60x8`",
			"a test needs something to expect; add for example `expect: {0s: ok, 3m: warning}`",
		}},
		{"an unknown rule", good(func(s *rule.TestSpec) { s.Rule = "hit-rat" }), []string{`rule: there is no rule "hit-rat"; did you mean "hit-rate"?`}},
		{"a rule with mistakes of its own", good(func(s *rule.TestSpec) { s.Rule = "garbled" }), nil},
		{"an unknown metric", good(func(s *rule.TestSpec) { s.Series = rule.SeriesTexts{"cache.hit_rat": "90x8"} }), []string{`series.cache.hit_rat: unknown metric "cache.hit_rat"; did you mean "cache.hit_rate"?`}},
		{"a series that the rule does not look at", good(func(s *rule.TestSpec) { s.Series["redis.up"] = "1x8" }), []string{`series.redis.up: rule hit-rate does not look at redis.up; it looks at cache.hit_rate`}},
		{"a series that the rule does not take", good(func(s *rule.TestSpec) { s.Rule, s.Labels = "by-strategy", map[string]string{"strategy": "C"} }), []string{`series: rule by-strategy judges none of these series; it judges cache.hit_rate where strategy =~ "A|B"`}},
		{"labels that no alert has", good(func(s *rule.TestSpec) {
			s.Labels, s.Series = map[string]string{"strategy": "B"}, rule.SeriesTexts{`cache.hit_rate{strategy="A"}`: "90x8"}
		}), []string{`labels: no alert of this test has these labels; its alerts have {alertname="hit-rate", category="cache", source="test", strategy="A"}`}},
		{"a series twice", good(func(s *rule.TestSpec) {
			s.Series = rule.SeriesTexts{"cache.hit_rate": "90x8", `cache.hit_rate{source="test"}`: "90x8"}
		}), []string{`series.cache.hit_rate{source="test"}: the series cache.hit_rate{source="test"} stands here twice`}},
		{"a unit of another dimension", good(func(s *rule.TestSpec) { s.Series = own("90x7 5MB") }), []string{"series: cache.hit_rate is in %, which does not go with MB; a number without a unit is in the metric's own"}},
		{"after the end", good(func(s *rule.TestSpec) { s.Expect = expect("2m ok, 2m1s ok") }), []string{"expect.2m1s: the series end at 2m; add _x1 for polls without samples, or let the last value go on with x*"}},
		{"not a moment", good(func(s *rule.TestSpec) { s.Expect = expect("5 ok, -1m ok") }), []string{
			`expect.-1m: "-1m" is not a moment since the first poll; write for example 0s, 45s or 5m30s`,
			`expect.5: "5" is not a moment since the first poll; write for example 0s, 45s or 5m30s`,
		}},
		{"a moment twice", good(func(s *rule.TestSpec) { s.Expect = expect("60s ok, 1m ok") }), []string{"expect.60s: 60s is the moment 1m, which stands here already"}},
		{"a wrong severity", good(func(s *rule.TestSpec) { s.Expect = expect("0s warn, 1m resolved") }), []string{
			`expect.0s.severity: "warn" is not one of ok, pending, info, warning, critical, firing`,
			`expect.1m.severity: "resolved" is not one of ok, pending, info, warning, critical, firing; when nothing is pending or fires, write ok`,
		}},
		{"nothing at a moment", good(func(s *rule.TestSpec) { s.Expect = map[string]rule.ExpectSpec{"1m": {}} }), []string{"expect.1m: nothing is expected here; write for example 3m: warning"}},
		{"a value when all is well", good(func(s *rule.TestSpec) { s.Expect = map[string]rule.ExpectSpec{"1m": {Severity: "ok", Value: "9"}} }), []string{
			"expect.1m.severity: when all is well there is no alert that has a value or a message; ask for it while the alert is pending or fires",
		}},
		{"figures that are none", good(func(s *rule.TestSpec) {
			s.Expect = map[string]rule.ExpectSpec{"1m": {Value: "much", Threshold: "5MB"}, "2m": {Value: "70 %", Threshold: "5mz"}}
		}), []string{
			`expect.1m.value: "much" is not a number; write for example 60 or 200ms`,
			`expect.2m.value: " %" cannot stand here; write for example 60 or 200ms`,
			`expect.2m.threshold: unknown unit "mz"; did you mean "ms"?`,
			"expect.1m.threshold: cache.hit_rate is in %, which does not go with MB; a number without a unit is in the metric's own",
		}},
		{"labels that are none", good(func(s *rule.TestSpec) { s.Labels = map[string]string{"severity": "critical", "a-b": "c"} }), []string{
			`labels.a-b: "a-b" is not a label name`,
			"labels.severity: an alert is not chosen by its severity; say under expect which severity is wanted",
		}},
		{"times that are none", good(func(s *rule.TestSpec) {
			s.Every, s.Started, s.Begins = time.Microsecond, duration(-time.Second), "tomorrow"
		}), []string{
			"every: polls are between 1ms and 1d apart",
			"started: a process was started between now and 10 years ago",
			`begins: "tomorrow" is not a moment; write for example 2026-01-05T09:00:00+01:00`,
		}},
		{"too long", good(func(s *rule.TestSpec) { s.Every, s.Series = 24*time.Hour, own("90x100000") }), []string{"every: a test lasts at most 10 years; poll more often, or less"}},
		{"too many series", good(func(s *rule.TestSpec) { s.Series = many }), []string{"series: a test has at most 1000 series"}},
		{"too many samples", good(func(s *rule.TestSpec) {
			s.Series = rule.SeriesTexts{}
			for key := range many {
				if len(key) < 60 {
					s.Series[`cache.hit_rate{a="`+key+`"}`] = "90x100000"
				}
			}
		}), []string{"series: the series of a test have at most 5000000 samples together"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Compile(tt.spec, rules)
			var got []string
			for _, p := range problems {
				got = append(got, p.Error())
			}
			if len(got) != len(tt.says) {
				t.Fatalf("%d problems:\n%s", len(got), strings.Join(got, "\n"))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.says[i]) {
					t.Errorf("%s\nwant %s", got[i], tt.says[i])
				}
			}
		})
	}
}

// An edit in the middle of an incident must not fail for a test that is out of
// date: what depends on the rules is not the test's form.
func TestTheFormIsJudgedWithoutTheRules(t *testing.T) {
	stale := rule.TestSpec{Rule: "gone", Series: rule.SeriesTexts{"no.such_metric": "5MBx8"}, Expect: expect("1m critical")}
	if problems := Check(stale); len(problems) > 0 {
		t.Errorf("a test that is out of date: %v", problems.Err())
	}
	wrong := rule.TestSpec{Rule: "gone", Series: own("90x4 oops"), Expect: expect("1m warn")}
	if problems := Check(wrong); len(problems) != 2 {
		t.Errorf("a test that is wrong in itself: %v", problems.Err())
	}
}

func TestCoverageCountsWhatTestsSaw(t *testing.T) {
	rules := compiled(t, hitRate(), rule.Spec{ID: "untested", Metric: "redis.up", Critical: rule.When{When: "value == 0"}},
		rule.Spec{ID: "silent", Metric: "cache.hit_rate", Warning: rule.When{When: "value < 70", For: duration(time.Hour)}, NoData: "warning"})
	coverage := NewCoverage([]*rule.Rule{rules.ByID["hit-rate"], rules.ByID["untested"], rules.ByID["silent"]})
	for _, spec := range []rule.TestSpec{
		{Rule: "hit-rate", Series: own("90x4 80x8"), Expect: expect("0s ok")},
		{Rule: "silent", Series: own("60x4 _x8"), Expect: expect("2m warning")},
	} {
		one, problems := Compile(spec, rules)
		if one == nil {
			t.Fatal(problems.Err())
		}
		one.Run(coverage)
	}
	want := []Row{
		{"hit-rate", "", "critical", "value < 70", Seen{False: true}, true},
		{"hit-rate", "", "warning", "value < 85", Seen{True: true, False: true, Fired: true}, true},
		{"hit-rate", "", "clear", "value >= 87", Seen{False: true}, true},
		{"untested", "", "critical", "value == 0", Seen{}, false},
		{"silent", "", "warning", "value < 70", Seen{True: true}, true}, // it fired for want of data
	}
	if diff := cmp.Diff(want, coverage.Rows()); diff != "" {
		t.Error(diff)
	}
}

func TestCoverageTellsOverridesApart(t *testing.T) {
	rules := compiled(t, overriddenRate())
	coverage := NewCoverage([]*rule.Rule{rules.ByID["overridden"]})
	one, problems := Compile(rule.TestSpec{Rule: "overridden", Series: rule.SeriesTexts{`cache.hit_rate{strategy="SOCIAL_FEED"}`: "90 70 40", `cache.hit_rate{strategy="A"}`: "90x3"}, Expect: expect("0s ok")}, rules)
	if one == nil {
		t.Fatal(problems.Err())
	}
	one.Run(coverage)
	want := []Row{
		{"overridden", "", "critical", "value < 50", Seen{True: true, False: true, Fired: true}, true},
		{"overridden", "", "warning", "value < 85", Seen{False: true}, true},
		{"overridden", "strategy = SOCIAL_FEED", "warning", "value < 75", Seen{True: true, False: true, Fired: true}, true},
	}
	if diff := cmp.Diff(want, coverage.Rows()); diff != "" {
		t.Error(diff)
	}
}
