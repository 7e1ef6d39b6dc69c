package schemagen

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
)

func TestCommentsSpeakOfKeys(t *testing.T) {
	keys := map[string]string{"Keep": "keep", "Drop": "drop", "MaxTables": "max_tables", "For": "for", "Settings": "-"}
	for _, row := range []struct{ comment, name, key, want string }{
		{"", "Keep", "keep", ""},
		{"Keep and Drop are expressions.\nEmpty Keep keeps\neverything.", "Keep", "keep", "`keep` and `drop` are expressions. Empty `keep` keeps everything."},
		{"Keep and Drop are expressions.", "Drop", "drop", "`keep` and `drop` are expressions."},
		{"MaxTables are watched. MaxTables bounds. For example 5.", "MaxTables", "max_tables", "`max_tables` are watched. `max_tables` bounds. For example 5."},
		{"text only; Settings stay", "Color", "color", "text only; Settings stay"},
		{"Server is the HTTP side.\n\nIt listens.", "Server", "server", "`server` is the HTTP side.\n\nIt listens."},
	} {
		if diff := cmp.Diff(row.want, wordsOf(row.comment, row.name, row.key, keys)); diff != "" {
			t.Error(diff)
		}
	}
}

// tree contains itself, and inlines.
type tree struct {
	shared   `yaml:",inline"`
	Children []tree            `yaml:"children"`
	Words    map[string]string `yaml:"words"`
	Any      []any             `yaml:"any"`
	Size     units.ByteSize    `yaml:"size"`
	Left     *int              `yaml:"left"`
	Internal int               `yaml:"-"`
}

type shared struct {
	Token secret.String `yaml:"token"`
	Wait  time.Duration `yaml:"wait"`
	Kind  string        `yaml:"kind"`
}

func (shared) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"kind": schema.Enum("a", "b"), "wait": schema.MoreThanZero()}, "kind", "token")
}

// short is a text, or a mapping.
type short struct {
	State string `yaml:"state"`
}

func (s *short) FromScalar(text string) error {
	s.State = text
	return nil
}

func (short) ScalarSchema() schema.Schema { return schema.Enum("ok", "bad") }

// texts is a text, or a mapping of texts.
type texts map[string]string

func (s *texts) FromScalar(text string) error {
	*s = texts{"": text}
	return nil
}

func TestSchemaOfATypeThatContainsItself(t *testing.T) {
	g := New(NewDocs("../..", "github.com/tocsin-dev/tocsin"))
	s := g.Object(reflect.TypeFor[*tree]())
	properties, _ := s["properties"].(schema.Schema)
	var keys []string
	for key := range properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if want := []string{"any", "children", "kind", "left", "size", "token", "token_file", "wait", "words"}; !slices.Equal(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
	for key, want := range map[string]string{
		"children": `{"items":{"$ref":"#/$defs/schemagen.tree","type":["object"]},"type":["array","null"]}`,
		"words":    `{"additionalProperties":{"type":["string","number","boolean"]},"type":["object","null"]}`,
		"any":      `{"items":{},"type":["array","null"]}`,
		"kind":     `{"anyOf":[{"enum":["a","b"]},{"$ref":"#/$defs/variable"},{"type":"null"}],"type":["string"]}`,
		"left":     `{"pattern":"\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-|\\})","patternErrorMessage":"want a whole number","type":["integer","string","null"]}`,
	} {
		got, err := json.Marshal(properties[key])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if required, _ := s["required"].([]string); !slices.Equal(required, []string{"kind"}) {
		t.Errorf("required are %v; a secret may stand in a file", required)
	}
}

func TestShortFormsStandBesideLongOnes(t *testing.T) {
	g := New(NewDocs("../..", "github.com/tocsin-dev/tocsin"))
	g.Object(reflect.TypeFor[struct {
		Short short `yaml:"short"`
		Texts texts `yaml:"texts"`
	}]())
	for name, want := range map[string][]string{
		"schemagen.short": {"object", "string", "null"},
		"schemagen.texts": {"object", "string", "number", "boolean", "null"},
	} {
		def, _ := g.defs[name].(schema.Schema)
		if got := typesOf(def); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	choice, _ := g.defs["schemagen.short"].(schema.Schema)["anyOf"].([]any) //nolint:forcetypeassert // as found above
	if len(choice) != 4 {
		t.Errorf("an enum of texts must let the mapping be: %v", choice)
	}
}

// The patterns are those of the readers.
func TestPatternsAreWhatTheReadersTake(t *testing.T) {
	for _, text := range []string{
		"0", "5s", "1h30m", "1.5h", ".5s", "5.s", "90d", "1 h 30 m", " 5s ", "µs", "5µs", "", "5", "-5s", "5x", "s", "5s5", "1e3s", "5 s", "00",
		"512MB", "1.5GiB", "1048576", "12 kB", "MB", "5PB", "-1MB", "1MB2KB", "1..5MB", ".", "5.", "10%", "5 %",
	} {
		_, err := units.ParseDuration(text)
		if got := regexp.MustCompile(units.DurationPattern()).MatchString(text); got != (err == nil) {
			t.Errorf("%q as a duration: the pattern says %v, the reader %v", text, got, err)
		}
		_, err = units.ParseBytes(text)
		if got := regexp.MustCompile(units.BytesPattern()).MatchString(text); got != (err == nil) {
			t.Errorf("%q as a size: the pattern says %v, the reader %v", text, got, err)
		}
	}
}
