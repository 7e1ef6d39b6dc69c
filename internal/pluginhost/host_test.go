//go:build unix

package pluginhost_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// patience is for what must come: only a failure waits it out.
const patience = 30 * time.Second

// kept is a log that can be read while it is written.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

// bench is a host with one plugin of a manner.
type bench struct {
	*pluginhost.Host
	t    *testing.T
	log  *kept
	dir  string
	spec pluginhost.Spec
}

func hurry() pluginhost.Pace {
	p := pluginhost.DefaultPace()
	p.Start, p.Grace, p.Backoff, p.MaxBackoff = 3*time.Second, 300*time.Millisecond, 10*time.Millisecond, 100*time.Millisecond
	return p
}

func specOf(t *testing.T, manner string, args ...string) pluginhost.Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return pluginhost.Spec{Name: "pager", Path: self, Args: append([]string{pluginWord, manner}, args...), MTLS: true, Timeout: 500 * time.Millisecond}
}

func start(t *testing.T, spec pluginhost.Spec) *bench {
	t.Helper()
	return startWith(t, spec, hurry())
}

func startWith(t *testing.T, spec pluginhost.Spec, pace pluginhost.Pace) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	log := &kept{}
	b := &bench{t: t, log: log, dir: dir, spec: spec}
	b.Host = pluginhost.New(pluginhost.Options{Log: slog.New(slog.NewTextHandler(log, nil)), Pace: pace, TempDir: dir})
	t.Cleanup(func() {
		b.Close()
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		if t.Failed() {
			text := log.String()
			t.Log(text[max(0, len(text)-3000):])
		}
	})
	if err := b.Apply([]pluginhost.Spec{spec}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) use() pluginhost.Use {
	return pluginhost.Use{Plugin: "pager", Kind: pluginpb.Kind_KIND_NOTIFIER, Name: "ops", Settings: []byte(`{"to":"somebody"}`)}
}

func (b *bench) notify(n *pluginpb.Notification) (*pluginpb.NotifyResponse, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	return b.Notify(ctx, b.use(), n)
}

func sample() *pluginpb.Notification {
	n := notifiers.Sample(alert.Firing, 1)
	return pluginpb.NewNotification(&n)
}

// await waits for the plugin to stand as wanted.
func (b *bench) await(what string, is func(s pluginhost.Status) bool) pluginhost.Status {
	b.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if s := b.Status()[0]; is(s) {
			return s
		}
	}
	b.t.Fatalf("%s did not come: %+v", what, b.Status()[0])
	return pluginhost.Status{}
}

func (b *bench) awaitState(state pluginhost.State) pluginhost.Status {
	b.t.Helper()
	return b.await(string(state), func(s pluginhost.Status) bool { return s.State == state })
}

