package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

// wantError checks the one shape of an error.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string, parts ...string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		t.Fatalf("status %d, not the error shape: %v: %s", w.Code, err, w.Body)
	}
	if w.Code != status || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("status %d %+v, want %d %s", w.Code, body.Error, status, code)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("an error that may be cached: %q", got)
	}
	for _, part := range parts {
		if !strings.Contains(body.Error.Message, part) {
			t.Errorf("message %q lacks %q", body.Error.Message, part)
		}
	}
}

func TestUnknownPathsSuggestTheNearestOne(t *testing.T) {
	h := overviewWorld().handler()
	for path, suggestion := range map[string]string{
		"/api/preformance":             "did you mean /api/performance?",
		"/api/performance/":            "did you mean /api/performance?",
		"/api/health/":                 "did you mean /api/health?",
		"/api/performance/alert":       "did you mean /api/performance/alerts?",
		"/metric":                      "did you mean /metrics?",
		"/favicon.ico":                 "GET / lists",
		"//api/health":                 "did you mean /api/health?",
		"/api/v1/alerts/a/b":           "no such path",
		"/" + strings.Repeat("x", 900): "GET / lists",
	} {
		t.Run(path, func(t *testing.T) {
			wantError(t, get(t, h, path), 404, "not_found", suggestion)
		})
	}
}

func TestAWrongMethodIsToldTheRightOnes(t *testing.T) {
	h := overviewWorld().handler()
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/api/performance", "GET, HEAD"},
		{"DELETE", "/api/v1/alerts/some", "GET, HEAD"},
		{"PUT", "/-/healthy", "GET, HEAD"},
		{"OPTIONS", "/", "GET, HEAD"},
		{"GET", "/api/v1/ingest", "POST"},
		{"HEAD", "/-/reload", "POST"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			w := do(t, h, tt.method, tt.path, nil)
			wantError(t, w, 405, "method_not_allowed", tt.allow)
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("Allow %q, want %q", got, tt.allow)
			}
		})
	}
}

func TestHEADAnswersAsGETWithoutTheBody(t *testing.T) {
	server := httptest.NewServer(detailWorld().handler())
	defer server.Close()
	for _, path := range []string{"/", "/api/performance", "/api/performance/alerts", "/api/v1/sources", "/api/openapi.yaml"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode != 200 || res.ContentLength <= 0 {
			t.Errorf("HEAD %s: status %d, length %d", path, res.StatusCode, res.ContentLength)
		}
	}
}

func TestInternalsNeverReachTheClient(t *testing.T) {
	var log bytes.Buffer
	w := overviewWorld()
	w.fail = errors.New("dial postgres://tocsin:hunter2@db/tocsin: refused")
	o := w.options()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	res := get(t, api.New(o).Handler(), "/api/performance/alerts/history")
	wantError(t, res, 500, "internal")
	if strings.Contains(res.Body.String(), "postgres") || !strings.Contains(log.String(), "refused") {
		t.Errorf("body %s log %s", res.Body, log.String())
	}
}

type brokenEngine struct{ *world }

func (brokenEngine) Rules() []api.RuleStatus { panic("rule table gone: secret") }

func (brokenEngine) Alerts() []alert.Alert { return nil }

func TestAPanicIsOneFailedRequest(t *testing.T) {
	var log bytes.Buffer
	w := overviewWorld()
	o := w.options()
	o.Engine, o.Log = brokenEngine{w}, slog.New(slog.NewTextHandler(&log, nil))
	h := api.New(o).Handler()
	res := get(t, h, "/api/v1/rules")
	wantError(t, res, 500, "internal")
	if strings.Contains(res.Body.String(), "secret") {
		t.Errorf("body %s", res.Body)
	}
	if !strings.Contains(log.String(), "handler panicked") || !strings.Contains(log.String(), "rule table gone") {
		t.Errorf("log %s", log.String())
	}
	wantBody(t, get(t, h, "/api/v1/sources"), 200)
}

