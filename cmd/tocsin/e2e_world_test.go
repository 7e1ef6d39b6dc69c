//go:build unix

package main_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. Nothing asserts speed:
// a machine that is busy with other things only makes the tests slower.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(failpointChild) != "" {
		os.Exit(playFailpoint())
	}
	code := m.Run()
	if dir := builtIn.dir; dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// builtIn is where the binary was built, once for all tests, when one of them
// first needed it.
var builtIn struct { //nolint:gochecknoglobals // one build serves every test
	once sync.Once
	dir  string
	err  error
}

// binary builds cmd/tocsin as `make build` does: static, without cgo. Tests
// with the race detector build the daemon with it too.
func binary(t *testing.T) string {
	t.Helper()
	builtIn.once.Do(func() {
		if builtIn.dir, builtIn.err = os.MkdirTemp("", "tocsin-e2e-"); builtIn.err != nil { //nolint:usetesting // outlives the test
			return
		}
		// The flags are those of `make build` and of `go test -race`: the
		// packages are then compiled already.
		args, cgo := []string{"build", "-trimpath", "-o", filepath.Join(builtIn.dir, "tocsin")}, "CGO_ENABLED=0"
		if raceBuilt {
			args, cgo = []string{"build", "-race", "-o", filepath.Join(builtIn.dir, "tocsin")}, "CGO_ENABLED=1"
		}
		cmd := exec.Command("go", append(args, ".")...) //nolint:noctx // go test's own deadline bounds it
		cmd.Env = append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			builtIn.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if builtIn.err != nil {
		t.Fatal(builtIn.err)
	}
	return filepath.Join(builtIn.dir, "tocsin")
}

// world is a folder with a configuration, and the environment in which the
// daemon is started there.
type world struct {
	t   *testing.T
	dir string
	env map[string]string
	// wrap is a command that starts the daemon, empty for none, and attr how its
	// process is made.
	wrap []string
	attr *syscall.SysProcAttr
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, dir: t.TempDir(), env: map[string]string{}}
}

// write puts a file into the world's folder.
func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) command(args ...string) *exec.Cmd {
	words := append(append(slices.Clone(w.wrap), binary(w.t)), args...)
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // each daemon is ended by its test
	cmd.SysProcAttr = w.attr
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir()}
	for _, name := range slices.Sorted(maps.Keys(w.env)) {
		cmd.Env = append(cmd.Env, name+"="+w.env[name])
	}
	return cmd
}

// run runs tocsin to its end and returns its exit code and what it printed.
func (w *world) run(args ...string) (code int, out string) {
	w.t.Helper()
	d := w.launch(args...)
	return d.wait(), d.out.String()
}

// daemon is a running tocsin.
type daemon struct {
	t     *testing.T
	world *world
	cmd   *exec.Cmd
	out   *output
	ended chan struct{}
	base  string // http://host:port
}

// start runs `tocsin serve` on a free port and waits until it is ready.
func (w *world) start(args ...string) *daemon {
	w.t.Helper()
	d := w.serve(args...)
	await(w.t, "the daemon to be ready", func() bool { return d.status("GET", "/-/ready") == http.StatusOK })
	return d
}

// serve runs `tocsin serve` on a free port and waits until it listens.
func (w *world) serve(args ...string) *daemon {
	w.t.Helper()
	d := w.launch(append([]string{"serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0"}, args...)...)
	listening := regexp.MustCompile(`(?m)^ +listening +(http://[0-9.:]+)`)
	await(w.t, "the daemon to listen", func() bool {
		if m := listening.FindStringSubmatch(d.out.String()); m != nil {
			d.base = m[1]
			return true
		}
		if d.gone() {
			w.t.Fatalf("the daemon ended with code %d:\n%s", d.wait(), d.out.String())
		}
		return false
	})
	return d
}

func (w *world) launch(args ...string) *daemon {
	w.t.Helper()
	d := &daemon{t: w.t, world: w, cmd: w.command(args...), out: &output{}, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait() // the exit code tells
		close(d.ended)
	}()
	w.t.Cleanup(d.cleanup)
	return d
}

// wantNoSecret fails the test when a text shows what only the environment
// holds.
func (w *world) wantNoSecret(what, text string) {
	w.t.Helper()
	for name, value := range w.env {
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			password, _ := u.User.Password()
			value = cmp.Or(password, strings.TrimPrefix(u.Path, "/services/"))
		}
		if (strings.HasSuffix(name, "_URL") || strings.HasSuffix(name, "_SECRET") || strings.HasSuffix(name, "_TOKEN")) &&
			len(value) > 8 && strings.Contains(text, value) {
			w.t.Errorf("%s shows %s:\n%s", what, name, text)
		}
	}
}

