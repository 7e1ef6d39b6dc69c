package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/configs/imports"
)

// TestCheckAcceptsWhatImportWrites, of each example alone and of all pairs of an
// Alertmanager's configuration and rules.
func TestCheckAcceptsWhatImportWrites(t *testing.T) {
	names, err := filepath.Glob("../../configs/imports/testdata/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	var sets [][]string
	var tree, rules []string
	for _, name := range names {
		sets = append(sets, []string{name})
		if strings.HasSuffix(name, "alertmanager.yml") {
			tree = append(tree, name)
		} else {
			rules = append(rules, name)
		}
	}
	for _, name := range tree {
		sets = append(sets, append([]string{name}, rules...))
	}
	for _, set := range sets {
		var im imports.Importer
		for _, name := range set {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := im.Add(name, data); err != nil {
				t.Fatal(err)
			}
		}
		made, err := im.Result()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range made.Files {
			write(t, filepath.Join(dir, f.Name), f.Content)
		}
		var out bytes.Buffer
		w := world{stdout: &out, stderr: &out, kinds: kindsOf(nil)}
		p, mistakes := load(files{config: filepath.Join(dir, "tocsin.yaml"), lint: true, tests: true}, w)
		if err := mistakes.Err(); err != nil {
			t.Errorf("%v: %v", set, err)
			for _, f := range made.Files {
				t.Logf("%s\n%s", f.Name, f.Content)
			}
			continue
		}
		if p.routing.Root == nil || len(p.routing.Root.Receivers) == 0 {
			t.Errorf("%v: nobody is told", set)
		}
	}
}
