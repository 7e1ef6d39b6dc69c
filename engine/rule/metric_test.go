package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func labelsKept(names ...string) *[]string { return &names }

func mustMetrics(t *testing.T, specs []Derived, rules ...Spec) []*Rule {
	t.Helper()
	metrics, with, problems := CompileMetrics(specs, catalog())
	for i, list := range problems {
		if len(list) > 0 {
			t.Fatalf("metric %d: %v", i, list)
		}
	}
	var out []*Rule
	for _, spec := range rules {
		r, problems := Compile(spec, with, metrics...)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		out = append(out, r)
	}
	return out
}

func TestADerivedMetricIsJudgedLikeAnyOther(t *testing.T) {
	rules := mustMetrics(t, []Derived{
		{Name: "shop.memory_share", Expr: `metric("shop.memory_sum") / metric("host.memory_used") * 100`, Unit: "%", Labels: labelsKept("source")},
		{Name: "shop.memory_sum", Expr: `sum(metric("app.memory_used"))`, Unit: "bytes", Labels: labelsKept("source")},
	}, Spec{ID: "r", Category: "c", Metric: "shop.memory_share", Warning: When{When: "value > 50%"}})
	e := NewEvaluator(rules)
	now := epoch
	poll := func(host float64, app ...float64) string {
		now = now.Add(10 * time.Second)
		samples := []alert.Sample{{Metric: "host.memory_used", Labels: alert.LabelsOf("source", "web"), Value: host, At: now}}
		for i, v := range app {
			samples = append(samples, alert.Sample{Metric: "app.memory_used", Labels: alert.LabelsOf("source", "web", "instance", fmt.Sprint(i)), Value: v, At: now})
		}
		var got []string
		for _, tr := range e.Observe(samples, Context{Source: "web", Interval: 10 * time.Second}, now) {
			got = append(got, fmt.Sprintf("%s %v %s", tr.Kind, tr.Alert.Value, tr.Alert.Labels))
		}
		return strings.Join(got, "; ")
	}
	if got := poll(100, 20, 25); got != "" {
		t.Errorf("45%%: %s", got)
	}
	if got, want := poll(100, 30, 25), `firing 55.00000000000001 {alertname="r", category="c", source="web"}`; got != want {
		t.Errorf("55%%: %s, want %s", got, want)
	}
	if got := poll(200, 30, 25); !strings.HasPrefix(got, "resolved 27.5") {
		t.Errorf("27.5%%: %s", got)
	}
}

func TestADerivedMetricThatKeepsAllLabelsGoesByItsFirstMetric(t *testing.T) {
	rules := mustMetrics(t, []Derived{{Name: "shop.busy", Expr: `metric("cache.hit_rate") * metric("redis.up")`, Unit: "%"}},
		Spec{ID: "r", Metric: "shop.busy", Warning: When{When: "value < 50"}})
	e := NewEvaluator(rules)
	var got []string
	for i, up := range []float64{1, 0} {
		now := epoch.Add(time.Duration(i) * 10 * time.Second)
		samples := []alert.Sample{{Metric: "redis.up", Labels: alert.LabelsOf("source", "cache"), Value: up, At: now}}
		for _, strategy := range []string{"A", "B"} {
			samples = append(samples, alert.Sample{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache", "strategy", strategy), Value: 90, At: now})
		}
		for _, tr := range e.Observe(samples, Context{Source: "cache"}, now) {
			got = append(got, fmt.Sprintf("%d %s %s", i, tr.Kind, tr.Alert.Labels.Get("strategy")))
		}
	}
	if strings.Join(got, ", ") != "1 firing A, 1 firing B" {
		t.Errorf("got %v", got)
	}
}

func TestDerivedMetricsThatCannotBe(t *testing.T) {
	tests := []struct {
		spec Derived
		want string
	}{
		{Derived{Expr: `sum(metric("redis.keys"))`}, "name: a metric needs a name; add for example `name: shop.error_share`"},
		{Derived{Name: "a b", Expr: `sum(metric("redis.keys"))`}, `name: "a b" cannot be a metric's name; use letters, digits, _ and dots between`},
		{Derived{Name: "redis.keys", Expr: `sum(metric("redis.clients"))`}, `name: there is a metric "redis.keys" already; give it another name`},
		{Derived{Name: "x.y"}, "expr: a metric needs an expression; write for example sum(metric(\"app.requests_per_sec\"))"},
		{Derived{Name: "x.y", Expr: `sum(metric("redis.kees"))`}, `expr: unknown metric "redis.kees"; did you mean "redis.keys"?`},
		{Derived{Name: "x.y", Expr: `sum(metric("redis.ping"))`, Unit: "bytes"}, "unit: the expression is in ms, which is not bytes"},
		{Derived{Name: "x.y", Expr: `sum(metric("redis.ping"))`, Unit: "byte"}, `unit: "byte" is not one of %, ms, s, bytes, /s, /min, bytes/s; did you mean "bytes"?`},
		{Derived{Name: "x.y", Expr: `sum(metric("redis.ping"))`, Unit: "ms", Labels: labelsKept("a b")}, `labels[0]: "a b" is not the name of a label`},
		{Derived{Name: "x.y", Expr: `metric("x.y") + 1`}, "expr: the metrics read each other in a circle: x.y → x.y"},
	}
	for _, tc := range tests {
		_, _, problems := CompileMetrics([]Derived{tc.spec}, catalog())
		if len(problems[0]) != 1 || problems[0][0].Error() != tc.want {
			t.Errorf("got %v\nwant %s", problems[0], tc.want)
		}
	}
	_, _, problems := CompileMetrics([]Derived{
		{Name: "a.b", Expr: `metric("c.d") + 1`}, {Name: "c.d", Expr: `metric("a.b") + 1`},
	}, catalog())
	if got := problems[1].Err(); got == nil || !strings.Contains(got.Error(), "in a circle: a.b → c.d → a.b") {
		t.Errorf("a circle of two: %v", problems)
	}
}

func TestOnlyDerivedMetricsThatAreReadAreComputed(t *testing.T) {
	specs := []Derived{
		{Name: "x.used", Expr: `sum(metric("redis.keys"))`, Labels: labelsKept()},
		{Name: "x.unused", Expr: `sum(metric("redis.clients"))`, Labels: labelsKept()},
	}
	e := NewEvaluator(mustMetrics(t, specs, Spec{ID: "r", Metric: "x.used", Warning: When{When: "value > 5"}}))
	e.Observe([]alert.Sample{
		{Metric: "redis.keys", Labels: alert.LabelsOf("source", "a"), Value: 4, At: epoch},
		{Metric: "redis.clients", Labels: alert.LabelsOf("source", "a"), Value: 4, At: epoch},
	}, Context{Source: "a"}, epoch)
	if made := e.Made(); len(made) != 1 || made[0].Metric != "x.used" || len(made[0].Labels) != 0 {
		t.Errorf("made %+v", made)
	}
}

func TestAMarginHoldsASeverityOnTheEdge(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, Warning: When{When: "value < 70"}, ClearMargin: MarginSpec{Text: "10", Value: 10}}
	if got := play(t, spec, "96778445669"); got != ".WWW.CCCWW." {
		t.Errorf("got %s", got)
	}
}

func TestMarginsAndZonesThatCannotBe(t *testing.T) {
	tests := []struct {
		margin, zone, want string
	}{
		{"10ms", "", `clear_margin: cache.hit_rate is in percent, which does not go with "10ms"`},
		{"500%", "", "clear_margin: with a margin of 500% it would never end; write for example 2, 10ms, 16MB or 5%"},
		{"100", "", "clear_margin: with a margin of 100 it would never end; write for example 2, 10ms, 16MB or 5%"},
		{"", "Europe/Berlim", `timezone: "Europe/Berlim" is not a time zone; write a name such as Europe/Berlin`},
		{"", "Local", `timezone: "Local" is not a time zone; write a name such as Europe/Berlin`},
	}
	for _, tc := range tests {
		spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Timezone: tc.zone}
		if tc.margin != "" {
			if err := spec.ClearMargin.FromScalar(tc.margin); err != nil {
				t.Fatal(err)
			}
		}
		if _, problems := Compile(spec, catalog()); len(problems) != 1 || problems[0].Error() != tc.want {
			t.Errorf("got %v, want %s", problems, tc.want)
		}
	}
}

