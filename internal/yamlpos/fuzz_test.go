package yamlpos_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Whatever a stranger writes: no panic, every mistake within the file, every
// path found somewhere, and no value of the environment in any message.
func FuzzDocument(f *testing.F) {
	inputs, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, input := range inputs {
		data, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "rules[0].critical.when", 3)
	}
	f.Add([]byte("a: |2\n    x\n   ${A:-${B}}\nb: >-\n\n  x\n\n\n  y\n"), "a", 5)
	f.Fuzz(func(t *testing.T, data []byte, path string, offset int) {
		lines := yamlpos.LinesOf(data)
		within := func(what string, ms yamlpos.Mistakes) {
			for _, m := range ms {
				if m.Line < 1 || m.Line > len(lines) || m.Column < 1 || m.Column > len(lines[m.Line-1])+1 {
					t.Errorf("%s: %d:%d is not in the file: %v", what, m.Line, m.Column, m)
				}
			}
			var out bytes.Buffer
			if err := ms.Write(&out); err != nil {
				t.Error(err)
			}
			if strings.Contains(out.String(), "hunter2-hunter2") && !bytes.Contains(data, []byte("hunter2")) {
				t.Errorf("%s: a secret is shown: %s", what, out.String())
			}
		}
		doc, mistakes := yamlpos.Parse("f.yaml", data)
		within("parse", mistakes)
		if doc == nil {
			if len(mistakes) == 0 {
				t.Error("no document and no mistake")
			}
			return
		}
		within("expand", doc.Expand(variables))
		var s sample
		decoded := doc.Decode(&s)
		if !strings.Contains(string(data), "_file") {
			within("decode", decoded)
		}
		var anything any
		within("any", doc.Decode(&anything))
		problems := problem.List{{Path: path, Offset: offset, Message: "m"}}
		for i := range s.Rules {
			problems = append(problems, problem.Problem{Path: fmt.Sprintf("rules[%d].critical.when", i), Offset: offset, Message: s.Rules[i].Critical.When})
		}
		within("locate", doc.Locate(problems))
	})
}

// What Set is given comes from the environment, which strangers write too.
func FuzzSet(f *testing.F) {
	f.Add("name: a\n", "server.listen", "[a, {b: c}]")
	f.Add("x: &a {b: c}\nserver: *a\n", "server.listen", "v")
	f.Add("rules: []\n", "rules[0].id", "{")
	f.Fuzz(func(_ *testing.T, data, path, value string) {
		doc, _ := yamlpos.Parse("f.yaml", []byte(data))
		if doc == nil {
			return
		}
		ms := doc.Set(path, value, "environment X")
		ms = append(ms, doc.Expand(variables)...)
		var s sample
		ms = append(ms, doc.Decode(&s)...)
		ms = append(ms, doc.Locate(problem.List{{Path: path, Message: "m"}})...)
		_ = ms.Sorted().Write(&bytes.Buffer{})
	})
}
