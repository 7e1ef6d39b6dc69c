package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

func TestPartsOfConditions(t *testing.T) {
	for _, c := range []struct{ metric, condition, want string }{
		{"cache.hit_rate", "value < 70", "value@cache.hit_rate < 70"},
		{"cache.hit_rate", "< 70%", "value@cache.hit_rate < 70%"},
		{"cache.hit_rate", "70 > value", "value@cache.hit_rate < 70"},
		{"postgres.avg_query_time", "value > 0.2s", "value@postgres.avg_query_time > 200"},
		{"postgres.avg_query_time", "500ms < avg(60s)", "avg(60time)@postgres.avg_query_time > 500"},
		{"cache.hit_rate", "value < 2 * 35", "value@cache.hit_rate < 70"},
		{"cache.hit_rate", "not (value < 70 or avg(1m) < 70) and true", "all(not(any(value@cache.hit_rate < 70, avg(60time)@cache.hit_rate < 70)), true)"},
		{"cache.hit_rate", "value in [1, 2]", "any(value@cache.hit_rate == 1, value@cache.hit_rate == 2)"},
		{"cache.hit_rate", "1 < 2 or 2 < 1", "any(true, false)"},
		{"cache.hit_rate", `labels.strategy == "A" and value < avg(5m)`, `all((labels["strategy"] == "A"), (value < avg(300time)))`},
		{"cache.hit_rate", `metric("redis.ping").avg(5m) > 10ms`, `avg(metric("redis.ping"), 300time)@redis.ping > 10 of another`},
		{"cache.hit_rate", `avg(metric("redis.ping"), 5m) > 10ms`, `avg(metric("redis.ping"), 300time)@redis.ping > 10 of another`},
		{"cache.hit_rate", `metric("redis.ping") > 10ms`, `metric("redis.ping")@redis.ping > 10 of another`},
		{"cache.hit_rate", `(metric("redis.ping") ?? 0) > 10ms`, `(metric("redis.ping") ?? 0) > 10 of another`},
		{"cache.hit_rate", "abs(change_pct(1h)) > 10", "abs(change_pct(3600time)) > 10 of another"},
		{"cache.hit_rate", "age > 5m", "age@cache.hit_rate > 300"},
	} {
		catalog := source.NewCatalog(nil, false)
		r, problems := rule.Compile(rule.Spec{ID: "x", Metric: c.metric, Critical: rule.When{When: c.condition}}, catalog)
		if problems.Err() != nil {
			t.Errorf("%s: %v", c.condition, problems)
			continue
		}
		parts := r.Parts(catalog)
		if got := written(parts[0].Formula); len(parts) != 1 || got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.condition, got, c.want)
		}
	}
}

func TestPartsSayWhereTheyStand(t *testing.T) {
	catalog := source.NewCatalog(nil, false)
	r, problems := rule.Compile(rule.Spec{ID: "x", Metric: "cache.hit_rate", Warning: rule.When{
		When: `"ü" != labels.x and (10 < value or max(metric("redis.ping"), 2m) > sum(metric("redis.ping"), 1m))`,
	}}, catalog)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	p := r.Parts(catalog)[0]
	at := func(offset int) string { word, _, _ := strings.Cut(p.Text[offset:], " "); return word }
	if c := p.Formula.(rule.All)[1].(rule.Any)[0].(rule.Compare); at(c.Offset) != "10" {
		t.Errorf("the comparison is at %q", at(c.Offset))
	}
	got := ""
	for _, w := range p.Windows {
		got += fmt.Sprintln(w.Func, w.Metric, w.Length, at(w.Offset))
	}
	if want := "max redis.ping 2m0s max(metric(\"redis.ping\"),\nsum redis.ping 1m0s sum(metric(\"redis.ping\"),\n"; got != want {
		t.Errorf("%s", got)
	}
}

func written(f rule.Formula) string {
	list := func(name string, parts []rule.Formula) string {
		texts := make([]string, len(parts))
		for i := range parts {
			texts[i] = written(parts[i])
		}
		return name + "(" + strings.Join(texts, ", ") + ")"
	}
	switch f := f.(type) {
	case rule.All:
		return list("all", f)
	case rule.Any:
		return list("any", f)
	case rule.Not:
		return "not(" + written(f.Part) + ")"
	case rule.Fixed:
		return fmt.Sprint(bool(f))
	case rule.Opaque:
		return f.Text
	case rule.Compare:
		text := f.Left.Text
		if f.Left.Metric.Name != "" {
			text += "@" + f.Left.Metric.Name
		}
		text = fmt.Sprintf("%s %s %v", text, f.Op, f.Threshold)
		if f.Percent {
			text += "%"
		}
		if !f.Left.Own {
			text += " of another"
		}
		return text
	}
	return ""
}
