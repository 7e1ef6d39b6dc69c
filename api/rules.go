package api

import (
	"cmp"
	"net/http"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

type ruleDoc struct {
	ID          string            `json:"id"`
	Category    string            `json:"category"`
	Metric      string            `json:"metric"`
	Unit        string            `json:"unit"`
	Match       []string          `json:"match"`
	Conditions  conditionsDoc     `json:"conditions"`
	Clear       string            `json:"clear"`
	ClearMargin string            `json:"clear_margin,omitempty"`
	MinVolume   string            `json:"min_volume,omitempty"`
	Flapping    string            `json:"flapping,omitempty"`
	By          []string          `json:"by,omitempty"`
	Combine     string            `json:"combine,omitempty"`
	DependsOn   []string          `json:"depends_on,omitempty"`
	Overrides   int               `json:"overrides,omitempty"`
	NoData      string            `json:"no_data"`
	Message     string            `json:"message"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	File        string            `json:"file"`
	Line        int               `json:"line"`
	State       alert.Severity    `json:"state"` // the worst that fires now
	Series      int               `json:"series"`
	LastEval    stamp             `json:"last_eval"`
}

type conditionsDoc struct {
	Critical *conditionDoc `json:"critical,omitempty"`
	Warning  *conditionDoc `json:"warning,omitempty"`
	Info     *conditionDoc `json:"info,omitempty"`
}

type conditionDoc struct {
	Expr string `json:"expr"`
	For  string `json:"for"` // 0s, 1m, …
	Keep string `json:"keep_firing_for,omitempty"`
	// Polls is on how many of how many polls it must hold.
	Polls string `json:"polls,omitempty"`
}

// getRules answers GET /api/v1/rules in the order of the rule files.
func (s *Server) getRules(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	rules := s.Engine.Rules()
	docs := make([]ruleDoc, 0, len(rules))
	for i := range rules {
		docs = append(docs, ruleDocOf(&rules[i]))
	}
	return struct {
		Rules []ruleDoc `json:"rules"`
	}{docs}, nil
}

func ruleDocOf(r *RuleStatus) ruleDoc {
	condition := func(s alert.Severity) *conditionDoc {
		c, ok := r.Conditions[s]
		if !ok {
			return nil
		}
		doc := &conditionDoc{Expr: c.Expr, For: units.Duration(c.For), Polls: c.Polls}
		if c.KeepFiringFor > 0 {
			doc.Keep = units.Duration(c.KeepFiringFor)
		}
		return doc
	}
	return ruleDoc{
		ID: r.ID, Category: r.Category, Metric: r.Metric, Unit: r.Unit, Match: notNil(r.Match),
		Conditions: conditionsDoc{condition(alert.Critical), condition(alert.Warning), condition(alert.Info)},
		Clear:      r.Clear, NoData: cmp.Or(r.NoData, "keep"), Message: r.Message,
		Labels: notNilMap(r.Labels), Annotations: notNilMap(r.Annotations),
		ClearMargin: r.ClearMargin, MinVolume: r.MinVolume, Flapping: r.Flapping,
		By: r.By, Combine: r.Combine, DependsOn: r.DependsOn, Overrides: r.Overrides,
		File: r.File, Line: r.Line, State: r.State, Series: r.Series, LastEval: stamp(r.LastEval),
	}
}
