package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

// staticDocuments never change while the daemon runs.
type staticDocuments struct {
	openAPI, index *document
	metrics        http.Handler
}

type indexDoc struct {
	Name      string         `json:"name"`
	Version   string         `json:"version"`
	Endpoints object[string] `json:"endpoints"`
}

func (s *Server) newStaticDocuments() staticDocuments {
	index := indexDoc{"tocsin", s.Version, object[string]{
		{"overview", "/api/performance"},
		{"cache", "/api/performance?action=cache"},
		{"database", "/api/performance?action=database"},
		{"alerts", "/api/performance/alerts"},
		{"silences", "/api/v1/silences"},
		{"heartbeats", "/api/v1/heartbeats"},
		{"history", "/api/performance/alerts/history"},
		{"keys", "/api/performance/cache/keys?pattern=user:*"},
		{"health", "/api/health"},
		{"rules", "/api/v1/rules"},
		{"series", "/api/v1/series?metric=cache.hit_rate"},
		{"rulefiles", "/api/v1/rulefiles"},
		{"sources", "/api/v1/sources"},
		{"receivers", "/api/v1/receivers"},
		{"plugins", "/api/v1/plugins"},
		{"deliveries", "/api/v1/deliveries"},
		{"metrics", "/metrics"},
		{"openapi", "/api/openapi.yaml"},
	}}
	d := staticDocuments{openAPI: newDocument(openAPI, "application/yaml"), metrics: s.newMetricsHandler()}
	if body, err := encode(index); err == nil { // strings always encode
		d.index = newDocument(body, "")
	}
	return d
}

// getOpenAPI answers GET /api/openapi.yaml.
func (s *Server) getOpenAPI(*http.Request) (any, error) { return s.static.openAPI, nil }

// getIndex answers GET / with where to look.
func (s *Server) getIndex(*http.Request) (any, error) { return s.static.index, nil }
