package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/configs/packs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// files names what is read.
type files struct {
	config string
	rules  []string // in the place of the configuration's own, when given
	listen string   // in the place of server.listen, when given
	lint   bool     // warn of what can be read and cannot be meant
	seen   seenFunc // what a running daemon has seen; nil when none is asked
	tests  bool     // the tests beside the rules are wanted, too
	// reading is how the files are read; nil is from the disk.
	reading *reading
	// plugins has what plugins know added to the configuration, and returns what
	// they find wrong with it; nil asks none.
	plugins func(*configs.Config, *configs.Written) yamlpos.Mistakes
}

// once says whether something is read from what cannot be read again.
func (f files) once() bool {
	return slices.ContainsFunc(append([]string{f.config}, f.rules...), func(name string) bool {
		info, err := os.Stat(name)
		return name == "-" || err == nil && !info.Mode().IsRegular()
	})
}

// listenVariable is how --listen reaches the configuration.
const listenVariable = "TOCSIN_SERVER__LISTEN"

// plan is a configuration and its rules, read, checked and compiled: all that
// a start or a reload works by. Nothing of it is connected or started.
type plan struct {
	config  *configs.Config
	rules   []*rule.Rule
	places  map[string]configs.Rule // where each rule is written, by id
	tests   *ruleTests              // nil unless they were asked for
	routing configs.Routing
	read    *reading // what it was made of
}

// load reads everything and returns all mistakes of all files together.
func load(f files, w world) (*plan, yamlpos.Mistakes) {
	if f.listen != "" {
		w.environ = append(slices.Clip(w.environ), listenVariable+"="+f.listen)
	}
	p, mistakes := loadFiles(f, w)
	if f.listen != "" {
		blameFlag(mistakes, f.listen)
	}
	return p, mistakes
}

// blameFlag names the flag where a mistake would name the variable that carried
// it: whoever wrote the flag set no variable.
func blameFlag(mistakes yamlpos.Mistakes, given string) {
	for i := range mistakes {
		m := &mistakes[i]
		if m.File == "environment "+listenVariable {
			m.File, m.Path = "--listen", ""
			m.Message = strings.ReplaceAll(m.Message, "$"+listenVariable, strconv.Quote(given))
		}
	}
}

func loadFiles(f files, w world) (*plan, yamlpos.Mistakes) {
	read := f.reading
	if read == nil {
		read = &reading{}
	}
	in := read.input(w)
	config, written, mistakes := configs.LoadWritten(f.config, w.kinds.configs(), in)
	if config == nil {
		// The rules are checked all the same: one mistake never hides the next.
		_, _, _, more := loadRules(f.rules, read.rulesInput(w), source.NewCatalog(nil, true), nil)
		return nil, append(mistakes, more...)
	}
	if f.plugins != nil && (f.lint || mistakes.Err() == nil) {
		mistakes = append(mistakes, f.plugins(config, written)...).Sorted()
	}
	paths := config.RuleFiles
	if len(f.rules) > 0 {
		paths = f.rules
	}
	if len(f.rules) == 0 {
		read.patterns = config.RulePatterns
	}
	p := &plan{config: config, read: read}
	var warn *linter
	if f.lint {
		warn = newLinter(config, written, f.seen)
	}
	var more yamlpos.Mistakes
	var tests *ruleTests
	p.rules, p.places, tests, more = loadRules(paths, read.rulesInput(w), config.Catalog(), warn)
	read.finish()
	if f.tests { // they keep the text of the files in memory
		p.tests = tests
	}
	mistakes = append(mistakes, warn.config(config, written, mistakes, more)...).Sorted()
	mistakes = append(mistakes, more...)
	if mistakes.Err() != nil {
		return p, mistakes
	}
	p.rules = append(p.rules, builtinRules(config, p.rules)...)
	// configs has told of everything that these could find.
	p.routing = config.Routing()
	return p, mistakes
}

func loadRules(paths []string, in configs.Input, catalog source.Catalog, warn *linter) ([]*rule.Rule, map[string]configs.Rule, *ruleTests, yamlpos.Mistakes) {
	compiled := map[string]*rule.Rule{}
	set := configs.ReadRules(paths, in)
	set.Others = []string{sourceDown, sourceBlind, refusedID, disabledID, failingID, pluginFailingID}
	metrics, catalog, wrong := set.Metrics(catalog)
	var mu sync.Mutex // guards compiled and what warn remembers
	mistakes := set.Check(func(spec rule.Spec) problem.List {
		r, problems := rule.Compile(spec, catalog, metrics...)
		mu.Lock()
		compiled[spec.ID] = r
		warn.remember(r)
		mu.Unlock()
		return append(problems, warn.rule(r)...)
	}, wrong...)
	// Nobody edits a pack: what it does in vain here is none of the reader's.
	mistakes = slices.DeleteFunc(mistakes, func(m yamlpos.Mistake) bool { return m.Warning && packs.Is(m.File) })
	var rules []*rule.Rule
	places := map[string]configs.Rule{}
	for _, w := range set.Rules {
		places[w.Spec.ID] = w
		if r := compiled[w.Spec.ID]; r != nil && !r.Off() {
			rules = append(rules, r)
		}
	}
	return rules, places, newRuleTests(set.Tests, rules, compiled, catalog, metrics), mistakes
}

// The ids of the rules that no rule file needs to have.
const (
	sourceDown  = "source-down"
	sourceBlind = "source-blind"
)

// builtinRules are the rules that no rule file needs to have: a source that
// cannot be read, or may not be looked at, is an alert of its own, unless a
// rule of the user's looks after that already.
func builtinRules(c *configs.Config, rules []*rule.Rule) []*rule.Rule {
	named := map[string]bool{}
	for _, r := range rules {
		named[r.Metric.Name] = true
		named[r.ID] = true
	}
	// Where a rule judges the service itself, its up metric tells that it is
	// down: one incident is one alert. Only a source that does not even tell
	// that much is ours.
	down := `value < 1 and metric("source.blind") != 1`
	for _, family := range [...]string{"redis", "postgres"} {
		if named[family+".up"] {
			down += fmt.Sprintf(` and (labels.type != %q or count(metric("%s.up"), 2m) == 0)`, family, family)
		}
	}
	twice := 2 * c.LongestInterval()
	specs := []rule.Spec{
		{
			ID: sourceDown, Category: "monitoring", Metric: "source.up", Critical: rule.When{When: down}, For: twice,
			Clear: "value == 1", Message: `Source {{ .Labels.source }} ({{ .Labels.type }}) {{ if eq .Labels.type "push" }}has gone silent{{ else }}cannot be read{{ end }}`,
		},
		{
			ID: sourceBlind, Category: "monitoring", Metric: "source.blind", Warning: rule.When{When: "value == 1"}, For: twice,
			Message: "Source {{ .Labels.source }} ({{ .Labels.type }}) does not let the monitor look: check its user, password and permissions",
		},
	}
	specs = append(specs, refusedRule(c.Reload.AlertAfter, ""))
	specs = append(specs, receiverRules()...)
	specs = append(specs, heartbeatRules(c.Heartbeats)...)
	specs = append(specs, pluginRules()...)
	specs = append(specs, storeRules()...)
	var out []*rule.Rule
	for _, spec := range specs {
		if named[spec.Metric] || named[spec.ID] {
			continue
		}
		if r, problems := rule.Compile(spec, c.Catalog()); problems.Err() == nil {
			out = append(out, r)
		}
	}
	return out
}
