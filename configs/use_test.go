package configs_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

const baseRules = `rules:
  - id: down
    metric: http.up
    match: [a = b, c = d]
    critical: {when: value == 0, for: 30s}
    warning: {when: value < 1, for: 1m}
    labels: {team: web, tier: one}
    disabled: true
  - {id: slow, metric: http.response_time, warning: value > 1s}
`

// change loads a file with one rule that changes the rule "down", and returns
// it.
func change(t *testing.T, patch string) (configs.Rule, *configs.RuleSet) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "base.yaml", baseRules)
	file := write(t, dir, "rules.yaml", "use: [base.yaml]\nrules:\n  - {id: down, "+patch+"}\n  - {id: mine, metric: http.up, info: value > 1}\n")
	set, mistakes := configs.LoadRules([]string{file}, configs.Input{}, nil)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if len(set.Rules) != 3 || set.Rules[1].Spec.ID != "slow" || set.Rules[2].Spec.ID != "mine" {
		t.Fatalf("got %+v", set.Rules)
	}
	return set.Rules[0], set
}

func TestARuleChangesTheUsedOneFieldByField(t *testing.T) {
	lasts := func(d time.Duration) *time.Duration { return &d }
	for patch, alter := range map[string]func(*rule.Spec){
		"disabled: false":                    func(s *rule.Spec) { s.Disabled = false },
		"warning: {for: 5m}":                 func(s *rule.Spec) { s.Warning.For = lasts(5 * time.Minute) },
		"warning: value < 2":                 func(s *rule.Spec) { s.Warning.When = "value < 2" },
		"warning: {when: value < 2}":         func(s *rule.Spec) { s.Warning.When = "value < 2" },
		"warning: ''":                        func(s *rule.Spec) { s.Warning = rule.When{} },
		"match: [e = f]":                     func(s *rule.Spec) { s.Match = []string{"e = f"} },
		"match: []":                          func(s *rule.Spec) { s.Match = []string{} },
		"match:":                             func(*rule.Spec) {},
		"labels: {team: data, page: 'yes'}":  func(s *rule.Spec) { s.Labels["team"], s.Labels["page"] = "data", "yes" },
		"annotations: {runbook_url: http:x}": func(s *rule.Spec) { s.Annotations = map[string]string{"runbook_url": "http:x"} },
		"for: 1h, no_data: ok":               func(s *rule.Spec) { s.For, s.NoData = time.Hour, "ok" },
	} {
		t.Run(patch, func(t *testing.T) {
			want := rule.Spec{
				ID: "down", Metric: "http.up", Match: []string{"a = b", "c = d"}, Disabled: true,
				Critical: rule.When{When: "value == 0", For: lasts(30 * time.Second)},
				Warning:  rule.When{When: "value < 1", For: lasts(time.Minute)},
				Labels:   map[string]string{"team": "web", "tier": "one"},
			}
			alter(&want)
			got, set := change(t, patch)
			if diff := cmp.Diff(want, got.Spec); diff != "" {
				t.Error(diff)
			}
			if filepath.Base(got.File) != "rules.yaml" || got.Line != 3 {
				t.Errorf("the last word is at %s:%d", got.File, got.Line)
			}
			if used := set.Files[0]; filepath.Base(used.Name) != "base.yaml" || used.Rules[0].Disabled != true || used.Rules[0].Labels["team"] != "web" {
				t.Errorf("the used file changed: %+v", used.File)
			}
		})
	}
}

func TestAChangeOfAChange(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x/base.yaml", baseRules)
	write(t, dir, "x/y/team.yaml", "use: [../base.yaml]\nrules:\n  - {id: down, warning: {for: 2m}, labels: {team: data}}\n")
	top := write(t, dir, "top.yaml", "use: [x/*/team.yaml, pack:guide]\nrules:\n  - {id: down, warning: value < 3}\n")
	set, mistakes := configs.LoadRules([]string{top, filepath.Join(dir, "x/base.yaml")}, configs.Input{}, func(s rule.Spec) problem.List {
		if s.ID == "down" {
			return problem.List{{Path: "warning", Message: "when"}, {Path: "warning.for", Message: "for"}, {Path: "critical.when", Message: "critical"}, {Path: "labels.tier", Message: "tier"}}
		}
		return nil
	})
	got := strings.ReplaceAll(mistakes.Error(), dir+"/", "")
	want := `top.yaml:3:25: rules[0].warning: when
x/y/team.yaml:3:31: rules[0].warning.for: for
x/base.yaml:5:22: rules[0].critical.when: critical
x/base.yaml:7:31: rules[0].labels.tier: tier`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var down configs.Rule
	for _, r := range set.Rules {
		if r.Spec.ID == "down" {
			down = r
		}
	}
	if len(set.Rules) != 27 || down.File != top || *down.Spec.Warning.For != 2*time.Minute || down.Spec.Warning.When != "value < 3" || down.Spec.Labels["team"] != "data" {
		t.Errorf("%d rules, got %+v", len(set.Rules), down)
	}
	var names, paths []string
	for _, f := range set.Files {
		names = append(names, strings.TrimPrefix(f.Name, dir+"/"))
	}
	for _, p := range set.Paths {
		paths = append(paths, strings.TrimPrefix(p, dir+"/"))
	}
	if diff := cmp.Diff([]string{"x/base.yaml", "x/y/team.yaml", "pack:guide", "top.yaml"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"top.yaml", "x/y/team.yaml", "x/base.yaml"}, paths); diff != "" {
		t.Error(diff)
	}
}

