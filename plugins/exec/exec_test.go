package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return path
}

func TestPlugin(t *testing.T) {
	settings := func(text string) string { return fmt.Sprintf(`{"command": [%q]}`, script(t, text)) }
	plugintest.Run(t, plugintest.Build(t, "."),
		plugintest.Config(settings(`/bin/cat >/dev/null; echo '{"reference": "r-1"}'`)),
		plugintest.Retry(settings(`echo "no route to host" >&2; exit 1`)),
		plugintest.Permanent(settings(`exit 65`)),
		plugintest.Slow(settings(`/bin/sleep 3`)),
		plugintest.Bad(`{"command": ["relative"]}`),
	)
}

func notify(t *testing.T, ctx context.Context, cfg Config) (notifiers.Receipt, error) {
	t.Helper()
	if err := cfg.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	note := notifiers.Sample(alert.Firing, 2)
	note.Reference = "r-0"
	return n.Notify(ctx, note)
}

func TestTheCommandIsGivenTheNotification(t *testing.T) {
	t.Setenv("SEEN", "passed on")
	t.Setenv("UNSEEN", "never")
	folder := t.TempDir()
	cfg := Default()
	cfg.Command = []string{script(t, `/bin/cat >"$1/in"; /usr/bin/env >"$1/env"; pwd >"$1/pwd"`), folder, "$(reboot)"}
	cfg.Env = map[string]plugins.Secret{"TOKEN": secretOf(t, "s3cret")}
	cfg.PassEnv = []string{"SEEN", "NOT_THERE"}
	if _, err := notify(t, t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var got struct {
		Title     string
		Reference string
		Quiet     *bool
		Alerts    []struct {
			State, Measured string
			Labels          map[string]string
			Value           *float64
		}
	}
	if err := json.Unmarshal([]byte(read("in")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Title != "CRITICAL: web (2 alerts)" || got.Reference != "r-0" || got.Quiet == nil || len(got.Alerts) != 2 ||
		got.Alerts[0].Measured != "62.1% (threshold 70%)" || got.Alerts[0].Value == nil || got.Alerts[0].Labels["strategy"] != "USER_RUNS" {
		t.Errorf("standard input says %+v", got)
	}
	env := read("env")
	for _, want := range []string{"TOKEN=s3cret\n", "SEEN=passed on\n", "TOCSIN_TITLE=CRITICAL: web (2 alerts)\n", "TOCSIN_KIND=alerts\n", "TOCSIN_REFERENCE=r-0\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %q in the environment\n%s", want, env)
		}
	}
	if strings.Contains(env, "UNSEEN") || strings.Contains(env, "PATH=/") {
		t.Errorf("more than what is named is in the environment\n%s", env)
	}
	if read("pwd") != "/\n" {
		t.Errorf("it runs in %s", read("pwd"))
	}
}

func TestExitCodesAndWhatIsSaid(t *testing.T) {
	for _, row := range []struct {
		script    string
		reference string
		answer    string
		fails     string
		permanent bool
		wait      time.Duration
	}{
		{script: `exit 0`},
		{script: `echo " told"; echo two`, answer: "told two"},
		{script: `echo '{"reference": "r-7", "answer": "told"}'`, reference: "r-7", answer: "told"},
		{script: `exit 1`, fails: "exit status 1"},
		{script: `echo '{"retry_after": "90s"}'; echo busy >&2; exit 75`, fails: "exit status 75: busy", wait: 90 * time.Second},
		{script: `echo "no such user" >&2; exit 65`, fails: "exit status 65: no such user", permanent: true},
		{script: `kill -9 $$`, fails: "signal: killed"},
		{script: `/usr/bin/yes | /usr/bin/head -c 10000000; exit 3`, fails: "exit status 3: y y y"},
		{script: `/bin/sleep 60 & echo told`, answer: "told"}, // what it leaves running holds nobody up
	} {
		cfg := Default()
		cfg.Command = []string{script(t, row.script)}
		got, err := notify(t, t.Context(), cfg)
		text := ""
		if err != nil {
			text = err.Error()
		}
		wait, _ := notifiers.WaitOf(err)
		if got.Reference != row.reference || row.fails == "" && got.Answer != row.answer || (err != nil) != (row.fails != "") || !strings.Contains(text, row.fails) ||
			notifiers.IsPermanent(err) != row.permanent || wait != row.wait || len(text) > 2000 {
			t.Errorf("%s:\n got %+v, %v, permanent %t, wait %s\nwant %+v", row.script, got, err, notifiers.IsPermanent(err), wait, row)
		}
	}
}

// The deadline must reach what the command has started, too.
func TestTheDeadlineEndsTheWholeGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	cfg := Default()
	cfg.Command = []string{script(t, `/bin/sleep 300 & echo $! >"$1"; wait`), file}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := notify(t, ctx, cfg); err == nil || notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "ended at the deadline") {
		t.Errorf("got %v, want the deadline", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); running(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d, which the command started, lives on", pid)
		}
	}
}

// running leaves out a process that has ended and that nobody has waited for.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func TestAScriptThatCannotBeStartedSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"echo hi\n":                   "a script that begins with a line like #!/bin/sh",
		"#!/no/such/shell\necho hi\n": "what its first line #! names, is missing",
	} {
		path := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		cfg := Default()
		cfg.Command = []string{path}
		if _, err := notify(t, t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, row := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "command: is empty"},
		{Config{Command: []string{"notify.sh"}}, `command[0]: "notify.sh" is no absolute path: no PATH is searched; write the whole path`},
		{Config{Command: []string{"/nothing/here"}}, "command[0]: /nothing/here is no program that can be run here: it cannot be found"},
		{Config{Command: []string{"/bin/sh"}, Dir: "tmp"}, `dir: "tmp" is no absolute path`},
		{Config{Command: []string{"/bin/sh"}, PassEnv: []string{"A=B"}}, `pass_env: "A=B" is no name of a variable`},
		{Config{Command: []string{"/bin/sh"}, PermanentCodes: []int{0}}, `permanent_codes[0]: 0 is no exit code of a failure`},
	} {
		if ps := row.cfg.Validate(); len(ps) != 1 || ps[0].Error() != row.want {
			t.Errorf("got %v, want %s", ps, row.want)
		}
	}
}

func secretOf(t *testing.T, text string) (s plugins.Secret) {
	t.Helper()
	if err := s.FromScalar(text); err != nil {
		t.Fatal(err)
	}
	return s
}
