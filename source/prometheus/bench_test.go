package prometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// BenchmarkPoll fetches and reads a page of ten thousand gauges over loopback;
// it reports the time a series.
func BenchmarkPoll(b *testing.B) {
	const series = 10_000
	var page strings.Builder
	page.WriteString("# TYPE m gauge\n")
	for i := range series {
		fmt.Fprintf(&page, "m{instance=\"%d\"} 90\n", i)
	}
	text := []byte(page.String())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(text)
	}))
	defer server.Close()
	cfg := Default()
	cfg.URL = secret.NewURL(server.URL)
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Poll(b.Context())
		if err != nil || len(r.Samples) != series {
			b.Fatalf("%d samples, %v", len(r.Samples), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/series, "ns/series")
}
