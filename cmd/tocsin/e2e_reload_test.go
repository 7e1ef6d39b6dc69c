//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quickReload is the configuration of a daemon that is told of by its files
// alone.
const quickReload = "reload: {interval: 300ms, alert_after: 300ms}\n"

// readiness is the body of /-/ready.
type readiness struct {
	Status string
	Reload struct {
		OK           bool
		At           string
		MistakeCount int `json:"mistake_count"`
		Mistakes     []struct {
			File, Message, Hint, Severity string
			Line, Column                  int
		}
	}
}

func (d *daemon) readiness() (r readiness) {
	d.t.Helper()
	d.get("/-/ready", &r)
	return r
}

// replace writes as an editor does: beside the file, then over it.
func (w *world) replace(name, text string) {
	w.t.Helper()
	w.write(name+"~", text)
	if err := os.Rename(filepath.Join(w.dir, name+"~"), filepath.Join(w.dir, name)); err != nil {
		w.t.Fatal(err)
	}
}

// awaitHeard waits until the hook was told that of a rule.
func (in *inbox) awaitHeard(rule, what string) {
	in.t.Helper()
	await(in.t, rule+" "+what, func() bool {
		return slices.ContainsFunc(in.news(), func(n news) bool { return n.Taken && n.Rule == rule && n.what() == what })
	})
}

func TestAnEditTakesEffectByItself(t *testing.T) {
	t.Parallel()
	w, p, _, hook := newPageWorld(t, quickRoute+quickReload)
	p.set("mail", 70)
	d := w.start()
	d.awaitPolls("web", 2)

	edit := strings.ReplaceAll(queueRule, "value > 100", "value >> 60") + "    fro: 5m\n"
	w.replace("rules.yaml", edit)
	hook.awaitHeard("config-refused", "warning firing")
	got := d.readiness()
	if got.Status != "ready" || got.Reload.OK || got.Reload.MistakeCount != 2 || len(got.Reload.Mistakes) != 2 {
		t.Fatalf("%+v", got)
	}
	if m := got.Reload.Mistakes[1]; m.File != "rules.yaml" || m.Line != 8 || m.Column != 5 || m.Hint != `did you mean "for"?` || m.Severity != "error" {
		t.Errorf("%+v", m)
	}
	wantAlerts(t, d, `"type":"warning","category":"monitoring","message":"An edit of the configuration or the rules is refused; the old ones go on: rules.yaml:5:`, "(and 1 more)")
	refused := d.metric("tocsin_config_last_reload_timestamp_seconds")
	accepted := d.metric("tocsin_config_last_reload_success_timestamp_seconds")
	if d.metric("tocsin_config_last_reload_successful") != "0" || refused <= accepted {
		t.Errorf("refused at %s, accepted at %s", refused, accepted)
	}
	p.set("post", 500) // the old rules go on
	hook.awaitTold("queue-depth", "critical firing")

	w.replace("rules.yaml", strings.ReplaceAll(queueRule, "value > 100", "value > 60"))
	hook.awaitTold("queue-depth", "critical firing", "critical firing")
	hook.awaitTold("config-refused", "warning firing", "warning resolved")
	if got := d.readiness(); !got.Reload.OK || got.Reload.MistakeCount != 0 {
		t.Errorf("%+v", got)
	}
	d.stop()
}

// The configuration itself, a folder of rules, and a secret in its own file.
func TestEveryFileThatIsReadIsWatched(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPageWorld(t, quickRoute)
	config := strings.Replace(watchPage, "rules: [rules.yaml]", "rules: ['rules/*.yaml']", 1)
	config = strings.Replace(config, `server: {external_url: "http://tocsin.test"}`, `server: {external_url: "http://tocsin.test", tokens: [{name: ops, token_file: token, scope: admin}]}`, 1)
	if err := os.Mkdir(filepath.Join(w.dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("token", "first-0123456789abcdef\n")
	w.write("rules/a.yaml", queueRule)
	w.write("tocsin.yaml", config+quickRoute+quickReload)
	d := w.serve()
	ask := func(method, path, body string, headers ...string) (int, string, http.Header) {
		t.Helper()
		return d.ask(method, path, body, headers...)
	}
	token := "first-0123456789abcdef"
	rules := func() string {
		_, text, _ := ask("GET", "/api/v1/rules", "", "Authorization", "Bearer "+token)
		return text
	}
	await(t, "the start", func() bool { return strings.Contains(rules(), `"id":"queue-depth"`) })
	w.write("token", "second-0123456789abcdef\n")
	token = "second-0123456789abcdef"
	await(t, "the new token", func() bool { return strings.Contains(rules(), `"id":"queue-depth"`) })
	w.write("rules/b.yaml", strings.ReplaceAll(queueRule, "queue-depth", "another"))
	await(t, "the new file", func() bool { return strings.Contains(rules(), `"id":"another"`) })
	if err := os.Remove(filepath.Join(w.dir, "rules/b.yaml")); err != nil {
		t.Fatal(err)
	}
	await(t, "the file to be gone", func() bool { return !strings.Contains(rules(), `"id":"another"`) })
	w.replace("tocsin.yaml", strings.ReplaceAll(config, "name: web", "name: page")+quickRoute+quickReload)
	await(t, "the new source", func() bool {
		_, text, _ := ask("GET", "/api/v1/sources", "", "Authorization", "Bearer "+token)
		return strings.Contains(text, `"name":"page"`)
	})
	d.stop()
}

func TestWatchingCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPageWorld(t, quickRoute+"reload: {watch: false, interval: 100ms}\n")
	d := w.start()
	w.write("rules.yaml", "rules: []\n")
	d.awaitPolls("web", 10)
	if text := d.get("/api/v1/rules", nil); !strings.Contains(text, `"id":"queue-depth"`) {
		t.Error("it was reloaded")
	}
	if code, text := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, text)
	}
	if text := d.get("/api/v1/rules", nil); strings.Contains(text, `"id":"queue-depth"`) {
		t.Error("it was not reloaded")
	}
	d.stop()
}

