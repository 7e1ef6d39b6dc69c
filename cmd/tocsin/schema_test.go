package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/schemagen"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// The names of the schemas, as the command takes them.
const (
	rulesFile  = "rules"
	configFile = "config"
)

// made returns the schemas as the types and their comments are now.
func made(t *testing.T) map[string]schema.Schema {
	t.Helper()
	docs := schemagen.NewDocs(house, "github.com/tocsin-dev/tocsin")
	rules, err := configs.MakeRulesSchema(docs)
	if err != nil {
		t.Fatal(err)
	}
	config, err := configs.MakeConfigSchema(kindsOf(nil).configs(), docs)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]schema.Schema{rulesFile: rules, configFile: config}
}

// TestSchemasAreFresh holds the schemas that ship against the types. `make
// schema` writes them anew.
func TestSchemasAreFresh(t *testing.T) {
	for name, s := range made(t) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(house, "configs", name+".schema.json")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want.Bytes()) {
			t.Errorf("configs/%s.schema.json is stale; make schema", name)
		}
	}
}

// TestSchemasDescribeEverything: what an editor shows beside a key.
func TestSchemasDescribeEverything(t *testing.T) {
	forProgrammers := regexp.MustCompile(`\b([Nn]il|zero value|struct|Compile|Default[A-Z]\w*)\b`)
	for name, s := range made(t) {
		var walk func(at string, s schema.Schema)
		walk = func(at string, s schema.Schema) {
			properties, _ := s["properties"].(schema.Schema)
			for key, value := range properties {
				p, _ := value.(schema.Schema)
				text, _ := p["description"].(string)
				if text == "" {
					t.Errorf("%s: nothing is said of %s.%s; write a comment above its field", name, at, key)
				}
				if word := forProgrammers.FindString(text); word != "" {
					t.Errorf("%s: what is said of %s.%s is for programmers, not for those who write YAML: %q", name, at, key, word)
				}
				walk(at+"."+key, p)
			}
		}
		walk("", s)
		defs, _ := s["$defs"].(schema.Schema)
		for def, value := range defs {
			d, _ := value.(schema.Schema)
			walk(def, d)
		}
	}
}

// validators are the schemas, compiled: they are right schemas themselves.
func validators(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	compiled := map[string]*jsonschema.Schema{}
	for name, s := range made(t) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		if err := c.AddResource(name, value); err != nil {
			t.Fatal(err)
		}
		if compiled[name], err = c.Compile(name); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// natively returns a document's values by YAML 1.2, with aliases and merges in
// their places, and which schema is the one for them; false when it is no YAML.
func natively(name string, text []byte) (value any, of string, ok bool) {
	doc, mistakes := yamlpos.Parse(name, text)
	if mistakes.Err() != nil {
		return nil, "", false
	}
	if doc.Decode(&value).Err() != nil {
		return nil, "", false
	}
	root, isMapping := value.(map[string]any)
	if !isMapping {
		return value, rulesFile, true
	}
	for _, key := range yamlpos.TopLevel(rule.File{}) {
		_, written := root[key]
		list, _ := root[key].([]any)
		ofTexts := len(list) > 0 && !slices.ContainsFunc(list, func(item any) bool { _, text := item.(string); return !text })
		if written && (key != "rules" || !ofTexts) {
			return value, rulesFile, true
		}
	}
	if len(root) == 0 && strings.Contains(name, "rules") {
		return value, rulesFile, true
	}
	return value, configFile, true
}

// refusal is what a schema refuses: at one of several places, where it cannot
// say at which.
type refusal []spot

type spot struct {
	path string
	// around: the mistake may lie deeper, in what is missing or in a list that
	// is wrong as a whole.
	around bool
	// anywhere: path is but a key; the library has forgotten its place.
	anywhere bool
}

// refusals flattens what the validator returns.
func refusals(err error) []refusal {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil
	}
	var all []refusal
	var walk func(e *jsonschema.ValidationError) refusal
	walk = func(e *jsonschema.ValidationError) refusal {
		spots := spotsOf(e)
		if _, keys := e.ErrorKind.(*kind.PropertyNames); keys {
			return spots
		}
		for _, cause := range e.Causes {
			below := walk(cause)
			spots = append(spots, below...)
		}
		return spots
	}
	var split func(e *jsonschema.ValidationError)
	split = func(e *jsonschema.ValidationError) {
		_, choice := e.ErrorKind.(*kind.AnyOf)
		if own := spotsOf(e); len(own) > 0 || choice {
			all = append(all, walk(e))
			return
		}
		for _, cause := range e.Causes {
			split(cause)
		}
	}
	split(invalid)
	return all
}

