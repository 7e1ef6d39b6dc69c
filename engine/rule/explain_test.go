package rule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// worded writes what an explanation says, a line each: the state, the severities,
// the notes.
func worded(out Explained) string {
	var lines []string
	lines = append(lines, out.Notes...)
	for _, x := range out.Series {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", x.Labels, x.State, strings.TrimPrefix(x.Severity.String(), "ok"))))
		for _, c := range x.Conditions {
			lines = append(lines, fmt.Sprintf("%s %s: %s", c.Severity, c.Holds, c.Why))
		}
		lines = append(lines, x.Notes...)
	}
	return strings.Join(lines, "\n")
}

func (p *poller) explain(match ...string) string {
	p.t.Helper()
	var matchers alert.Matchers
	for _, text := range match {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			p.t.Fatal(err)
		}
		matchers = append(matchers, m)
	}
	before := p.e.Version()
	out, ok := p.e.Explain("r", matchers, 10, p.now)
	if !ok {
		p.t.Fatal("no such rule")
	}
	if p.e.Version() != before {
		p.t.Error("explaining changed something")
	}
	return worded(out)
}

// seen feeds values, one a poll.
func (p *poller) seen(values ...float64) {
	p.t.Helper()
	for _, v := range values {
		p.see(v)
	}
}

// give observes a batch now.
func (p *poller) give(from Context, metric string, value float64, labels ...string) {
	p.e.Observe([]alert.Sample{{Metric: metric, Labels: alert.LabelsOf(labels...), Value: value, At: p.now}}, from, p.now)
}