func TestSamplesOfADerivedMetricsNameAreNobodys(t *testing.T) {
	rules := mustMetrics(t, []Derived{{Name: "errors", Expr: `sum(metric("app.requests_per_sec"))`, Labels: labelsKept()}},
		Spec{ID: "r", Metric: "errors", Warning: When{When: "value > 90"}})
	e := NewEvaluator(rules)
	out := e.Observe([]alert.Sample{
		{Metric: "errors", Labels: nil, Value: 100, At: epoch},
		{Metric: "errors", Labels: alert.LabelsOf("source", "web"), Value: 100, At: epoch},
		{Metric: "app.requests_per_sec", Labels: alert.LabelsOf("source", "web"), Value: 10, At: epoch},
	}, Context{Source: "web"}, epoch)
	if len(out) > 0 {
		t.Errorf("%+v", out)
	}
}

// What cannot be computed is not gone: its members are read.
func TestADerivedSeriesWithoutLabelsIsNotGoneWhileItsMembersAreRead(t *testing.T) {
	for _, source := range []string{"web", ""} {
		rules := mustMetrics(t, []Derived{{Name: "share", Expr: `sum(metric("app.requests_per_sec")) / sum(metric("app.memory_used")) * 100`, Labels: labelsKept()}},
			Spec{ID: "r", Metric: "share", Warning: When{When: "value > 90"}})
		e, now := NewEvaluator(rules), epoch
		var out []Transition
		for n := range 400 {
			now = now.Add(10 * time.Second)
			out = append(out, clock(t, e, now)...)
			used := 0.0
			if n == 0 {
				used = 1
			}
			labels := alert.LabelsOf("source", "web")
			out = append(out, e.Observe([]alert.Sample{
				{Metric: "app.requests_per_sec", Labels: labels, Value: 10, At: now}, {Metric: "app.memory_used", Labels: labels, Value: used, At: now},
			}, Context{Source: source, Interval: 10 * time.Second}, now)...)
		}
		if got := kinds(out); got != "firing warning; held warning; " {
			t.Errorf("source %q: %s", source, got)
		}
	}
}

func TestADerivedSeriesOfASourceThatWasTakenOutEndsAfterARestart(t *testing.T) {
	rules := mustMetrics(t, []Derived{{Name: "double", Expr: `metric("app.memory_used") * 2`, Unit: "bytes"}},
		Spec{ID: "r", Metric: "double", Warning: When{When: "value > 90"}, NoData: "critical"})
	e := NewEvaluator(rules)
	s := alert.Sample{Metric: "app.memory_used", Labels: alert.LabelsOf("source", "web"), Value: 100, At: epoch}
	out := e.Observe([]alert.Sample{s}, Context{Source: "web"}, epoch)
	e = NewEvaluator(rules)
	e.Restore(committed(t, out), epoch)
	if got := kinds(e.Unwatch(func(l alert.Labels) bool { return l.Get("source") != "web" }, epoch)); got != "resolved warning; " {
		t.Errorf("got %q", got)
	}
}
