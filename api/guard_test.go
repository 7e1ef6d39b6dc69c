package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

type accept struct{ err error }

func (a accept) Ingest(_ context.Context, body []byte) (any, error) {
	return map[string]int{"bytes": len(body)}, a.err
}
func (a accept) Reload(context.Context) error { return a.err }

func guarded(tokens ...api.Token) http.Handler {
	o := overviewWorld().options()
	o.Ingester, o.Reloader, o.Tokens = accept{}, accept{}, tokens
	o.Listen, o.ExternalURL = "127.0.0.1:9590", "https://tocsin.example.com/"
	return api.New(o).Handler()
}

func TestTokens(t *testing.T) {
	h := guarded(
		api.Token{Name: "grafana", Token: secret.New("r-token"), Scope: api.Read},
		api.Token{Name: "app", Token: secret.New("o-token"), Scope: api.Operate},
		api.Token{Name: "ops", Token: secret.New("a-token"), Scope: api.Admin},
	)
	for _, tt := range []struct {
		method, path                          string
		none, bad, read, operate, admin, host int
	}{
		{"GET", "/api/performance", 401, 401, 200, 200, 200, 401},
		{"HEAD", "/api/performance", 401, 401, 200, 200, 200, 401},
		{"GET", "/api/performance/alerts/history", 401, 401, 200, 200, 200, 401},
		{"GET", "/api/v1/rules", 401, 401, 200, 200, 200, 401},
		{"GET", "/api/v1/series?metric=x", 401, 401, 200, 200, 200, 401},
		{"GET", "/api/openapi.yaml", 401, 401, 200, 200, 200, 401},
		{"GET", "/", 401, 401, 200, 200, 200, 401},
		{"GET", "/api/health", 200, 200, 200, 200, 200, 200},
		{"GET", "/-/healthy", 200, 200, 200, 200, 200, 200},
		{"GET", "/-/ready", 200, 200, 200, 200, 200, 200},
		{"POST", "/api/v1/ingest", 401, 401, 403, 200, 200, 401},
		{"POST", "/-/reload", 401, 401, 403, 403, 200, 401},
	} {
		for _, as := range []struct {
			name   string
			want   int
			header []string
		}{
			{"no token", tt.none, nil},
			{"unknown token", tt.bad, []string{"Authorization", "Bearer a-toke"}},
			{"basic", tt.bad, []string{"Authorization", "Basic a-token"}},
			{"read", tt.read, []string{"Authorization", "Bearer r-token"}},
			{"operate", tt.operate, []string{"Authorization", "bearer o-token"}},
			{"admin", tt.admin, []string{"Authorization", "Bearer a-token"}},
			{"any host", tt.host, []string{"Host", "monitor.internal"}},
		} {
			t.Run(tt.method+" "+tt.path+" with "+as.name, func(t *testing.T) {
				w := do(t, h, tt.method, tt.path, strings.NewReader("{}"), as.header...)
				if w.Code != as.want {
					t.Errorf("status %d, want %d: %s", w.Code, as.want, w.Body)
				}
				if (w.Code == 401 || w.Code == 403) != strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("status %d with WWW-Authenticate %q", w.Code, w.Header().Get("WWW-Authenticate"))
				}
			})
		}
	}
}

// A proxy such as karma's passes on the Origin of its own page; the token says
// who asks. Where none is needed, the page still matters.
func TestATokenCountsWhateverPageItComesFrom(t *testing.T) {
	h := guarded(api.Token{Name: "karma", Token: secret.New("o-token"), Scope: api.Operate})
	post := func(path string, header ...string) int {
		return do(t, h, "POST", path, strings.NewReader("{}"), append(header, "Origin", "http://karma.lan:8080")...).Code
	}
	if got := post("/api/v1/ingest", "Authorization", "Bearer o-token"); got != 200 {
		t.Errorf("with a token: %d", got)
	}
	if got := post("/api/v1/ingest"); got != 401 {
		t.Errorf("without one: %d", got)
	}
	if got := post("/api/v1/slack/interactions", "Authorization", "Bearer o-token"); got != 403 {
		t.Errorf("where none is needed: %d", got)
	}
}

func TestAnEmptyTokenDoesNotOpenTheDoor(t *testing.T) {
	h := guarded(api.Token{Name: "unset", Scope: api.Admin})
	for _, header := range []string{"", "Bearer", "Bearer "} {
		wantError(t, get(t, h, "/api/performance", "Authorization", header), 401, "unauthorized")
	}
}

func TestWithoutTokensAWebPageReachesNothing(t *testing.T) {
	h := guarded()
	for _, tt := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"curl on the machine", "GET", "/api/performance", []string{"Host", "127.0.0.1:9590"}, 200},
		{"by name", "GET", "/api/performance", []string{"Host", "localhost:9590"}, 200},
		{"over IPv6", "GET", "/api/performance", []string{"Host", "[::1]:9590"}, 200},
		{"by the external name", "GET", "/api/performance", []string{"Host", "tocsin.example.com"}, 200},
		{"by a rebound name", "GET", "/api/performance", []string{"Host", "evil.example:9590"}, 403},
		{"by a rebound name, health", "GET", "/api/health", []string{"Host", "evil.example:9590"}, 403},
		{"by a rebound name, unknown path", "GET", "/nothing", []string{"Host", "evil.example:9590"}, 403},
		{"a name that looks like loopback", "GET", "/", []string{"Host", "localhost.evil.example"}, 403},
		{"a private address", "GET", "/", []string{"Host", "10.0.0.7"}, 403},
		{"a POST from the machine", "POST", "/api/v1/ingest", nil, 200},
		{"a POST from our own page", "POST", "/-/reload", []string{"Origin", "http://localhost:9590"}, 200},
		{"a POST from the external page", "POST", "/-/reload", []string{"Origin", "https://tocsin.example.com"}, 200},
		{"a POST from a foreign page", "POST", "/-/reload", []string{"Origin", "https://evil.example"}, 403},
		{"a POST from another port", "POST", "/-/reload", []string{"Origin", "http://localhost:3000"}, 403},
		{"a POST from a sandboxed page", "POST", "/-/reload", []string{"Origin", "null"}, 403},
		{"a cross-site POST as browsers mark it", "POST", "/api/v1/ingest", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBody(t, do(t, h, tt.method, tt.path, strings.NewReader("{}"), tt.header...), tt.want)
		})
	}
}