// A file has one identity, whatever links and names lead to it.
func TestAFileIsReadOnceUnderAllItsNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "base.yaml", baseRules)
	if err := os.Symlink(filepath.Join(dir, "base.yaml"), filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	top := write(t, dir, "top.yaml", "use: [base.yaml, link.yaml, ./base.yaml]\n")
	set, mistakes := configs.LoadRules([]string{top, "link.yaml", filepath.Join(dir, "base.yaml")}, configs.Input{}, nil)
	if len(mistakes) > 0 || len(set.Rules) != 2 || len(set.Files) != 2 {
		t.Errorf("%d rules of %d files, %v", len(set.Rules), len(set.Files), mistakes)
	}
}

func TestUseStaysWithinTheFolderThatIsGiven(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secret.yaml", "password: hunter2\n")
	write(t, dir, "rules/base.yaml", baseRules)
	if err := os.Symlink(filepath.Join(dir, "secret.yaml"), filepath.Join(dir, "rules/link.yaml")); err != nil {
		t.Fatal(err)
	}
	within := filepath.Join(dir, "rules")
	for use, want := range map[string]string{
		"base.yaml": "", "pack:guide": "", "../rules/base.yaml": "",
		"../secret.yaml":                   "is not below",
		"../nowhere.yaml":                  "is not below",
		"../*.yaml":                        "is not below",
		"/etc/passwd":                      "is not below",
		"link.yaml":                        "is not below",
		"*.yaml":                           "is not below", // the link is among them
		filepath.Join(within, "base.yaml"): "",
	} {
		file := write(t, dir, "rules/x.txt", "use: ['"+use+"']\n")
		_, mistakes := configs.LoadRules([]string{file}, configs.Input{Within: within}, nil)
		if got := mistakes.Error(); (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("use %s: %q, want %q", use, got, want)
		}
	}
}

// Of what a text may not name nobody is told whether it is there.
func TestUseTellsNothingOfFilesThatAreNotPermitted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "base.yaml", baseRules)
	write(t, dir, "secret/token", "hunter2\n")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, "base.yaml")
	in := configs.Input{Within: dir, Permitted: func(path string) bool { return path == base }}
	for use, want := range map[string]string{
		"base.yaml": "", "*.yaml": "",
		"secret/*": "the running rules read no file", "secret/token": "the running rules read no file",
		"secret/nope": "the running rules read no file", "link.yaml": "the running rules read no file",
	} {
		file := write(t, dir, "x.txt", "use: ['"+use+"']\n")
		_, mistakes := configs.LoadRules([]string{file}, in, nil)
		got := strings.ReplaceAll(mistakes.Error(), filepath.Join(dir, use), "USE")
		if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "token") {
			t.Errorf("use %s: %q, want %q", use, got, want)
		}
	}
}

func TestUseTakesRegularFilesOnly(t *testing.T) {
	file := write(t, t.TempDir(), "x.yaml", "use: [/dev/zero, /tmp]\n")
	_, mistakes := configs.LoadRules([]string{file}, configs.Input{}, nil)
	if got := mistakes.Error(); !strings.Contains(got, "use[0]: /dev/zero is not a regular file") || !strings.Contains(got, "use[1]: there is no file /tmp") {
		t.Error(got)
	}
}

func FuzzLoadRules(f *testing.F) {
	for _, text := range []string{baseRules, "use: [pack:redis, pack:guide]\nrules:\n  - {id: redis-down, warning: {for: 5m}, labels: {a: b}}\n", "use: ['*']\n", "use: [\n", "metrics: [{name: a}]\n", "rules: []\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		catalog := source.NewCatalog(nil, true)
		set, mistakes := configs.LoadRules([]string{"-"}, configs.Input{Stdin: strings.NewReader(text), Within: t.TempDir()}, func(s rule.Spec) problem.List {
			_, problems := rule.Compile(s, catalog)
			return problems
		})
		_ = mistakes.Write(io.Discard)
		if again := set.Check(nil); mistakes.Err() == nil && again.Err() != nil {
			t.Errorf("no mistakes, and then %v", again)
		}
	})
}

// What follows from a `use` that cannot be read is not told beside it.
func TestAnUnreadableUseIsOneMistake(t *testing.T) {
	for _, use := range []string{"pack:redis", "[[pack:redis]]", "{a: b}"} {
		file := write(t, t.TempDir(), "rules.yaml", "use: "+use+"\nrules:\n  - {id: redis-down, warning: {for: 5m}}\n  - {id: redis-memory, disabled: true}\n  - {id: redis-ping, critical: {whn: x}}\n")
		_, mistakes := configs.LoadRules([]string{file}, configs.Input{}, func(s rule.Spec) problem.List {
			_, problems := rule.Compile(s, source.NewCatalog(nil, false))
			return problems
		})
		if len(mistakes) != 2 || !strings.HasPrefix(mistakes[0].Path, "use") || mistakes[1].Path != "rules[2].critical.whn" {
			t.Errorf("%s: %v", use, mistakes)
		}
	}
}

func TestPollsAreGivenOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "base.yaml", "rules:\n  - {id: a, metric: http.up, warning: {when: value < 1, polls: 3 of 5}}\n")
	file := write(t, dir, "rules.yaml", `use: [base.yaml]
rules:
  - {id: a, warning: {when: {2 of 3: value < 1}}}
  - {id: b, metric: http.up, critical: {polls: 2 of 3, when: {3 of 5: value < 1}}, overrides: [{match: [a = b], info: {when: {3 of 5: value < 1}, polls: 2 of 3}}]}
`)
	_, mistakes := configs.LoadRules([]string{file}, configs.Input{}, nil)
	if len(mistakes) != 2 || mistakes[0].Path != "rules[1].critical.polls" || mistakes[1].Path != "rules[1].overrides[0].info.polls" {
		t.Error(mistakes)
	}
}
