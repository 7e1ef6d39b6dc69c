package http

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

func newSource(t *testing.T, url string, change func(*Config)) *Source {
	t.Helper()
	cfg := Default()
	cfg.URL = secret.NewURL(url)
	if change != nil {
		change(&cfg)
	}
	if ps := cfg.Validate(); len(ps) > 0 {
		t.Fatal(ps.Err())
	}
	s, err := New(cfg, "site")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func poll(t *testing.T, s *Source) source.Reading {
	t.Helper()
	r, err := s.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range r.Samples {
		if sample.Labels.Get("check") != "site" {
			t.Fatalf("%s has labels %s", sample.Metric, sample.Labels)
		}
	}
	return r
}

// value returns a sample's value, NaN when it is not there.
func value(r source.Reading, metric string) float64 {
	for _, s := range r.Samples {
		if s.Metric == metric {
			return s.Value
		}
	}
	return math.NaN()
}

func shop() nethttp.Handler {
	mux := nethttp.NewServeMux()
	mux.HandleFunc("/ok", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		_, _ = io.WriteString(w, "all systems go "+r.Method+" "+r.Header.Get("X-Key"))
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("/500", func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(500) })
	mux.HandleFunc("/404", nethttp.NotFound)
	mux.Handle("/moved", nethttp.RedirectHandler("/ok", nethttp.StatusFound))
	mux.HandleFunc("/cut", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	mux.HandleFunc("/slow", func(_ nethttp.ResponseWriter, r *nethttp.Request) { <-r.Context().Done() })
	return mux
}

func TestACheckPassesOrSaysWhyNot(t *testing.T) {
	srv := httptest.NewServer(shop())
	defer srv.Close()
	for _, tt := range []struct {
		name, path string
		change     func(*Config)
		status     float64
		failure    string
	}{
		{"200", "/ok", nil, 200, ""},
		{"500", "/500", nil, 500, "answered 500 Internal Server Error"},
		{"404 when that is expected", "/404", func(c *Config) { c.ExpectStatus = []string{"2xx", "404"} }, 404, ""},
		{"200 when a range is expected that lacks it", "/ok", func(c *Config) { c.ExpectStatus = []string{"201-204"} }, 200, "answered 200 OK"},
		{"a redirect is followed", "/moved", nil, 200, ""},
		{"a redirect is an answer", "/moved", func(c *Config) { c.FollowRedirects = false }, 302, ""},
		{"the body matches", "/ok", func(c *Config) { c.BodyMatch = "systems? go" }, 200, ""},
		{"the body does not match", "/ok", func(c *Config) { c.BodyMatch = "^go" }, 200, "the body does not match body_match"},
		{"the body matches what it must not", "/ok", func(c *Config) { c.BodyNotMatch = "go" }, 200, "the body matches body_not_match"},
		{"method, headers and body are sent", "/ok", func(c *Config) {
			c.Method, c.Body = "POST", secret.New(" b")
			c.Headers = map[string]secret.String{"X-Key": secret.New("k")}
			c.BodyMatch = "go POST k b$"
		}, 200, ""},
		{"only the allowed part of the body is matched", "/ok", func(c *Config) { c.MaxBodyBytes, c.BodyMatch = 3, "^all$" }, 200, ""},
		{"the body breaks off", "/cut", nil, 200, "the body breaks off after 4 bytes: unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := poll(t, newSource(t, srv.URL+tt.path, tt.change))
			up := b01(tt.failure == "")
			if value(r, "http.up") != up || value(r, "http.status_code") != tt.status || value(r, "http.error_rate") != 100*(1-up) {
				t.Errorf("samples %v", r.Samples)
			}
			if !(value(r, "http.response_time") > 0) || !math.IsNaN(value(r, "http.tls_expiry")) {
				t.Errorf("samples %v", r.Samples)
			}
			if c := r.Facts.Check; c == nil || c.Up != (up == 1) || c.Detail != tt.failure {
				t.Errorf("check %+v, want %q", c, tt.failure)
			}
			if (r.Health == source.Healthy) != (up == 1) {
				t.Errorf("health %s", r.Health)
			}
		})
	}
}

func TestACheckIsNotLedToAddressesThatNobodyMeans(t *testing.T) {
	srv := httptest.NewServer(nethttp.RedirectHandler("http://169.254.169.254:1/latest/meta-data/s3cr3t", nethttp.StatusFound))
	defer srv.Close()
	r := poll(t, newSource(t, srv.URL, nil))
	if c := r.Facts.Check; c == nil || c.Up || !strings.Contains(c.Detail, "169.254.169.254 is the address of a cloud's metadata; nothing is sent there") || strings.Contains(c.Detail, "s3cr3t") {
		t.Errorf("check %+v", c)
	}
}

func TestNoAnswerHasNoResponseTimeAndShowsNoSecret(t *testing.T) {
	s := newSource(t, "http://user:hunter2@127.0.0.1:1/x?token=hunter2", nil)
	r := poll(t, s)
	detail := r.Facts.Check.Detail
	if value(r, "http.up") != 0 || !math.IsNaN(value(r, "http.response_time")) || !math.IsNaN(value(r, "http.status_code")) {
		t.Errorf("samples %v", r.Samples)
	}
	if !strings.Contains(detail, "refused") || strings.Contains(detail, "hunter2") {
		t.Errorf("detail %q", detail)
	}
}

func TestTheDeadlineEndsACheck(t *testing.T) {
	srv := httptest.NewServer(shop())
	defer srv.Close()
	s := newSource(t, srv.URL+"/slow", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, err := s.Poll(ctx)
	if err != nil || r.Facts.Check.Detail != "no answer in time" {
		t.Fatalf("%+v, %v", r.Facts.Check, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.Poll(stopped); err == nil {
		t.Fatal("a cancelled check says something")
	}
}

func TestErrorRateLooksBackOnTheWindow(t *testing.T) {
	s := newSource(t, "http://127.0.0.1:1", nil) // window 5m
	at := time.Now()
	for _, tt := range []struct {
		after time.Duration
		up    bool
		want  float64
	}{
		{0, true, 0},
		{time.Minute, false, 50},
		{2 * time.Minute, true, 100.0 / 3},
		{3 * time.Minute, true, 25},
		{5 * time.Minute, true, 25}, // the first has left
		{6 * time.Minute, true, 0},  // so has the failure
		{60 * time.Minute, false, 100},
	} {
		if got := s.errorRate(tt.up, at.Add(tt.after)); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("after %s: %v, want %v", tt.after, got, tt.want)
		}
	}
	if len(s.recent) != 1 {
		t.Errorf("%d results are kept", len(s.recent))
	}
}

func TestTLSExpiry(t *testing.T) {
	srv := httptest.NewUnstartedServer(shop())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	want := time.Until(srv.Certificate().NotAfter).Seconds()
	for _, tt := range []struct {
		name string
		tls  httpx.TLS
		up   float64
	}{
		{"a certificate that is trusted", httpx.TLS{CAFile: ca}, 1},
		{"one that is not has an expiry all the same", httpx.TLS{}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := poll(t, newSource(t, srv.URL+"/ok", func(c *Config) { c.TLS = tt.tls }))
			if got := value(r, "http.tls_expiry"); value(r, "http.up") != tt.up || !(math.Abs(got-want) <= 60) {
				t.Errorf("expiry %v, want %v; %+v", got, want, r.Facts.Check)
			}
		})
	}
}

func TestTCP(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSource(t, "tcp://"+ln.Addr().String(), nil)
	r := poll(t, s)
	if value(r, "http.up") != 1 || !(value(r, "http.response_time") > 0) || !math.IsNaN(value(r, "http.status_code")) {
		t.Errorf("open: %v", r.Samples)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	r = poll(t, s)
	if value(r, "http.up") != 0 || value(r, "http.error_rate") != 50 || !strings.Contains(r.Facts.Check.Detail, "refused") {
		t.Errorf("closed: %v, %+v", r.Samples, r.Facts.Check)
	}
}

// TestConnections counts the connections that three checks make, the third of
// them a minute later.
func TestConnections(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   int
	}{
		{"kept for a minute", nil, 2},
		{"fresh every time", func(c *Config) { c.FreshConnection = true }, 3},
		{"fresh for what cannot be repeated", func(c *Config) { c.Method = "POST" }, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened := make(chan struct{}, 10)
			srv := httptest.NewUnstartedServer(shop())
			srv.Config.ConnState = func(_ net.Conn, state nethttp.ConnState) {
				if state == nethttp.StateNew {
					opened <- struct{}{}
				}
			}
			srv.Start()
			defer srv.Close()
			s := newSource(t, srv.URL+"/ok", tt.change)
			poll(t, s)
			poll(t, s)
			s.connected = s.connected.Add(-maxConnectionAge)
			poll(t, s)
			if got := len(opened); got != tt.want {
				t.Errorf("%d connections, want %d", got, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"fine", func(*Config) {}, ""},
		{"no url", func(c *Config) { c.URL = secret.URL{} }, "url: missing"},
		{"another scheme", func(c *Config) { c.URL = secret.NewURL("ftp://x") }, "url: does not begin with http:// or https:// or tcp://"},
		{"tcp without port", func(c *Config) { c.URL = secret.NewURL("tcp://db") }, "url: has no port"},
		{"tcp with a path", func(c *Config) { c.URL = secret.NewURL("tcp://db:1/x") }, "url: a tcp:// url has no path"},
		{"tcp with a body", func(c *Config) { c.URL = secret.NewURL("tcp://db:1"); c.BodyMatch = "x" }, "body_match: means nothing"},
		{"a method", func(c *Config) { c.Method = "G E T" }, `method: "G E T" is not`},
		{"a status", func(c *Config) { c.ExpectStatus = []string{"200", "6xx"} }, `expect_status[1]: "6xx" is not`},
		{"a range that runs backwards", func(c *Config) { c.ExpectStatus = []string{"299-200"} }, "expect_status[0]"},
		{"an expression", func(c *Config) { c.BodyMatch = "(" }, "body_match: error parsing regexp"},
		{"no window", func(c *Config) { c.Window = 0 }, "window: must be more than 0"},
		{"options of HTTP", func(c *Config) { c.TLS.CertFile = "x" }, "tls.key_file: missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.URL = secret.NewURL("https://shop.example/")
			tt.change(&c)
			got := fmt.Sprint(c.Validate().Err())
			if tt.want == "" && got != "<nil>" || tt.want != "" && (!strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n")) {
				t.Fatalf("got %s, want %s", got, tt.want)
			}
		})
	}
}