// spotsOf are the places that an error names itself.
func spotsOf(e *jsonschema.ValidationError) refusal {
	at := ""
	for _, step := range e.InstanceLocation {
		if regexp.MustCompile(`^\d+$`).MatchString(step) {
			at += "[" + step + "]"
		} else {
			at = problem.Join(at, step)
		}
	}
	var spots refusal
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			spots = append(spots, spot{path: problem.Join(at, name)})
		}
	case *kind.Required:
		for _, name := range k.Missing {
			spots = append(spots, spot{path: problem.Join(at, name), around: true})
		}
	case *kind.PropertyNames:
		spots = refusal{{path: k.Property, anywhere: true}}
	case *kind.UniqueItems:
		spots = refusal{{path: fmt.Sprintf("%s[%d]", at, max(k.Duplicates[0], k.Duplicates[1]))}}
	case *kind.MaxItems:
		spots = refusal{{path: at, around: true}}
	default:
		if len(e.Causes) == 0 {
			spots = refusal{{path: at}}
		}
	}
	return spots
}

// finds says whether a refusal is the mistake at the path.
func (r refusal) finds(path string) bool {
	within := func(a, b string) bool {
		rest, ok := strings.CutPrefix(a, b)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	return slices.ContainsFunc(r, func(s spot) bool {
		if path == "" { // a mistake of the whole file
			return !s.anywhere && !strings.ContainsAny(s.path, ".[")
		}
		return within(s.path, path) || s.around && within(path, s.path) || s.anywhere && strings.HasSuffix(path, s.path)
	})
}

// follows says whether a refusal is of a key that is missing because it is
// misspelt: check tells that once.
func (r refusal) follows(m yamlpos.Mistake) bool {
	parent := func(path string) string { return path[:max(strings.LastIndex(path, "."), 0)] }
	return m.Message == "unknown field" && slices.ContainsFunc(r, func(s spot) bool { return s.around && parent(s.path) == parent(m.Path) })
}

// example is one YAML file of the tests, the papers or the house.
type example struct {
	name, dir, file string
}

// corpus is every YAML file there is: what ships, what the papers show, and
// what the tests of mistakes are about. The demo's configuration is not: its
// sources are of kinds of their own.
func corpus(t *testing.T) []example {
	t.Helper()
	var all []example
	add := func(name, dir, file, text string) {
		write(t, filepath.Join(dir, file), text)
		all = append(all, example{name, dir, file})
	}
	for _, pattern := range []string{"*.yaml", "configs/*.yaml", "configs/packs/*.yaml", "configs/testdata/mistakes/*.yaml", "cmd/tocsin/demo/rules.yaml"} {
		names, err := filepath.Glob(filepath.Join(house, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			all = append(all, example{name, filepath.Dir(name), filepath.Base(name)})
		}
	}
	for _, page := range pages(t) {
		for i, b := range blocksOf(t, page) {
			if b.lang != "yaml" {
				continue
			}
			if _, of, _ := natively("example.yaml", []byte(b.text)); of == configFile {
				b.text += missing(b.text, "receivers:", exampleReceivers) + missing(b.text, "route:", exampleRoute)
			}
			add(b.String(), t.TempDir(), fmt.Sprintf("example%d.yaml", i), b.text)
		}
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".yaml") {
				add(filepath.Base(script)+": "+f.Name, dir, f.Name, string(f.Data))
			}
		}
	}
	return all
}

