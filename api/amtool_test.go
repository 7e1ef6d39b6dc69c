package api_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/api"
)

// installed returns the path of a program that the tests run. Where services
// are required it must be there.
func installed(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing; apt-get install %s", name, pkg)
		}
		t.Skipf("SERVICE MISSING: %s (apt-get install %s)", name, pkg)
	}
	return path
}

// tool is amtool against a handler with the router of these tests.
type tool struct {
	*testing.T
	binary, url, home string
}

func newTool(t *testing.T, h *httptest.Server) *tool {
	return &tool{t, installed(t, "amtool", "prometheus-alertmanager"), h.URL, t.TempDir()}
}

// run returns what amtool prints, trimmed, and fails when it does.
func (a *tool) run(args ...string) string {
	a.Helper()
	out, err := a.try(args...)
	if err != nil {
		a.Fatalf("amtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (a *tool) try(args ...string) (string, error) {
	a.Helper()
	cmd := exec.CommandContext(a.Context(), a.binary, append([]string{"--alertmanager.url=" + a.url, "--no-version-check"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+a.home) // no configuration of its own
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// has checks that the output holds each part.
func (a *tool) has(out string, parts ...string) {
	a.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			a.Errorf("%q is not in:\n%s", part, out)
		}
	}
}

func TestAmtoolAddsAndQueriesAlerts(t *testing.T) {
	h := httptest.NewServer(api.New(newRouter().options()).Handler())
	defer h.Close()
	a := newTool(t, h)
	a.run("alert", "add", "High", "severity=critical", "instance=a", "--annotation=summary=Too high")
	a.run("alert", "add", "alertname=Low", "severity=warning", "instance=b", "--end="+time.Now().Add(time.Hour).Format(time.RFC3339))
	a.has(a.run("alert", "query"), "High", "Too high", "Low")
	out := a.run("alert", "query", "-o", "extended", "severity=critical")
	a.has(out, `instance="a"`, `summary="Too high"`, "active")
	if strings.Contains(out, "Low") {
		t.Errorf("the filter lets through:\n%s", out)
	}
	if out := a.run("alert", "query", "-o", "json", "--receiver=ops"); !strings.Contains(out, `"Low"`) || strings.Contains(out, `"High"`) {
		t.Errorf("of the receiver ops: %s", out)
	}
	a.run("alert", "add", "alertname=Low", "severity=warning", "instance=b", "--end="+time.Now().Add(-time.Minute).Format(time.RFC3339))
	if out := a.run("alert", "query"); strings.Contains(out, "Low") {
		t.Errorf("it has ended:\n%s", out)
	}
	if out, err := a.try("alert", "query", "b=c", "a=~("); err == nil {
		t.Errorf("a bad expression: %s", out)
	}
}

func TestAmtoolKeepsSilences(t *testing.T) {
	h := httptest.NewServer(api.New(newRouter().options()).Handler())
	defer h.Close()
	a := newTool(t, h)
	a.run("alert", "add", "High", "severity=critical")
	id := a.run("silence", "add", "alertname=High", "severity=~crit.*", "instance!=x", "--comment=for now", "--author=me", "--duration=2h")
	a.has(a.run("silence", "query", "-o", "extended"), id, `alertname="High"`, `severity=~"crit.*"`, `instance!="x"`, "me", "for now")
	if got := a.run("silence", "query", "-q", "alertname=High"); got != id {
		t.Errorf("found %q, want %q", got, id)
	}
	if out := a.run("alert", "query"); strings.Contains(out, "High") {
		t.Errorf("it is silenced:\n%s", out)
	}
	a.has(a.run("alert", "query", "--silenced", "-o", "json"), `"state":"suppressed"`, id)

	a.run("silence", "update", "--duration=4h", "--comment=longer", id) // with -q it prints an address
	a.has(a.run("silence", "query", "-o", "extended"), id, "longer")
	saved := filepath.Join(a.home, "silences.json")
	if err := os.WriteFile(saved, []byte(a.run("silence", "query", "-o", "json")), 0o600); err != nil {
		t.Fatal(err)
	}
	a.run("silence", "expire", id)
	if out := a.run("silence", "query", "-q"); out != "" {
		t.Errorf("it has expired: %s", out)
	}
	a.has(a.run("silence", "query", "-q", "--expired"), id)
	a.has(a.run("alert", "query"), "High")

	a.run("silence", "import", "--force", saved)
	again := strings.Fields(a.run("silence", "query", "-q"))
	if len(again) != 1 || slices.Contains(again, id) {
		t.Errorf("imported anew: %v", again)
	}
	if out, err := a.try("silence", "add", "b=c", "alertname=~("); err == nil {
		t.Errorf("a bad expression: %s", out)
	}
	if out, err := a.try("silence", "expire", "6f2b5a1e-0000-4000-8000-000000000000"); err == nil {
		t.Errorf("an unknown id: %s", out)
	}
}

func TestAmtoolReadsTheStatusAndTheRoutes(t *testing.T) {
	h := httptest.NewServer(api.New(newRouter().options()).Handler())
	defer h.Close()
	a := newTool(t, h)
	a.has(a.run("cluster", "show"), "Cluster Status:  disabled")
	a.has(a.run("config", "show"), "receiver: ops", "# `tocsin routes`")
	a.has(a.run("config", "routes", "show"), "receiver: ops")
}
