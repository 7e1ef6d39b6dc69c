package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/api"
)

func TestPathsOfAlertmanager(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	const silence = "/api/v2/silence/00000000-0000-4000-8000-000000000000"
	for _, tt := range []struct {
		method, path string
		status       int
		answer       string
	}{
		{"GET", "/api/v2/alerts/", 200, `[]`},
		{"GET", "/api/v2/silences/", 200, `[]`},
		{"GET", "/api/v2/alerts/groups/", 200, `[]`},
		{"GET", "//api/v2/alerts", 200, `[]`},
		{"GET", "/api/v2//alerts?active=false", 200, `[]`},
		{"POST", "//api/v2/alerts", 200, ``},
		{"DELETE", "/" + silence + "/", 404, ``},
		{"GET", "/api/v2", 404, `{"code":404,"message":"path /api/v2 was not found"}`},
		{"GET", "/api/v2/", 404, `{"code":404,"message":"path /api/v2/ was not found"}`},
		{"GET", "/api/v2/nope", 404, `{"code":404,"message":"path /api/v2/nope was not found"}`},
		{"GET", "/api/v2/docs", 404, `{"code":404,"message":"path /api/v2/docs was not found"}`},
		{"GET", "/api/v2/alert", 404, `{"code":404,"message":"path /api/v2/alert was not found; did you mean /api/v2/alerts?"}`},
		{"PUT", "/api/v2/alerts", 405, `{"code":405,"message":"method PUT is not allowed, but [GET,POST] are"}`},
		{"PUT", silence, 405, `{"code":405,"message":"method PUT is not allowed, but [DELETE,GET] are"}`},
		{"OPTIONS", "/api/v2/status", 405, `{"code":405,"message":"method OPTIONS is not allowed, but [GET] are"}`},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			var body string
			if tt.method == http.MethodPost {
				body = `[]`
			}
			w := do(t, h, tt.method, tt.path, strings.NewReader(body), "Content-Type", "application/json")
			wantAnswer(t, w, tt.status, tt.answer)
			if allow := w.Header().Get("Allow"); (tt.status == 405) != (allow != "") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

// Of our own paths nothing is guessed: a slash too many is told.
func TestOnlyPathsOfAlertmanagerAreTidied(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for _, path := range []string{"/api/v1/alerts/", "//api/v1/alerts", "/-/ready/", "/api/v1/../v2/alerts", "/x//api/v2/alerts"} {
		wantError(t, get(t, h, path), 404, "not_found")
	}
	w := postJSON(t, h, "/api/v1/alerts", `[]`)
	wantError(t, w, 405, "method_not_allowed")
	wantBody(t, w, 405, "alerts from outside go to /api/v2/alerts")
}

// Grafana's data source takes a server that answers this path for Mimir's.
func TestAMimirIsNotFoundHere(t *testing.T) {
	wantError(t, get(t, api.New(newRouter().options()).Handler(), "/alertmanager/api/v2/status"), 404, "not_found")
}
