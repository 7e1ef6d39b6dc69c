package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/schemagen"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
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
		{`^and joins two conditions`, "", language},
		{`^unknown field$|is not a status`, "check_misspelt_type", "a schema knows a source by its type"},
		{`wants one window|wants a name in quotes`, "", language},
		{`^bad template: `, "", language},
		{`error parsing regexp`, "", language},
		{`^("\*3" cannot stand here|"donw" is not a poll)$`, "", language},
		{`^a label's value stands in double quotes$`, "", language},
		{`^the series end at `, "", "a schema counts no polls"},
		{`^test ".*": at `, "", "a schema plays no tests"},
		{`^there is no rule |^the file holds tests and no rules$`, "", "the rules may stand in another file"},
		{`does not (compare|go) with|^the expression is in `, "", units},
		{`^there is a metric ".*" already$`, "", catalog},
		{`in a circle: |^a rule cannot depend on itself$`, "", names},
		{`^"\d+ of \d+" cannot be$`, "", "a pattern does not compare numbers"},
		{`^must be 5m0s or more: alerts would end`, "", "a pattern does not compare numbers"},
		{`^the password would be readable on the way$`, "", names},
		{`is not a time zone$`, "", "the zones are not in the schema"},
		{`^it is not clear which of several series is the worst`, "", language},
		{`is not a day of the week$|^time\(\) is the time of day`, "", language},
		{`^unknown metric `, "", catalog},
		{`^no such type of source: "rediss"$`, "check_everything", "it could be a plugin's"},
		{`^no such type of receiver: "pagger"$`, "plugins.yaml", "it could be a plugin's"},
		{`is a type that is built in$`, "", names},
		{`^a plugin cannot be given this number$`, "", "the schema knows no plugin's settings"},
		{`is taken by `, "", names},
		{`^two rules are called `, "", names},
		{`^no receiver is called `, "", names},
		{`^no rule that this file uses is called `, "", names},
		{`^longer than the interval of `, "", names},
		{`^want (at least (100ms|1m)|more than 0s and at most 5m)$`, "", "a pattern does not compute"},
		{`^without tokens only this machine may connect$`, "", "tokens may come from the environment"},
		{`^every receiver here is left out$`, "", world},
		{`^variable \w+ is not set$`, "", world},
		{`^cannot read `, "", world},
		{`^there is no (file|pack) `, "", world},
		{`^no file fits `, "", world},
		{`; nothing is sent there`, "", "a pattern knows no networks"},
		{`^only one of webhook_url and token can be used$|^a webhook's messages have no buttons`, "", "a secret may come from x_file or a variable"},
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
		refused := verdicts(schemas[of].Validate(value))
		mistakes := checked(t, e, of)
		for _, m := range mistakes {
			known := slices.ContainsFunc(refused, func(r verdict) bool { return r.finds(m.Path) })
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
