// Package examplepython is the test of the plugin in Python beside it, which it
// runs as a real process.
package examplepython

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

// interpreter returns a Python that has what the plugin needs. scripts/services.sh
// installs it; without it the test says so, and fails in CI.
func interpreter(t *testing.T) string {
	t.Helper()
	var last []byte
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), path, "-c", "import grpc, google.protobuf, cryptography").CombinedOutput()
		if err == nil {
			return path
		}
		last = out
	}
	why := fmt.Sprintf("no Python with grpc, protobuf and cryptography (make services installs them):\n%s", last)
	if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

func TestPlugin(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/wrong":
			w.WriteHeader(http.StatusBadRequest)
		case "/slow":
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
		default:
			w.Header().Set("X-Message-Id", "m-1")
		}
	}))
	t.Cleanup(service.Close)
	settings := func(path string) string { return fmt.Sprintf(`{"url": %q, "token": "s3cret"}`, service.URL+path) }
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	plugintest.Run(t, interpreter(t),
		plugintest.Args(folder),
		plugintest.Env("PYTHONDONTWRITEBYTECODE=1"),
		plugintest.Config(settings("/")),
		plugintest.Retry(settings("/busy")),
		plugintest.Permanent(settings("/wrong")),
		plugintest.Slow(settings("/slow")),
		plugintest.Bad(`{"url": 5}`),
	)
}