// ask sends a request with headers, name and value.
func (d *daemon) ask(method, path, body string, headers ...string) (int, string, http.Header) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	d.world.wantNoSecret(path, string(text))
	return resp.StatusCode, string(text), resp.Header
}

func TestRuleFilesAreEditedOverHTTP(t *testing.T) {
	t.Parallel()
	w, p, _, hook := newPageWorld(t, quickRoute)
	if err := os.Mkdir(filepath.Join(w.dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("rules/real.yaml", queueRule)
	if err := os.Symlink("rules/real.yaml", filepath.Join(w.dir, "linked.yaml")); err != nil {
		t.Fatal(err)
	}
	w.write("tocsin.yaml", strings.Replace(watchPage, "[rules.yaml]", "[linked.yaml, 'more/*.yaml']", 1)+quickRoute)
	if err := os.Mkdir(filepath.Join(w.dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("more/one.yaml", "rules: []\n")
	p.set("mail", 70)
	d := w.start()
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	want := func(code int, text string, status int, parts ...string) {
		t.Helper()
		if code != status {
			t.Errorf("status %d, want %d: %s", code, status, text)
		}
		wantText(t, text, parts...)
	}

	code, text, header := d.ask("GET", "/api/v1/rules/linked.yaml", "")
	want(code, text, http.StatusOK, queueRule)
	etag := header.Get("ETag")
	code, text, _ = d.ask("PUT", "/api/v1/rules/linked.yaml", strings.ReplaceAll(queueRule, "100", "60"))
	want(code, text, http.StatusPreconditionRequired, "precondition_required")

	wrong := strings.ReplaceAll(queueRule, "value > 100", "value >> 60") + "    fro: 5m\n"
	code, text, _ = d.ask("PUT", "/api/v1/rules/linked.yaml", wrong, "If-Match", etag)
	want(code, text, http.StatusUnprocessableEntity, "rules_refused", `"line":8,"column":5,`, `did you mean \"for\"?`)
	if read("linked.yaml") != queueRule {
		t.Error("a refused text was written")
	}
	if got := d.readiness(); !got.Reload.OK {
		t.Error("a refused text counts as a refused edit of the files")
	}

	code, text, header = d.ask("PUT", "/api/v1/rules/linked.yaml", strings.ReplaceAll(queueRule, "100", "60"), "If-Match", etag)
	want(code, text, http.StatusOK, `"file":"linked.yaml","rules":1,`)
	hook.awaitTold("queue-depth", "critical firing")
	if got := read("rules/real.yaml"); got != strings.ReplaceAll(queueRule, "100", "60") {
		t.Errorf("the link's target holds\n%s", got)
	}
	if _, err := os.Readlink(filepath.Join(w.dir, "linked.yaml")); err != nil {
		t.Error("the link was replaced")
	}
	code, text, stale := d.ask("PUT", "/api/v1/rules/linked.yaml", "rules: []\n", "If-Match", etag)
	want(code, text, http.StatusPreconditionFailed)
	if stale.Get("ETag") != header.Get("ETag") {
		t.Errorf("the present tag is %s, told was %s", header.Get("ETag"), stale.Get("ETag"))
	}

	fresh := strings.ReplaceAll(queueRule, "queue-depth", "fresh")
	code, text, _ = d.ask("PUT", "/api/v1/rules/two.yaml", queueRule, "If-None-Match", "*")
	want(code, text, http.StatusUnprocessableEntity, `is taken by the rule at`)
	code, text, _ = d.ask("PUT", "/api/v1/rules/two.yaml", fresh, "If-None-Match", "*")
	want(code, text, http.StatusCreated, `"file":"more/two.yaml"`)
	hook.awaitTold("fresh") // above 100 only
	wantText(t, d.get("/api/v1/rules", nil), `"id":"fresh"`)
	wantText(t, d.get("/api/v1/rulefiles", nil), `"file":"more/one.yaml"`, `"file":"more/two.yaml","rules":1`)

	for _, path := range []string{"../tocsin.yaml", "more/../tocsin.yaml", "%2e%2e/tocsin.yaml"} {
		code, text, _ := d.ask("PUT", "/api/v1/rules/"+path, "rules: []\n", "If-None-Match", "*")
		if code < 300 || code >= 500 {
			t.Errorf("%s: status %d: %s", path, code, text)
		}
	}
	for _, path := range []string{"rules/real.yaml", "etc/passwd", "more/x.txt", "more/.x.yaml", "more/deep/x.yaml", "conf/tocsin.yaml", "tocsin.yml"} {
		code, text, _ := d.ask("PUT", "/api/v1/rules/"+path, "rules: []\n", "If-None-Match", "*")
		want(code, text, http.StatusNotFound)
	}

	wantText(t, d.out.String(), `msg="rule file written over HTTP" file=linked.yaml token=""`)

	// It runs after a restart as it ran before, and nothing lies about.
	d.kill()
	d = w.start()
	wantText(t, d.get("/api/v1/rules", nil), `"id":"fresh"`, "value > 60")
	for _, dir := range []string{"more", "rules"} {
		found, _ := filepath.Glob(filepath.Join(w.dir, dir, ".*"))
		if len(found) > 0 {
			t.Errorf("left behind: %v", found)
		}
	}
	d.stop()
}

func TestACheckWritesNothingAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPageWorld(t, quickRoute)
	w.env["QUEUE_METRIC"] = "queue_depth"
	w.write("rules.yaml", strings.ReplaceAll(queueRule, "metric: queue_depth", "metric: ${QUEUE_METRIC}"))
	d := w.start()
	type found struct {
		OK                 bool
		Rules              int
		Mistakes, Warnings []struct {
			File, Message string
			Line          int
		}
	}
	check := func(query, body string) (f found, text string) {
		t.Helper()
		code, text, _ := d.ask("POST", "/api/v1/rules/check"+query, body)
		if code != http.StatusOK {
			t.Fatalf("status %d: %s", code, text)
		}
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		return f, text
	}
	if f, text := check("", strings.ReplaceAll(queueRule, "queue_depth", "${QUEUE_METRIC}")); !f.OK || f.Rules != 1 {
		t.Errorf("alone: %s", text)
	}
	if f, text := check("?file=rules.yaml", queueRule); !f.OK || f.Rules != 1 {
		t.Errorf("in its place: %s", text)
	}
	if f, text := check("", queueRule+"    fro: 5m\n"); f.OK || len(f.Mistakes) != 1 || f.Mistakes[0].File != "body" || f.Mistakes[0].Line != 8 {
		t.Errorf("with a mistake: %s", text)
	}
	// ask fails the test when the secret is in the answer.
	for _, query := range []string{"", "?file=rules.yaml"} {
		for _, field := range []string{"queue-depth", "queue_depth", "value > 100", "queues"} {
			if f, text := check(query, strings.Replace(queueRule, field, "${HOOK_SECRET}", 1)); f.OK {
				t.Errorf("a secret was taken for %s: %s", field, text)
			}
		}
	}
	if data, err := os.ReadFile(filepath.Join(w.dir, "rules.yaml")); err != nil || strings.Contains(string(data), "fro") {
		t.Error("a check wrote")
	}
	d.stop()
}

// Wherever a write is when the process dies, the file is whole and the next
// start takes it.
func TestSigkillInTheMiddleOfAWriteLeavesAWholeFile(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPageWorld(t, quickRoute)
	w.write("tocsin.yaml", strings.Replace(watchPage, "[rules.yaml]", "['rules/*']", 1)+quickRoute) // would take any file
	if err := os.Mkdir(filepath.Join(w.dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := func(n int) string { // of different lengths
		return strings.ReplaceAll(queueRule, "value > 100", fmt.Sprintf("value > %d", 100+n)) + strings.Repeat("# padding\n", n%2*5000)
	}
	whole := map[string]bool{text(0): true}
	w.write("rules/a.yaml", text(0))
	for round := range 6 {
		d := w.start()
		underWay := make(chan struct{})
		go func() {
			for n := range 1 << 20 {
				req, err := http.NewRequest(http.MethodPut, d.base+"/api/v1/rules/a.yaml", strings.NewReader(text(n%8))) //nolint:noctx // ends with the daemon
				if err != nil {
					break
				}
				req.Header.Set("If-Match", "*")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					break
				}
				_ = resp.Body.Close()
				if n == round {
					close(underWay)
				}
			}
		}()
		<-underWay
		time.Sleep(rand.N(20 * time.Millisecond))
		d.kill()
		for n := range 8 {
			whole[text(n)] = true
		}
		data, err := os.ReadFile(filepath.Join(w.dir, "rules/a.yaml"))
		if err != nil || !whole[string(data)] {
			t.Fatalf("%d bytes that nobody wrote, %v", len(data), err)
		}
		if code, out := w.run("check", "--config", "tocsin.yaml"); code != 0 {
			t.Fatalf("the next start would be refused:\n%s", out)
		}
	}
}
