package rule

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
)

func TestLifeCycleWithoutData(t *testing.T) {
	spec := func(noData string) Spec {
		return Spec{
			ID: "r", Category: "cache", Metric: "cache.hit_rate", NoData: noData,
			Critical: When{When: "value < 50"}, Warning: When{When: "value < 70", For: duration(20 * time.Second)},
		}
	}
	windowed := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "count(40s) >= 3 and max(40s) < 70"}}
	young := Spec{
		ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, Warning: When{When: "value < 70"},
		Info: When{When: "abs(change_pct(1h)) > 10"}, Clear: "value >= 87",
	}
	old := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "age > 25s"}, Critical: When{When: "age > 1m"}}
	tests := []struct {
		name, in, want string
		spec           Spec
	}{
		{"warning does not make a critical milder", "94-----9", ".CCCCCC.", spec("warning")},
		{"critical makes a warning worse, and good data ends it", "9666-----9", ".PPWWWWCC.", spec("critical")},
		{"bad data after it moves down when its for has passed", "9-----666699", "....CCCCWW..", spec("critical")},
		{"info over nothing, then critical at once", "9-----4", "....IIC", spec("info")},
		{"ok ends what waits, too", "96-----", ".PPPP..", spec("ok")},
		{"a window that runs empty is no recovery, before a sample says so", "666-----6", "..WWWWWW.", windowed},
		{"a window that has good samples is", "6669", "..W.", windowed},
		{"an info that has no baseline yet holds up no other severity", "964699", ".WCW..", young},
		{"age is judged while nothing comes", "99-------99", "....WWWWC..", old},
		{"every other poll missing: half of each gap counts", "96-6-6-9", ".PPPWWW.", spec("keep")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := play(t, tc.spec, tc.in); got != tc.want {
				t.Errorf("input %s\ngot   %s\nwant  %s", tc.in, got, tc.want)
			}
		})
	}
}

// poller feeds one series a value a poll.
type poller struct {
	t        *testing.T
	e        *Evaluator
	metric   string
	labels   alert.Labels
	interval time.Duration
	now      time.Time
}

func newPoller(t *testing.T, specs ...Spec) *poller {
	t.Helper()
	var rules []*Rule
	for _, s := range specs {
		rules = append(rules, mustCompile(t, s))
	}
	return &poller{t, NewEvaluator(rules), specs[0].Metric, alert.LabelsOf("source", "cache"), 10 * time.Second, epoch}
}

// see lets an interval pass, ticks, and observes the value.
func (p *poller) see(value float64) []Transition {
	p.t.Helper()
	out := p.wait(p.interval)
	return append(out, p.e.Observe([]alert.Sample{{Metric: p.metric, Labels: p.labels, Value: value, At: p.now}}, Context{Interval: p.interval}, p.now)...)
}

func (p *poller) wait(d time.Duration) []Transition {
	p.now = p.now.Add(d)
	return clock(p.t, p.e, p.now)
}

func kinds(out []Transition) string {
	var b strings.Builder
	for _, tr := range out {
		b.WriteString(string(tr.Kind) + " " + tr.Alert.Severity.String() + "; ")
	}
	return b.String()
}

func TestOneBadPollOfASlowSourceIsNoAlert(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "redis.up", Critical: When{When: "value == 0", For: duration(10 * time.Second)}})
	p.interval = time.Minute
	for _, step := range []struct {
		value float64
		want  string
	}{{1, ""}, {0, "pending critical; "}, {1, "inactive critical; "}, {0, "pending critical; "}, {0, "firing critical; "}} {
		if got := kinds(p.see(step.value)); got != step.want {
			t.Fatalf("at %s, value %v: %q, want %q", p.now.Sub(epoch), step.value, got, step.want)
		}
	}
}