func (d *daemon) cleanup() {
	d.kill()
	text := d.out.String()
	for _, sign := range []string{"WARNING: DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(text, sign) {
			d.t.Errorf("the daemon printed %q", sign)
		}
	}
	d.world.wantNoSecret("the daemon's output", text)
	if d.t.Failed() {
		d.t.Logf("the daemon said:\n%s", text)
	}
}

// kill ends the daemon by SIGKILL and waits until it is gone.
func (d *daemon) kill() {
	d.signal(syscall.SIGKILL)
	<-d.ended
}

// stop ends the daemon by SIGTERM and fails the test unless its exit code is 0.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != 0 {
		d.t.Errorf("exit code %d after SIGTERM", code)
	}
}

func (d *daemon) signal(s syscall.Signal) { _ = d.cmd.Process.Signal(s) } // it may be gone

// wait waits for the daemon's own end and returns its exit code.
func (d *daemon) wait() int {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Fatal("the daemon does not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

func (d *daemon) gone() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// do sends one request and returns the answer and its body.
func (d *daemon) do(method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	d.world.wantNoSecret(path, string(text))
	return resp.StatusCode, text, err
}

// status is the answer's status, 0 when there is none.
func (d *daemon) status(method, path string) int {
	code, _, err := d.do(method, path, "")
	if err != nil {
		return 0
	}
	return code
}

// get fetches a path that must answer 200; into may be nil.
func (d *daemon) get(path string, into any) string {
	d.t.Helper()
	code, text, err := d.do("GET", path, "")
	if err != nil || code != http.StatusOK {
		d.t.Fatalf("GET %s: status %d, %v\n%s", path, code, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			d.t.Fatalf("GET %s: %v\n%s", path, err, text)
		}
	}
	return string(text)
}

// post sends a body and returns the answer.
func (d *daemon) post(path, body string) (int, string) {
	d.t.Helper()
	code, text, err := d.do("POST", path, body)
	if err != nil {
		d.t.Fatalf("POST %s: %v", path, err)
	}
	return code, string(text)
}

// metric reads one of the daemon's own metrics, as in tocsin_rules.
func (d *daemon) metric(series string) string {
	d.t.Helper()
	for line := range strings.Lines(d.get("/metrics", nil)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// polls returns how often the source was polled.
func (d *daemon) polls(name string) int {
	d.t.Helper()
	var doc struct {
		Sources []struct {
			Name  string
			Polls int
		}
	}
	d.get("/api/v1/sources", &doc)
	for _, s := range doc.Sources {
		if s.Name == name {
			return s.Polls
		}
	}
	return 0
}

// awaitPolls waits until the source was polled n times more, the last of them
// after now.
func (d *daemon) awaitPolls(name string, n int) {
	d.t.Helper()
	from := d.polls(name)
	await(d.t, "polls of "+name, func() bool { return d.polls(name) >= from+n+1 })
}

// historyRow is a row of the alert history.
type historyRow struct {
	ID, Type, Rule, State, Severity, Worst, Reason, Message string
	StartsAt                                                *time.Time `json:"starts_at"`
	EndsAt                                                  *time.Time `json:"ends_at"`
}

// history reads every page of the alert history, newest first.
func (d *daemon) history(query string) []historyRow {
	d.t.Helper()
	var rows []historyRow
	for cursor := ""; ; {
		var page struct {
			Alerts     []historyRow
			NextCursor *string `json:"next_cursor"`
		}
		d.get("/api/performance/alerts/history?limit=50&"+query+cursor, &page)
		rows = append(rows, page.Alerts...)
		if page.NextCursor == nil {
			return rows
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

// firing returns the ids of the alerts of a rule that fire now; of all rules
// when it is empty.
func (d *daemon) firing(rule string) []string {
	d.t.Helper()
	var doc struct {
		Alerts []struct{ ID, Rule string }
	}
	d.get("/api/v1/alerts?state=firing", &doc)
	var ids []string
	for _, a := range doc.Alerts {
		if rule == "" || a.Rule == rule {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// await asks until the answer is yes, and fails the test when patience ends.
func await(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !yes(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// output collects what a process prints while tests read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// wantText fails the test unless text holds every piece.
func wantText(t *testing.T, text string, pieces ...string) {
	t.Helper()
	for _, piece := range pieces {
		if !strings.Contains(text, piece) {
			t.Errorf("missing %q in\n%s", piece, text)
		}
	}
}
