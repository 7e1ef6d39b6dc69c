package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type statusDoc struct {
	Status string `json:"status"`
}

type readyDoc struct {
	Status string     `json:"status"`
	Reload *reloadDoc `json:"reload,omitempty"`
}

// getHealthy answers while the process can answer at all.
func (s *Server) getHealthy(*http.Request) (any, error) { return statusDoc{"healthy"}, nil }

// getReady answers 503 until the daemon judges and sends, and again while it
// drains. A refused edit does not make it unready: the daemon works, by what it
// was told before. The body tells of it.
func (s *Server) getReady(r *http.Request) (any, error) {
	if s.Ready != nil {
		if err := s.Ready(r.Context()); err != nil {
			return nil, &Error{Status: http.StatusServiceUnavailable, Code: "not_ready", Message: "not ready: " + err.Error()}
		}
	}
	return readyDoc{"ready", s.reloadDocFor(r)}, nil
}

// getMetrics answers GET /metrics with the daemon's own metrics.
func (s *Server) getMetrics(*http.Request) (any, error) {
	if s.static.metrics == nil {
		return nil, notFound("this daemon keeps no metrics of itself")
	}
	return s.static.metrics, nil
}

func (s *Server) newMetricsHandler() http.Handler {
	if s.Gatherer == nil {
		return nil
	}
	return promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{
		// A collector that fails spoils its own metrics only.
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	})
}
