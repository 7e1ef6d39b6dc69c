package lint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/lint"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// Each row is a rule over a metric: its conditions as `severity: condition for
// time`, and the warnings as `path code`.
func TestConditions(t *testing.T) {
	for _, c := range []struct{ metric, rule, want string }{
		{"redis.clients", "critical: value < 10 and value > 20", "critical never-fires"},
		{"redis.clients", "critical: value > 5 or value < 3 and value > 4", "critical never-fires"},
		{"redis.clients", "critical: not (value > 5 or value <= 5)", "critical never-fires"},
		{"redis.clients", "critical: value > 5 or value <= 5", "critical always-true"},
		{"redis.clients", "critical: 1 > 2", "critical never-fires"},
		{"redis.clients", "critical: true", "critical always-true"},
		{"redis.clients", "critical: value in [1, 2] and value > 3", "critical never-fires"},
		{"redis.clients", "critical: value in [1, 2] and value > 1", ""},
		{"redis.clients", "critical: value < 10 and avg(5m) > 20", ""},
		{"redis.clients", "critical: value < 10 or value > 20", ""},
		{"redis.clients", "min_volume: count(5m) < 0; critical: value > 5", "min_volume out-of-range"},

		{"cache.hit_rate", "critical: value > 100", "critical out-of-range"},
		{"cache.hit_rate", "critical: value >= 100", ""},
		{"cache.hit_rate", "critical: value < 0", "critical out-of-range"},
		{"cache.hit_rate", "critical: p95(5m) < 150", "critical always-true"},
		{"cache.hit_rate", "critical: sum(5m) > 150", ""},
		{"cache.hit_rate", "critical: change(5m) < -50", ""},
		{"cache.hit_rate", "critical: change_pct(5m) < -120", "critical out-of-range"},
		{"cache.hit_rate", "critical: abs(change_pct(5m)) > 120", ""},
		{"cache.hit_rate", "by: source; critical: value > 150", ""},
		{"process.cpu", "critical: value > 150", ""},
		{"app.memory_usage", "critical: value > 100", ""},
		{"http.tls_expiry", "critical: value < 0", ""},
		{"redis.up", "critical: value == 2", "critical out-of-range"},
		{"redis.up", "critical: value > 0.5", ""},
		{"redis.up", "critical: avg(5m) < 0.5", ""},
		{"redis.up", `critical: metric("redis.loading") > 1`, "critical out-of-range"},
		{"redis.up", `critical: (metric("redis.loading") ?? 2) > 1`, ""},
		{"redis.memory_used", "critical: value < -1MB", "critical out-of-range"},
		{"own_percent", "critical: value > 150", ""},

		{"cache.hit_rate", "critical: value < 0.75", "critical percent-as-fraction"},
		{"cache.hit_rate", "critical: avg(1m) < 0.75 and value < 50", "critical percent-as-fraction"},
		{"cache.hit_rate", "critical: value < 0.75%", ""},
		{"cache.hit_rate", "critical: value < 1", ""},
		{"http.error_rate", "critical: value > 0.1", ""},
		{"redis.memory_usage", "critical: value > 0.9", "critical percent-as-fraction"},
		{"redis.ping", "critical: value > 0.9", ""},

		{"cache.hit_rate", "critical: value < 70; warning: value < 85", ""},
		{"cache.hit_rate", "critical: value < 85; warning: value < 70", "warning shadowed-condition"},
		{"redis.memory_usage", "critical: value > 80; warning: value > 90", "warning shadowed-condition"},
		{"cache.hit_rate", "critical: value < 85 for 5m; warning: value < 70 for 1m", ""},
		{"cache.hit_rate", "critical: value < 85 for 1m; warning: value < 70 for 5m", "warning.when shadowed-condition"},
		{"cache.hit_rate", "critical: value < 85; warning: 85 > value", "warning duplicate-condition"},
		{"cache.hit_rate", "critical: value < 85 for 10m; warning: value < 85 for 5m", ""},
		{"cache.hit_rate", "critical: value < 85 for 5m; warning: value < 85 for 10m", "warning.when duplicate-condition"},
		{"cache.hit_rate", "warning: value < 85; info: value < 80", "info shadowed-condition"},
		{"cache.hit_rate", "critical: avg(1m) < 85; warning: value < 70", ""},
		{"cache.hit_rate", `critical: value < 85 and labels.x == "a"; warning: value < 70`, ""},
		{"cache.hit_rate", `critical: value < 85 and labels.x == "a"; warning: value < 70 and labels.x == "a"`, "warning shadowed-condition"},
		{"cache.hit_rate", `critical: value < 85; warning: value < 70 or labels.x == "a"`, ""},
		{"cache.hit_rate", "polls: 3 of 5; critical: value < 85; warning: value < 70", ""},
		{"cache.hit_rate", "keep: 10m; critical: value < 85; warning: value < 70", ""},

		{"cache.hit_rate", "warning: value < 85; clear: value >= 87", ""},
		{"cache.hit_rate", "warning: value < 85; clear: value >= 85", "clear clear-without-effect"},
		{"cache.hit_rate", "warning: value < 85; clear: value >= 60", "clear clear-without-effect"},
		{"cache.hit_rate", "keep: 5m; warning: value < 85; clear: value >= 85", ""},
		{"cache.hit_rate", "keep: 5m; critical: value < 70; warning: value < 85; clear: value >= 85", "clear clear-without-effect"},
		{"cache.hit_rate", "margin: 2; warning: value < 85; clear: value >= 60", ""},
		{"cache.hit_rate", "warning: value < 85; clear: avg(1m) >= 60", ""},
		{"cache.hit_rate", "critical: value < 70; warning: value < 85; clear: value > 75", "clear clear-without-effect"},
		{"cache.hit_rate", "warning: value < 85; clear: value < 60", "clear clear-never-holds"},
		{"cache.hit_rate", "critical: value < 70; warning: value < 85; clear: value < 75", "clear clear-never-holds"},
		{"cache.hit_rate", "warning: value < 85; clear: value > 120", "clear out-of-range"},
		{"cache.hit_rate", "warning: value > 90 or value < 10; clear: value < 50", ""},
	} {
		r := compiled(t, c.metric, c.rule)
		if got := warned(lint.New(lint.World{}).Rule(r)); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.metric, c.rule, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	w := lint.World{Configured: true, Retention: 24 * time.Hour, Sources: []lint.Source{
		{Name: "cache", Type: "redis", Interval: 10 * time.Second, Yield: source.Yield{Metrics: []string{"redis.*"}}},
		{Name: "slow", Type: "redis", Interval: time.Minute, Yield: source.Yield{Metrics: []string{"redis.*"}}},
		{Name: "app", Type: "push", Yield: source.Yield{Metrics: []string{"app.*"}, Open: true}},
	}}
	for _, c := range []struct{ metric, rule, want string }{
		{"redis.clients", "critical: value > 5 for 30s", "critical.for for-shorter-than-interval"},
		{"redis.clients", "match: source = cache; critical: value > 5 for 30s", ""},
		{"redis.clients", "critical: value > 5 for 1m", ""},
		{"redis.clients", "critical: value > 5 for 0s", ""},
		{"app.uptime", "critical: value > 5 for 1s", ""},
		{"redis.clients", "match: source = cache; critical: avg(15s) > 5", "critical window-shorter-than-interval"},
		{"redis.clients", "match: source = cache; critical: avg(20s) > 5 and count(5s) > 0 and abs(change(10s)) > 1", ""},
		{"redis.clients", `match: source = cache; critical: metric("redis.ping").avg(30s) > 5`, "critical window-shorter-than-interval"},
		{"redis.clients", "match: source = cache; critical: avg(30h) > 5", "critical window-longer-than-retention"},
		{"redis.clients", "match: source = cache; critical: value > baseline(1h, 7d)", "critical window-longer-than-retention"},
	} {
		if got := warned(lint.New(w).Rule(compiled(t, c.metric, c.rule))); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.metric, c.rule, got, c.want)
		}
	}
}

