package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// everySource has a source for each metric of the catalog.
const everySource = `
sources:
  - {name: cache, type: redis, url: "redis://127.0.0.1:6379", interval: 5s}
  - {name: database, type: postgres, url: "postgres://127.0.0.1/app"}
  - {name: site, type: http, url: "http://127.0.0.1:3000/"}
  - {name: web, type: prometheus, url: "http://127.0.0.1:3000/metrics"}
  - {name: host, type: host}
  - {name: self, type: process}
receivers: [{name: console, type: console}]
route: {receivers: [console]}
`

// TestWhatShipsWarnsOfNothing: whoever starts with our files starts with none of
// our mistakes.
func TestWhatShipsWarnsOfNothing(t *testing.T) {
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	write(t, config, everySource)
	packs, err := filepath.Glob("../../configs/packs/*.yaml")
	if err != nil || len(packs) < 4 {
		t.Fatalf("%d packs, %v", len(packs), err)
	}
	for _, f := range []files{
		{config: "../../configs/embedded.yaml"},
		{rules: []string{"../../rules.yaml"}},
		{config: config, rules: []string{"../../rules.yaml"}},
		{config: config, rules: packs},
	} {
		f.lint = true
		w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, kinds: kindsOf(nil)}
		var mistakes yamlpos.Mistakes
		if f.config != "" {
			_, mistakes = load(f, w)
		} else {
			_, _, _, mistakes = loadRules(f.rules, (&reading{}).input(w), source.NewCatalog(nil, false), newLinter(nil, nil, nil))
		}
		if len(mistakes) > 0 {
			t.Errorf("%s %v:\n%v", f.config, f.rules, mistakes)
		}
	}
}