func TestAPluginIsStartedDescribedAndAsked(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	s := b.awaitState(pluginhost.Running)
	if s.Described.Name != "hostile" || s.Described.Version != "1.2.3" || s.PID == 0 || len(s.SHA256) != 64 || !s.MTLS || s.Described.Protocol != 1 {
		t.Errorf("%+v", s)
	}
	n, use := sample(), b.use()
	n.Reference, use.Attempt = "7", 4
	answer, err := b.Notify(t.Context(), use, n)
	if err != nil || answer.GetNote() != "attempt 4" || answer.GetOutcome() != pluginpb.Outcome_OUTCOME_OK || answer.GetReference() != "ref-7" {
		t.Fatal(answer, err)
	}
	if !strings.Contains(answer.GetAnswer(), `config={"to":"somebody"}`) {
		t.Error(answer.GetAnswer())
	}
	if s := b.Status()[0]; s.Calls != 1 || s.Failures != 0 || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutMTLSWhereThePluginHasNone(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	spec.MTLS = false
	b := start(t, spec)
	if _, err := b.notify(sample()); err != nil {
		t.Fatal(err)
	}
}

// TestWhatCannotBeRunSaysWhy is the list of what a program can do wrong before it
// is a plugin, and the words that tell of it.
func TestWhatCannotBeRunSaysWhy(t *testing.T) {
	t.Parallel()
	tests := []struct{ manner, want string }{
		{"exits", "exit status 3; its last words: cannot find my config"},
		{"silent", "it was silent for 3s: no handshake came; is it a plugin?"},
		{"chatters", `it wrote "Hello, I am starting up!" to its standard output where the handshake belongs`},
		{"endless", "it wrote more than 16 kB to its standard output where the handshake belongs"},
		{"old-core", "it speaks version 9 of go-plugin's handshake, not 1"},
		{"other-version", `it speaks version "7" of the plugin protocol; this Tocsin speaks 1`},
		{"net-rpc", `it serves "netrpc", not grpc`},
		{"elsewhere", `it listens on "192.0.2.1:80", which is not this machine's`},
		{"foreign-socket", `its socket "/run/docker.sock" is not in the folder that $PLUGIN_UNIX_SOCKET_DIR names`},
		{"no-grpc", "it does not speak gRPC where its handshake says"},
		{"other-plugin", "it does not serve tocsin.plugin.v1.Plugin: it is a plugin of another program"},
		{"describe-hangs", "it was silent for 3s: it does not answer Describe"},
		{"nameless", "it does not say its name"},
		{"kindless", "it says that it is neither a notifier nor a source"},
	}
	for _, tc := range tests {
		t.Run(tc.manner, func(t *testing.T) {
			t.Parallel()
			spec := specOf(t, tc.manner)
			// These do not get as far as a certificate.
			spec.MTLS = tc.manner != "elsewhere" && tc.manner != "foreign-socket" && tc.manner != "no-grpc"
			b := start(t, spec)
			s := b.awaitState(pluginhost.Failing)
			if !strings.Contains(s.LastError, tc.want) {
				t.Errorf("got  %s\nwant %s", s.LastError, tc.want)
			}
			_, err := b.notify(sample())
			if err == nil || !strings.HasPrefix(err.Error(), `plugin "pager" does not run: `) {
				t.Error(err)
			}
		})
	}
}

func TestNoCertificateIsRefusedUnlessItIsSwitchedOff(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "no-grpc"))
	if s := b.awaitState(pluginhost.Failing); !strings.Contains(s.LastError, "write mtls: false") {
		t.Error(s.LastError)
	}
}

func TestAFileThatIsNoProgramSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return hex.EncodeToString(s[:])
	}
	tests := []struct{ name, path, sum, want string }{
		{"missing", filepath.Join(dir, "nothing"), "", "there is no file " + dir},
		{"a folder", dir, "", "is not a file"},
		{"not executable", write("plain", "x", 0o644), "", "is not executable: its mode is 0644; run chmod +x"},
		{"no program", write("text", "just text", 0o755), "", "it is no program for this machine, nor a script whose first line is #! and an interpreter"},
		{"no interpreter", write("script", "#!/no/such/python\n", 0o755), "", "the interpreter that its first line names is not there"},
		{"another program", write("other", "#!/bin/sh\n", 0o755), sum("what was allowed"), "its SHA-256 is " + sum("#!/bin/sh\n") + ", not " + sum("what was allowed")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, pluginhost.Spec{Name: "pager", Path: tc.path, SHA256: tc.sum, MTLS: true, Timeout: time.Second})
			if s := b.awaitState(pluginhost.Failing); !strings.Contains(s.LastError, tc.want) || s.PID != 0 {
				t.Errorf("got  %s\nwant %s", s.LastError, tc.want)
			}
		})
	}
}