func TestMatchers(t *testing.T) {
	w := lint.World{Configured: true, Sources: []lint.Source{
		{Name: "cache", Type: "redis", Labels: map[string]string{"env": "prod"}, Yield: source.Yield{
			Metrics: []string{"redis.*", "cache.*"}, Labels: map[string][]string{"strategy": {"SOCIAL_FEED", "USER_RUNS", ""}},
		}},
		{Name: "main", Type: "postgres", Yield: source.Yield{Metrics: []string{"postgres.*"}}},
		{Name: "web", Type: "prometheus", Yield: source.Yield{Metrics: []string{"app.*"}, Open: true}},
	}}
	for _, c := range []struct{ metric, match, want string }{
		{"cache.hit_rate", "strategy = SOCIAL_FEED", ""},
		{"cache.hit_rate", "strategy = ''", "match[0] matches-no-series"}, // quotes of the wrong kind
		{"cache.hit_rate", `strategy = ""`, ""},
		{"cache.hit_rate", "strategy = SOCIAL_FED", `match[0] matches-no-series did you mean "SOCIAL_FEED"?`},
		{"cache.hit_rate", "strategy =~ SOCIAL.*", ""},
		{"cache.hit_rate", "strategy =~ SOCIAL", "match[0] matches-no-series"},
		{"cache.hit_rate", "strategy != SOCIAL_FED", ""},
		{"cache.hit_rate", "stratgy = SOCIAL_FEED", `match[0] unknown-label did you mean "strategy"?`},
		{"cache.hit_rate", "stratgy != SOCIAL_FEED", `match[0] unknown-label did you mean "strategy"?`},
		{"cache.hit_rate", "region = eu", "match[0] unknown-label"},
		{"cache.hit_rate", "region != eu", ""},
		{"cache.hit_rate", "env = prod", ""},
		{"cache.hit_rate", "env = dev", "match[0] matches-no-series"},
		{"cache.hit_rate", "source = cach", `match[0] matches-no-series did you mean "cache"?`},
		{"cache.hit_rate", "source = main", "match[0] matches-no-series"},
		{"cache.ops_per_sec", "op = anything", ""}, // nobody says which there are
		{"postgres.table_rows", "table = users", ""},
		{"app.uptime", "whatever = x", ""}, // the page may have it
		{"http.up", "", "metric metric-without-source"},
		{"own_metric", "", ""},
		{"source.up", "type = redis", ""},
		{"source.up", "type = rediss", `match[0] matches-no-series did you mean "redis"?`},
		{"source.up", "type = redis, source = web", "match[0] matches-no-series"},
		{"source.up", "type = redis, type = postgres", "match[1] matches-no-series"},
		{"source.up", "type != redis, type = redis", "match[1] matches-no-series"},
	} {
		r := compiled(t, c.metric, "match: "+c.match+"; critical: value > 5")
		problems := slices.DeleteFunc(lint.New(w).Rule(r), func(p problemOf) bool { return p.Path == "critical" })
		got := warned(problems)
		if len(problems) == 1 && strings.Contains(c.want, "did you mean") {
			got += " " + problems[0].Hint
		}
		if got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.metric, c.match, got, c.want)
		}
	}
}

