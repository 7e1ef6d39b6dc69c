package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

var epoch = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

func mustCompile(t testing.TB, spec Spec) *Rule {
	t.Helper()
	r, problems := Compile(spec, source.NewCatalog(nil, false))
	if len(problems) > 0 {
		t.Fatalf("rule does not compile: %v", problems.Err())
	}
	return r
}

func duration(d time.Duration) *time.Duration { return &d }

// play feeds one value a poll, ten seconds apart, and writes the alert's state
// after each: . none, P pending, and I, W, C firing with that severity. In the
// input, a digit stands for ten times its value, - for a poll without a sample.
func play(t *testing.T, spec Spec, input string) string {
	t.Helper()
	e := NewEvaluator([]*Rule{mustCompile(t, spec)})
	labels := alert.LabelsOf("source", "cache")
	var out strings.Builder
	for i, c := range input {
		now := epoch.Add(time.Duration(i) * 10 * time.Second)
		e.Tick(now)
		if c != '-' {
			e.Observe([]alert.Sample{{Metric: spec.Metric, Labels: labels, Value: float64(c-'0') * 10, At: now}}, Context{Interval: 10 * time.Second}, now)
		}
		out.WriteByte(letter(e.Alerts()))
	}
	return out.String()
}

func letter(alerts []alert.Alert) byte {
	if len(alerts) == 0 {
		return '.'
	}
	if alerts[0].State == alert.Pending {
		return 'P'
	}
	return strings.ToUpper(alerts[0].Severity.String())[0]
}

func TestLifeCycle(t *testing.T) {
	base := Spec{ID: "r", Metric: "cache.hit_rate", Category: "cache"}
	with := func(change func(*Spec)) Spec {
		s := base
		change(&s)
		return s
	}
	warning := with(func(s *Spec) { s.Warning = When{When: "value < 70", For: duration(20 * time.Second)} })
	both := with(func(s *Spec) {
		s.Critical = When{When: "value < 50"}
		s.Warning = When{When: "value < 70", For: duration(20 * time.Second)}
	})
	hysteresis := with(func(s *Spec) { s.Critical = When{When: "value < 50"}; s.Clear = "value >= 80" })
	tests := []struct {
		name, in, want string
		spec           Spec
	}{
		{"fires when its for has passed", "9666699", ".PPWW..", warning},
		{"one bad poll is no alert", "9696969", ".P.P.P.", warning},
		{"critical at once, and down to warning", "944669", ".CCWW.", both},
		{"waits for the milder one before it moves down", "94669", ".CCW.", both},
		{"up from warning", "96664669", ".PPWCWW.", both},
		{"stays until clear holds", "9477678", ".CCCCC.", hysteresis},
		{"missing data keeps the state", "94------9", ".CCCCCCC.", hysteresis},
		{"missing data is not recovery while pending", "96-----669", ".PPPPPPPW.", warning},
		{"no_data ok resolves", "94------4", ".CCCC...C", with(func(s *Spec) { s.Critical = When{When: "value < 50"}; s.NoData = "ok" })},
		{"no_data warning fires", "9------9", "....WWW.", with(func(s *Spec) { s.Critical = When{When: "value < 50"}; s.NoData = "warning" })},
		{"a gap does not count towards a for", "96--669", ".PPPPW.", warning},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := play(t, tc.spec, tc.in); got != tc.want {
				t.Errorf("input %s\ngot   %s\nwant  %s", tc.in, got, tc.want)
			}
		})
	}
}

func TestConditionMistakes(t *testing.T) {
	tests := []struct{ metric, text, want string }{
		{"postgres.avg_query_time", "value > 5MB", `postgres.avg_query_time is in ms, which does not compare with a size in bytes`},
		{"cache.hit_rate", "value <", "ends too early"},
		{"cache.hit_rate", "value < 5mz", `unknown unit in "5mz"`},
		{"cache.hit_rate", "valu < 5", `unknown name "valu"; did you mean "value"?`},
		{"cache.hit_rate", "avg(5) < 5", "avg wants a window such as 5m"},
		{"cache.hit_rate", "averag(5m) < 5", `unknown function "averag"`},
		{"cache.hit_rate", `metric("redis.upp") < 5`, `did you mean "redis.up"?`},
		{"cache.hit_rate", "value", "this is a number, not a condition"},
		{"cache.hit_rate", "value and 3", "and joins two conditions"},
		{"cache.hit_rate", `labels.x < "a"`, "< does not compare texts"},
		{"cache.hit_rate", `labels.x in [labels.y]`, "list must hold constants"},
		{"cache.hit_rate", "redis.up == 1", `another metric is read with metric("redis.up")`},
		{"cache.hit_rate", "", "empty condition"},
		{"postgres.slow_queries", "value > 200ms", "postgres.slow_queries is in plain numbers, which does not compare with a time"},
	}
	catalog := source.NewCatalog(nil, false)
	for _, tc := range tests {
		metric, _ := catalog.Lookup(tc.metric)
		_, problems := CompileCondition(tc.text, metric, catalog, Options{})
		got := ""
		if err := problems.Err(); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q in it", tc.text, got, tc.want)
		}
	}
}

