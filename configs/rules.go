package configs

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Rule is one rule as it is to be judged, and where.
type Rule struct {
	// Spec is the rule with everything that files change of it.
	Spec rule.Spec
	// File and Line are the entry that has the last word.
	File string
	Line int
}

// maxSuggestions bounds the search for what was meant: of more rules that
// change nothing, it is the `use` that is wrong, and no id.
const maxSuggestions = 100

// RuleSet is what a list of rule files says. It belongs to one goroutine.
type RuleSet struct {
	// Rules is every rule that could be read, in the order of the files; what a
	// file uses comes before its own. Beside mistakes an id may be there twice.
	Rules []Rule
	// Tests are those that stand beside the rules, but for the packs'.
	Tests []RuleTest
	// Files are the files and packs that could be read, each once, a used one
	// before those that use it.
	Files []*RuleFile
	// Paths are the files of the disk that were read or could not be, under
	// every name that led to them: what to watch for changes.
	Paths []string
	// Others are the ids of rules that need no file, for what depends on them.
	Others []string

	stacks   []*stack // of Rules
	names    []string // of everything that was opened, in order
	mistakes yamlpos.Mistakes
}

// LoadRules reads rule files and judges their rules; see ReadRules and Check.
// It judges no derived metrics.
func LoadRules(files []string, in Input, compile func(rule.Spec) problem.List) (*RuleSet, yamlpos.Mistakes) {
	set := ReadRules(files, in)
	return set, set.Check(compile)
}

// ReadRules reads rule files and packs (pack:NAME), and what they use; "-" is
// standard input. The mistakes that it finds are for Check to return. An id
// that two rules have is one of them, also over several files; a rule that
// comes in twice, or that one of the files changes, is one rule.
func ReadRules(files []string, in Input) *RuleSet {
	r := ruleReader{in: in, lookup: in.lookup(), files: map[string]*RuleFile{}, met: map[string]bool{}, set: &RuleSet{}}
	var listed []*RuleFile
	for _, name := range files {
		if f := r.open(name); !slices.Contains(listed, f) {
			f.listed = true
			listed = append(listed, f)
		}
	}
	r.finish(listed)
	return r.set
}

// finish puts the rules of the listed files together.
func (r *ruleReader) finish(listed []*RuleFile) {
	all := newPool()
	for _, f := range listed {
		for _, s := range f.rules {
			if other := all.add(s); other != nil {
				r.add(takenTwice(other, s))
			}
		}
	}
	r.refuseTestsAlone()
	r.set.stacks = all.stacks
	for _, s := range all.stacks {
		r.set.Rules = append(r.set.Rules, Rule{Spec: s.spec(), File: s.top().file.Name, Line: s.top().line()})
	}
}

// Check judges every rule and returns the mistakes of all files, those of one
// file together. compile judges one rule, with paths relative to it such as
// critical or warning.when, and is called by several goroutines at a time; nil
// judges nothing. others are mistakes in these files
// that were found elsewhere, as by Metrics.
func (set *RuleSet) Check(compile func(rule.Spec) problem.List, others ...yamlpos.Mistake) yamlpos.Mistakes {
	mistakes := append(slices.Clone(set.mistakes), others...)
	if compile != nil {
		suggestions, found := maxSuggestions, set.compileAll(compile)
		for i, s := range set.stacks {
			mistakes = append(mistakes, s.judge(func(rule.Spec) problem.List { return found[i] }, &suggestions)...)
		}
		mistakes = append(mistakes, set.checkDependencies()...)
	}
	order := make(map[string]int, len(set.names))
	for i, name := range set.names {
		order[name] = i
	}
	slices.SortStableFunc(mistakes, func(a, b yamlpos.Mistake) int { return order[a.File] - order[b.File] })
	return mistakes.Sorted()
}

// compileAll calls compile for every rule, on all cores: most of what reading
// thousands of rules takes is this. A panic of compile is one of the caller's
// goroutine: who serves HTTP recovers there.
func (set *RuleSet) compileAll(compile func(rule.Spec) problem.List) []problem.List {
	found := make([]problem.List, len(set.stacks))
	var next atomic.Int64
	var panicked atomic.Value
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(set.stacks)) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(fmt.Sprintf("%v\n%s", p, debug.Stack()))
				}
			}()
			for i := next.Add(1) - 1; int(i) < len(found); i = next.Add(1) - 1 {
				found[i] = compile(set.stacks[i].spec())
			}
		})
	}
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(p)
	}
	return found
}

// checkDependencies finds what is wrong with what rules depend on. Where a file
// could not be read, a rule that seems not to be there may be in it.
func (set *RuleSet) checkDependencies() yamlpos.Mistakes {
	if set.mistakes.Unread() || slices.ContainsFunc(set.Files, func(f *RuleFile) bool { return f.holed }) {
		return nil
	}
	specs := make([]rule.Spec, len(set.stacks))
	for i, s := range set.stacks {
		specs[i] = s.spec()
	}
	var mistakes yamlpos.Mistakes
	for i, problems := range rule.CheckDependencies(specs, set.Others...) {
		for _, p := range problems {
			e, at := set.stacks[i].blame(p.Path)
			p.Path = problem.Join(e.at, at)
			mistakes = append(mistakes, e.file.Locate(problem.List{p})...)
		}
	}
	return mistakes
}