func TestWhatAnAlertSaysThroughItsLife(t *testing.T) {
	p := newPoller(t, Spec{
		ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 70"}, Warning: When{When: "value < 85"}, Clear: "value >= 90",
	})
	type row struct {
		Severity               alert.Severity
		Value, Threshold, Peak alert.Number
		Message                string
	}
	of := func(a alert.Alert) row { return row{a.Severity, a.Value, a.Threshold, a.Peak, a.Message} }
	suffix := ` {source="cache"}`
	for _, step := range []struct {
		value float64
		want  row
	}{
		{80, row{alert.Warning, 80, 85, 80, "cache.hit_rate is 80%, below 85%" + suffix}},
		{60, row{alert.Critical, 60, 70, 60, "cache.hit_rate is 60%, below 70%" + suffix}},
		{75, row{alert.Warning, 75, 85, 60, "cache.hit_rate is 75%, below 85%" + suffix}},
		{88, row{alert.Warning, 88, 85, 60, "cache.hit_rate is 75%, below 85%" + suffix}}, // clear does not hold
	} {
		p.see(step.value)
		if diff := cmp.Diff(step.want, of(p.e.Alerts()[0])); diff != "" {
			t.Errorf("value %v: %s", step.value, diff)
		}
	}
	out := p.see(91)
	want := row{alert.Warning, 91, 85, 60, "cache.hit_rate is 75%, below 85%" + suffix}
	if len(out) != 1 || out[0].Kind != alert.EventResolved {
		t.Fatalf("at the end: %+v", out)
	}
	if diff := cmp.Diff(want, of(out[0].Alert)); diff != "" {
		t.Error(diff)
	}
}

func TestAnAlertByMissingDataReturnsToNormal(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Clear: "value >= 80", NoData: "critical", Message: "rate {{ .Verb }} {{ .Threshold }}"})
	p.see(90)
	fired := p.wait(time.Minute)
	if kinds(fired) != "firing critical; " || !strings.Contains(fired[0].Alert.Message, "no data for 30s") {
		t.Fatalf("%s %+v", kinds(fired), fired)
	}
	back := p.see(75) // no condition holds, but clear does not either
	if kinds(back) != " critical; " || back[0].Alert.Reason != "data is back" {
		t.Fatalf("%s %+v", kinds(back), back)
	}
	moved := p.see(60)
	if kinds(moved) != "severity warning; " || moved[0].Alert.Message != "rate below 70" {
		t.Fatalf("%s %+v", kinds(moved), moved)
	}
	if got := kinds(p.see(85)); got != "resolved warning; " {
		t.Fatal(got)
	}
}

func TestThresholdsThatAreNotConstants(t *testing.T) {
	tests := []struct {
		when             string
		value, threshold alert.Number
		verb             string
	}{
		{"value < (labels.source == 'cache' ? 95 : 10)", 60, 95, "below"},
		{"95 > value", 60, 95, "below"},
		{"not (value >= 85)", 60, 85, "below"},
		{`value < metric("redis.hit_rate") * 2`, 60, 100, "below"},
		{`value < (metric("redis.memory_usage") ?? 70)`, 60, 70, "below"},
		{`metric("cache.lookups_per_sec") == 50`, 60, alert.Unknown(), ""},
		{`value < 10 or metric("cache.lookups_per_sec") == 50`, 60, alert.Unknown(), ""},
		{`(metric("redis.keys") ?? 0) > 0 or value < 61`, 60, 61, "below"},
	}
	for _, tc := range tests {
		e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: tc.when}})})
		labels := alert.LabelsOf("source", "cache")
		e.Observe([]alert.Sample{
			{Metric: "cache.hit_rate", Labels: labels, Value: 60, At: epoch},
			{Metric: "cache.lookups_per_sec", Labels: labels, Value: 50, At: epoch},
			{Metric: "redis.hit_rate", Labels: labels, Value: 50, At: epoch},
		}, Context{}, epoch)
		alerts := e.Alerts()
		if len(alerts) != 1 {
			t.Errorf("%s does not fire", tc.when)
			continue
		}
		a := alerts[0]
		if a.Value != tc.value || a.Threshold.Known() != tc.threshold.Known() || tc.threshold.Known() && a.Threshold != tc.threshold || a.Verb != tc.verb {
			t.Errorf("%s: value %v threshold %v verb %q", tc.when, a.Value, a.Threshold, a.Verb)
		}
	}
}

