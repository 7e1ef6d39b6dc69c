package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// judging is an Explainer over a real evaluator, and remembers what it was asked.
type judging struct {
	evaluator *rule.Evaluator
	match     alert.Matchers
	limit     int
}

func newJudging(t testing.TB) *judging {
	t.Helper()
	r, problems := rule.Compile(rule.Spec{
		ID: "a", Metric: "cache.hit_rate",
		Critical: rule.When{When: `(change_pct(1h) < -20 or labels.strategy == "B") and not (value < 50)`, Polls: rule.Polls{Need: 2, Of: 3}},
		Warning:  rule.When{When: "value < 85"}, Clear: "value > 90", MinVolume: `metric("cache.lookups_per_sec") >= 1`,
		ClearMargin: rule.MarginSpec{Text: "2", Value: 2},
		Overrides:   []rule.Override{{Match: []string{"strategy = A"}, KeepFiringFor: new(time.Minute)}},
	}, source.NewCatalog(nil, false))
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	j := &judging{evaluator: rule.NewEvaluator([]*rule.Rule{r})}
	for i, strategy := range []string{"A", "B"} {
		at := tenOClock().Add(time.Duration(i) * time.Second)
		j.evaluator.Observe([]alert.Sample{{Metric: "cache.hit_rate", Labels: alert.LabelsOf("strategy", strategy), Value: 80 + 10*float64(i), At: at}}, rule.Context{Source: "app"}, at)
	}
	return j
}

func (j *judging) Explain(id string, match alert.Matchers, limit int) (any, bool) {
	j.match, j.limit = match, limit
	return first(j.evaluator.Explain(id, match, limit, tenOClock().Add(2*time.Second)))
}

func first(out rule.Explained, ok bool) (any, bool) { return out, ok }

func TestExplain(t *testing.T) {
	o := fullWorld()
	j := newJudging(t)
	o.Explainer = j
	h := api.New(o).Handler()
	wantBody(t, get(t, h, "/api/v1/explain?rule=a"), 200, `"rule":"a"`, `"total":2`, `"state":"firing"`, `"override":1`, `"why":`)
	if j.limit != 10 || len(j.match) != 0 {
		t.Errorf("asked for %d that match %s", j.limit, j.match)
	}
	wantBody(t, get(t, h, "/api/v1/explain?rule=a&match=strategy%3D~A%7CB&match=strategy!%3DA&limit=100"), 200, `"total":1`, `{"strategy":"B"}`)
	if got := j.match.String(); got != `{strategy=~"A|B", strategy!="A"}` && got != `{strategy=~"A|B",strategy!="A"}` || j.limit != 100 {
		t.Errorf("asked for %d that match %s", j.limit, got)
	}
	wantBody(t, get(t, h, "/api/v1/explain?rule=a&match=strategy%3DC"), 200, `"total":0,"series":[]`, `"notes":["no series matches; the rule judges {strategy=\"A\"}, {strategy=\"B\"}"]`)
	o.Engine = &world{rules: []api.RuleStatus{{ID: "cache-hit-rate"}}}
	h = api.New(o).Handler()
	wantError(t, get(t, h, "/api/v1/explain?rule=cache-hit-rat"), 404, "not_found", `there is no rule "cache-hit-rat"; did you mean "cache-hit-rate"?`)
	wantError(t, get(t, h, "/api/v1/explain?rule="+strings.Repeat("x", 300)), 404, "not_found", "there is no rule")
	wantError(t, get(t, h, "/api/v1/explain?rule=nothing"), 404, "not_found", "GET /api/v1/rules lists them")
	wantError(t, get(t, h, "/api/v1/explain"), 400, "bad_request", "rule: missing")
	wantError(t, get(t, h, "/api/v1/explain?rule=a&rule=b"), 400, "bad_request", "rule: given more than once")
	wantError(t, get(t, h, "/api/v1/explain?rule=a&match=b&limit=101&mach=c"), 400, "bad_request", "no operator", "limit:", `did you mean "match"?`)
	o.Explainer = nil
	wantError(t, get(t, api.New(o).Handler(), "/api/v1/explain?rule=a"), 501, "explain_disabled")
	o.Explainer, o.Tokens = j, []api.Token{{Name: "x", Scope: api.Admin}}
	wantError(t, get(t, api.New(o).Handler(), "/api/v1/explain?rule=a"), 401, "unauthorized")
}
