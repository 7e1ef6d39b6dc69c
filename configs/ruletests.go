package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/engine/rule/ruletest"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// RuleTest is one test of a rule as it is written, and where. It keeps its file
// in memory.
type RuleTest struct {
	Spec rule.TestSpec
	// Garbled says that something in it could not be read: it says less than
	// what was written.
	Garbled bool
	doc     *yamlpos.Document
	path    string
	unread  []string // the paths of what could not be read
}

// Locate finds the places of problems whose paths are relative to the test.
// That something is missing is not said beside a key that could not be read:
// sereis is one mistake, not two.
func (t RuleTest) Locate(problems problem.List) yamlpos.Mistakes {
	var placed problem.List
	placed.Under(t.path, problems)
	placed = slices.DeleteFunc(placed, t.echoes)
	return t.doc.Locate(placed)
}

// echoes says whether a problem only follows from a part that could not be read.
func (t RuleTest) echoes(p problem.Problem) bool {
	within := p.Path
	if !t.doc.Has(within) {
		within = within[:strings.LastIndexByte(within, '.')+1]
		within = strings.TrimSuffix(within, ".")
	}
	if _, isScalar := t.doc.Text(within); isScalar {
		return false // it was read, or Locate knows better
	}
	if !t.doc.Has(within) || within == "" {
		within = t.path
	}
	return slices.ContainsFunc(t.unread, func(path string) bool { return strings.HasPrefix(path, within+".") })
}

// tests takes the tests of a file. A mistake of their form is one of the
// file's; what a test has to say of rules that are not there any more, and
// whether it passes, is not judged here: an edit in the middle of an incident is
// not to fail for a test that is out of date. A pack's tests are its own
// matter: its rules may have been changed.
func (r *ruleReader) tests(f *RuleFile, decoded yamlpos.Mistakes) {
	for i, spec := range f.Tests {
		at := fmt.Sprintf("tests[%d]", i)
		if !f.doc.Has(at) || f.pack {
			continue // an empty item, reported by Decode
		}
		t := RuleTest{Spec: spec, doc: f.doc, path: at}
		for _, m := range decoded {
			if strings.HasPrefix(m.Path, at+".") {
				t.unread, t.Garbled = append(t.unread, m.Path), true
			}
		}
		r.set.Tests = append(r.set.Tests, t)
		r.add(t.Locate(ruletest.Check(spec)))
	}
}

// refuseTestsAlone reports the files with tests where no file has rules: they
// are what is left of an edit that broke off, or a forgotten file.
func (r *ruleReader) refuseTestsAlone() {
	for _, f := range r.set.Files {
		if f.doc.Has("rules") || f.doc.Has("use") {
			return
		}
	}
	for _, f := range r.set.Files {
		if f.doc.Has("tests") {
			r.add(f.doc.Locate(problem.List{{
				Message: "the file holds tests and no rules", Hint: "give the file of the rules along with it",
			}}))
		}
	}
}
