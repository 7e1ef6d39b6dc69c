package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source/internal/page"
)

func TestRedirectsStayOnThePagesOwnHost(t *testing.T) {
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	for path, to := range map[string]string{
		"/moved": "/metrics", "/elsewhere": strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/metrics",
		"/metadata": "http://169.254.169.254/latest/meta-data/iam/s3cr3t",
	} {
		mux.Handle(path, http.RedirectHandler(to, http.StatusFound))
	}
	for path, want := range map[string]string{"/metrics": "", "/moved": "", "/elsewhere": "redirects to another host", "/metadata": "redirects to another host"} {
		f, err := page.New(secret.NewURL(srv.URL+path), httpx.Options{}, "text/plain", 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := f.Get(t.Context())
		f.Close()
		if want == "" {
			if err != nil || string(body) != "up 1\n" {
				t.Errorf("%s: %q, %v", path, body, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
