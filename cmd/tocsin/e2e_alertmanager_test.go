//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// takeAlertmanager reads Alertmanager's payload, unsigned.
func takeAlertmanager(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error {
	var m struct {
		Alerts []struct {
			Status, Fingerprint string
			Labels              map[string]string
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	var told []news
	for _, a := range m.Alerts {
		told = append(told, news{Alert: a.Fingerprint, Rule: a.Labels["alertname"], Status: a.Status, Severity: a.Labels["severity"]})
	}
	in.answer(w, r, r.Header.Get("Webhook-Id"), string(body), told)
	return nil
}

// outsideWorld takes alerts and tells a webhook of each by itself.
func outsideWorld(t *testing.T) (*world, *inbox) {
	w, hook := newWorld(t), newInbox(t, "the webhook", takeAlertmanager)
	w.write("tocsin.yaml", `
store: {path: tocsin.db}
rules: [rules.yaml]
sources: [{name: push, type: push, interval: 10s}]
receivers: [{name: hook, type: webhook, url: "`+hook.URL+`"}]
route: {receivers: [hook], group_by: ['...'], group_wait: 0s, group_interval: 100ms}
`)
	w.write("rules.yaml", "rules: []\n")
	return w, hook
}

// installed skips the test where a program is missing that `make services`
// installs, and fails it where nothing may be skipped.
func installed(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", program)
		}
		t.Skipf("SERVICE MISSING: %s", program)
	}
}

// amtool runs Debian's amtool against the daemon.
func (d *daemon) amtool(args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), "amtool", append([]string{"--alertmanager.url=" + d.base, "--no-version-check"}, args...)...)
	cmd.Env = []string{"HOME=" + d.world.dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("amtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// gettable is an alert as /api/v2 shows it.
type gettable struct {
	Fingerprint string
	Labels      map[string]string
	StartsAt    time.Time
	Receivers   []struct{ Name string }
	Status      struct {
		State      string
		SilencedBy []string
	}
}

func (d *daemon) outside(query string) []gettable {
	d.t.Helper()
	var list []gettable
	d.get("/api/v2/alerts"+query, &list)
	return list
}

func TestAlertsFromAmtoolAreToldAndOutliveAKill(t *testing.T) {
	t.Parallel()
	installed(t, "amtool")
	w, hook := outsideWorld(t)
	d := w.start()
	for _, name := range []string{"Disk", "Memory", "Load", "Network"} {
		d.amtool("alert", "add", name, "severity=critical", "instance=a")
		hook.awaitTold(name, "critical firing")
	}
	before := d.outside("")
	byFingerprint := func(a, b gettable) int { return strings.Compare(a.Fingerprint, b.Fingerprint) }
	if len(before) != 4 || !slices.IsSortedFunc(before, byFingerprint) {
		t.Errorf("not in the order of the fingerprints: %+v", before)
	}
	for _, a := range before {
		if want := alert.FromMap(a.Labels).Fingerprint().String(); a.Fingerprint != want || a.Status.State != "active" || len(a.Receivers) != 1 {
			t.Errorf("%+v, fingerprint %s", a, want)
		}
	}
	id := d.amtool("silence", "add", "alertname=Disk", "--comment=being replaced", "--author=me", "--duration=2h")
	d.kill()

	d = w.start()
	if after := d.outside("?silenced=false"); len(after) != 3 {
		t.Errorf("after a kill: %+v", after)
	}
	silenced := d.outside("?filter=alertname%3DDisk")
	if len(silenced) != 1 || silenced[0].Status.State != "suppressed" || !slices.Equal(silenced[0].Status.SilencedBy, []string{id}) {
		t.Errorf("the silence %s is gone: %+v", id, silenced)
	}
	if i := slices.IndexFunc(before, func(a gettable) bool { return a.Labels["alertname"] == "Disk" }); i >= 0 && len(silenced) == 1 && !silenced[0].StartsAt.Equal(before[i].StartsAt) {
		t.Errorf("it began at %s, and at %s before the kill", silenced[0].StartsAt, before[i].StartsAt)
	}
	d.amtool("alert", "add", "Load", "severity=critical", "instance=a", "--end="+time.Now().Add(-time.Second).Format(time.RFC3339))
	hook.awaitTold("Load", "critical firing", "critical resolved")
	d.amtool("silence", "expire", id)
	if got := d.amtool("silence", "query", "-q", "--expired"); got != id {
		t.Errorf("expired: %s, want %s", got, id)
	}
	d.stop()
}

func TestPrometheusIsToldOfThroughTheDaemon(t *testing.T) {
	t.Parallel()
	installed(t, "prometheus")
	w, hook := outsideWorld(t)
	d := w.start()
	w.write("prometheus.yaml", `
global: {evaluation_interval: 500ms}
rule_files: [alerts.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: ['`+strings.TrimPrefix(d.base, "http://")+`']}]}]}
`)
	rule := "groups: [{name: g, rules: [{alert: Always, expr: 'vector(1) > 0', labels: {severity: warning}}]}]\n"
	w.write("alerts.yaml", rule)
	prometheus := exec.Command("prometheus", "--config.file="+filepath.Join(w.dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(w.dir, "data"), //nolint:noctx // ended below
		"--web.listen-address=127.0.0.1:0", "--rules.alert.resend-delay=1s", "--log.level=warn")
	if err := prometheus.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = prometheus.Process.Kill()
		_ = prometheus.Wait()
	}()
	hook.awaitTold("Always", "warning firing")
	// While it is down, Prometheus goes on; nothing is told twice.
	d.kill()
	d = w.start("--listen", strings.TrimPrefix(d.base, "http://"))
	w.write("alerts.yaml", strings.Replace(rule, "> 0", "< 0", 1))
	if err := prometheus.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hook.awaitTold("Always", "warning firing", "warning resolved")
	d.stop()
}