func TestExplainSaysWhyAnAlertIsInItsStateAndInNoOther(t *testing.T) {
	both := Spec{
		ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"},
		Warning: When{When: "value < 70", For: duration(time.Minute)},
	}
	with := func(change func(*Spec)) Spec {
		s := both
		change(&s)
		return s
	}
	flapping := with(func(s *Spec) { s.Warning = When{}; s.Flapping = &Flapping{Changes: 3, Within: 10 * time.Minute} })
	tests := []struct {
		name string
		spec Spec
		play func(p *poller)
		want []string
	}{
		{"all is well", both, func(p *poller) { p.seen(90, 80) }, []string{
			`{source="cache"} ok`, `critical false: does not hold`, `warning false: does not hold`,
		}},
		{"it waits for its for", both, func(p *poller) { p.seen(90, 60, 60); p.wait(5 * time.Second) }, []string{
			`{source="cache"} pending warning`, `critical false: does not hold`,
			`warning true: has held for 15s; fires when it has for 1m, in 45s`,
		}},
		{"its for is over on one sample", both, func(p *poller) {
			p.interval = 50 * time.Second
			p.seen(90, 60)
			p.wait(61 * time.Second)
		}, []string{
			`{source="cache"} pending warning`, `critical false: does not hold`,
			`warning true: has held for 1m1s of 1m, on one sample: the next one must confirm it`,
		}},
		{"its time stands still while a sample is overdue", both, func(p *poller) { p.seen(90, 60, 60); p.wait(20 * time.Second) }, []string{
			`{source="cache"} pending warning`, `critical unknown: cannot be judged: the next sample is overdue`,
			`warning unknown: has held for 25s of 1m, and cannot be judged now: the next sample is overdue; its time stands still`,
			`the next sample is overdue: the last came 20s ago, and one is expected every 10s; data counts as missing after 30s`,
		}},
		{"the graver one fires", both, func(p *poller) { p.seen(90, 40) }, []string{
			`{source="cache"} firing critical`, `critical true: in force`, `warning true: has held for 0s of 1m; critical is in force`,
		}},
		{"the graver one fires for long", both, func(p *poller) { p.seen(90, 40, 40, 40, 40, 40, 40, 40) }, []string{
			`{source="cache"} firing critical`, `critical true: in force`, `warning true: holds; critical is in force`,
		}},
		{"the milder one fires", both, func(p *poller) { p.seen(90, 60, 60, 60, 60, 60, 60, 60) }, []string{
			`{source="cache"} firing warning`, `critical false: does not hold`, `warning true: in force`,
		}},
		{"it does not move down while the milder one waits", both, func(p *poller) { p.seen(90, 40, 60) }, []string{
			`{source="cache"} firing critical`,
			`critical false: in force; it does not hold any more, but warning waits: it has held for 10s of 1m`,
			`warning true: has held for 10s of 1m; critical is in force`,
		}},
		{
			"it is kept firing", with(func(s *Spec) { s.Warning = When{}; s.KeepFiringFor = 2 * time.Minute }),
			func(p *poller) { p.seen(90, 40, 60, 60) },
			[]string{`{source="cache"} firing critical`, `critical false: in force: it ended 10s ago and is kept for 2m, 1m50s more`},
		},
		{
			"clear holds it up", with(func(s *Spec) { s.Warning = When{}; s.Clear = "value >= 80" }),
			func(p *poller) { p.seen(90, 40, 60) },
			[]string{`{source="cache"} firing critical`, `critical false: in force; it does not hold any more, and stays until clear holds: value >= 80`},
		},
		{
			"clear cannot be judged", with(func(s *Spec) { s.Warning = When{}; s.Clear = `metric("redis.up") == 1` }),
			func(p *poller) { p.seen(90, 40, 60) },
			[]string{`{source="cache"} firing critical`, `critical false: in force; it does not hold any more, but clear cannot be judged`},
		},
		{
			"clear_margin holds it up", with(func(s *Spec) { s.Warning = When{}; s.ClearMargin = MarginSpec{Text: "5", Value: 5} }),
			func(p *poller) { p.seen(90, 40, 52) },
			[]string{`{source="cache"} firing critical`, `critical true: in force: it does not hold any more, but the value is not past the clear_margin of 5`},
		},
		{
			"polls", with(func(s *Spec) { s.Critical = When{When: "value < 50", Polls: Polls{Need: 3, Of: 5}}; s.Warning = When{} }),
			func(p *poller) { p.seen(90, 40, 60, 40) },
			[]string{`{source="cache"} pending critical`, `critical false: held on 2 of the last 5 polls; fires at 3`},
		},
		{
			"polls that were enough", with(func(s *Spec) { s.Critical = When{When: "value < 50", Polls: Polls{Need: 3, Of: 5}}; s.Warning = When{} }),
			func(p *poller) { p.seen(90, 40, 40, 40, 60) },
			[]string{`{source="cache"} firing critical`, `critical true: in force: held on 3 of the last 5 polls`},
		},
		{"a warm-up", with(func(s *Spec) { s.WarmUp = 5 * time.Minute }), func(p *poller) {
			p.give(Context{Interval: p.interval, StartedAt: p.now.Add(-time.Minute)}, p.metric, 40, "source", "cache")
		}, []string{
			`{source="cache"} ok`, `critical true: holds, but nothing new fires: warm_up has not passed`,
			`warning true: holds, but nothing new fires: warm_up has not passed`,
			`the watched process is 1m old, and warm_up is 5m: nothing new fires until then`,
		}},
		{"too little to judge", with(func(s *Spec) { s.MinVolume = `metric("cache.lookups_per_sec") >= 1` }), func(p *poller) {
			p.give(Context{Interval: p.interval}, "cache.lookups_per_sec", 0.1, "source", "cache")
			p.give(Context{Interval: p.interval}, p.metric, 60, "source", "cache")
		}, []string{
			`{source="cache"} ok`, `critical false: does not hold`, `warning true: holds, but nothing new fires: min_volume does not hold`,
			`min_volume does not hold: nothing new fires, and what fires stays`,
		}},
		{"data is missing", both, func(p *poller) { p.seen(90, 40); p.wait(time.Minute) }, []string{
			`{source="cache"} firing critical`,
			`critical unknown: in force; it cannot be judged now and so stays: there has been no sample for 1m`,
			`warning unknown: has held for 15s of 1m, and cannot be judged now: there has been no sample for 1m; its time stands still`,
			`no sample for 1m, which is missing data: no_data: keep leaves the alert as it is; it ends when its source was read for 15m without it`,
		}},
		{"data is missing, and there was nothing", both, func(p *poller) { p.seen(90); p.wait(time.Minute) }, []string{
			`{source="cache"} ok`, `critical unknown: cannot be judged: there has been no sample for 1m`,
			`warning unknown: cannot be judged: there has been no sample for 1m`,
			`no sample for 1m, which is missing data: no_data: keep leaves all as it is`,
		}},
		{
			"missing data fires", with(func(s *Spec) { s.NoData = "warning" }),
			func(p *poller) { p.seen(90); p.wait(time.Minute) },
			[]string{
				`{source="cache"} firing warning`, `critical unknown: cannot be judged: there has been no sample for 1m`,
				`warning unknown: in force because data is missing; the condition has no part in it`,
				`no sample for 1m, which is missing data: no_data: warning fires for that`,
			},
		},
		{"its source is down", with(func(s *Spec) { s.NoData = "warning" }), func(p *poller) {
			p.give(Context{Source: "cache", Interval: p.interval}, p.metric, 90, "source", "cache")
			for range 6 {
				p.wait(p.interval)
				p.e.Observe(nil, Context{Source: "cache", Interval: p.interval, Failed: true}, p.now)
			}
		}, []string{
			`{source="cache"} ok`, `critical unknown: cannot be judged: there has been no sample for 1m`,
			`warning unknown: cannot be judged: there has been no sample for 1m`,
			`no sample for 1m, and its source cache cannot be read: no_data: warning waits for the source`,
		}},
		{"flapping", flapping, func(p *poller) { p.seen(90, 40, 90, 40, 90) }, []string{
			`{source="cache"} firing critical`,
			`critical false: in force: the alert is flapping; by its conditions alone it would be resolved`,
			`flapping for 0s, with 4 changes in the last 10m: it settles when there are no more than 1, in 9m50s at the earliest`,
		}},
		{"an unknown operand", with(func(s *Spec) { s.Critical = When{When: "avg(5m) < 50 and change_pct(1h) < -20"}; s.Warning = When{} }), func(p *poller) {
			p.seen(40, 40)
		}, []string{
			`{source="cache"} ok`, `critical unknown: cannot be judged: no sample of cache.hit_rate from 1h ago`,
		}},
		{
			"an override", with(func(s *Spec) {
				s.Overrides = []Override{{Match: []string{"source = x"}}, {Match: []string{"source = cache"}, Critical: When{When: "value < 20"}}}
			}),
			func(p *poller) { p.seen(90, 40) },
			[]string{
				`{source="cache"} pending warning`, `critical false: does not hold`, `warning true: has held for 0s; fires when it has for 1m, in 1m`,
				`override 2 of the rule is in force: its match is {source="cache"}`,
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			p := newPoller(t, tc.spec)
			tc.play(p)
			if diff := cmp.Diff(strings.Join(tc.want, "\n"), p.explain()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplainAfterARestart(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "count(5m) >= 0 and value < 50"}, Labels: map[string]string{"team": "web"}}
	p := newPoller(t, spec)
	p.seen(90, 40)
	alerts := p.e.Alerts()
	p.e = NewEvaluator([]*Rule{mustCompile(t, spec)})
	p.e.Restore(alerts, p.now)
	p.wait(5 * time.Second)
	want := strings.Join([]string{
		`{source="cache"} firing critical`,
		`critical unknown: in force; it cannot be judged now and so stays: its series has not been seen since the restart`,
		`the alert is from before the restart, 5s ago; its series has not been seen since`,
	}, "\n")
	for _, match := range []string{"source=cache", "team=web", "alertname=r"} {
		if diff := cmp.Diff(want, p.explain(match)); diff != "" {
			t.Errorf("%s: %s", match, diff)
		}
	}
	out, _ := p.e.Explain("r", nil, 1, p.now)
	if got := out.Series[0].Samples; len(got) != len(alerts[0].Samples) || len(got) == 0 {
		t.Errorf("samples %+v", got)
	}
}

func TestExplainSaysWhyNothingIsJudged(t *testing.T) {
	sample := func(p *poller) { p.see(90) }
	nothing := func(*poller) {}
	off := true
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}}
	with := func(change func(*Spec)) Spec {
		s := spec
		change(&s)
		return s
	}
	for _, tc := range []struct {
		name, match string
		spec        Spec
		play        func(*poller)
		want        string
	}{
		{"disabled", "", with(func(s *Spec) { s.Disabled = true }), sample, "the rule is disabled"},
		{"no sample", "", spec, nothing, "no sample of cache.hit_rate has come since the start: does a source yield it, and is that source up?"},
		{"no member", "", with(func(s *Spec) { s.By = []string{"source"} }), nothing, "no series of min of cache.hit_rate by (source) has been made yet: it is made of cache.hit_rate, of which there are no samples since the start, or none with the labels that it wants"},
		{"match fits none", "", with(func(s *Spec) { s.Match = []string{"source = db"} }), sample, `there is {source="cache"}, and the rule's match {source="db"} does not fit it`},
		{"labels fit none", "source=db", spec, sample, `no series matches; the rule judges {source="cache"}`},
		{"labels fit none of none", "source=x", with(func(s *Spec) { s.Match = []string{"source = db"} }), sample, `no series of cache.hit_rate matches, and the rule judges none`},
		{"switched off", "", with(func(s *Spec) { s.Overrides = []Override{{Match: []string{"source = cache"}, Disabled: &off}} }), sample, `an override switches the rule off for {source="cache"}`},
		{"the same alert", "a=1", with(func(s *Spec) { s.Labels = map[string]string{"a": "b"} }), func(p *poller) {
			p.give(Context{}, p.metric, 90, "exported_a", "1")
			p.give(Context{}, p.metric, 90, "a", "1")
		}, `another series makes the same alert as {a="1"}: the rule's own labels make them one`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPoller(t, tc.spec)
			tc.play(p)
			var match []string
			if tc.match != "" {
				match = append(match, tc.match)
			}
			if diff := cmp.Diff(tc.want, p.explain(match...)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, ok := newPoller(t, spec).e.Explain("other", nil, 1, epoch); ok {
		t.Error("a rule that does not exist is explained")
	}
}

func TestExplainTellsWhatAValueIsMadeOf(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, By: []string{"service"}}
	p := newPoller(t, spec)
	from := Context{Source: "s", Interval: p.interval}
	p.give(from, p.metric, 90, "service", "shop", "host", "a")
	p.wait(time.Millisecond)
	p.give(from, p.metric, 40, "service", "shop", "host", "b")
	p.wait(time.Second)
	if diff := cmp.Diff(strings.Join([]string{
		`{service="shop"} firing critical`, "critical true: in force",
		"the value is made of 2 series: min of cache.hit_rate by (service)",
	}, "\n"), p.explain()); diff != "" {
		t.Error(diff)
	}
	for range 4 {
		p.wait(p.interval)
		p.give(from, p.metric, 90, "service", "shop", "host", "a")
	}
	if got, want := p.explain(), `of cache.hit_rate{host="b", service="shop"} there has been no sample for 41s`; !strings.Contains(got, want) {
		t.Errorf("%s\nlacks %s", got, want)
	}

	catalog := source.NewCatalog(nil, false)
	metrics, catalog, problems := CompileMetrics([]Derived{{Name: "shop.ops", Expr: `sum(metric("redis.ops_per_sec"))`, Unit: "/s"}}, catalog)
	if len(problems[0]) > 0 {
		t.Fatal(problems)
	}
	r, mistakes := Compile(Spec{ID: "r", Metric: "shop.ops", Warning: When{When: "value > 10"}}, catalog, metrics...)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	d := &poller{t, NewEvaluator([]*Rule{r}), "redis.ops_per_sec", alert.LabelsOf("source", "cache"), 10 * time.Second, epoch}
	if got := d.explain(); !strings.Contains(got, "it is made of redis.ops_per_sec") {
		t.Error(got)
	}
	d.see(20)
	if got := d.explain(); !strings.Contains(got, "warning true: in force\nthe value is made of 1 series: redis.ops_per_sec") {
		t.Error(got)
	}
}

func TestExplainNamesTheFiringRuleThatItDependsOn(t *testing.T) {
	down := Spec{ID: "redis-down", Metric: "redis.up", Critical: When{When: "value == 0"}}
	own := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, DependsOn: []Dependency{{Rule: "redis-down"}}}
	p := newPoller(t, own, down)
	p.see(40)
	p.give(Context{}, "redis.up", 1, "source", "cache")
	p.give(Context{}, "redis.up", 0, "source", "other")
	if got := p.explain(); strings.Contains(got, "depends") {
		t.Errorf("another cache is down: %s", got)
	}
	p.give(Context{}, "redis.up", 1, "source", "other")
	p.wait(time.Second)
	p.give(Context{}, "redis.up", 0, "source", "cache")
	const want = `it depends on redis-down, which fires for {source="cache"}: judging goes on, and messages are held back meanwhile`
	if got := p.explain(); !strings.Contains(got, want) {
		t.Errorf("%s\nlacks %s", got, want)
	}
}

func TestExplainShowsTheWorstFirstAndNoMoreThanAsked(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 20"}, Warning: When{When: "value < 50", For: duration(time.Minute)}})
	for i, v := range []float64{90, 40, 10, 80} {
		p.give(Context{}, p.metric, v, "n", fmt.Sprint(i))
	}
	out, _ := p.e.Explain("r", nil, 3, p.now)
	var got []string
	for _, x := range out.Series {
		got = append(got, x.Labels.Get("n")+" "+x.State)
	}
	if want := "[2 firing 1 pending 0 ok]"; fmt.Sprint(got) != want || out.Total != 4 {
		t.Errorf("%v of %d, want %s of 4", got, out.Total, want)
	}
}

func TestAnExplanationSurvivesJSON(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "change_pct(1h) < -20 and value < 50"}, Warning: When{When: "value < 70", For: duration(time.Minute)}})
	p.seen(90, 40)
	out, _ := p.e.Explain("r", nil, 1, p.now)
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"for":"1m"`, `"interval":"10s"`, `"state":"pending","severity":"warning"`, `"value":null`, `"why":"no sample of cache.hit_rate from 1h ago"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s\nlacks %s", text, part)
		}
	}
	var back Explained
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(text) {
		t.Errorf("%v\n%s\n%s", err, text, again)
	}
}

