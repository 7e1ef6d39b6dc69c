package yamlpos_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// sample has one field of each kind that a configuration uses.
type sample struct {
	Name     string            `yaml:"name"`
	Enabled  bool              `yaml:"enabled"`
	Count    int               `yaml:"count"`
	Small    int8              `yaml:"small"`
	Port     uint16            `yaml:"port"`
	Ratio    float64           `yaml:"ratio"`
	Interval time.Duration     `yaml:"interval"`
	Wait     *time.Duration    `yaml:"wait"`
	Limit    units.ByteSize    `yaml:"limit"`
	Token    secret.String     `yaml:"token"`
	URL      secret.URL        `yaml:"url"`
	Names    []string          `yaml:"names"`
	Labels   map[string]string `yaml:"labels"`
	Any      any               `yaml:"any"`
	Server   server            `yaml:"server"`
	Rules    []ruleLike        `yaml:"rules"`
	Optional *server           `yaml:"optional"`
	Texts    textsLike         `yaml:"texts"`
	common   `yaml:",inline"`
}

type common struct {
	Owner string `yaml:"owner"`
}

type server struct {
	Listen string        `yaml:"listen"`
	Token  secret.String `yaml:"token"`
	Pin    secret.String `yaml:"pin"` // a secret only by its type
}

type ruleLike struct {
	ID       string        `yaml:"id"`
	For      time.Duration `yaml:"for"`
	Critical whenLike      `yaml:"critical"`
}

type whenLike struct {
	When string         `yaml:"when"`
	For  *time.Duration `yaml:"for"`
}

func (w *whenLike) FromScalar(text string) error {
	w.When = text
	return nil
}

// textsLike is a map that has a short form.
type textsLike map[string]string

func (x *textsLike) FromScalar(text string) error {
	*x = textsLike{"": text}
	return nil
}

// variables are the environment of the tests.
func variables(name string) (string, bool) {
	value, ok := map[string]string{
		"NAME": "tocsin", "NUMBER": "42", "EMPTY": "", "FLAG": "true", "SECRET": "hunter2-hunter2",
		"YAML": "a: [b, c]", "WORD": "banana",
	}[name]
	return value, ok
}

// read runs a document through everything, with some problems that a Validate
// might find.
func read(name string, data []byte) (sample, yamlpos.Mistakes) {
	var s sample
	doc, mistakes := yamlpos.Parse(name, data)
	if doc == nil {
		return s, mistakes
	}
	mistakes = append(mistakes, doc.Expand(variables)...)
	mistakes = append(mistakes, doc.Decode(&s)...)
	mistakes = append(mistakes, doc.Locate(s.problems())...)
	return s, mistakes.Sorted()
}

// problems looks for an @ where none may be.
func (s sample) problems() problem.List {
	var ps problem.List
	for _, r := range s.Rules {
		if r.ID == "" {
			ps.AddHint("rules[0].id", "name the rule", "missing")
		}
		if at := bytes.IndexByte([]byte(r.Critical.When), '@'); at >= 0 {
			ps = append(ps, problem.Problem{Path: "rules[0].critical.when", Offset: at, Message: "unexpected @ in " + r.Critical.When})
		}
	}
	if s.Server.Listen == "nowhere" || s.Server.Listen == "banana" {
		ps.Add("server.listen", "no such address %q", s.Server.Listen)
	}
	if s.Owner == "nobody" {
		ps.Add("owner", "no such owner")
		ps[len(ps)-1].Warning = true
	}
	return ps
}

// Each file of testdata/mistakes is one kind of mistake, or a meeting of
// several; the .txt beside it is what a person is told.
func TestMistakesAreToldAtTheirPlace(t *testing.T) {
	inputs, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		name := filepath.Base(input)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			_, mistakes := read(name, data)
			if len(mistakes) == 0 {
				t.Error("no mistake was found")
			}
			var got bytes.Buffer
			if err := mistakes.Write(&got); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(got.Bytes(), []byte("hunter2")) {
				t.Errorf("a secret is shown:\n%s", got.String())
			}
			compare(t, input[:len(input)-len(".yaml")]+".txt", got.Bytes())
		})
	}
}

// compare holds the output against a golden file; UPDATE=1 rewrites it.
func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	wanted, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; UPDATE=1 writes it", err)
	}
	if !bytes.Equal(got, wanted) {
		t.Errorf("got:\n%s\nwant:\n%s", got, wanted)
	}
}
