package yamlpos_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// layered is a thing that one document writes and another changes.
type layered struct {
	ID       string              `yaml:"id"`
	For      time.Duration       `yaml:"for"`
	Critical whenLike            `yaml:"critical"`
	Match    []string            `yaml:"match"`
	Labels   map[string]string   `yaml:"labels"`
	Parts    map[string]whenLike `yaml:"parts"`
	Off      bool                `yaml:"off"`
}

func TestMergeChangesOnlyWhatIsWritten(t *testing.T) {
	base := `
id: a
for: 1m
critical: {when: value > 5, for: 2m}
match: [a = b, c = d]
labels: {team: web, tier: one}
parts: {x: {when: old, for: 1m}}
off: true
`
	minutes := func(n int) *time.Duration { d := time.Duration(n) * time.Minute; return &d }
	want := func(change func(*layered)) layered {
		l := layered{
			ID: "a", For: time.Minute, Critical: whenLike{When: "value > 5", For: minutes(2)}, Match: []string{"a = b", "c = d"},
			Labels: map[string]string{"team": "web", "tier": "one"}, Parts: map[string]whenLike{"x": {When: "old", For: minutes(1)}}, Off: true,
		}
		change(&l)
		return l
	}
	for patch, changed := range map[string]layered{
		"":                         want(func(*layered) {}),
		"for:":                     want(func(*layered) {}),
		"off: false":               want(func(l *layered) { l.Off = false }),
		"critical: {for: 5m}":      want(func(l *layered) { l.Critical.For = minutes(5) }),
		"critical: value > 9":      want(func(l *layered) { l.Critical.When = "value > 9" }),
		"match: [e = f]":           want(func(l *layered) { l.Match = []string{"e = f"} }),
		"match: []":                want(func(l *layered) { l.Match = []string{} }),
		"labels: {team: data}":     want(func(l *layered) { l.Labels["team"] = "data" }),
		"labels: {new: x}":         want(func(l *layered) { l.Labels["new"] = "x" }),
		"parts: {x: {when: new}}":  want(func(l *layered) { l.Parts["x"] = whenLike{"new", minutes(1)} }),
		"parts: {y: {when: more}}": want(func(l *layered) { l.Parts["y"] = whenLike{When: "more"} }),
	} {
		t.Run(patch, func(t *testing.T) {
			var got layered
			for _, text := range []string{base, patch} {
				doc, mistakes := yamlpos.Parse("t.yaml", []byte(text))
				if len(mistakes) > 0 {
					t.Fatal(mistakes)
				}
				if mistakes := doc.MergeAt("", &got); len(mistakes) > 0 {
					t.Fatal(mistakes)
				}
			}
			if diff := cmp.Diff(changed, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A long list of rules is no bomb: only what aliases multiply is bounded.
func TestALongListIsRead(t *testing.T) {
	text := "rules:\n" + strings.Repeat("  - {id: a, for: 1m, critical: {when: value > 5}}\n", 30_000)
	doc, mistakes := yamlpos.Parse("t.yaml", []byte(text))
	if len(mistakes) > 0 || !doc.Has("rules[29999]") {
		t.Fatal(mistakes)
	}
}