func TestLabelsOfTheRuleNeverMergeTwoSeries(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Labels: map[string]string{"strategy": "any"}})})
	var batch []alert.Sample
	for _, s := range []string{"A", "B"} {
		batch = append(batch, alert.Sample{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache", "strategy", s, "severity", "high", "category", "books"), Value: 60, At: epoch})
	}
	e.Observe(batch, Context{}, epoch)
	var got []string
	for _, a := range e.Alerts() {
		got = append(got, a.Labels.Get("exported_strategy")+" "+a.Labels.Get("strategy")+" "+a.Labels.Get("exported_severity")+a.Labels.Get("severity")+" "+a.Labels.Get("category"))
	}
	if diff := cmp.Diff([]string{"A any high cache", "B any high cache"}, got, cmp.Transformer("sort", sortedCopy)); diff != "" {
		t.Error(diff)
	}
}

func sortedCopy(in []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range in {
		out[s] = true
	}
	return out
}

func TestARestartWithChangedRulesLeavesNoAlertBehind(t *testing.T) {
	before := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Labels: map[string]string{"team": "web"}}
	change := func(f func(*Spec)) Spec { s := before; f(&s); return s }
	tests := []struct {
		name   string
		after  Spec
		reason string // of the end of the old alert
		left   int    // alerts after the first sample
	}{
		{"unchanged", before, "", 1},
		{"a label more", change(func(s *Spec) { s.Labels = map[string]string{"team": "web", "tier": "1"} }), reasonLabels, 1},
		{"a label less", change(func(s *Spec) { s.Labels = nil }), reasonLabels, 1},
		{"another match", change(func(s *Spec) { s.Match = []string{"source = elsewhere"} }), reasonMatch, 0},
		{"another metric", change(func(s *Spec) { s.Metric = "redis.hit_rate" }), reasonMetric, 0},
		{"disabled", change(func(s *Spec) { s.Disabled = true }), reasonDisabled, 0},
		{"another rule", change(func(s *Spec) { s.ID = "other" }), reasonRemoved, 1},
	}
	for _, tc := range tests {
		for _, how := range []string{"restart", "reload"} {
			t.Run(how+": "+tc.name, func(t *testing.T) {
				p := newPoller(t, before)
				p.see(60)
				var out []Transition
				if how == "reload" {
					out = p.e.Reload([]*Rule{mustCompile(t, tc.after)}, p.now)
				} else {
					alerts := p.e.Alerts()
					p.e = NewEvaluator([]*Rule{mustCompile(t, tc.after)})
					out = p.e.Restore(alerts, p.now)
				}
				out = append(out, p.see(60)...)
				reason := ""
				for _, tr := range out {
					if tr.Kind == alert.EventResolved {
						reason += tr.Alert.Reason
					}
				}
				if reason != tc.reason || len(p.e.Alerts()) != tc.left {
					t.Errorf("ended: %q, left %d; want %q, %d", reason, len(p.e.Alerts()), tc.reason, tc.left)
				}
			})
		}
	}
}

func TestAStandInLeavesNoTimerBehind(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, NoData: "critical"}
	p := newPoller(t, spec)
	p.see(60)
	alerts := p.e.Alerts()
	p.e = NewEvaluator([]*Rule{mustCompile(t, spec)})
	p.e.Restore(alerts, p.now)
	p.see(60)
	for range 20 { // well past the stand-in's own deadline
		if out := p.see(60); len(out) > 0 {
			t.Fatalf("at %s: %+v", p.now.Sub(epoch), out)
		}
	}
	if n := len(p.e.Alerts()); n != 1 {
		t.Fatalf("%d alerts", n)
	}
}

func TestAStandInWhoseSeriesNeverComesIsKeptAndJudgedByNoData(t *testing.T) {
	for noData, want := range map[string]string{"keep": "held warning; ", "critical": "severity critical; ", "ok": "resolved warning; "} {
		spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, NoData: noData}
		p := newPoller(t, spec)
		p.see(60)
		alerts := p.e.Alerts()
		p.e = NewEvaluator([]*Rule{mustCompile(t, spec)})
		p.e.Restore(alerts, p.now)
		if got := kinds(p.wait(time.Hour)); got != want {
			t.Errorf("no_data %s: %q, want %q", noData, got, want)
		}
		p.e.Sweep(p.now.Add(24 * time.Hour))
		if left := len(p.e.Alerts()); left != 1 && noData != "ok" || len(p.e.restored) != left {
			t.Errorf("no_data %s: %d alerts, %d stand-ins after the sweep", noData, left, len(p.e.restored))
		}
	}
}

