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

// LoadTestedRules is LoadRules, and returns the tests that stand beside the
// rules too. The mistakes hold those of the tests' form. What a test has to say
// of rules that are not there any more, and whether it passes, is not judged: an
// edit in the middle of an incident is not to fail for a test that is out of
// date.
func LoadTestedRules(files []string, in Input, compile func(rule.Spec) problem.List) ([]Rule, []RuleTest, yamlpos.Mistakes) {
	l := ruleLoader{in: in, compile: compile, seen: map[string]Rule{}}
	for _, file := range files {
		l.file(file)
	}
	l.tests.refuseAlone(&l.mistakes)
	return l.rules, l.tests.found, l.mistakes.Sorted()
}

// testLoader gathers the tests of all files.
type testLoader struct {
	found []RuleTest
	// alone are the files with tests and no rules; ruled says that another has
	// some.
	alone []*yamlpos.Document
	ruled bool
}

// add takes the tests of a file, adds their mistakes to those there are, and
// says whether the file may do without rules.
func (l *testLoader) add(doc *yamlpos.Document, specs []rule.TestSpec, mistakes *yamlpos.Mistakes) (mayLackRules bool) {
	decoded := *mistakes
	for i, spec := range specs {
		at := fmt.Sprintf("tests[%d]", i)
		if !doc.Has(at) {
			continue // an empty item, reported by Decode
		}
		t := RuleTest{Spec: spec, doc: doc, path: at}
		for _, m := range decoded {
			if m.File == doc.File() && strings.HasPrefix(m.Path, at+".") {
				t.unread, t.Garbled = append(t.unread, m.Path), true
			}
		}
		l.found = append(l.found, t)
		*mistakes = append(*mistakes, t.Locate(ruletest.Check(spec))...)
	}
	if doc.Has("rules") {
		l.ruled = true
		return false
	}
	if doc.Has("tests") {
		l.alone = append(l.alone, doc)
	}
	return doc.Has("tests")
}

// refuseAlone reports the files with tests where no file has rules: they are
// what is left of an edit that broke off, or a forgotten file.
func (l *testLoader) refuseAlone(mistakes *yamlpos.Mistakes) {
	if l.ruled {
		return
	}
	for _, doc := range l.alone {
		*mistakes = append(*mistakes, doc.Locate(problem.List{{
			Path: "", Message: "the file holds tests and no rules", Hint: "give the file of the rules along with it",
		}})...)
	}
}