func TestPollingClientsAreToldThatNothingChanged(t *testing.T) {
	w := detailWorld()
	w.alerts, w.past = guideAlerts(), guideAlerts()
	w.rules = []api.RuleStatus{{ID: "cache-hit-rate"}}
	h := w.handler()
	for _, path := range []string{
		"/api/performance/alerts", "/api/performance/alerts/history", "/api/performance?action=cache",
		"/api/performance?action=database", "/api/v1/rules", "/api/v1/alerts", "/api/v1/sources", "/api/openapi.yaml",
	} {
		t.Run(path, func(t *testing.T) {
			first := get(t, h, path)
			etag := first.Header().Get("ETag")
			if etag == "" || first.Header().Get("Cache-Control") != "no-cache" {
				t.Fatalf("headers %v", first.Header())
			}
			for _, header := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
				again := get(t, h, path, "If-None-Match", header)
				if again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != etag {
					t.Errorf("If-None-Match %s: status %d, %d bytes", header, again.Code, again.Body.Len())
				}
			}
			wantBody(t, get(t, h, path, "If-None-Match", `"other"`), 200)
		})
	}
	before := get(t, h, "/api/performance/alerts").Header().Get("ETag")
	w.alerts, w.version = nil, 1
	if after := get(t, h, "/api/performance/alerts").Header().Get("ETag"); after == before {
		t.Error("the tag stayed while the alerts changed")
	}
	for _, path := range []string{"/api/performance", "/api/health", "/-/ready"} {
		if got := get(t, h, path).Header(); got.Get("Cache-Control") != "no-store" || got.Get("ETag") != "" {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestLongQueriesAndGarbage(t *testing.T) {
	h := overviewWorld().handler()
	wantError(t, get(t, h, "/api/performance?action="+strings.Repeat("a", 5000)), 414, "query_too_long")
	wantError(t, get(t, h, "/api/performance?action=tables"), 400, "bad_request", `action: "tables" is not one of cache, database`)
	wantError(t, get(t, h, "/api/performance?actoin=cache"), 400, "bad_request", `"actoin": unknown parameter; did you mean "action"?`)
	wantError(t, get(t, h, "/api/performance?action=%zz"), 400, "bad_request", "cannot be read")
	wantError(t, get(t, h, "/api/performance?action=cache&action=database"), 400, "bad_request", "more than once")
	wantError(t, get(t, h, "/api/performance/alerts?severity=critical"), 400, "bad_request", "this path takes none")
}

func TestRequestsAreCountedByRouteTemplate(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := overviewWorld()
	w.past = guideAlerts()
	o := w.options()
	o.Registerer, o.Gatherer = reg, reg
	h := api.New(o).Handler()
	api.New(o) // a second server on the same registry
	get(t, h, "/api/performance")
	get(t, h, "/api/v1/alerts/one")
	get(t, h, "/api/v1/alerts/"+w.past[0].ID)
	get(t, h, "/wp-login.php")
	wantBody(t, get(t, h, "/metrics"), 200,
		`tocsin_http_requests_total{code="200",route="/api/performance"} 1`,
		`tocsin_http_requests_total{code="404",route="/api/v1/alerts/{id}"} 1`,
		`tocsin_http_requests_total{code="200",route="/api/v1/alerts/{id}"} 1`,
		`tocsin_http_requests_total{code="404",route="none"} 1`,
		`tocsin_http_request_duration_seconds_count{route="/api/performance"} 1`)
}

func TestTheServerHasEveryLimit(t *testing.T) {
	s := api.New(overviewWorld().options()).HTTP("127.0.0.1:0")
	for name, d := range map[string]int64{
		"ReadHeaderTimeout": int64(s.ReadHeaderTimeout), "ReadTimeout": int64(s.ReadTimeout),
		"WriteTimeout": int64(s.WriteTimeout), "IdleTimeout": int64(s.IdleTimeout), "MaxHeaderBytes": int64(s.MaxHeaderBytes),
	} {
		if d <= 0 {
			t.Errorf("%s is not set", name)
		}
	}
	if s.Addr != "127.0.0.1:0" || s.Handler == nil || s.ErrorLog == nil {
		t.Errorf("server %+v", s)
	}
}

func TestTheIndexNamesPathsThatExist(t *testing.T) {
	o := detailWorld().options()
	o.RuleFiles, o.Deliveries, o.Operator = newEditor(), newLedger(), newRouter()
	h := api.New(o).Handler()
	var index struct {
		Name, Version string
		Endpoints     map[string]string
	}
	if err := json.Unmarshal(get(t, h, "/").Body.Bytes(), &index); err != nil {
		t.Fatal(err)
	}
	if index.Version != "1.2.3" || len(index.Endpoints) < 10 {
		t.Errorf("index %+v", index)
	}
	for name, path := range index.Endpoints {
		if code := get(t, h, path).Code; !slices.Contains([]int{200, 403, 404}, code) || code == 404 && path != "/metrics" {
			t.Errorf("%s: %s answers %d", name, path, code)
		}
	}
}