// Whatever happens and whenever it is asked, an explanation agrees with the alert
// and changes nothing of what is judged later.
func TestAnExplanationAgreesWithTheAlertAndChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rules, history := []*Rule{mustCompile(t, specs().Draw(rt, "rule"))}, histories().Draw(rt, "history")
		ahead := rapid.SampledFrom([]time.Duration{0, time.Second, 40 * time.Second, time.Hour}).Draw(rt, "asked ahead")
		restart := rapid.IntRange(0, len(history)).Draw(rt, "restart after step")
		asked := func(p *played, i int) {
			out, ok := p.e.Explain("r", nil, 10, p.now.Add(ahead))
			if !ok || out.Total != len(out.Series) || out.Total == 0 && len(out.Notes) != 1 {
				rt.Fatalf("step %d: %+v", i, out)
			}
			for _, x := range out.Series {
				agrees(rt, p.e, &x)
			}
		}
		restarted := func(p *played, i int) {
			if i == restart {
				next := NewEvaluator(rules)
				p.out = append(p.out, next.Restore(committed(t, p.out), p.now)...)
				p.e = next
			}
		}
		want := drive(t, NewEvaluator(rules), history, restarted)
		got := drive(t, NewEvaluator(rules), history, func(p *played, i int) { asked(p, i); restarted(p, i); asked(p, i) })
		same(rt, want.out, got.out)
	})
}

func agrees(rt *rapid.T, e *Evaluator, x *Explanation) {
	state, severity := "ok", alert.OK
	for _, a := range e.Alerts() {
		state, severity = string(a.State), a.Severity
	}
	if x.State != state || x.Severity != severity {
		rt.Fatalf("%s %s is explained as %s %s", state, severity, x.State, x.Severity)
	}
	for _, c := range x.Conditions {
		inForce := strings.HasPrefix(c.Why, "in force")
		switch {
		case c.Why == "" || inForce != (state == "firing" && c.Severity == severity):
			rt.Fatalf("%s %s, and of %s: %q", state, severity, c.Severity, c.Why)
		case c.Holds == "unknown" && c.Why == "does not hold", c.Holds != "unknown" && strings.Contains(c.Why, "judged") && !strings.Contains(c.Why, "clear cannot") && c.Polls == "":
			rt.Fatalf("%s is %s: %q", c.Severity, c.Holds, c.Why)
		case strings.Contains(c.Why, "a value is unknown"), strings.Contains(c.Why, "-"):
			rt.Fatalf("%s: %q", c.Severity, c.Why)
		}
	}
}
