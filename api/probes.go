package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type statusDoc struct {
	Status string `json:"status"`
}

// getHealthy answers while the process can answer at all.
func (s *Server) getHealthy(*http.Request) (any, error) { return statusDoc{"healthy"}, nil }

// getReady answers 503 until the daemon judges and sends, and again while it
// drains.
func (s *Server) getReady(r *http.Request) (any, error) {
	if s.Ready != nil {
		if err := s.Ready(r.Context()); err != nil {
			return nil, &Error{Status: http.StatusServiceUnavailable, Code: "not_ready", Message: "not ready: " + err.Error()}
		}
	}
	return statusDoc{"ready"}, nil
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