func TestTheRightHashIsLetIn(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	program, err := os.ReadFile(spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	spec.SHA256 = strings.ToUpper(hex.EncodeToString(sum[:]))
	b := start(t, spec)
	if s := b.awaitState(pluginhost.Running); !s.Pinned || !strings.EqualFold(s.SHA256, spec.SHA256) {
		t.Errorf("%+v", s)
	}
}

func TestNothingIsInheritedThatIsNotNamed(t *testing.T) {
	t.Setenv("TOCSIN_TEST_SECRET", "not for plugins")
	spec := specOf(t, "environment")
	spec.Env = map[string]secret.String{"PAGER_TOKEN": secret.New("tok-123456")}
	b := start(t, spec)
	answer, err := b.notify(sample())
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(answer.GetAnswer(), "\x00") {
		if name, _, _ := strings.Cut(entry, "="); name != "PAGER_TOKEN" && name != pluginpb.CookieKey && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("the plugin sees %s", name)
		}
	}
	if !strings.Contains(answer.GetAnswer(), "PAGER_TOKEN=tok-123456") {
		t.Error("the plugin does not see its own")
	}
}

func TestADeathInTheMiddleOfACallMayPassAndTheNextProcessAnswers(t *testing.T) {
	t.Parallel()
	for manner, want := range map[string]string{"dies": "signal: killed", "panics": "the pager is on fire"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			b := start(t, specOf(t, manner))
			_, err := b.notify(sample())
			if err == nil || !strings.Contains(err.Error(), `plugin "pager" died in the middle of the call`) || !strings.Contains(err.Error(), want) {
				t.Fatal(err)
			}
			s := b.await("a restart", func(s pluginhost.Status) bool { return s.State == pluginhost.Running && s.Restarts == 1 })
			if s.FailingSince != (time.Time{}) {
				t.Errorf("one death is no failing plugin: %+v", s)
			}
			for range 3 {
				_, err = b.notify(sample())
			}
			if s := b.await("to be failing", func(s pluginhost.Status) bool { return !s.FailingSince.IsZero() }); s.Failures < 3 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestAPluginThatHangsIsKilledAfterSomeDeadlines(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "hangs")
	spec.Timeout = 50 * time.Millisecond
	b := start(t, spec)
	pid := b.awaitState(pluginhost.Running).PID
	for i := range 3 {
		if _, err := b.notify(sample()); err == nil || err.Error() != `plugin "pager" has not answered in time` {
			t.Fatal(i, err)
		}
	}
	s := b.await("a restart", func(s pluginhost.Status) bool { return s.State == pluginhost.Running && s.PID != pid })
	if s.Deadlines != 3 || !strings.Contains(b.log.String(), "it was killed: it answered none of 3 calls in a row") {
		t.Errorf("%+v", s)
	}
	wantGone(t, pid)
}

func TestAFloodFillsNeitherTheLogNorTheMemory(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "floods")
	spec.Timeout = patience
	b := start(t, spec)
	if _, err := b.notify(sample()); err != nil {
		t.Fatal(err)
	}
	s := b.await("lines to be left out", func(s pluginhost.Status) bool { return s.LogLinesDropped > 190_000 })
	if n := len(b.log.String()); n > 1<<20 {
		t.Errorf("%d bytes logged; %+v", n, s)
	}
	if !strings.Contains(b.log.String(), "plugin writes more than is logged") {
		t.Error("nobody is told of what is left out")
	}
}

func TestWhatAPluginWritesIsInTheLogWithItsName(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "logs")
	spec.Env = map[string]secret.String{
		"PAGER_TOKEN": secret.New("tok-123456"), "PAGER_KEY": secret.New("-----BEGIN KEY-----\nMIIEvgIBADANBg\n-----END KEY-----\n"), "PAGER_USER": secret.New("MIIEvgIB"),
	}
	b := start(t, spec)
	if _, err := b.notify(sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg="the pager is slow" plugin=pager took=5s tries=3 stream=stderr`,
		`level=ERROR msg="slog says so" plugin=pager stream=stderr`,
		`level=INFO msg="plugin says" plugin=pager line="Traceback: token is ***" stream=stderr`,
		`line="hello\x1b[31m on standard output" stream=stdout`,
		`… (11808 bytes more)" stream=stderr`,
		`line=*** stream=stderr`,
	} {
		for deadline := time.Now().Add(patience); !strings.Contains(b.log.String(), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the log lacks ", want)
			}
		}
	}
	for _, part := range []string{"tok-123456", "MIIEvg", "ADANBg"} {
		if strings.Contains(b.log.String(), part) {
			t.Errorf("a secret is in the log: %s", part)
		}
	}
}

