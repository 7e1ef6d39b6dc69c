//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const quickRoute = "route: {receivers: [ops, hooks], group_wait: 0s, group_interval: 100ms}\n"

func TestReloadIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w, p, slack, hook := newPageWorld(t, quickRoute)
	const accepted = "tocsin_config_last_reload_successful"
	p.set("mail", 70)
	d := w.start()
	d.awaitPolls("web", 2)
	hook.awaitTold("queue-depth")

	w.write("rules.yaml", strings.ReplaceAll(queueRule, "value > 100", "value > 60"))
	d.signal(syscall.SIGHUP)
	hook.awaitTold("queue-depth", "critical firing")

	w.write("rules.yaml", strings.ReplaceAll(queueRule, "value > 100", "value >> 60")+"    fro: 5m\n")
	d.signal(syscall.SIGHUP)
	await(t, "the bad edit to be refused", func() bool { return d.metric(accepted) == "0" })
	w.write("tocsin.yaml", watchPage+strings.ReplaceAll(quickRoute, "hooks", "hoooks"))
	code, text := d.post("/-/reload", "")
	var refused struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(text), &refused); err != nil || code != http.StatusUnprocessableEntity || refused.Error.Code == "" {
		t.Fatalf("status %d, %v: %s", code, err, text)
	}
	wantText(t, refused.Error.Message, "rules.yaml:5:", "rules.yaml:8:5", `did you mean "for"?`, "tocsin.yaml:", `no receiver is called "hoooks"`, `did you mean "hooks"?`)
	p.set("post", 70) // the old rules and receivers go on
	hook.awaitTold("queue-depth", "critical firing", "critical firing")

	w.write("rules.yaml", queueRule)
	w.write("tocsin.yaml", watchPage+quickRoute)
	if code, text := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, text)
	}
	if got := d.metric(accepted); got != "1" {
		t.Errorf("%s is %s after a good edit", accepted, got)
	}
	p.set("mail", 10)
	p.set("post", 10)
	for _, in := range []*inbox{slack, hook} {
		in.awaitTold("queue-depth", "critical firing", "critical firing", "critical resolved", "critical resolved")
	}
	d.stop()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	t.Run("every mistake is printed", func(t *testing.T) {
		w, _, _, _ := newPageWorld(t, "rote: {}\n"+quickRoute)
		w.write("rules.yaml", strings.ReplaceAll(queueRule, "value > 100", "value > 100MBx"))
		code, out := w.run("serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		wantText(t, out, "tocsin.yaml:9:1: rote: unknown field", "rules.yaml:5:", "100MBx", "2 mistakes")
		if _, err := os.Stat(filepath.Join(w.dir, "data")); !os.IsNotExist(err) {
			t.Errorf("it made its database all the same: %v", err)
		}
	})
	t.Run("no tokens, every interface", func(t *testing.T) {
		w, _, _, _ := newPageWorld(t, quickRoute)
		code, out := w.run("serve", "--config", "tocsin.yaml", "--listen", "0.0.0.0:0")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		wantText(t, out, "--listen: without tokens only this machine may connect", "set server.tokens, or listen on 127.0.0.1")
	})
	t.Run("a second daemon", func(t *testing.T) {
		w, _, _, _ := newPageWorld(t, quickRoute)
		d := w.start()
		code, out := w.run("serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		wantText(t, out, "tocsin: store: ", "data/tocsin.db", "another tocsin has this database open")
		d.stop()
		w.start().stop() // the first one has let go
	})
	t.Run("the port is in use", func(t *testing.T) {
		w, _, _, _ := newPageWorld(t, quickRoute)
		d := w.start()
		other, _, _, _ := newPageWorld(t, quickRoute)
		addr := strings.TrimPrefix(d.base, "http://")
		code, out := other.run("serve", "--config", "tocsin.yaml", "--listen", addr)
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		wantText(t, out, "tocsin: server: ", addr, "address already in use")
		d.stop()
	})
	t.Run("the database is corrupt", func(t *testing.T) {
		w, _, _, _ := newPageWorld(t, quickRoute)
		if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write("data/tocsin.db", strings.Repeat("this is no database. ", 1000))
		code, out := w.run("serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		wantText(t, out, "tocsin: store: ", "data/tocsin.db", "not a database")
	})
}

func TestSigtermLetsWhatIsUnderWayEnd(t *testing.T) {
	t.Parallel()
	w, p, _, hook := newPageWorld(t, quickRoute)
	w.write("tocsin.yaml", strings.ReplaceAll(watchPage, "timeout: 500ms", "timeout: 20s")+quickRoute)
	underWay := make(chan struct{}, 10)
	hook.set(func(int) (int, time.Duration) {
		underWay <- struct{}{}
		return http.StatusOK, time.Second
	})
	p.set("mail", 500)
	d := w.start()
	<-underWay
	d.stop()
	hook.awaitTold("queue-depth", "critical firing")

	hook.set(nil)
	d = w.start() // and knows that it was sent
	d.awaitPolls("web", 2)
	p.set("mail", 0)
	hook.awaitTold("queue-depth", "critical firing", "critical resolved")
	d.stop()
}

func TestSigtermWaitsForNobodyForEver(t *testing.T) {
	t.Parallel()
	w, p, _, hook := newPageWorld(t, quickRoute)
	w.write("tocsin.yaml", strings.ReplaceAll(watchPage, "timeout: 500ms", "timeout: 5m")+quickRoute)
	w.env["TOCSIN_SERVER__SHUTDOWN_TIMEOUT"] = "500ms"
	underWay := make(chan struct{}, 10)
	hook.set(func(int) (int, time.Duration) {
		underWay <- struct{}{}
		return http.StatusOK, time.Hour
	})
	p.set("mail", 500)
	d := w.start()
	<-underWay
	stopped := time.Now()
	d.stop()
	if took := time.Since(stopped); took > 8*time.Second {
		t.Errorf("a stop took %s, shutdown_timeout is 500ms", took)
	}
	hook.set(nil)
	d = w.start() // and sends it, with the id that it had
	hook.awaitTold("queue-depth", "critical firing")
	if n := hook.messages(); n != 1 {
		t.Errorf("%d notifications, want copies of one", n)
	}
	d.stop()
}

// What nobody watches or judges any more must not fire for ever.
func TestWhatIsTakenOutOfTheConfigurationEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(w *world)
	}{
		{"the rule", func(w *world) {
			w.write("rules.yaml", strings.ReplaceAll(queueRule, "queue-depth", "another"))
		}},
		{"the source", func(w *world) {
			w.write("tocsin.yaml", strings.ReplaceAll(watchPage, "name: web,", "name: other,")+quickRoute)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, restart := range []bool{false, true} {
				w, p, _, hook := newPageWorld(t, quickRoute)
				p.set("mail", 500)
				d := w.start()
				hook.awaitTold("queue-depth", "critical firing")
				fired := d.firing("queue-depth")
				tt.edit(w)
				if restart {
					d.kill()
					d = w.start()
				} else if code, text := d.post("/-/reload", ""); code != http.StatusOK {
					t.Fatalf("status %d: %s", code, text)
				}
				await(t, "the alert to end", func() bool {
					for _, n := range hook.news() {
						if n.Taken && n.Alert == fired[0] && n.Status == "resolved" {
							return true
						}
					}
					return false
				})
				d.stop()
			}
		})
	}
}

