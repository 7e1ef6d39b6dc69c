package api_test

import (
	"bytes"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

const prometheusConfig = `
global: {evaluation_interval: 500ms, external_labels: {replica: a}}
rule_files: [rules.yaml]
alerting:
  alertmanagers: [{api_version: v2, static_configs: [{targets: [TARGET]}]}]
`

const prometheusRules = `
groups:
- name: test
  rules:
  - alert: Always
    expr: vector(1) > bool 0
    labels: {severity: warning, instance: "é\"<&>"}
    annotations: {summary: "value {{ $value }}\nsecond line"}
`

// TestPrometheusSendsItsAlerts starts a real Prometheus: its alert arrives, is
// sent again with an end further ahead, and resolves when the rule is gone.
func TestPrometheusSendsItsAlerts(t *testing.T) {
	t.Parallel() // it waits for Prometheus, which looks for Alertmanagers every 5 s
	binary := installed(t, "prometheus", "prometheus")
	f := newRouter()
	h := httptest.NewServer(api.New(f.options()).Handler())
	defer h.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("prometheus.yaml", strings.ReplaceAll(prometheusConfig, "TARGET", `"`+h.Listener.Addr().String()+`"`))
	write("rules.yaml", prometheusRules)
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(binary, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+free.Addr().String(), "--rules.alert.resend-delay=1s", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()

	first := f.await(t, func(alerts []alert.Alert) bool { return len(alerts) == 1 })[0]
	wanted := alert.LabelsOf("alertname", "Always", "severity", "warning", "instance", `é"<&>`, "replica", "a")
	if !first.Labels.Equal(wanted) || first.Annotations["summary"] != "value 1\nsecond line" || !strings.Contains(first.Outside.GeneratorURL, "/graph?g0.expr=") {
		t.Errorf("%+v %+v", first, first.Outside)
	}
	if age := time.Since(first.StartsAt); age < 0 || age > time.Minute {
		t.Errorf("it began %s ago", age)
	}
	f.await(t, func(alerts []alert.Alert) bool {
		return len(alerts) == 1 && alerts[0].Outside.ExpiresAt.After(first.Outside.ExpiresAt) && alerts[0].StartsAt.Equal(first.StartsAt)
	})
	// A rule whose expression ends is sent as resolved.
	write("rules.yaml", strings.ReplaceAll(prometheusRules, "vector(1) > bool 0", "vector(1) < 0"))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	f.await(t, func(alerts []alert.Alert) bool { return len(alerts) == 0 })
}

// await looks at the alerts until they are as they should be.
func (f *router) await(t *testing.T, done func([]alert.Alert) bool) []alert.Alert {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var all []alert.Alert
		f.Standings(alert.StandingQuery{}, func(s *alert.Standing) bool {
			all = append(all, s.Alert)
			return true
		})
		if done(all) {
			return all
		}
		if time.Now().After(limit) {
			t.Fatalf("after 30 s: %+v", all)
		}
	}
}