func TestOneAlertThatIsTooLargeIsShortened(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	spec.Timeout = patience
	b := start(t, spec)
	n := notifiers.Sample(alert.Firing, 1)
	n.Alerts[0].Message = strings.Repeat("ä", 20<<20)
	answer, err := b.notify(pluginpb.NewNotification(&n))
	if err != nil || !strings.Contains(answer.GetAnswer(), "alerts=1 truncated=0") {
		t.Error(answer.GetAnswer(), err)
	}
}

func TestWhatAPluginForksDiesWithIt(t *testing.T) {
	t.Parallel()
	for _, manner := range []string{"forks", "forks-and-exits"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "child")
			b := start(t, specOf(t, manner, name))
			if manner == "forks" {
				b.awaitState(pluginhost.Running)
				b.Close()
			} else if s := b.awaitState(pluginhost.Failing); !strings.Contains(s.LastError, "exit status 4") {
				t.Error(s.LastError)
			}
			for i := range 2 {
				wantGone(t, readPID(t, name+strconv.Itoa(i)))
			}
		})
	}
}

func TestAPluginThatIgnoresSIGTERMIsKilled(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "ignores-sigterm"))
	pid := b.awaitState(pluginhost.Running).PID
	began := time.Now()
	b.Close()
	wantGone(t, pid)
	if took := time.Since(began); took < 250*time.Millisecond || took > 5*time.Second {
		t.Error(took)
	}
	if !strings.Contains(b.log.String(), "plugin does not end when it is asked to; it is killed") {
		t.Error(b.log.String())
	}
}

func TestAStoppedProcessIsKilledWithoutItsHelp(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	pid := b.awaitState(pluginhost.Running).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.Close()
	wantGone(t, pid)
}

func TestAReplacedPluginEndsItsCallsFirst(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "slow"))
	old := b.awaitState(pluginhost.Running).PID
	answered := make(chan error, 1)
	go func() {
		_, err := b.notify(sample())
		answered <- err
	}()
	b.await("the call", func(s pluginhost.Status) bool { return s.InFlight == 1 })
	if err := b.Apply([]pluginhost.Spec{b.spec}); err != nil || b.Status()[0].PID != old {
		t.Fatal("an unchanged plugin was restarted", err)
	}
	changed := specOf(t, "well")
	if err := b.Apply([]pluginhost.Spec{changed}); err != nil {
		t.Fatal(err)
	}
	answer, err := b.notify(sample())
	if err != nil || strings.Contains(answer.GetAnswer(), fmt.Sprintf("pid=%d ", old)) {
		t.Error(answer, err)
	}
	if err := <-answered; err != nil {
		t.Error("the call under way was cut off:", err)
	}
	if err := b.Apply(nil); err != nil || len(b.Status()) != 0 {
		t.Error(b.Status(), err)
	}
	b.Close()
	wantGone(t, old)
}

func TestALargeNotificationIsCutWithACount(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	spec.Timeout = patience
	b := start(t, spec) // its server takes gRPC's own 4 MiB
	n := notifiers.Sample(alert.Firing, 3000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("long ", 1000)
	}
	whole := pluginpb.NewNotification(&n)
	answer, err := b.notify(whole)
	if err != nil {
		t.Fatal(err)
	}
	var pid, alerts, truncated, bySize int
	if _, err := fmt.Sscanf(answer.GetAnswer(), "pid=%d alerts=%d truncated=%d by_size=%d", &pid, &alerts, &truncated, &bySize); err != nil {
		t.Fatal(err, answer.GetAnswer())
	}
	if alerts < 100 || alerts+bySize != 3000 || truncated != bySize {
		t.Error(answer.GetAnswer())
	}
}