// mistakesOf reads an example as `tocsin check` does, by itself.
func mistakesOf(t *testing.T, e example, of string, environ ...string) []yamlpos.Mistake {
	path := filepath.Join(e.dir, e.file)
	var mistakes yamlpos.Mistakes
	if of == configFile {
		_, mistakes = configs.Load(path, kindsOf(nil).configs(), configs.Input{Environ: environ})
	} else {
		var tests *ruleTests
		_, _, tests, mistakes = loadRules([]string{path}, configs.Input{Environ: environ}, source.NewCatalog(nil, false))
		mistakes = append(mistakes, tests.mistakes(t.Context())...)
	}
	for i, m := range mistakes {
		if strings.Contains(m.Path, ".expect.") { // of the short form it is the whole
			mistakes[i].Path = strings.TrimSuffix(m.Path, ".severity")
		}
	}
	return slices.DeleteFunc(mistakes, func(m yamlpos.Mistake) bool { return m.Warning || m.File != path })
}

// excuse is a mistake that a schema cannot find, by its message, and why. Only
// limits it to the examples whose names contain it.
type excuse struct{ message, only, why string }

func excuses() []excuse {
	const (
		language = "conditions, templates and regular expressions are no regular languages"
		units    = "the units of metrics are not in the schema"
		catalog  = "the catalog is open: a configuration adds to it"
		names    = "a schema does not compare one value with another"
		world    = "a schema sees no files and no variables"
	)
	return []excuse{
		{`^the condition ends too early$`, "", language},
		{`^bad condition: "[<)]" cannot stand here$`, "", language},
		{`^unknown unit in `, "", language},
		{`^unknown (name|function) `, "", language},
		{`wants one window|wants a name in quotes`, "", language},
		{`^bad template: `, "", language},
		{`error parsing regexp`, "", language},
		{`^("\*3" cannot stand here|"donw" is not a poll)$`, "", language},
		{`^a label's value stands in double quotes$`, "", language},
		{`^the series end at `, "", "a schema counts no polls"},
		{`^test ".*": at `, "", "a schema plays no tests"},
		{`^there is no rule |^the file holds tests and no rules$`, "", "the rules may stand in another file"},
		{`does not (compare|go) with`, "", units},
		{`^unknown metric `, "", catalog},
		{`is taken by `, "", names},
		{`^two rules are called `, "", names},
		{`^no receiver is called `, "", names},
		{`^no rule that this file uses is called `, "", names},
		{`^a rule needs a metric$`, "check_use_unknown_rule", "whether it changes a used rule a schema cannot know"},
		{`^longer than the interval of `, "", names},
		{`^want (at least 100ms|more than 0s and at most 5m)$`, "", "a pattern does not compute"},
		{`^without tokens only this machine may connect$`, "", "tokens may come from the environment"},
		{`^every receiver here is left out$`, "", world},
		{`^variable \w+ is not set$`, "", world},
		{`^cannot read `, "", world},
		{`^there is no (file|pack) `, "", world},
		{`^no file fits `, "", world},
	}
}

// TestSchemasKnowWhatCheckKnows holds the schemas against the checks that have
// the last word: what check accepts the schema accepts, and what check refuses
// the schema refuses at the same place, but for what it cannot know.
func TestSchemasKnowWhatCheckKnows(t *testing.T) {
	schemas := validators(t)
	used := map[excuse]bool{}
	for _, e := range corpus(t) {
		text, err := os.ReadFile(filepath.Join(e.dir, e.file))
		if err != nil {
			t.Fatal(err)
		}
		value, of, ok := natively(e.name, text)
		if !ok {
			continue
		}
		refused := refusals(schemas[of].Validate(value))
		mistakes := mistakesOf(t, e, of)
		for _, m := range mistakes {
			known := slices.ContainsFunc(refused, func(r refusal) bool { return r.finds(m.Path) })
			at := slices.IndexFunc(excuses(), func(x excuse) bool {
				return strings.Contains(e.name, x.only) && regexp.MustCompile(x.message).MatchString(m.Message)
			})
			switch {
			case at >= 0 && known:
				t.Errorf("%s: the schema finds %s: %s; take it from the excuses", e.name, m.Path, m.Message)
			case at < 0 && !known:
				t.Errorf("%s: the schema does not find %s: %s", e.name, m.Path, m.Message)
			case at >= 0:
				used[excuses()[at]] = true
			}
		}
		for _, r := range refused {
			if !slices.ContainsFunc(mistakes, func(m yamlpos.Mistake) bool { return r.finds(m.Path) || r.follows(m) }) {
				t.Errorf("%s: the schema refuses %v, and check does not", e.name, r)
			}
		}
	}
	for _, x := range excuses() {
		if !used[x] {
			t.Errorf("no example has the mistake %q any more; take it from the excuses", x.message)
		}
	}
}

