package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

func TestFormsSayWhatIsCompared(t *testing.T) {
	for _, c := range []struct{ metric, condition, want string }{
		{"cache.hit_rate", "value < 70", "value:value@cache.hit_rate < 70"},
		{"cache.hit_rate", "< 70%", "value:value@cache.hit_rate < 70%"},
		{"cache.hit_rate", "70 > value", "value:value@cache.hit_rate < 70"},
		{"cache.hit_rate", "70% > value", "value:value@cache.hit_rate < 70%"},
		{"postgres.avg_query_time", "500ms < avg(1m)", "avg(1m):avg@postgres.avg_query_time > 500"},
		{"cache.hit_rate", "not (value < 70 or avg(1m) < 70) and true", "and(not(or(value:value@cache.hit_rate < 70, avg(1m):avg@cache.hit_rate < 70)), true)"},
		{"cache.hit_rate", "value in [1, 2]", "or(value:value@cache.hit_rate == 1, value:value@cache.hit_rate == 2)"},
		{"cache.hit_rate", "1 < 2 or 2 < 1", "or(true, false)"},
		{"cache.hit_rate", `labels.strategy in ["A"] and value < avg(5m)`, `and("labels.strategy in [\"A\"]", value:value@cache.hit_rate < NaN)`},
		{"cache.hit_rate", `metric("redis.ping").avg(5m) > 10ms`, `metric("redis.ping").avg(5m):avg@redis.ping > 10 of another`},
		{"cache.hit_rate", `avg(metric("redis.ping"), 5m) > 10ms`, `avg(metric("redis.ping"), 5m):avg@redis.ping > 10 of another`},
		{"cache.hit_rate", `metric("redis.ping") > 10ms`, `metric("redis.ping"):metric@redis.ping > 10 of another`},
		{"cache.hit_rate", `(metric("redis.ping") ?? 0) > 10ms`, `metric("redis.ping") ?? 0: > 10 of another`},
		{"cache.hit_rate", "abs(change_pct(1h)) > 10", "abs(change_pct(1h)):abs > 10 of another"},
		{"cache.hit_rate", "max(value, 3) > 10", "max(value, 3): > 10 of another"},
		{"cache.hit_rate", "age > 5m", "age:age@cache.hit_rate > 300"},
		{"cache.hit_rate", "value + 1 > 5", "value + 1: > 5 of another"},
	} {
		catalog := source.NewCatalog(nil, false)
		r, problems := rule.Compile(rule.Spec{ID: "x", Metric: c.metric, Critical: rule.When{When: c.condition}}, catalog)
		if problems.Err() != nil {
			t.Errorf("%s: %v", c.condition, problems)
			continue
		}
		if got := written(r.Parts()[0].Form); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.condition, got, c.want)
		}
	}
}

func TestPartsSayWhereTheyStand(t *testing.T) {
	r, problems := rule.Compile(rule.Spec{
		ID: "x", Metric: "cache.hit_rate", Clear: "value > 90", MinVolume: "count(5m) > 2",
		Warning: rule.When{Polls: rule.Polls{Need: 2, Of: 3}, When: `"ü" != labels.x and (10 < value or max(metric("redis.ping"), 2m) > sum(metric("redis.ping"), 1m))`},
	}, source.NewCatalog(nil, false))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	parts := r.Parts()
	p := parts[0]
	at := func(offset int) string { word, _, _ := strings.Cut(p.Condition.Text[offset:], " "); return word }
	if c := p.Form.Parts[1].Parts[0]; at(c.Offset) != "10" {
		t.Errorf("the comparison is at %q", at(c.Offset))
	}
	got := ""
	for _, w := range p.Condition.WindowCalls() {
		got += fmt.Sprintln(w.Func, w.Metric, w.Length, at(w.Offset))
	}
	for _, p := range parts {
		got += fmt.Sprintln(p.Path, p.Severity, p.Polls.Need)
	}
	if want := "max redis.ping 2m0s max(metric(\"redis.ping\"),\nsum redis.ping 1m0s sum(metric(\"redis.ping\"),\n" +
		"warning.when warning 2\nclear ok 0\nmin_volume ok 0\n"; got != want {
		t.Errorf("%s", got)
	}
}

func written(f rule.Form) string {
	switch f.Kind {
	case rule.FormAnd, rule.FormOr, rule.FormNot:
		texts := make([]string, len(f.Parts))
		for i := range f.Parts {
			texts[i] = written(f.Parts[i])
		}
		return string(f.Kind) + "(" + strings.Join(texts, ", ") + ")"
	case rule.FormFixed:
		return fmt.Sprint(f.Holds)
	case rule.FormOther:
		return fmt.Sprintf("%q", f.Text)
	case rule.FormCompare:
	}
	text := f.Comparison.Left + ":" + f.Func
	if f.Metric.Name != "" {
		text += "@" + f.Metric.Name
	}
	text = fmt.Sprintf("%s %s %v", text, f.Comparison.Op, f.Comparison.Threshold)
	if f.Percent {
		text += "%"
	}
	if !f.Own {
		text += " of another"
	}
	return text
}