func TestSettingsAreJudgedBySchemaAndByThePlugin(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	tests := []struct{ settings, want string }{
		{`{"to": "somebody"}`, ""},
		{`{}`, "to: missing"},
		{`{"to": "x"}`, "to: want at least 3 characters"},
		{`{"to": 5}`, "to: want a text, not a number"},
		{`{"to": "nobody"}`, "to: there is nobody of that name; write somebody"},
		{`{"to": "abc", "tot": 1}`, "tot: unknown field; did you mean \"to\"?"},
		{`{"to": "abc", "level": "hihg", "tries": 0}`, "level: want one of low, high; did you mean \"high\"?\ntries: want at least 1"},
		{`{"to": "abc", "hosts": [{"port": "x"}, {"prot": 1}]}`, "hosts[0].port: want a whole number, not a text\nhosts[1].prot: unknown field; did you mean \"port\"?"},
	}
	for _, tc := range tests {
		use := b.use()
		use.Settings = []byte(tc.settings)
		problems, err := b.Judge(t.Context(), use)
		var lines []string
		for _, p := range problems {
			lines = append(lines, p.Error())
		}
		if got := strings.Join(lines, "\n"); err != nil || !sameLines(got, tc.want) {
			t.Errorf("%s:\ngot  %s\nwant %s (%v)", tc.settings, got, tc.want, err)
		}
	}
	use := b.use()
	use.Settings = []byte(`{"to": "nobody"}`)
	if _, err := b.Notify(t.Context(), use, sample()); err == nil || !strings.Contains(err.Error(), `the settings of "ops" are refused: to: there is nobody of that name`) {
		t.Error(err)
	}
	use.Kind = pluginpb.Kind_KIND_SOURCE
	if problems, err := b.Judge(t.Context(), use); err != nil || len(problems) != 1 || problems[0].Message != `plugin "pager" is no source: it serves receivers` {
		t.Error(problems, err)
	}
}

func sameLines(a, b string) bool {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	if len(x) != len(y) {
		return false
	}
	for _, line := range x {
		if !strings.Contains("\n"+b+"\n", "\n"+line+"\n") {
			return false
		}
	}
	return true
}

func TestASchemaReadsNoFile(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"file:///etc/passwd", "https://example.com/schema.json"} {
		_, err := pluginhost.CompileSchema(`{"$ref": "` + ref + `"}`)
		if err == nil || !strings.Contains(err.Error(), "nothing else is read") {
			t.Error(err)
		}
	}
}

func TestWhatAKilledDaemonLeftIsSwept(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	b.awaitState(pluginhost.Running)
	stale := filepath.Join(b.dir, "tocsin-plugins-1")
	live, err := filepath.Glob(filepath.Join(b.dir, "tocsin-plugins-*"))
	if err != nil || len(live) != 1 {
		t.Fatal(live, err)
	}
	if info, err := os.Stat(live[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	for _, f := range []string{"", "plugin-dir1"} {
		if err := os.MkdirAll(filepath.Join(stale, f), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(stale, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler), Pace: hurry(), TempDir: b.dir})
	if err := second.Apply([]pluginhost.Spec{b.spec}); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Error("the stale folder is there still", err)
	}
	if _, err := b.notify(sample()); err != nil {
		t.Error("the other daemon's plugin was harmed:", err)
	}
}

func readPID(t *testing.T, name string) int {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(name); err == nil {
			if pid, err := strconv.Atoi(string(text)); err == nil {
				return pid
			}
		}
	}
	t.Fatal("no", name)
	return 0
}

// wantGone waits for a process to be gone, or a zombie that somebody else reaps.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is there still", pid)
}
