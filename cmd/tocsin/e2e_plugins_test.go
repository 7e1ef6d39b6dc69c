//go:build unix

package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pluginIn is where the plugin of the tests was built, once for all.
var pluginIn struct { //nolint:gochecknoglobals // one build serves every test
	once sync.Once
	err  error
}

// pluginBinary builds testdata/plugin beside the daemon.
func pluginBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(binary(t)), "plugin")
	pluginIn.once.Do(func() {
		cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./testdata/plugin") //nolint:noctx // go test's own deadline bounds it
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			pluginIn.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if pluginIn.err != nil {
		t.Fatal(pluginIn.err)
	}
	return path
}

// takePlugin reads what the plugin of the tests posts.
func takePlugin(in *inbox, w http.ResponseWriter, r *http.Request, body []byte) error {
	var m struct {
		ID     string
		Alerts []struct{ ID, Rule, State, Severity string }
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if m.ID == "" || len(m.Alerts) == 0 {
		return errors.New("no notification")
	}
	var told []news
	for _, a := range m.Alerts {
		told = append(told, news{Alert: a.ID, Rule: a.Rule, Status: a.State, Severity: a.Severity})
	}
	in.answer(w, r, m.ID, string(body), told)
	return nil
}

const pluginConfig = `
rules: [rules.yaml]
sources:
  - {name: web, type: prometheus, url: "${PAGE_URL}", interval: 100ms, timeout: 100ms}
plugins:
  - {name: sink, path: bin/sink, timeout: 2s}
receivers:
  - {name: ops, type: sink, url: "${SINK_URL}", token_file: sink.token, timeout: 1s}
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}", timeout: 500ms}
route: {receivers: [ops, hooks], group_by: ['...'], group_wait: 0s, group_interval: 100ms}
`

// newPluginWorld is a world that watches a page and tells a webhook, and a sink
// through a plugin. Its sockets are in a folder of their own, which must be empty
// at the end.
func newPluginWorld(t *testing.T) (w *world, p *page, sink, hook *inbox) {
	t.Helper()
	w, p, hook = newWorld(t), newPage(t), newHook(t)
	sink = newInbox(t, "the sink behind the plugin", takePlugin)
	short, err := os.MkdirTemp("/tmp", "tp") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	w.env["PAGE_URL"], w.env["SINK_URL"], w.env["HOOK_URL"], w.env["HOOK_SECRET"], w.env["TMPDIR"] = p.URL, sink.URL, hook.URL, hookSecret, short
	w.env["SINK_TOKEN"] = "sink-token-0123456789"
	w.installPlugin("bin/sink")
	w.write("sink.token", w.env["SINK_TOKEN"]+"\n")
	w.write("tocsin.yaml", pluginConfig)
	w.write("rules.yaml", queueRule)
	return w, p, sink, hook
}

// exchange puts another program into the place of one that may run.
func (w *world) exchange(name string, program []byte) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := errors.Join(os.WriteFile(path+".new", program, 0o700), os.Rename(path+".new", path)); err != nil { //nolint:gosec // a program
		w.t.Fatal(err)
	}
}

func (w *world) installPlugin(name string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Link(pluginBinary(w.t), path); err != nil {
		if err := os.Symlink(pluginBinary(w.t), path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// wantNoSockets fails the test when a daemon that has stopped left any.
func (w *world) wantNoSockets() {
	w.t.Helper()
	left, err := filepath.Glob(filepath.Join(w.env["TMPDIR"], "*"))
	if err != nil || len(left) > 0 {
		w.t.Errorf("left in the folder of sockets: %v %v", left, err)
	}
}

// listedPlugin is a plugin as the API tells of it.
type listedPlugin struct {
	Name, State, SHA256 string
	PID                 int
	Restarts, Calls     int
	Failures            int
	LastError           string `json:"last_error"`
}

func (d *daemon) plugins() []listedPlugin {
	d.t.Helper()
	var doc struct{ Plugins []listedPlugin }
	d.get("/api/v1/plugins", &doc)
	return doc.Plugins
}

// awaitPlugin waits for the first plugin to stand as wanted.
func (d *daemon) awaitPlugin(what string, is func(p listedPlugin) bool) listedPlugin {
	d.t.Helper()
	var got listedPlugin
	await(d.t, "the plugin to be "+what, func() bool {
		for _, got = range d.plugins() {
			return is(got)
		}
		return false
	})
	return got
}

func isRunning(p listedPlugin) bool { return p.State == "running" }

// wantProcessGone waits for a process to be gone.
func wantProcessGone(t *testing.T, pid int) {
	t.Helper()
	await(t, fmt.Sprintf("process %d to be gone", pid), func() bool {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.Contains(string(stat), ") Z ") // init has not looked yet
	})
}

func TestKillsOfPluginAndDaemonInTheMiddleLoseNothing(t *testing.T) {
	t.Parallel()
	const rounds, queues = 8, 5
	w, p, sink, hook := newPluginWorld(t)
	sink.set(unreliable)
	var pids []int
	for round := range rounds {
		d := w.serve()
		pid := d.awaitPlugin("running", isRunning).PID
		pids = append(pids, pid)
		p.upsAndDowns(queues, rand.N(500*time.Millisecond))
		if round%2 == 0 { // the plugin dies first, and the daemon while the next one works
			_ = syscall.Kill(pid, syscall.SIGKILL)
			next := d.awaitPlugin("started again", func(p listedPlugin) bool { return p.State == "running" && p.PID != pid })
			pids = append(pids, next.PID)
			p.upsAndDowns(queues, rand.N(500*time.Millisecond))
		}
		d.kill()
	}
	for _, pid := range pids {
		wantProcessGone(t, pid)
	}
	d := w.start()
	p.calm(d, queues, sink, hook)
	fired := d.history("state=firing,resolved")
	if len(fired) < queues {
		t.Fatalf("%d alerts fired: too few to show anything", len(fired))
	}
	t.Logf("%d alerts fired; %d came through the plugin, %d to the webhook", len(fired), len(sink.news()), len(hook.news()))
	for _, in := range []*inbox{sink, hook} {
		wantEachOnce(t, d, in, fired)
	}
	last := d.awaitPlugin("running", isRunning)
	d.stop()
	wantProcessGone(t, last.PID)
	w.wantNoSockets()
}

func TestAPluginThatCannotBeRunIsAnAlertAndItsNotificationsWait(t *testing.T) {
	t.Parallel()
	w, p, sink, hook := newPluginWorld(t)
	if err := os.Remove(filepath.Join(w.dir, "bin/sink")); err != nil {
		t.Fatal(err)
	}
	code, out := w.run("check", "--config", "tocsin.yaml")
	if code != 1 {
		t.Error(code)
	}
	wantText(t, out, `tocsin.yaml:6:24: plugins[0].path: plugin "sink" does not run: there is no file `+w.dir+`/bin/sink`)
	d := w.serve()
	p.set("q0", 500)
	hook.awaitHeard("queue-depth", "critical firing")
	hook.awaitHeard("plugin-failing", "warning firing")
	failing := d.awaitPlugin("failing", func(p listedPlugin) bool { return p.State == "failing" && p.Failures > 0 })
	wantText(t, failing.LastError, "there is no file")
	wantText(t, d.metric(`tocsin_plugin_up{plugin="sink"}`), "0")
	code, out = w.run("plugins", "--url", d.base)
	if code != 0 {
		t.Error(code)
	}
	wantText(t, out, "failing  sink", "there is no file")
	w.installPlugin("bin/sink")
	d.signal(syscall.SIGHUP)
	sink.awaitHeard("queue-depth", "critical firing")
	hook.awaitHeard("plugin-failing", "warning resolved")
	if got := d.awaitPlugin("running", isRunning); len(got.SHA256) != 64 || got.Calls == 0 {
		t.Errorf("%+v", got)
	}
	d.stop()
	w.wantNoSockets()
}

// TestTheReferenceComesBack: what a plugin called its message is what it is given
// with the group's next one, and its settings arrive whole.
func TestTheReferenceComesBack(t *testing.T) {
	t.Parallel()
	w, p, sink, _ := newPluginWorld(t)
	d := w.serve()
	p.set("q0", 500)
	sink.awaitTold("queue-depth", "critical firing")
	p.set("q0", 0)
	sink.awaitTold("queue-depth", "critical firing", "critical resolved")
	var before []string
	sink.mu.Lock()
	for _, body := range sink.bodies {
		var m struct{ Before, Token string }
		if err := json.Unmarshal([]byte(body), &m); err != nil || m.Token != w.env["SINK_TOKEN"] {
			t.Error(m, err)
		}
		before = append(before, m.Before)
	}
	sink.mu.Unlock()
	// The plugin calls each message by the group's counter.
	if slices.Sort(before); len(before) != 2 || before[0] != "" || !strings.HasPrefix(before[1], "seq-") {
		t.Errorf("%q", before)
	}
	d.stop()
}

func TestAReloadRestartsThePluginsThatChanged(t *testing.T) {
	t.Parallel()
	w, p, sink, _ := newPluginWorld(t)
	d := w.serve()
	first := d.awaitPlugin("running", isRunning)
	if code, body := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatal(code, body)
	}
	if now := d.awaitPlugin("running", isRunning); now.PID != first.PID {
		t.Error("a plugin whose entry did not change was restarted")
	}
	program, err := os.ReadFile(pluginBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	w.exchange("bin/sink", append(program, '#'))
	if code, body := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatal(code, body)
	}
	d.awaitPlugin("the new program", func(p listedPlugin) bool { return p.State == "running" && p.SHA256 != first.SHA256 })
	wantProcessGone(t, first.PID)
	first = d.awaitPlugin("running", isRunning)
	w.exchange("bin/sink", []byte("#!/bin/sh\nexit 1\n"))
	if code, body := d.post("/-/reload", ""); code == http.StatusOK || !strings.Contains(body, "no handshake came") {
		t.Error("a reload took a program that does not run for one that does", code, body)
	}
	if now := d.awaitPlugin("running", isRunning); now.PID != first.PID {
		t.Error("the program that ran was stopped for one that does not")
	}
	if err := os.Remove(filepath.Join(w.dir, "bin/sink")); err != nil {
		t.Fatal(err)
	}
	w.installPlugin("bin/sink")
	w.replace("tocsin.yaml", strings.Replace(pluginConfig, `token_file: sink.token`, "to: ['#a', nobody-knows-me]", 1))
	code, body := d.post("/-/reload", "")
	if code != http.StatusUnprocessableEntity && code != http.StatusBadRequest {
		t.Error(code)
	}
	wantText(t, body, "receivers[0].to[1]", "a channel begins with #")
	w.replace("tocsin.yaml", strings.Replace(pluginConfig, "timeout: 2s", "timeout: 3s, mtls: false", 1))
	if code, body := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatal(code, body)
	}
	second := d.awaitPlugin("another process", func(p listedPlugin) bool { return p.State == "running" && p.PID != first.PID })
	wantProcessGone(t, first.PID)
	p.set("q0", 500)
	sink.awaitTold("queue-depth", "critical firing")
	w.replace("tocsin.yaml", strings.NewReplacer("plugins:\n  - {name: sink, path: bin/sink, timeout: 2s}\n", "",
		"  - {name: ops, type: sink, url: \"${SINK_URL}\", token_file: sink.token, timeout: 1s}\n", "", "[ops, hooks]", "[hooks]").Replace(pluginConfig))
	if code, body := d.post("/-/reload", ""); code != http.StatusOK {
		t.Fatal(code, body)
	}
	wantProcessGone(t, second.PID)
	if left := d.plugins(); len(left) != 0 {
		t.Error(left)
	}
	d.stop()
	w.wantNoSockets()
}

func TestCheckAsksThePluginsAndShowsNoSetting(t *testing.T) {
	t.Parallel()
	w, _, _, _ := newPluginWorld(t)
	if code, out := w.run("check", "--config", "tocsin.yaml"); code != 0 {
		t.Error(code, out)
	}
	w.write("tocsin.yaml", strings.Replace(pluginConfig, `url: "${SINK_URL}", token_file: sink.token`, `urll: hunter2, tries: many, to: ['#a', hunter2]`, 1))
	code, out := w.run("check", "--config", "tocsin.yaml")
	if code != 1 || strings.Contains(out, "hunter2") {
		t.Error(code, out)
	}
	wantText(t, out,
		`tocsin.yaml:8:5: receivers[0].url: missing`,
		`tocsin.yaml:8:29: receivers[0].urll: unknown field; did you mean "url"?`,
		`tocsin.yaml:8:51: receivers[0].tries: want a whole number, not a text`,
		`{name: ops, type: sink, urll: ***, tries: ***, to: ['***', ***], timeout: 1s}`)
	code, out = w.run("check", "--config", "tocsin.yaml", "--no-plugins")
	if code != 0 {
		t.Error(code, out)
	}
	wantText(t, out, "tocsin.yaml:5:1: warning: plugins: not started, so the settings of their sources and receivers are not judged")
	w.write("tocsin.yaml", strings.Replace(pluginConfig, "sink.token", "no.token", 1))
	_, out = w.run("check", "--config", "tocsin.yaml")
	wantText(t, out, "tocsin.yaml:8:61: receivers[0].token_file: cannot read the file: no such file or directory")
	w.write("tocsin.yaml", strings.Replace(pluginConfig, "name: web, type: prometheus", "name: web, type: sink", 1))
	_, out = w.run("check", "--config", "tocsin.yaml")
	wantText(t, out, `sources[0].type: plugin "sink" is no source: it serves receivers`)
	w.wantNoSockets()
	w.write("tocsin.yaml", pluginConfig)
	w.env["TMPDIR"] = "/no/such/folder" // what cannot be asked is not right
	code, out = w.run("check", "--config", "tocsin.yaml")
	if code != 1 {
		t.Error(code, out)
	}
	wantText(t, out, "tocsin.yaml:5:1: plugins: a folder for the sockets of plugins: stat /no/such/folder: no such file or directory")
}

func TestASourcePluginIsJudgedLikeAnyOther(t *testing.T) {
	t.Parallel()
	w, _, _, hook := newPluginWorld(t)
	var depth atomic.Int64
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, fmt.Sprint(depth.Load()))
	}))
	t.Cleanup(page.Close)
	w.env["NUMBER_URL"] = page.URL
	w.write("tocsin.yaml", `
rules: [rules.yaml]
plugins: [{name: number, path: bin/sink, args: [source]}]
sources: [{name: jobs, type: number, url: "${NUMBER_URL}", interval: 100ms}]
receivers: [{name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}]
route: {receivers: [hooks], group_wait: 0s, group_interval: 100ms}
`)
	w.write("rules.yaml", "rules:\n  - {id: age, metric: queue.age, critical: value > 5MB}\n  - {id: dept, metric: queue.dept, critical: value > 1}\n")
	code, out := w.run("check", "--config", "tocsin.yaml")
	if code != 1 {
		t.Error(code)
	}
	wantText(t, out, "rules.yaml:2:50: rules[0].critical: queue.age is in s", `unknown metric "queue.dept"; did you mean "queue.depth"?`)
	w.write("rules.yaml", "rules:\n  - {id: depth, metric: queue.depth, critical: value > 100}\n")
	d := w.serve()
	depth.Store(500)
	hook.awaitTold("depth", "critical firing")
	pid := d.awaitPlugin("running", isRunning).PID
	_ = syscall.Kill(pid, syscall.SIGKILL)
	depth.Store(0)
	hook.awaitTold("depth", "critical firing", "critical resolved")
	d.stop()
	w.wantNoSockets()
}

// TestASourcePluginThatCannotBeRunKeepsNoDaemonFromStarting: nobody knows the units
// of its metrics then, so what compares with one waits until it runs.
func TestASourcePluginThatCannotBeRunKeepsNoDaemonFromStarting(t *testing.T) {
	t.Parallel()
	w, _, _, hook := newPluginWorld(t)
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "500") }))
	t.Cleanup(page.Close)
	w.env["NUMBER_URL"] = page.URL
	w.write("tocsin.yaml", `
rules: [rules.yaml]
plugins: [{name: number, path: bin/late, args: [source]}]
sources: [{name: jobs, type: number, url: "${NUMBER_URL}", interval: 100ms}]
receivers: [{name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}]
route: {receivers: [hooks], group_wait: 0s, group_interval: 100ms}
`)
	w.write("rules.yaml", "rules:\n  - {id: age, metric: queue.age, critical: value > 1ms}\n")
	if code, out := w.run("check", "--no-plugins", "--config", "tocsin.yaml"); code != 0 {
		t.Error(out)
	}
	d := w.serve()
	w.installPlugin("bin/late")
	d.awaitPlugin("running", isRunning)
	hook.awaitTold("age", "critical firing")
	d.stop()
}
