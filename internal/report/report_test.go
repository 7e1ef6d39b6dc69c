package report_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/report"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

const folder = "/srv/app"

// found reads a text with a secret, and wide characters before a mistake.
func found(t *testing.T, name string) yamlpos.Mistakes {
	t.Helper()
	var into struct {
		Name  string        `yaml:"name"`
		Token secret.String `yaml:"token"`
		Port  int           `yaml:"port"`
	}
	doc, mistakes := yamlpos.Parse(name, []byte("{name: 漢字, token: hunter2hunter2, port: 9%0, nmae: x}\n"))
	if doc == nil {
		t.Fatal(mistakes)
	}
	mistakes = append(mistakes, doc.Decode(&into)...)
	var problems problem.List
	problems.Warn(problem.WeakSecret, "token", "make: a, longer\none", "100%% guessable")
	return append(mistakes, doc.Locate(problems)...).Sorted()
}

// others are mistakes without a place.
func others() yamlpos.Mistakes {
	return yamlpos.Mistakes{
		{File: "rules/no such.yaml", Unread: true, Code: problem.Unreadable, Message: "cannot read the file"},
		{File: "environment TOCSIN_X", Message: "no such setting", Warning: true},
	}
}

func TestGitHub(t *testing.T) {
	var b strings.Builder
	if err := report.GitHub(&b, append(found(t, "/srv/app/a,b/c:d.yaml"), others()...), folder); err != nil {
		t.Fatal(err)
	}
	compare(t, b.String(), `
::warning file=a%2Cb/c%3Ad.yaml,line=1,col=19,title=tocsin%3A weak-secret::token: 100%25 guessable; make: a, longer one
::error file=a%2Cb/c%3Ad.yaml,line=1,col=41,endColumn=44,title=tocsin%3A wrong-value::port: want a whole number, not the text "9%250"
::error file=a%2Cb/c%3Ad.yaml,line=1,col=46,endColumn=50,title=tocsin%3A unknown-field::nmae: unknown field; did you mean "name"?
::error file=rules/no such.yaml,title=tocsin%3A unreadable-file::cannot read the file
::warning title=tocsin%3A mistake::environment TOCSIN_X: no such setting
`)
}

func TestGitHubNamesWhatIsNoFile(t *testing.T) {
	var b strings.Builder
	if err := report.GitHub(&b, found(t, yamlpos.StandardInput)[:1], folder); err != nil {
		t.Fatal(err)
	}
	compare(t, b.String(), "\n::warning title=tocsin%3A weak-secret::standard input:1:19: token: 100%25 guessable; make: a, longer one\n")
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := report.JSON(&b, append(found(t, "a.yaml")[:2], others()[0]), 3, false); err != nil {
		t.Fatal(err)
	}
	compare(t, b.String(), `
{
  "ok": false,
  "rules": 3,
  "mistakes": [
    {
      "file": "a.yaml",
      "line": 1,
      "column": 19,
      "path": "token",
      "severity": "warning",
      "code": "weak-secret",
      "message": "100% guessable",
      "hint": "make: a, longer\none",
      "source": "{name: 漢字, token: ***, port: 9%0, nmae: x}"
    },
    {
      "file": "a.yaml",
      "line": 1,
      "column": 41,
      "end_column": 44,
      "path": "port",
      "severity": "error",
      "code": "wrong-value",
      "message": "want a whole number, not the text \"9%0\"",
      "hint": "",
      "source": "{name: 漢字, token: ***, port: 9%0, nmae: x}"
    },
    {
      "file": "rules/no such.yaml",
      "line": 0,
      "column": 0,
      "path": "",
      "severity": "error",
      "code": "unreadable-file",
      "message": "cannot read the file",
      "hint": "",
      "source": ""
    }
  ]
}
`)
	b.Reset()
	if err := report.JSON(&b, nil, 3, true); err != nil {
		t.Fatal(err)
	}
	compare(t, b.String(), "\n{\n  \"ok\": true,\n  \"rules\": 3,\n  \"mistakes\": []\n}\n")
}

func TestSARIFSaysWhereInCharacters(t *testing.T) {
	log := sarif(t, append(found(t, "a b/c.yaml"), others()...))
	results := log["runs"].([]any)[0].(map[string]any)["results"].([]any)
	got, err := json.MarshalIndent(results[2], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, string(got)+"\n", `
{
  "level": "error",
  "locations": [
    {
      "logicalLocations": [
        {
          "fullyQualifiedName": "nmae"
        }
      ],
      "physicalLocation": {
        "artifactLocation": {
          "uri": "a%20b/c.yaml"
        },
        "contextRegion": {
          "snippet": {
            "text": "{name: 漢字, token: ***, port: 9%0, nmae: x}"
          },
          "startLine": 1
        },
        "region": {
          "endColumn": 50,
          "snippet": {
            "text": "nmae"
          },
          "startColumn": 46,
          "startLine": 1
        }
      }
    }
  ],
  "message": {
    "text": "nmae: unknown field; did you mean \"name\"?"
  },
  "ruleId": "unknown-field",
  "ruleIndex": `+indexOf(t, log, "unknown-field")+`
}
`)
}

func TestSARIFFitsItsSchema(t *testing.T) {
	data, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, mistakes := range map[string]yamlpos.Mistakes{
		"none": nil, "relative": found(t, "a,b/ü c.yaml"), "elsewhere": found(t, "/etc/tocsin.yaml"),
		"colon": found(t, "a:b.yaml"), "pipe": found(t, yamlpos.StandardInput), "placeless": others(),
	} {
		if err := schema.Validate(sarif(t, mistakes)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := sarif(t, nil)
	delete(broken, "version")
	if schema.Validate(broken) == nil {
		t.Error("the schema takes anything")
	}
}

func TestNoFormatShowsASecret(t *testing.T) {
	var b strings.Builder
	mistakes := found(t, "a.yaml")
	for _, err := range []error{
		report.JSON(&b, mistakes, 0, false), report.GitHub(&b, mistakes, folder), report.SARIF(&b, mistakes, folder, "1", 1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Error(b.String())
	}
}

func sarif(t *testing.T, mistakes yamlpos.Mistakes) map[string]any {
	t.Helper()
	var b strings.Builder
	if err := report.SARIF(&b, mistakes, folder, "1.2.3", 1); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal([]byte(b.String()), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func indexOf(t *testing.T, log map[string]any, code string) string {
	t.Helper()
	driver := log["runs"].([]any)[0].(map[string]any)["tool"].(map[string]any)["driver"].(map[string]any)
	for i, r := range driver["rules"].([]any) {
		if r.(map[string]any)["id"] == code {
			text, _ := json.Marshal(i)
			return string(text)
		}
	}
	t.Fatalf("no rule %s", code)
	return ""
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
}