func TestSweepForgetsSeriesAndKeepsAlerts(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, NoData: "ok"})
	p.see(90)
	p.e.Sweep(p.now.Add(2 * time.Hour))
	if p.e.SeriesCount("r") != 0 || len(p.e.alerts) != 0 {
		t.Errorf("%d series, %d instances left", p.e.SeriesCount("r"), len(p.e.alerts))
	}
	if out := p.wait(3 * time.Hour); len(out) > 0 {
		t.Errorf("a forgotten series spoke: %+v", out)
	}
	keep := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}})
	keep.see(60)
	keep.e.Sweep(keep.now.Add(240 * time.Hour))
	if len(keep.e.Alerts()) != 1 || keep.e.SeriesCount("r") != 1 {
		t.Error("an alert was swept away")
	}
}

func TestOtherMetricsAreFoundByTheirLabels(t *testing.T) {
	tests := []struct {
		name   string
		series []string // label sets of the other metric, values 0, 1, 2, …
		want   float64  // -1: none
	}{
		{"the same labels", []string{"source=x", "source=cache,strategy=A"}, 1},
		{"the most of the labels", []string{"source=cache", "strategy=A,source=cache", ""}, 1},
		{"less labels", []string{"source=cache", "source=cache,strategy=B"}, 0},
		{"another source's", []string{"source=web"}, 0},
		{"two other sources'", []string{"source=web", "source=site"}, -1},
		{"another source's instance", []string{"source=web,instance=a"}, 0},
		{"two instances", []string{"source=web,instance=a", "source=web,instance=b"}, -1},
		{"a part of its own source's", []string{"source=cache,op=get"}, -1},
		{"another strategy's", []string{"source=cache,strategy=B"}, -1},
	}
	for _, tc := range tests {
		e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: `metric("redis.keys") > 0`}})})
		for i, set := range tc.series {
			labels := map[string]string{}
			for pair := range strings.SplitSeq(set, ",") {
				k, v, _ := strings.Cut(pair, "=")
				labels[k] = v
			}
			e.Observe([]alert.Sample{{Metric: "redis.keys", Labels: alert.FromMap(labels), Value: float64(i), At: epoch}}, Context{}, epoch)
		}
		got := -1.0
		if s := e.other("redis.keys", alert.LabelsOf("source", "cache", "strategy", "A")); s != nil {
			got = s.last.value
		}
		if got != tc.want {
			t.Errorf("%s: series %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestHugeWindowsAreThinned(t *testing.T) {
	s := &Series{}
	s.Keep(maxWindow)
	now := epoch
	n := int(maxWindow / (5 * time.Second))
	for i := range n {
		now = now.Add(5 * time.Second)
		s.Append(now, float64(i))
	}
	if n := len(s.history.points); n > 2*maxPoints {
		t.Errorf("the history holds %d points", n)
	}
	if got, want := average(s, now.UnixNano(), maxWindow), float64(n-1)/2; got < want*0.99 || got > want*1.01 {
		t.Errorf("avg is %v, want about %v", got, want)
	}
	if got := maximum(s, now.UnixNano(), maxWindow); got != float64(n-1) {
		t.Errorf("the newest sample is not in the window: %v", got)
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{{ range 9999999999 }}{{ end }}":                                   "range goes over .Labels only",
		"{{ range .Labels }}{{ range $.Labels }}x{{ end }}{{ end }}":        "range goes over .Labels only",
		`{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" . }}`:   "have no place",
		`{{ template "message" . }}`:                                        "has no place",
		`{{ printf "%*d" 99999 1 }}`:                                        "three digits",
		`{{ $x := "abcd" }}` + strings.Repeat("{{ $x = print $x $x }}", 60): "longer than",
		`{{ "\\" ` + strings.Repeat("|js", 90) + ` }}`:                      "longer than",
		`{{ printf "%99999d" 1 }}`:                                          "three digits",
		"{{ .Nope }}":                                                       "Nope",
		strings.Repeat("x", maxTemplateBytes+1):                             "at most",
		"{{ if .Verb }}{{ else }}{{ range $i := 5 }}{{ end }}{{ end }}":     "range goes over .Labels only",
		"{{ with .Labels }}{{ range . }}{{ end }}{{ end }}":                 "range goes over .Labels only",
	} {
		_, problems := Compile(Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 1"}, Message: text}, catalog())
		if len(problems) != 1 || problems[0].Path != "message" || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%.60s: %v", text, problems)
		}
	}
	r := mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 1"}, Message: "{{ range $k, $v := .Labels }}{{ $k }}={{ $v }} {{ end }}{{ round .Value }} {{ duration .Value }} {{ bytes .Threshold }}"})
	a := alert.Alert{Labels: alert.LabelsOf("b", "2", "a", "1"), Value: alert.Unknown(), Threshold: 1 << 20}
	r.Describe(&a)
	if a.Message != "a=1 b=2 unknown unknown 1MB" {
		t.Errorf("message %q", a.Message)
	}
}

// feed observes what a source gives at a moment: the rate, and whether Redis
// is up; NaN is no sample.
func feed(t *testing.T, e *Evaluator, second int, rate, up float64) []Transition {
	t.Helper()
	now := epoch.Add(time.Duration(second) * time.Second)
	out := clock(t, e, now)
	batch := []alert.Sample{
		{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache"), Value: rate, At: now},
		{Metric: "redis.up", Labels: alert.LabelsOf("source", "cache"), Value: up, At: now},
	}
	return append(out, e.Observe(batch, Context{Interval: interval}, now)...)
}

func TestUnknownTimeDoesNotCountTowardsAFor(t *testing.T) {
	gated := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: `value < 70 and metric("redis.up").avg(10s) == 1`, For: duration(time.Minute)}}
	e := NewEvaluator([]*Rule{mustCompile(t, gated)})
	unknown := math.NaN()
	feed(t, e, 0, 60, 1)
	for s := 30; s <= 300; s += 30 {
		feed(t, e, s, 60, unknown)
	}
	if out := feed(t, e, 330, 60, 1); strings.Contains(kinds(out), "firing") {
		t.Fatalf("two good looks in five minutes made a minute: %s", kinds(out))
	}
	if out := feed(t, e, 360, 60, 1); kinds(out) != "firing warning; " {
		t.Fatalf("after a minute that was seen: %q", kinds(out))
	}
}

