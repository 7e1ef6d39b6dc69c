package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// idlePoster takes everything and does nothing.
type idlePoster struct{ taken int }

func (p *idlePoster) Post(_ context.Context, alerts []alert.Posted) error {
	p.taken += len(alerts)
	return nil
}

// BenchmarkPostAlerts is what the API adds to a batch of 64 alerts, without the
// connection and the engine.
func BenchmarkPostAlerts(b *testing.B) {
	const alerts = 64
	var list []string
	for i := range alerts {
		list = append(list, fmt.Sprintf(`{"labels":{"alertname":"HighLatency","instance":"10.0.0.%d:9100","job":"node","severity":"warning","team":"web"},"annotations":{"description":"Latency of %d is above 100 ms","summary":"Latency is high"},"startsAt":"2026-11-23T10:00:00.123456789Z","endsAt":"2999-11-23T10:04:00.123456789Z","generatorURL":"http://prometheus:9090/graph?g0.expr=latency+%%3E+100\u0026g0.tab=1"}`, i, i))
	}
	body := "[" + strings.Join(list, ",") + "]"
	o := newRouter().options()
	taker := &idlePoster{}
	o.Poster = taker
	h := api.New(o).Handler()
	b.ReportAllocs()
	posts := 0
	for b.Loop() {
		posts++
		if w := postJSON(b, h, "/api/v2/alerts", body); w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
	if taken := taker.taken; taken != posts*alerts {
		b.Fatal(taken)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(posts)/alerts, "ns/alert")
}

// BenchmarkGetAlerts writes ten thousand alerts.
func BenchmarkGetAlerts(b *testing.B) {
	const alerts = 10_000
	f := newRouter()
	var posted []alert.Posted
	for i := range alerts {
		posted = append(posted, alert.Posted{
			Labels:      alert.LabelsOf("alertname", "HighLatency", "instance", fmt.Sprintf("10.0.%d.%d:9100", i/256, i%256), "job", "node", "severity", "info"),
			Annotations: alert.LabelsOf("summary", "Latency is high", "description", fmt.Sprintf("Latency of %d is above 100 ms", i)),
		})
	}
	if err := f.Post(b.Context(), posted); err != nil {
		b.Fatal(err)
	}
	h := api.New(f.options()).Handler()
	b.ReportAllocs()
	for b.Loop() {
		w := &sink{http.Header{}}
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v2/alerts", nil)
		r.Host = "localhost"
		h.ServeHTTP(w, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/alerts, "ns/alert")
}
