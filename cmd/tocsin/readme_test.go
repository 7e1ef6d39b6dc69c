package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tocsin-dev/tocsin/configs/packs"
)

// The papers are held to what they say: commands are run, configurations and
// rules are read by the loader, links lead somewhere.

const house = "../.." // the repository, from this package

// block is a fenced block of a page.
type block struct {
	page string
	line int
	lang string
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(house, page))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	var open *block
	for i, line := range strings.Split(string(data), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{page: page, line: i + 1, lang: lang}
		case fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s: the block does not close", open)
	}
	return blocks
}

func pages(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md", "docs/receivers/*.md"} {
		found, err := filepath.Glob(filepath.Join(house, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			rel, err := filepath.Rel(house, name)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, filepath.ToSlash(rel))
		}
	}
	return names
}

// TestReadmeCommands runs every block of commands in the README, in a copy of
// the repository, in order. A block that serves is left running for the blocks
// after it.
func TestReadmeCommands(t *testing.T) {
	need(t, "bash", "make", "curl", "jq")
	dir := t.TempDir()
	copyHouse(t, dir)
	listen := freeListen(t)
	env := plainEnviron("TOCSIN_SERVER__LISTEN="+listen, "TOCSIN_STORE__PATH="+filepath.Join(t.TempDir(), "t.db"))
	serves := regexp.MustCompile(`(?m)^(make (run|demo)|bin/tocsin (serve|demo))\b`)
	stop := func() {}
	defer func() { stop() }()
	for _, b := range blocksOf(t, "README.md") {
		if b.lang != "sh" {
			continue
		}
		script := strings.ReplaceAll(b.text, "127.0.0.1:9590", listen)
		if serves.MatchString(script) {
			stop()
			stop = start(t, b, dir, script, env, listen)
			continue
		}
		if out, err := bash(t, dir, script, env); err != nil {
			t.Errorf("%s: %v\n%s", b, err, out)
		}
	}
}

// copyHouse copies what git keeps of the repository, more or less.
func copyHouse(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(house, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(house, path)
		if err != nil {
			return err
		}
		switch {
		case rel == ".git" && !d.IsDir(), rel == "bin", rel == "plugins/bin", rel == "data", rel == ".git":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a script that serves, waits until it is ready, and returns what
// ends it.
func start(t *testing.T, b block, dir, script string, env []string, listen string) func() {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", script)
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = ownGroup()
	// A group that outlives the script must not keep Wait waiting for ever.
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	ended := make(chan struct{})
	var failed error // read once ended is closed
	go func() {
		defer close(ended)
		failed = cmd.Wait()
	}()
	deadline := time.After(5 * time.Minute) // it may have to build
	for !isReady(t, listen) {
		select {
		case <-ended:
			t.Fatalf("%s: ended before it was ready: %v\n%s", b, failed, out.String())
		case <-deadline:
			endGroup(cmd.Process, syscall.SIGKILL)
			<-ended
			t.Fatalf("%s: not ready in time\n%s", b, out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return func() {
		endGroup(cmd.Process, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			endGroup(cmd.Process, syscall.SIGKILL)
			<-ended
			t.Errorf("%s: did not stop\n%s", b, out.String())
		}
	}
}

func isReady(t *testing.T, listen string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+"/-/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func bash(t *testing.T, dir, script string, env []string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// plainEnviron is the environment without what would change a configuration.
func plainEnviron(more ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "TOCSIN_") && !strings.HasSuffix(name, "_URL") && !strings.HasPrefix(name, "MAKE") {
			env = append(env, entry)
		}
	}
	return append(env, more...)
}

func freeListen(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing", program)
			}
			t.Skipf("SERVICE MISSING: %s", program)
		}
	}
}

// TestExamplesAreRight reads every YAML block of the papers with the real
// loader, and warns of nothing: rule files as they are, with their tests,
// configurations with what they leave out.
func TestExamplesAreRight(t *testing.T) {
	variable := regexp.MustCompile(`\$\{(\w+)`)
	file := regexp.MustCompile(`\w+_file: (secrets/\w+)`)
	values := map[string]string{
		"REDIS_URL": "redis://127.0.0.1:6379", "DATABASE_URL": "postgres://127.0.0.1/app",
		"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X", "SLACK_BOT_TOKEN": "xoxb-0123456789",
		"DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x", "TEAMS_WEBHOOK_URL": "https://x.environment.api.powerplatform.com/workflows/x?sig=x",
		"GOOGLE_CHAT_WEBHOOK_URL": "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t", "MATTERMOST_WEBHOOK_URL": "https://chat.example.com/hooks/x",
		"ROCKETCHAT_WEBHOOK_URL": "https://chat.example.com/hooks/x/y", "TELEGRAM_BOT_TOKEN": "123456789:AAx",
		"PUSHOVER_TOKEN": "azGDORePK8gMaC0QOYAMyEEuzJnyUi", "PUSHOVER_USER_KEY": "uQiRzpo4DXghDmr9QzzfQu27cmVRsG",
		"PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), "rules: []\n")
	write(t, filepath.Join(dir, "team/rules.yaml"), "rules: []\n")
	write(t, filepath.Join(dir, "open.yaml"), "sources: [{name: app, type: push}, {name: main, type: postgres, url: postgres://127.0.0.1/app}]\n"+exampleReceivers+exampleRoute)
	checked := 0
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			if b.lang != "yaml" {
				continue
			}
			checked++
			w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, kinds: kindsOf(nil)}
			for _, m := range variable.FindAllStringSubmatch(b.text, -1) {
				value := values[m[1]]
				if value == "" {
					value = "0123456789abcdef"
				}
				w.environ = append(w.environ, m[1]+"="+value)
			}
			for _, m := range file.FindAllStringSubmatch(b.text, -1) {
				secret := "0123456789abcdef"
				switch {
				case strings.Contains(m[1], "database"):
					secret = values["DATABASE_URL"]
				case strings.Contains(m[1], "slack"):
					secret = values["SLACK_WEBHOOK_URL"]
				}
				write(t, filepath.Join(dir, m[1]), secret+"\n")
			}
			name := filepath.Join(dir, "example.yaml")
			f := files{config: name}
			if strings.Contains(b.text, "- id: ") || strings.HasPrefix(b.text, "use:") {
				f = files{config: filepath.Join(dir, "open.yaml"), rules: []string{name}}
			} else {
				b.text += missing(b.text, "receivers:", exampleReceivers) + missing(b.text, "route:", exampleRoute)
			}
			write(t, name, b.text)
			f.tests, f.lint = true, true
			p, mistakes := load(f, w)
			if mistakes.Err() == nil && p.tests != nil {
				mistakes = append(mistakes, p.tests.mistakes(t.Context())...)
			}
			if len(mistakes) > 0 { // no warning, either
				t.Errorf("%s:\n%v", b, mistakes)
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d examples were found", checked)
	}
}

const (
	exampleReceivers = "receivers: [{name: console, type: console}]\n"
	exampleRoute     = "route: {receivers: [console]}\n"
)

// missing returns what an example leaves out: a key at the top.
func missing(text, key, otherwise string) string {
	if strings.HasPrefix(text, key) || strings.Contains(text, "\n"+key) {
		return ""
	}
	return otherwise
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReadmeRulePasses runs the first screen's rule through the program itself.
func TestReadmeRulePasses(t *testing.T) {
	for _, b := range blocksOf(t, "README.md") {
		if b.lang != "yaml" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), builtBinary(t), "check", "--rules", "-")
		cmd.Stdin = strings.NewReader(b.text)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != "OK: 1 rule\n" {
			t.Errorf("%s: %v\n%s", b, err, out)
		}
		if lines := strings.Count(b.text, "\n"); lines != 12 {
			t.Errorf("%s: the rule has %d lines, not 12", b, lines)
		}
		return
	}
	t.Error("the README has no rule")
}

// TestLinksResolve follows every relative link, to the heading.
func TestLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		data, err := os.ReadFile(filepath.Join(house, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			name := filepath.Join(house, filepath.Dir(page), target)
			if target == "" {
				name = filepath.Join(house, page)
			}
			text, err := os.ReadFile(name)
			if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if heading != "" && !slices.Contains(anchors(string(text)), heading) {
				t.Errorf("%s: %s has no such heading", page, m[1])
			}
		}
	}
}

// anchors are the names that GitHub gives headings.
func anchors(text string) []string {
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(heading)))
		all = append(all, name)
	}
	return all
}

// TestAPIExamples runs the manual's requests against a daemon. Where a JSON
// block follows, the answer must have the same keys at its top.
func TestAPIExamples(t *testing.T) {
	need(t, "bash", "curl", "jq")
	dir, listen := t.TempDir(), freeListen(t)
	rules := filepath.Join(dir, "rules.yaml")
	write(t, rules, "rules:\n  - {id: memory, category: memory, metric: host.memory_used, info: value > 1MB}\n")
	env := plainEnviron("TOCSIN_SERVER__LISTEN="+listen, "TOCSIN_STORE__PATH="+filepath.Join(dir, "t.db"),
		"OPS_TOKEN=none-needed", "PUSH_TOKEN=none-needed", "HOUSE="+house, "RULES="+rules)
	stop := start(t, block{page: "configs/embedded.yaml"}, "",
		builtBinary(t)+` serve --config "$HOUSE/configs/embedded.yaml" --rules "$RULES"`, env, listen)
	defer stop()
	waitForAlert(t, listen)
	ran := 0
	for _, page := range []string{"docs/api.md", "docs/sources.md"} {
		blocks := blocksOf(t, page)
		for i, b := range blocks {
			if b.lang != "sh" {
				continue
			}
			ran++
			out, err := bash(t, "", strings.ReplaceAll(b.text, "127.0.0.1:9590", listen), env)
			if err != nil {
				t.Errorf("%s: %v\n%s", b, err, out)
				continue
			}
			if i+1 < len(blocks) && blocks[i+1].lang == "json" {
				compareKeys(t, b, blocks[i+1].text, out)
			} else if strings.Contains(out, `"error":{`) && !strings.Contains(b.text, "cache/keys") {
				t.Errorf("%s: answered %s", b, out)
			}
			if strings.Contains(b.text, "If-None-Match") && strings.TrimSpace(out) != "304" {
				t.Errorf("%s: got %q, want 304", b, out)
			}
		}
	}
	if ran < 15 {
		t.Errorf("only %d requests were found", ran)
	}
}

func waitForAlert(t *testing.T, listen string) {
	t.Helper()
	script := `for i in $(seq 200); do curl -sS http://` + listen + `/api/performance/alerts/history | jq -e '.alerts | length > 0' >/dev/null && exit 0; sleep 0.1; done; exit 1`
	if out, err := bash(t, "", script, os.Environ()); err != nil {
		t.Fatalf("no alert fires: %v\n%s", err, out)
	}
}

func compareKeys(t *testing.T, b block, want, got string) {
	t.Helper()
	w, g := map[string]any{}, map[string]any{}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Errorf("%s: the answer shown is no JSON: %v", b, err)
		return
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Errorf("%s: the answer is no JSON: %v\n%s", b, err, got)
		return
	}
	shown, answered := slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g))
	if !slices.Equal(shown, answered) {
		t.Errorf("%s: shown are %v, the answer has %v", b, shown, answered)
	}
	for key, inner := range w {
		rows, isList := inner.([]any)
		have, _ := g[key].([]any)
		if !isList || len(rows) == 0 || len(have) == 0 {
			continue
		}
		one, _ := rows[0].(map[string]any)
		other, _ := have[0].(map[string]any)
		if x, y := slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(other)); !slices.Equal(x, y) {
			t.Errorf("%s: %s shows %v, the answer has %v", b, key, x, y)
		}
	}
}

// TestMetricsPage holds docs/metrics.md against the catalog. UPDATE=1 rewrites
// it.
func TestMetricsPage(t *testing.T) {
	var out bytes.Buffer
	root := newRoot(world{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, kinds: kindsOf(nil)})
	root.SetArgs([]string{"metrics", "--output", "markdown"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(house, "docs/metrics.md")
	if os.Getenv("UPDATE") != "" {
		write(t, name, out.String())
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != out.String() {
		t.Error("docs/metrics.md is not what the catalog says; UPDATE=1 rewrites it")
	}
}

// TestRulesPageHasEveryRule keeps the manual's table of the shipped rules whole.
func TestRulesPageHasEveryRule(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(house, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(house, "docs/rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  - id: (\S+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(page), "\n| `"+m[1]+"`") {
			t.Errorf("docs/rules.md does not tell of the rule %s", m[1])
		}
	}
	for _, p := range packs.All() {
		for _, m := range regexp.MustCompile(`(?m)^  - id: (\S+)`).FindAllStringSubmatch(p.Text, -1) {
			if !strings.Contains(string(page), "`"+m[1]+"`") {
				t.Errorf("docs/rules.md does not tell of the rule %s of pack:%s", m[1], p.Name)
			}
		}
	}
}

// TestSignatureExamples runs the manual's functions that verify a signature,
// with a right one, one of another secret and one of an hour ago.
func TestSignatureExamples(t *testing.T) {
	const secret, id, body = "a secret of the tests", "msg_1", `{"version":"4"}`
	signer, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, language := range []struct{ name, program, call string }{
		{"python", "python3", `
import os
h = {"webhook-id": os.environ["ID"], "webhook-timestamp": os.environ["AT"], "webhook-signature": os.environ["SIGNATURE"]}
print(str(verify(os.environ["SECRET"].encode(), h, os.environ["BODY"].encode())).lower())`},
		{"javascript", "node", `
const e = process.env;
const h = {"webhook-id": e.ID, "webhook-timestamp": e.AT, "webhook-signature": e.SIGNATURE};
console.log(verify(e.SECRET, h, Buffer.from(e.BODY)));`},
	} {
		t.Run(language.name, func(t *testing.T) {
			program, err := exec.LookPath(language.program)
			if err != nil {
				t.Skipf("SERVICE MISSING: %s", language.program)
			}
			blocks := blocksOf(t, "docs/receivers.md")
			i := slices.IndexFunc(blocks, func(b block) bool { return b.lang == language.name })
			if i < 0 {
				t.Fatal("the manual has no example")
			}
			flag := map[string]string{"python3": "-c", "node": "-e"}[language.program]
			for _, tc := range []struct {
				secret string
				at     time.Time
				want   string
			}{{secret, now, "true"}, {"another", now, "false"}, {secret, now.Add(-time.Hour), "false"}} {
				signature, err := signer.Sign(id, tc.at, []byte(body))
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), program, flag, blocks[i].text+language.call)
				cmd.Env = plainEnviron("ID="+id, fmt.Sprintf("AT=%d", tc.at.Unix()), "SIGNATURE="+"v1,other "+signature, "SECRET="+tc.secret, "BODY="+body)
				out, err := cmd.CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != tc.want {
					t.Errorf("at %s with secret %q: got %s, %v; want %s", tc.at, tc.secret, got, err, tc.want)
				}
			}
		})
	}
}