func TestTheClockAloneDoesNotResolve(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{
		ID: "r", Metric: "cache.hit_rate", Warning: When{When: `value < 70 and metric("redis.up") == 1`},
		Critical: When{When: `value < 50 and metric("redis.up") == 1`, For: duration(40 * time.Second)},
	})})
	feed(t, e, 0, 40, 1)
	feed(t, e, 30, math.NaN(), 0)
	if out := clock(t, e, epoch.Add(45*time.Second)); len(out) > 0 {
		t.Fatalf("without a sample of its own: %s", kinds(out))
	}
	if out := feed(t, e, 50, 40, 0); kinds(out) != "resolved warning; " {
		t.Fatalf("with one: %q", kinds(out))
	}
}

func TestMissingDataIsToldOnceOverRestartsAndReloads(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}}
	p := newPoller(t, spec)
	p.see(60)
	if got := kinds(p.wait(time.Minute)); got != "held warning; " {
		t.Fatal(got)
	}
	if out := append(p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now), p.wait(time.Hour)...); len(out) > 0 {
		t.Fatalf("after a reload: %+v", out)
	}
	alerts := p.e.Alerts()
	p.e = NewEvaluator([]*Rule{mustCompile(t, spec)})
	if out := append(p.e.Restore(alerts, p.now), p.wait(time.Hour)...); len(out) > 0 {
		t.Fatalf("after a restart: %+v", out)
	}
	if out := p.see(60); kinds(out) != " warning; " || out[0].Alert.Reason != "value < 70 holds" {
		t.Fatalf("when data is back: %s %+v", kinds(out), out)
	}
}

func TestAReloadThatNamesNoDataActsOnDataThatIsMissingAlready(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}}
	p := newPoller(t, spec)
	p.see(90)
	p.wait(time.Hour)
	spec.NoData = "critical"
	out := append(p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now), p.wait(time.Second)...)
	if kinds(out) != "firing critical; " {
		t.Fatalf("%q", kinds(out))
	}
}
