package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/watch"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// editable is a running daemon over a folder with two rule files, a.yaml and
// b.yaml in rules/, and a receiver that cannot be made while broken is set.
type editable struct {
	*daemon
	dir    string
	broken error
}

func newEditable(t *testing.T) *editable {
	t.Helper()
	e := &editable{dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(e.dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.write(t, "tocsin.yaml", "server: {listen: 127.0.0.1:0}\nstore: {path: "+filepath.Join(e.dir, "t.db")+"}\nrules: ['rules/*.yaml']\nreload: {watch: false}\nreceivers: [{name: console, type: console}]\nroute: {receivers: [console]}\n")
	e.write(t, "rules/a.yaml", ruleNamed("a"))
	e.write(t, "rules/b.yaml", ruleNamed("b"))
	var out bytes.Buffer
	w := world{stdout: io.Discard, stderr: &out, kinds: kindsOf(nil)}
	console := w.kinds.receivers["console"]
	build := console.build
	console.build = func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
		if e.broken != nil {
			return nil, e.broken
		}
		return build(settings, with)
	}
	w.kinds.receivers["console"] = console
	f := files{config: filepath.Join(e.dir, "tocsin.yaml")}
	p, mistakes := load(f, w)
	if err := mistakes.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d, err := newDaemon(ctx, f, w, p, newLogger(p.config.Log, world{stderr: io.Discard}))
	if err != nil {
		t.Fatal(err)
	}
	e.daemon = d
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	<-d.engine.Ready()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return e
}

func ruleNamed(id string) string {
	return fmt.Sprintf("rules: [{id: %s, metric: host.load1, info: value > 1}]\n", id)
}

func (e *editable) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e *editable) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(e.dir, name))
	if err != nil {
		return "missing"
	}
	return string(data)
}

func (e *editable) runs() string {
	var ids []string
	for _, r := range e.engine.Rules() {
		if r.Rule.Category != "monitoring" {
			ids = append(ids, r.Rule.ID)
		}
	}
	return strings.Join(ids, " ")
}

func (e *editable) put(t *testing.T, name, text string) error {
	t.Helper()
	_, err := ruleFiles{e.daemon}.WriteRuleFile(t.Context(), api.RuleWrite{Name: name, Text: []byte(text), Allow: func(api.RuleFile) error { return nil }})
	return err
}

func TestAnEditThatCannotBeAppliedIsTakenBack(t *testing.T) {
	e := newEditable(t)
	e.broken = errors.New("no more file descriptors")
	for name, was := range map[string]string{"a.yaml": ruleNamed("a"), "new.yaml": "missing"} {
		err := e.put(t, name, ruleNamed("c"))
		if !errors.Is(err, api.ErrNotApplied) || !strings.Contains(err.Error(), "no more file descriptors; the file was put back as it was") {
			t.Errorf("%s: %v", name, err)
		}
		if got := e.read(t, "rules/"+name); got != was {
			t.Errorf("%s holds %s", name, got)
		}
	}
	if got := e.runs(); got != "a b" || !e.lastReload().OK {
		t.Errorf("%q run, reload %+v", got, e.lastReload())
	}
	e.broken = nil
	if err := e.put(t, "a.yaml", ruleNamed("c")); err != nil || e.runs() != "c b" {
		t.Errorf("%v; %q run", err, e.runs())
	}
}

// Whoever else edits the files is checked with, as a reload would.
func TestAnEditIsCheckedWithEverythingElse(t *testing.T) {
	e := newEditable(t)
	var refusal *api.Refusal
	if err := e.put(t, "a.yaml", ruleNamed("b")); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "taken by") {
		t.Errorf("a duplicate: %v", err)
	}
	e.write(t, "rules/b.yaml", "rules: [{id: b, metrc: x}]\n")
	if err := e.put(t, "a.yaml", ruleNamed("a2")); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("a mistake elsewhere: %v", err)
	}
	if err := e.Reload(t.Context()); err == nil || e.lastReload().OK {
		t.Error("the mistake was not refused")
	}
	// The way out of a refused edit may be over HTTP too.
	if err := e.put(t, "b.yaml", ruleNamed("b2")); err != nil || e.runs() != "a b2" || !e.lastReload().OK {
		t.Errorf("%v; %q run", err, e.runs())
	}
	if err := os.Remove(filepath.Join(e.dir, "rules/b.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := e.put(t, "b.yaml", ruleNamed("b3")); err != nil || e.runs() != "a b3" {
		t.Errorf("%v; %q run", err, e.runs())
	}
	e.write(t, "tocsin.yaml", strings.ReplaceAll(e.read(t, "tocsin.yaml"), "rules/*.yaml", "rules/b.yaml"))
	if err := e.put(t, "a.yaml", ruleNamed("a2")); !errors.Is(err, api.ErrNotWritten) || e.read(t, "rules/a.yaml") != ruleNamed("a") {
		t.Errorf("a file that is not read any more: %v", err)
	}
}

