package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

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

// checked reads an example as `tocsin check` does, by itself.
func checked(t *testing.T, e example, of string, environ ...string) []yamlpos.Mistake {
	path := filepath.Join(e.dir, e.file)
	var mistakes yamlpos.Mistakes
	if of == configFile {
		_, mistakes = configs.Load(path, kindsOf(nil).configs(), configs.Input{Environ: environ})
	} else {
		var tests *ruleTests
		_, _, tests, mistakes = loadRules([]string{path}, configs.Input{Environ: environ}, source.NewCatalog(nil, false), nil)
		mistakes = append(mistakes, tests.mistakes(t.Context())...)
	}
	for i, m := range mistakes {
		if strings.Contains(m.Path, ".expect.") { // of the short form it is the whole
			mistakes[i].Path = strings.TrimSuffix(m.Path, ".severity")
		}
	}
	return slices.DeleteFunc(mistakes, func(m yamlpos.Mistake) bool { return m.Warning || m.File != path })
}

// verdict is what a schema refuses: at one of several places, where it cannot
// say at which.
type verdict []spot

type spot struct {
	path string
	// around: the mistake may lie deeper, in what is missing or in a list that
	// is wrong as a whole.
	around bool
	// anywhere: path is but a key; the library has forgotten its place.
	anywhere bool
}

// verdicts flattens what the validator returns.
func verdicts(err error) []verdict {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil
	}
	var all []verdict
	var walk func(e *jsonschema.ValidationError) verdict
	walk = func(e *jsonschema.ValidationError) verdict {
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
func spotsOf(e *jsonschema.ValidationError) verdict {
	at := ""
	for _, step := range e.InstanceLocation {
		if _, err := strconv.Atoi(step); err == nil {
			at += "[" + step + "]"
		} else {
			at = problem.Join(at, step)
		}
	}
	var spots verdict
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
		spots = verdict{{path: k.Property, anywhere: true}}
	case *kind.UniqueItems:
		spots = verdict{{path: fmt.Sprintf("%s[%d]", at, max(k.Duplicates[0], k.Duplicates[1]))}}
	case *kind.MaxItems:
		spots = verdict{{path: at, around: true}}
	default:
		if len(e.Causes) == 0 {
			spots = verdict{{path: at}}
		}
	}
	return spots
}

// finds says whether a verdict is the mistake at the path.
func (r verdict) finds(path string) bool {
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

// follows says whether a verdict is of a key that is missing because it is
// misspelt: check tells that once.
func (r verdict) follows(m yamlpos.Mistake) bool {
	parent := func(path string) string { return path[:max(strings.LastIndex(path, "."), 0)] }
	return m.Message == "unknown field" && slices.ContainsFunc(r, func(s spot) bool { return s.around && parent(s.path) == parent(m.Path) })
}
