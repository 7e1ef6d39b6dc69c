package yamlpos_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// counted takes `when: {3 of 5: text}` beside `when: text`.
type counted struct {
	When  string `yaml:"when"`
	Count string `yaml:"count"`
}

func (c *counted) FromEntry(field, key, value string) error {
	if field != "when" || !strings.Contains(key, " of ") {
		return errors.New("not so; write 3 of 5")
	}
	c.When, c.Count = value, key
	return nil
}

func TestATextThatIsAMappingOfOneEntry(t *testing.T) {
	tests := []struct{ text, want, mistake string }{
		{"rule: {when: x < 1}", "x < 1 ", ""},
		{"rule: {when: {3 of 5: x < 1}}", "x < 1 3 of 5", ""},
		{"rule:\n  when:\n    3 of 5: x < 1\n", "x < 1 3 of 5", ""},
		{"rule: {when: {three: x < 1}}", " ", "f.yaml:1:15: rule.when: not so; write 3 of 5"},
		{"rule: {when: {a of b: 1, c of d: 2}}", " ", "f.yaml:1:14: rule.when: want a text, not a mapping"},
		{"rule: {when: {a of b: [1]}}", " ", "f.yaml:1:14: rule.when: want a text, not a mapping"},
		{"rule: {when: {}}", " ", "f.yaml:1:14: rule.when: want a text, not a mapping"},
		{"rule: {count: {a of b: x}}", " ", "f.yaml:1:16: rule.count: not so; write 3 of 5"},
	}
	for _, tc := range tests {
		var into struct {
			Rule counted `yaml:"rule"`
		}
		doc, mistakes := yamlpos.Parse("f.yaml", []byte(tc.text))
		mistakes = append(mistakes, doc.Decode(&into)...)
		got := ""
		if err := mistakes.Err(); err != nil {
			got = err.Error()
		}
		if got != tc.mistake || into.Rule.When+" "+into.Rule.Count != tc.want {
			t.Errorf("%q: %+v, %s", tc.text, into.Rule, got)
		}
	}
}
