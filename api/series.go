package api

import (
	"net/http"

	"github.com/tocsin-dev/tocsin/alert"
)

// Bounds of one answer of /api/v1/series.
const (
	seriesLimit    = 1000
	seriesMaxLimit = 10_000
)

type seriesDoc struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels"`
	Value  alert.Number      `json:"value"`
	At     stamp             `json:"at"`
}

// getSeries answers GET /api/v1/series: the label sets that a metric has. Only
// metrics that a rule looks at have any.
func (s *Server) getSeries(r *http.Request) (any, error) {
	q := parseQuery(r)
	metric, match := q.text("metric"), q.matchers("match")
	limit := q.number("limit", 1, seriesMaxLimit, seriesLimit)
	if metric == "" {
		q.mistake("metric: missing; GET /api/v1/rules names those that rules look at")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	found, total := s.Engine.Series(metric, match, limit)
	docs := make([]seriesDoc, 0, len(found))
	for _, f := range found {
		docs = append(docs, seriesDoc{metric, f.Labels.Map(), alert.Number(f.Value), stamp(f.At)})
	}
	return struct {
		Series []seriesDoc `json:"series"`
		Total  int         `json:"total"`
	}{docs, total}, nil
}