// TestSchemasTakeEveryForm: what can be written in more than one way. Check and
// schema agree on each line.
func TestSchemasTakeEveryForm(t *testing.T) {
	schemas := validators(t)
	const (
		aRule   = "rules:\n  - {id: a, metric: http.up, "
		aSource = "receivers: [{name: c, type: console}]\nroute: {receivers: [c]}\nsources:\n  - {name: a, "
	)
	for _, row := range []struct {
		right bool
		yaml  string
	}{
		{true, aRule + "critical: value < 1}"},
		{true, aRule + "critical: {when: value < 1, for: 1h30m, keep_firing_for: 0, polls: 3 of 5}}"},
		{true, aRule + "critical: {when: {3 of 5: value < 1}}}"},
		{false, aRule + "critical: {when: {3 in 5: value < 1}}}"},
		{false, aRule + "critical: {when: {3 of 5: value < 1, 4 of 5: value < 2}}}"},
		{false, aRule + "critical: {when: [value < 1]}}"},
		{false, aRule + "critical: {for: 5m}}"},
		{true, "use: [pack:guide]\nrules:\n  - {id: redis-down, critical: {for: 5m}}"},
		{false, aRule + "critical: 70}"},
		{false, aRule + "clear: value < 1}"},
		{true, aRule + "no_data: critical}"},
		{false, aRule + "no_data: keep}"},
		{true, aRule + "critical: value < 1, warning: , for: , labels: , match: , flapping: }"},
		{true, aRule + "critical: value < 1, flapping: 6 in 30m}"},
		{true, aRule + "critical: value < 1, flapping: {changes: 6, within: 30m}}"},
		{false, aRule + "critical: value < 1, flapping: 6 times}"},
		{false, aRule + "critical: value < 1, flapping: {changes: 1, within: 30m}}"},
		{true, "rules: [{id: b, metric: http.up, critical: value < 1}, {id: a, metric: http.up, critical: value < 1, depends_on: [b]}]"},
		{true, "rules: [{id: b, metric: http.up, critical: value < 1}, {id: a, metric: http.up, critical: value < 1, depends_on: [{rule: b, equal: [source]}]}]"},
		{false, aRule + "critical: value < 1, depends_on: b}"},
		{true, aRule + "critical: value < 1, clear_margin: 2}"},
		{true, aRule + "critical: value < 1, clear_margin: 5%}"},
		{false, aRule + "critical: value < 1, clear_margin: -2}"},
		{false, aRule + "critical: value < 1, clear_margin: some}"},
		{true, aRule + "critical: value < 1, by: [source], combine: sum}"},
		{false, aRule + "critical: value < 1, by: [source], combine: most}"},
		{false, aRule + "critical: value < 1, by: source}"},
		{false, aRule + "critical: value < 1, for: 90}"},
		{false, aRule + "critical: value < 1, for: '90'}"},
		{false, aRule + "critical: value < 1, for: -5m}"},
		{true, aRule + "critical: value < 1, for: \"${FOR}\", disabled: \"${OFF:-false}\", no_data: \"${NO_DATA}\"}"},
		{true, aRule + "critical: value < 1, disabled: false}"},
		{false, aRule + "critical: value < 1, disabled: no}"},
		{false, aRule + "critical: value < 1, disabled: on}"},
		{true, aRule + "critical: value < 1, timezone: Europe/Berlin, annotations: {n: 1, d: 2026-01-02}}"},
		{false, aRule + "critical: value < 1, labels: {a-b: c}}"},
		{false, aRule + "critical: value < 1, labels: {severity: high}}"},
		{false, aRule + "critical: value < 1, labels: {team: }}"},
		{true, aRule + "critical: value < 1, overrides: [{match: ['a = b'], disabled: true}]}"},
		{false, aRule + "critical: value < 1, overrides: [{disabled: true}]}"},
		{true, "x-slow: &slow {for: 5m}\nrules:\n  - {<<: *slow, id: a, metric: http.up, critical: value < 1}"},
		{true, "x-slow: &slow {for: 5m, fro: 1m}\nrules: []"},
		{false, "x-slow: &slow {fro: 5m}\nrules:\n  - {<<: *slow, id: a, metric: http.up, critical: value < 1}"},
		{false, "rules:\n  - x-not: here\n    id: a\n    metric: http.up\n    critical: value < 1"},
		{true, "use: [pack:redis, other/*.yaml]\nrules:"},
		{false, "rules:\n"},
		{false, "rules: {}"},
		{true, aSource + "type: redis, url: \"redis://h\", interval: \"${EVERY:-5s}\", memory_limit: 512MB}"},
		{true, aSource + "type: redis, url: \"${REDIS_URL}\", db: \"${DB:-0}\", memory_limit: 1048576}"},
		{true, aSource + "type: redis, addrs: ['h:1', 'i:1'], mode: cluster}"},
		{false, aSource + "type: redis}"},
		{false, aSource + "type: redis, url: \"mysql://h\"}"},
		{false, aSource + "type: redis, url: \"redis://h\", db: '0'}"},
		{false, aSource + "type: redis, url: \"redis://h\", memory_limit: lots}"},
		{false, aSource + "type: redis, url: \"redis://h\", values: []}"},
		{true, aSource + "type: redis, optional: true, url: \"${REDIS_URL:-}\"}"},
		{true, aSource + "type: push, strategies: {USERS: {ttl: 5m}, RUNS: }}"},
		{true, aSource + "type: http, url: \"http://h/\", headers: {X-Key: 1}, expect_status: [200, 2xx, 200-299]}"},
		{false, aSource + "type: http, url: \"http://h/\", expect_status: [ok]}"},
		{false, aSource + "type: host, labels: {source: x}}"},
		{false, aSource + "type: host, service: databse}"},
		{false, aSource + "type: Host}"},
		{true, aSource + "type: host}\nplugins: [{anything: goes}, 1, ]"},
		{false, aSource + "type: host}\nlog: {level: loud}"},
		{true, aSource + "type: host}\nlog: {level: \"${LEVEL:-info}\"}\nserver: \nstore: {retention: {history: 2w}}"},
	} {
		dir := t.TempDir()
		environ := []string{"FOR=5m", "NO_DATA=ok", "REDIS_URL=redis://h"}
		write(t, filepath.Join(dir, "other", "rules.yaml"), "rules: []\n")
		write(t, filepath.Join(dir, "form.yaml"), row.yaml)
		value, of, ok := natively("form.yaml of rules", []byte(row.yaml))
		if !ok {
			t.Errorf("%s\nis no YAML", row.yaml)
			continue
		}
		if mistakes := mistakesOf(t, example{"", dir, "form.yaml"}, of, environ...); len(mistakes) == 0 != row.right {
			t.Errorf("%s\ncheck says %v", row.yaml, mistakes)
		}
		if err := schemas[of].Validate(value); err == nil != row.right {
			t.Errorf("%s\nthe schema of %s says %v", row.yaml, of, err)
		}
	}
}

// TestFilesNameTheirSchema: the first line of what ships leads an editor to the
// right schema.
func TestFilesNameTheirSchema(t *testing.T) {
	for _, e := range corpus(t) {
		if !strings.HasPrefix(e.name, house) || strings.Contains(e.name, "testdata") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(e.dir, e.file))
		if err != nil {
			t.Fatal(err)
		}
		_, of, _ := natively(e.name, text)
		first, _, _ := strings.Cut(string(text), "\n")
		path, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		if !ok {
			t.Errorf("%s: the first line names no schema", e.name)
			continue
		}
		if got, want := filepath.Join(e.dir, path), filepath.Join(house, "configs", of+".schema.json"); got != want {
			t.Errorf("%s: the first line names %s, not %s", e.name, got, want)
		}
	}
}
