package rule

import (
	"regexp"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/schema"
)

func matches(s schema.Schema, text string) bool {
	pattern, _ := s["pattern"].(string)
	return regexp.MustCompile(pattern).MatchString(text)
}

// An editor must not mark what is right, and should mark what is not.
func TestSchemasTakeWhatTheReadersTake(t *testing.T) {
	item, _ := schema.Matchers()["items"].(schema.Schema)
	for _, row := range []struct {
		what   string
		schema schema.Schema
		read   func(text string) error
		texts  []string
	}{
		{
			"polls", Polls{}.ScalarSchema(), new(Polls).FromScalar,
			[]string{"3 of 5", " 3 of 5 ", "1 of 1", "0 of 5", "3 in 5", "3of5", "three of 5", "3 of", "", "-1 of 5"},
		},
		{
			"margin", MarginSpec{}.ScalarSchema(), new(MarginSpec).FromScalar,
			[]string{"2", "0.5", "1e3", "10ms", "16MB", "5%", " 5 ", "1h30m", "-2", "-5%", "some", "5 apples", "%", ""},
		},
		{
			"flapping", Flapping{}.ScalarSchema(), new(Flapping).FromScalar,
			[]string{"6 in 30m", "6 in 1h30m", " 6 in 30m ", "6 of 30m", "six in 30m", "6 in", "in 30m", "6", ""},
		},
		{
			"matcher", item, func(text string) error { _, err := alert.ParseMatcher(text); return err },
			[]string{
				"a = b", "a=b", "a=", `a = ""`, "a != b", "a =~ b.*", `a !~ "b|c"`, `"a" = b`, "a = =b", "a = ~b", " a = b ", "a.b = c",
				"a == b", "a", "= b", "a b = c", "", "a ! b", "{a} = b", "a,b = c",
			},
		},
	} {
		for _, text := range row.texts {
			err := row.read(text)
			if got := matches(row.schema, text); got != (err == nil) {
				t.Errorf("%s %q: the schema says %v, the reader %v", row.what, text, got, err)
			}
		}
	}
}

func TestSchemaTakesEveryCondition(t *testing.T) {
	for _, text := range []string{
		"value < 70", "value==1", "not (value >= 1)", `labels.source in ["a", "b"]`, `labels.source matches "a.*"`, "!(value != 1)",
		`labels.path startsWith "/api"`, `labels.path endsWith "x"`, `labels.path contains "x"`, "true", "value > 1 ? true : false", "",
	} {
		if !matches(conditionSchema(), text) {
			t.Errorf("%q is a condition", text)
		}
	}
	for _, text := range []string{"value", "70", "avg(5m)", "valeu", "inside"} {
		if matches(conditionSchema(), text) {
			t.Errorf("%q is no condition", text)
		}
	}
}
