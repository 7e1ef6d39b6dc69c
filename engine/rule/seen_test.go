package rule_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

func TestSeriesThatWereSeen(t *testing.T) {
	r, problems := rule.Compile(rule.Spec{ID: "x", Metric: "cache.hit_rate", Critical: rule.When{When: "value < 70"}}, source.NewCatalog(nil, false))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	e := rule.NewEvaluator([]*rule.Rule{r})
	at := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	e.Observe([]alert.Sample{
		{Metric: "cache.hit_rate", Labels: alert.LabelsOf("strategy", "B"), At: at, Value: 80},
		{Metric: "cache.hit_rate", Labels: alert.LabelsOf("strategy", "A"), At: at, Value: 90},
		{Metric: "redis.up", At: at, Value: 1},
	}, rule.Context{}, at)
	for _, c := range []struct {
		metric, match string
		limit         int
		want          string
	}{
		{"cache.hit_rate", "", 5, `2 {strategy="A"}=90@10:00 {strategy="B"}=80@10:00`},
		{"cache.hit_rate", "strategy = B", 5, `1 {strategy="B"}=80@10:00`},
		{"cache.hit_rate", "strategy = C", 5, `0`},
		{"redis.up", "", 5, `0`}, // no rule looks at it
	} {
		var match alert.Matchers
		if c.match != "" {
			m, err := alert.ParseMatcher(c.match)
			if err != nil {
				t.Fatal(err)
			}
			match = alert.Matchers{m}
		}
		found, total := e.Series(c.metric, match, c.limit)
		got := fmt.Sprint(total)
		for _, s := range found {
			got += fmt.Sprintf(" %s=%v@%s", s.Labels, s.Value, s.At.Format("15:04"))
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.metric, c.match, got, c.want)
		}
	}
	if found, total := e.Series("cache.hit_rate", nil, 1); len(found) != 1 || total != 2 {
		t.Errorf("%d of %d", len(found), total)
	}
}