// Whoever may read sees what a rule says; a variable of the environment that no
// rule file has may be a secret.
func TestAnEditBringsNoNewVariable(t *testing.T) {
	e := newEditable(t)
	e.world.environ = []string{"DATABASE_URL=postgres://app:hunter2@db/app", "TEAM=web"}
	leak := "rules: [{id: a, metric: host.load1, info: value > 1, message: '${DATABASE_URL}'}]\n"
	err := e.put(t, "a.yaml", leak)
	if err == nil || !strings.Contains(err.Error(), "no rule file uses the variable DATABASE_URL yet") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if got := e.read(t, "rules/a.yaml"); got != ruleNamed("a") {
		t.Errorf("the file was written: %s", got)
	}
	e.write(t, "rules/b.yaml", "rules: [{id: b, metric: host.load1, info: value > 1, labels: {team: '${TEAM}'}}]\n")
	if err := e.put(t, "a.yaml", "rules: [{id: a, metric: host.load1, info: value > 2, labels: {team: '${TEAM}'}}]\n"); err != nil {
		t.Errorf("a variable that another rule file has: %v", err)
	}
}

func TestOneTextIsCheckedAtATime(t *testing.T) {
	e := newEditable(t)
	e.checking <- struct{}{}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := (ruleFiles{e.daemon}).CheckRules(ctx, "", []byte("rules: []\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("it did not wait: %v", err)
	}
	<-e.checking
	for range 2 {
		if out, err := (ruleFiles{e.daemon}).CheckRules(t.Context(), "", []byte("rules: []\n")); err != nil || len(out.Mistakes) > 0 {
			t.Errorf("%+v, %v", out, err)
		}
	}
}

func TestOfTwoEditsOfOneTextOneIsTaken(t *testing.T) {
	e := newEditable(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	stale := errors.New("changed")
	for i := range 8 {
		wg.Go(func() {
			_, err := ruleFiles{e.daemon}.WriteRuleFile(t.Context(), api.RuleWrite{
				Name: "a.yaml", Text: []byte(ruleNamed(fmt.Sprintf("by%d", i))),
				Allow: func(now api.RuleFile) error {
					if string(now.Text) != ruleNamed("a") {
						return stale
					}
					return nil
				},
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken++
			case !errors.Is(err, stale):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("%d were taken", taken)
	}
}

func TestNamesOfRuleFiles(t *testing.T) {
	p := &plan{read: &reading{
		rules:    []string{"conf/rules/a.yaml", "/etc/tocsin/b.yaml", "x/same.yaml", "y/same.yaml"},
		patterns: []string{"conf/rules/*.yaml", "conf/teams/*/alerts.yaml", "conf/plain.yaml"},
	}}
	for name, want := range map[string]string{
		"a.yaml":                     "conf/rules/a.yaml",
		"conf/rules/a.yaml":          "conf/rules/a.yaml",
		"/etc/tocsin/b.yaml":         "/etc/tocsin/b.yaml",
		"etc/tocsin/b.yaml":          "/etc/tocsin/b.yaml", // a proxy that joins slashes
		"same.yaml":                  "several rule files have that name",
		"y/same.yaml":                "y/same.yaml",
		"new.yaml":                   "conf/rules/new.yaml",
		"conf/teams/web/alerts.yaml": "conf/teams/web/alerts.yaml",
		"conf/plain.yaml":            "conf/plain.yaml",
		"alerts.yaml":                "conf/rules/alerts.yaml",
		"conf/rules/.hidden.yaml":    "no such rule file",
		".hidden.yaml":               "no such rule file",
		"conf/rules/x/a.yaml":        "no such rule file",
		"rules/a.yaml":               "no such rule file",
		"/etc/passwd":                "no such rule file",
		"":                           "not the name of a rule file",
		"..":                         "not the name of a rule file",
		"conf/rules/../x.yaml":       "not the name of a rule file",
		"../etc/tocsin/b.yaml":       "not the name of a rule file",
		"a.yaml\x00":                 "not the name of a rule file",
	} {
		got, err := p.ruleFile(name)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

// Whatever a load depends on is known to the watcher: files that rules use, a
// second path of the same file, and the patterns of both.
func TestWhatRulesUseIsWatched(t *testing.T) {
	e := newEditable(t)
	e.write(t, "team.yaml", ruleNamed("team"))
	e.write(t, "rules/a.yaml", "use: [pack:host, ../team.yaml, '../more*.yaml', ../later.yaml]\n")
	if err := os.Symlink("b.yaml", filepath.Join(e.dir, "rules/c.yaml")); err != nil {
		t.Fatal(err)
	}
	e.write(t, "more1.yaml", ruleNamed("more"))
	f := e.files
	f.reading = &reading{}
	if _, mistakes := load(f, e.world); !strings.Contains(mistakes.Error(), "there is no file") {
		t.Errorf("later.yaml is not missed: %v", mistakes)
	}
	e.write(t, "later.yaml", ruleNamed("later"))
	p, mistakes := load(e.files, e.world)
	if err := mistakes.Err(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*reading{f.reading, p.read} {
		for _, name := range []string{"tocsin.yaml", "rules/a.yaml", "rules/b.yaml", "rules/c.yaml", "team.yaml", "more1.yaml"} {
			if r.sums[filepath.Join(e.dir, name)] == (watch.Sum{}) {
				t.Errorf("%s is not watched", name)
			}
		}
		for _, pattern := range []string{"rules/*.yaml", "more*.yaml", "later.yaml"} {
			if !slices.Contains(r.watched(), filepath.Join(e.dir, pattern)) {
				t.Errorf("%s is not watched", pattern)
			}
		}
	}
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.put(t, "team.yaml", ruleNamed("team2")); err != nil || !strings.Contains(e.runs(), "team2") {
		t.Errorf("a file that is used: %v; %q run", err, e.runs())
	}
	found, err := ruleFiles{e.daemon}.CheckRules(t.Context(), "", []byte("use: [./team.yaml, /etc/passwd, ./tocsin.yaml]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, m := range found.Mistakes {
		text = append(text, m.Message)
	}
	if got := strings.Join(text, "\n"); len(text) != 2 || !strings.Contains(got, "/etc/passwd is not below") || !strings.Contains(got, "the running rules read no file ") {
		t.Errorf("a check names other files:\n%s", got)
	}
}

// The built-in rule fires once an edit has stayed refused, names its mistake
// whatever that quotes, and gives way to a rule of the user's.
func TestTheRuleAboutRefusedEdits(t *testing.T) {
	config := configs.Default()
	first := "rules.yaml:3:5: unknown field {{ .Nonsense }} \"x\" `y` (and 2 more)"
	r, problems := rule.Compile(refusedRule(30*time.Second, first), config.Catalog())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	e := rule.NewEvaluator([]*rule.Rule{r})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var story []string
	for _, value := range []float64{1, 0, 0, 0, 0, 1} { // every 10 s
		sample := alert.Sample{Metric: configOK, Labels: alert.LabelsOf("source", ownSource), Value: value, At: now}
		for _, tr := range e.Observe([]alert.Sample{sample}, rule.Context{Interval: ownInterval(30 * time.Second)}, now) {
			story = append(story, string(tr.Kind)+" "+tr.Alert.Message)
		}
		now = now.Add(10 * time.Second)
	}
	message := "An edit of the configuration or the rules is refused; the old ones go on: " + first
	if got, want := strings.Join(story, "\n"), "pending "+message+"\nfiring "+message+"\nresolved "+message; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	own, problems := rule.Compile(rule.Spec{ID: "mine", Metric: configOK, Critical: rule.When{When: "value < 1"}}, config.Catalog())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for _, rules := range [][]*rule.Rule{nil, {own}} {
		has := false
		for _, r := range builtinRules(&config, rules) {
			has = has || r.ID == refusedID
		}
		if has != (rules == nil) {
			t.Errorf("beside %d rules of the user's the built-in is there: %v", len(rules), has)
		}
	}
}