// TestAnUnknownUnitDecidesNothing: what a plugin yields that cannot be asked has a
// unit, but nobody knows which.
func TestAnUnknownUnitDecidesNothing(t *testing.T) {
	catalog := source.NewCatalog(nil, false).Unbounded()
	for text, want := range map[string]Truth{
		"value > 3": True, "value < 10m": Unknown, "value * 2 > 1ms": Unknown, "avg(5m) > 5MB": Unknown, "10% < value": Unknown,
		`value > metric("source.age")`: Unknown, "value > 10m or value > 3": True,
	} {
		metric, known := catalog.Lookup("queue.depth")
		c, problems := CompileCondition(text, metric, catalog, Options{})
		if !known || problems.Err() != nil {
			t.Errorf("%s: %v", text, problems.Err())
			continue
		}
		s := &Series{Labels: alert.LabelsOf("source", "jobs")}
		s.Keep(c.windows[metric.Name])
		s.Append(epoch, 500)
		age := &Series{}
		age.Append(epoch, 10)
		other := func(string, alert.Labels) *Series { return age }
		if got := c.eval(&frame{now: epoch.UnixNano(), series: s, other: other}); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	spec := Spec{ID: "late", Metric: "queue.depth", Critical: When{When: "value > 10m"}, Clear: "value < 5m"}
	r, problems := Compile(spec, catalog)
	if problems.Err() != nil || r.Metric.Unit != "" {
		t.Error(r, problems)
	}
}

func TestConditionValues(t *testing.T) {
	tests := []struct {
		metric, text string
		values       string // one every ten seconds, separated by blanks
		want         Truth
	}{
		{"cache.hit_rate", "value < 70", "69", True},
		{"cache.hit_rate", "< 70", "69", True},
		{"cache.hit_rate", "value < 70%", "70", False},
		{"cache.hit_rate", "value < 70% and value > 10%", "50", True},
		{"cache.hit_rate", "70 % 60 == 10 and value > 1", "50", True},
		{"postgres.avg_query_time", "value > 200ms", "201", True},
		{"postgres.avg_query_time", "value > 0.2s", "199", False},
		{"postgres.oldest_transaction", "value > 1h30m", "5401", True},
		{"app.memory_used", "value > 768MB", "805306369", True},
		{"cache.hit_rate", "avg(1m) < 60", "90 50 20", True},
		{"cache.hit_rate", "avg(15s) < 40", "90 50 20", True},
		{"cache.hit_rate", "min(1m) == 20 and max(1m) == 90 and count(1m) == 3 and sum(1m) == 160", "90 50 20", True},
		{"cache.hit_rate", "change(20s) == -70", "90 50 20", True},
		{"cache.hit_rate", "change_pct(20s) < -77 and change_pct(20s) > -78", "90 50 20", True},
		{"cache.hit_rate", "abs(change_pct(1h)) > 10", "90 50 20", Unknown},
		{"cache.hit_rate", "abs(change_pct(1h)) > 10 or value < 30", "90 50 20", True},
		{"cache.hit_rate", "p95(1m) > 80 and median(1m) == 50", "90 50 20", True},
		{"cache.hit_rate", `metric("redis.up") == 1`, "90", Unknown},
		{"cache.hit_rate", `labels.source == "cache" and labels.strategy in ["", "A"]`, "90", True},
		{"cache.hit_rate", `value < (labels.source == "cache" ? 95 : 10)`, "90", True},
		{"cache.hit_rate", "not (value < 50) && !(value > 95)", "90", True},
		{"cache.hit_rate", "max(value, 95) == 95", "90", True},
		{"cache.hit_rate", "value / 0 > 1", "90", Unknown},
		{"redis.keys", "rate(1m) == 2", "100 120 140", True},
		{"redis.keys", "rate(1m) > 4", "100 180 20", True},
	}
	catalog := source.NewCatalog(nil, false)
	for _, tc := range tests {
		metric, _ := catalog.Lookup(tc.metric)
		c, problems := CompileCondition(tc.text, metric, catalog, Options{})
		if len(problems) > 0 {
			t.Errorf("%s: %v", tc.text, problems.Err())
			continue
		}
		s := &Series{Labels: alert.LabelsOf("source", "cache")}
		s.Keep(c.windows[metric.Name])
		now := epoch
		for _, field := range strings.Fields(tc.values) {
			v, err := parseFloat(field)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(10 * time.Second)
			s.Append(now, v)
		}
		none := func(string, alert.Labels) *Series { return nil }
		if got := c.eval(&frame{now: now.UnixNano(), series: s, other: none}); got != tc.want {
			t.Errorf("%s over %s: got %v, want %v", tc.text, tc.values, got, tc.want)
		}
	}
}

func TestMessagesReadAsTheGuideWritesThem(t *testing.T) {
	rate := mustCompile(t, Spec{
		ID: "cache-hit-rate", Category: "cache", Metric: "cache.hit_rate", Warning: When{When: "value < 85"},
		Message: "Cache hit rate {{ .Verb }} {{ .Threshold }}% for {{ .Labels.strategy }} strategy",
	})
	query := mustCompile(t, Spec{
		ID: "query-time", Category: "database", Metric: "postgres.avg_query_time", Info: When{When: "change_pct(1h) > 50"},
		Message: "Average query time {{ .Verb }} {{ round .Value }}ms",
	})
	e := NewEvaluator([]*Rule{rate, query})
	strategy := alert.LabelsOf("source", "cache", "strategy", "USER_RUNS")
	database := alert.LabelsOf("source", "database")
	e.Observe([]alert.Sample{{Metric: "postgres.avg_query_time", Labels: database, Value: 10, At: epoch}}, Context{}, epoch)
	later := epoch.Add(time.Hour)
	e.Observe([]alert.Sample{
		{Metric: "postgres.avg_query_time", Labels: database, Value: 15.2, At: later},
		{Metric: "cache.hit_rate", Labels: strategy, Value: 82.3, At: later},
	}, Context{}, later)
	type row struct {
		Severity         alert.Severity
		Message          string
		Value, Threshold alert.Number
	}
	var got []row
	for _, a := range e.Alerts() {
		got = append(got, row{a.Severity, a.Message, a.Value, a.Threshold})
	}
	want := []row{
		{alert.Warning, "Cache hit rate below 85% for USER_RUNS strategy", 82.3, 85},
		{alert.Info, "Average query time increased to 15ms", 15.2, 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForEndsByTheClockBetweenPolls(t *testing.T) {
	e := NewEvaluator([]*Rule{mustCompile(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70", For: duration(12 * time.Second)}})})
	for i := range 2 {
		now := epoch.Add(time.Duration(i) * 10 * time.Second)
		e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: 60, At: now}}, Context{Interval: 10 * time.Second}, now)
	}
	due := e.NextDue()
	if want := epoch.Add(12 * time.Second); !due.Equal(want) {
		t.Fatalf("due at %v, want %v", due, want)
	}
	got := e.Tick(due)
	if len(got) != 1 || got[0].Kind != alert.EventFiring || !got[0].Alert.StartsAt.Equal(due) {
		t.Fatalf("transitions by the clock: %+v", got)
	}
}

func TestRestartGoesOn(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70", For: duration(30 * time.Second)}}
	observe := func(e *Evaluator, second int, value float64) []Transition {
		now := epoch.Add(time.Duration(second) * time.Second)
		out := e.Tick(now)
		return append(out, e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: value, At: now}}, Context{Interval: 10 * time.Second}, now)...)
	}
	first := NewEvaluator([]*Rule{mustCompile(t, spec)})
	pending := observe(first, 0, 60)
	if len(pending) != 1 || pending[0].Kind != alert.EventPending {
		t.Fatalf("first sample: %+v", pending)
	}
	second := NewEvaluator([]*Rule{mustCompile(t, spec)})
	second.Restore([]alert.Alert{pending[0].Alert}, epoch.Add(5*time.Second))
	for s := 10; s < 30; s += 10 {
		if got := observe(second, s, 60); len(got) != 0 {
			t.Fatalf("at %ds: %+v", s, got)
		}
	}
	fired := observe(second, 30, 60)
	if len(fired) != 1 || fired[0].Kind != alert.EventFiring || fired[0].Alert.ID != pending[0].Alert.ID {
		t.Fatalf("at 30s: %+v", fired)
	}
}

func TestReloadKeepsTheStateAndEndsWhatIsGone(t *testing.T) {
	low := Spec{ID: "low", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}}
	gone := Spec{ID: "gone", Metric: "cache.hit_rate", Warning: When{When: "value < 71"}}
	e := NewEvaluator([]*Rule{mustCompile(t, low), mustCompile(t, gone)})
	e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Value: 60, At: epoch}}, Context{}, epoch)
	id := e.Alerts()[0].ID
	low.Warning.When = "value < 65"
	out := e.Reload([]*Rule{mustCompile(t, low)}, epoch.Add(time.Second))
	if len(out) != 1 || out[0].Kind != alert.EventResolved || out[0].Alert.Rule != "gone" || out[0].Alert.Reason != "the rule was removed" {
		t.Fatalf("reload gave %+v", out)
	}
	if left := e.Alerts(); len(left) != 1 || left[0].Rule != "low" || !strings.HasPrefix(id, left[0].Fingerprint.String()) && left[0].State != alert.Firing {
		t.Fatalf("left: %+v", left)
	}
}