func TestMatchersThatFitNoSeriesSeen(t *testing.T) {
	w := lint.World{Seen: func(metric string) ([]alert.Labels, bool) {
		switch metric {
		case "cache.hit_rate":
			return []alert.Labels{alert.LabelsOf("source", "a", "strategy", "SOCIAL_FEED"), alert.LabelsOf("source", "b", "strategy", "USER_RUNS")}, true
		case "redis.up":
			return []alert.Labels{alert.LabelsOf("source", "a")}, false // there are more
		}
		return nil, true
	}}
	for _, c := range []struct{ metric, match, want string }{
		{"cache.hit_rate", "strategy = SOCIAL_FEED", ""},
		{"cache.hit_rate", "strategy = SOCIAL_FED", "match[0] label-value-not-seen"},
		{"cache.hit_rate", "source = a, strategy = USER_RUNS", "match[0] label-value-not-seen"},
		{"cache.hit_rate", "source = a, strategy = SOCIAL_FEED", ""},
		{"redis.up", "source = b", ""},
		{"redis.clients", "source = b", ""},
	} {
		r := compiled(t, c.metric, "match: "+c.match+"; critical: value == 1")
		if got := warned(lint.New(w).Rule(r)); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.metric, c.match, got, c.want)
		}
	}
}

func TestOverridesAreToldOfWhatTheyWrote(t *testing.T) {
	minute := time.Minute
	spec := rule.Spec{
		ID: "x", Metric: "cache.hit_rate", Critical: rule.When{When: "value < 70"}, Warning: rule.When{When: "value < 0.85"},
		Overrides: []rule.Override{
			{Match: []string{"strategy = A"}, Warning: rule.When{When: "value < 60"}},
			{Match: []string{"strategy = B"}, Critical: rule.When{When: "value < 90"}, Warning: rule.When{When: "value < 85"}},
			{Match: []string{"strategy = C"}, Critical: rule.When{For: &minute}},
			{Match: []string{"strategy = D", "strategy = E"}},
		},
	}
	r, problems := rule.Compile(spec, catalog())
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	// The rule's own warning is not told of as never seen: overrides[2] shows it
	// for a minute.
	want := "warning percent-as-fraction, overrides[0].warning shadowed-condition, " +
		"overrides[1].warning shadowed-condition, overrides[3].match[1] matches-no-series"
	if got := warned(lint.New(lint.World{}).Rule(r)); got != want {
		t.Errorf("got %s", got)
	}
}

