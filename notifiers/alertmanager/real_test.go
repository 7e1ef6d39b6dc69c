package alertmanager

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

// start runs an Alertmanager until the test ends, and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
			t.Fatal("prometheus-alertmanager is missing")
		}
		t.Skip("SERVICE MISSING: prometheus-alertmanager")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(file, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+listen, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	base := "http://" + listen
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := get(t, base+"/-/ready"); status == http.StatusOK {
			return base
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come up")
		}
	}
}

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// firing lists what fires there: name/severity.
func firing(t *testing.T, base string) []string {
	t.Helper()
	status, body := get(t, base+"/api/v2/alerts")
	var all []struct {
		Labels map[string]string
		EndsAt time.Time
	}
	if err := json.Unmarshal(body, &all); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	out := []string{}
	for _, a := range all {
		if a.EndsAt.After(time.Now()) {
			out = append(out, a.Labels["alertname"]+"/"+a.Labels["severity"])
		}
	}
	slices.Sort(out)
	return out
}

func TestAlertmanagerItselfTakesThem(t *testing.T) {
	base := start(t)
	a := newNotifier(t, config(base))
	now := time.Now().UTC().Truncate(time.Millisecond)
	tell := func(n alert.Notification, want string) {
		t.Helper()
		n.At = now
		if receipt, err := a.Notify(t.Context(), n); err != nil || receipt.Status != http.StatusOK {
			t.Fatalf("%+v, %v", receipt, err)
		}
		if got := strings.Join(firing(t, base), " "); got != want {
			t.Errorf("%s fire, want %s", got, want)
		}
	}
	shifted := func(state alert.State) alert.Notification {
		n := notifiertest.Sample(state, 1)
		x := &n.Alerts[0]
		x.PendingAt, x.StartsAt, x.SeverityAt = now.Add(-time.Hour), now.Add(-time.Hour), now.Add(-time.Hour)
		if state == alert.Resolved {
			x.EndsAt = now
		}
		return n
	}
	n := shifted(alert.Firing)
	n.Alerts[0].Severity, n.Alerts[0].Worst = alert.Warning, alert.Warning
	tell(n, "cache-hit-rate/warning")
	n.Alerts[0].Severity, n.Alerts[0].Worst, n.Alerts[0].SeverityAt = alert.Critical, alert.Critical, now.Add(-time.Minute)
	tell(n, "cache-hit-rate/critical")
	tell(notifiers.Canary("am", "", "c", now), "cache-hit-rate/critical")
	tell(notifiers.Test("am", "https://tocsin.example.com", "t", now), "TocsinTest/info cache-hit-rate/critical")
	tell(shifted(alert.Resolved), "TocsinTest/info")
	hostile := notifiertest.Hostile()
	hostile.At = now
	for i := range hostile.Alerts {
		hostile.Alerts[i].StartsAt, hostile.Alerts[i].SeverityAt = now, now
		hostile.Alerts[i].Labels = hostile.Alerts[i].Labels.Merge(alert.LabelsOf("a-b", "1"))
	}
	if _, err := a.Notify(t.Context(), hostile); err != nil {
		t.Error(err)
	}
	if got := len(firing(t, base)); got != 3 {
		t.Error(fmt.Sprint(got, " fire"))
	}
}