func TestTokensGuardTheDaemon(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPageWorld(t, quickRoute)
	w.env["READ_TOKEN"], w.env["ADMIN_TOKEN"] = "read-0123456789abcdef", "admin-0123456789abcdef"
	w.write("tocsin.yaml", strings.Replace(watchPage, `server: {external_url: "http://tocsin.test"}`, `
server:
  external_url: "http://tocsin.test"
  tokens:
    - {name: eye, token: "${READ_TOKEN}", scope: read}
    - {name: ops, token: "${ADMIN_TOKEN}", scope: admin}
`, 1)+quickRoute)
	d := w.serve()
	for _, tt := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/-/healthy", "", http.StatusOK},
		{"GET", "/api/performance/alerts", "", http.StatusUnauthorized},
		{"GET", "/api/performance/alerts", "read-0123456789abcdee", http.StatusUnauthorized},
		{"GET", "/api/performance/alerts", w.env["READ_TOKEN"], http.StatusOK},
		{"POST", "/-/reload", w.env["READ_TOKEN"], http.StatusForbidden},
		{"POST", "/-/reload", w.env["ADMIN_TOKEN"], http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, d.base+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if tt.token != "" {
			req.Header.Set("Authorization", "Bearer "+tt.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s %s with %q: status %d, want %d", tt.method, tt.path, tt.token, resp.StatusCode, tt.want)
		}
	}
	wantText(t, d.out.String(), "with 2 tokens")
	d.stop()
}

func TestPushedCountersAreJudged(t *testing.T) {
	t.Parallel()
	w, slack, hook := newWorld(t), newSlack(t), newHook(t)
	w.env["SLACK_URL"], w.env["HOOK_URL"], w.env["HOOK_SECRET"] = slack.URL, hook.URL, hookSecret
	w.write("tocsin.yaml", `
rules: [rules.yaml]
sources:
  - {name: app, type: push, interval: 200ms, stale_after: 10m}
receivers:
  - {name: ops, type: slack, webhook_url: "${SLACK_URL}"}
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
`+quickRoute)
	w.write("rules.yaml", "rules:"+hitRateRule)
	d := w.start()
	seq, hits, misses := 0, 0, 0
	push := func(rate int) {
		t.Helper()
		seq, hits, misses = seq+1, hits+rate, misses+100-rate
		body := fmt.Sprintf(`{"instance":"web-1","seq":%d,"strategies":{"USER_RUNS":{"hits":%d,"misses":%d}}}`, seq, hits, misses)
		if code, text := d.post("/api/v1/ingest", body); code != http.StatusOK || text != `{"accepted":2,"dropped":0}`+"\n" {
			t.Fatalf("%s: status %d: %s", body, code, text)
		}
	}
	await(t, "the warning", func() bool { push(78); return len(hook.told("cache-hit-rate")) > 0 })
	wantAlerts(t, d, `"type":"warning","category":"cache","message":"Cache hit rate below 85% for USER_RUNS strategy","metric":"hit_rate","value":78,"threshold":85`)

	code, text := d.post("/api/v1/ingest", fmt.Sprintf(`{"instance":"web-1","seq":%d,"strategies":{"USER_RUNS":{"hits":0,"misses":0}}}`, seq-1))
	if code != http.StatusOK || text != `{"accepted":0,"dropped":2}`+"\n" {
		t.Errorf("an old document: status %d: %s", code, text)
	}
	for _, body := range []string{`{`, `[]`, `{"seq":1}`, `{"instance":"web-1","strategies":{"USER_RUNS":{"hits":-1}}}`, `{"instance":"web-1","nonsense":1}`} {
		code, text := d.post("/api/v1/ingest", body)
		var refused struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(text), &refused); err != nil || code != http.StatusBadRequest || refused.Error.Code != "bad_request" || refused.Error.Message == "" {
			t.Errorf("%s: status %d, %v: %s", body, code, err, text)
		}
	}
	w.write("other.yaml", "rules:\n  - {id: misspelt, metric: cache.hit_rate, match: ['strategy = USER_RUN'], critical: value < 70}\n")
	check := exec.CommandContext(t.Context(), binary(t), "check", "--rules", filepath.Join(w.dir, "other.yaml"), "--daemon", d.base)
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), `of 2 that the daemon has seen; did you mean "USER_RUNS"?`) {
		t.Errorf("check --daemon: %v\n%s", err, out)
	}
	await(t, "the resolution", func() bool { push(95); return len(hook.told("cache-hit-rate")) > 1 })
	for _, in := range []*inbox{slack, hook} {
		in.awaitTold("cache-hit-rate", "warning firing", "warning resolved")
	}
	d.stop()
}
