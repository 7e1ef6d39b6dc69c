package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

// sink is a ResponseWriter that keeps nothing, as a connection does.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func BenchmarkDocuments(b *testing.B) {
	w := detailWorld()
	for i := range 50 {
		w.alerts = append(w.alerts, fired("rule", "cache", "cache.hit_rate", "%", alert.Warning, tenOClock(), "strategy", fmt.Sprint(i)))
	}
	o := w.options()
	o.Registerer = prometheus.NewRegistry()
	h := api.New(o).Handler()
	for _, path := range []string{"/api/performance", "/api/performance?action=cache", "/api/performance/alerts", "/api/health"} {
		b.Run(path, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
			r.Host = "127.0.0.1:9590"
			out := &sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(out.header)
				h.ServeHTTP(out, r)
			}
		})
	}
	b.Run("/api/performance/alerts, each after a change", func(b *testing.B) {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/performance/alerts", nil)
		r.Host = "127.0.0.1:9590"
		out := &sink{http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			w.version++
			h.ServeHTTP(out, r)
		}
	})
}