// A severity that only the label sets of an override show is no mistake.
func TestASeverityThatAnOverrideShowsIsSeen(t *testing.T) {
	keep := "keep"
	for want, override := range map[string]rule.Override{
		"":                           {Match: []string{"strategy = A"}, Critical: rule.When{When: "value < 40"}},
		"warning shadowed-condition": {Match: []string{"strategy = A"}, Warning: rule.When{When: "value < 85"}},
	} {
		spec := rule.Spec{
			ID: "x", Metric: "cache.hit_rate", Critical: rule.When{When: "value < 70"}, Warning: rule.When{When: "value < 60"},
			Overrides: []rule.Override{override, {Match: []string{"strategy = B"}, NoData: &keep}},
		}
		r, problems := rule.Compile(spec, catalog())
		must(t, problems.Err())
		if got := warned(lint.New(lint.World{}).Rule(r)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheHintAboutAClearFitsTheMetric(t *testing.T) {
	for rule, want := range map[string]string{
		"critical: value == 0; clear: value == 1": "leave it out",
		"critical: value < 1; clear: value >= 1":  "leave it out",
	} {
		problems := lint.New(lint.World{}).Rule(compiled(t, "redis.up", rule))
		if len(problems) != 1 || !strings.Contains(problems[0].Hint, want) {
			t.Errorf("%s: %v", rule, problems)
		}
	}
}

func TestRoutes(t *testing.T) {
	alerts := lint.NewAlerts(map[string]string{"redis-down": "cache", "slow": "database"})
	to := func(match string, below ...route.Spec) route.Spec {
		return route.Spec{Match: list(match), Routes: below}
	}
	further := to("severity = critical")
	further.Continue = true
	for _, c := range []struct {
		name   string
		routes []route.Spec
		want   string
	}{
		{"apart", []route.Spec{to("severity = critical"), to("category = cache")}, ""},
		{"narrower behind", []route.Spec{to("severity = critical"), to("severity = critical, category = cache")}, "routes[1] unreachable-route"},
		{"by a regular expression", []route.Spec{to("severity =~ critical|warning"), to("severity = warning")}, "routes[1] unreachable-route"},
		{"wider behind", []route.Spec{to("severity = critical, category = cache"), to("severity = critical")}, ""},
		{"everything first", []route.Spec{to(""), to("severity = info")}, "routes[1] unreachable-route"},
		{"continue", []route.Spec{further, to("severity = critical")}, ""},
		{"not under its parent", []route.Spec{to("category = cache", to("category = database"))}, "routes[0].routes[0] unreachable-route"},
		{"the parent's matchers count", []route.Spec{to("category = cache", to("severity = critical"), to("severity = critical, category = cache"))}, "routes[0].routes[1] unreachable-route"},
		{"no such rule", []route.Spec{to("alertname = redis-dwon")}, "routes[0].match[0] matches-no-alert"},
		{"no such severity", []route.Spec{to("severity = warn")}, "routes[0].match[0] matches-no-alert"},
		{"some other label", []route.Spec{to("team = web")}, ""},
		{"cannot be read", []route.Spec{to("severity")}, ""},
	} {
		if got := warned(lint.Routes(route.Spec{Routes: c.routes}, alerts)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	inhibit := []route.InhibitSpec{
		{Source: []string{"alertname = redis-down"}, Target: []string{"category = cache"}},
		{Source: []string{"alertname = redis-dwon"}, Target: []string{"category =~ ca.*|x"}},
	}
	if got := warned(lint.Inhibitions(inhibit, alerts)); got != "[1].source[0] matches-no-alert" {
		t.Errorf("inhibitions: %s", got)
	}
	if got := warned(lint.Inhibitions(inhibit, nil)) + warned(lint.Inhibitions(inhibit, lint.NewAlerts(nil))); got != "" {
		t.Errorf("of rules that are not known: %s", got)
	}
	tree := route.Spec{
		Receivers: []string{"a"}, Fallback: []string{"d"},
		Routes: []route.Spec{{Receivers: []string{"b"}, Escalate: []route.StepSpec{{Receivers: []string{"e"}}}}},
	}
	if got := warned(lint.Receivers([]string{"a", "b", "c", "", "d", "e"}, tree)); got != "[2].name unused-receiver" {
		t.Errorf("receivers: %s", got)
	}
}
