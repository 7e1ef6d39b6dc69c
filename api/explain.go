package api

import (
	"net/http"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// explainMost bounds the series that one answer tells of.
const (
	explainDefault = 10
	explainMost    = 100
)

// getExplain answers GET /api/v1/explain with how a rule stands and why.
func (s *Server) getExplain(r *http.Request) (any, error) {
	q := parseQuery(r)
	id, match, limit := q.text("rule"), q.matchers("match"), q.number("limit", 1, explainMost, explainDefault)
	if id == "" && len(q.values["rule"]) < 2 {
		q.mistake("rule: missing; name the rule by its id, as in rule=cache-hit-rate")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	if s.Explainer == nil {
		return nil, &Error{Status: http.StatusNotImplemented, Code: "explain_disabled", Message: "this server judges no rules"}
	}
	answer, ok := s.Explainer.Explain(id, match, limit)
	if !ok {
		return nil, notFound("there is no rule " + short(id) + s.nearestRule(id))
	}
	return answer, nil
}

// nearestRule looks no further than an id that a person mistyped.
func (s *Server) nearestRule(id string) string {
	if len(id) > 100 {
		return ""
	}
	rules := s.Engine.Rules()
	ids := make([]string, 0, len(rules))
	for i := range rules {
		ids = append(ids, rules[i].ID)
	}
	if near := problem.DidYouMean(id, ids); near != "" {
		return "; " + near
	}
	return "; GET /api/v1/rules lists them"
}
