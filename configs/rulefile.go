package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs/packs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// RuleFile is one rule file or pack as it is written, before anything that it
// uses is put in.
type RuleFile struct {
	// Name is what mistakes call it: its path, standard input or pack:NAME.
	Name string
	rule.File

	doc    *yamlpos.Document // nil when it could not be read
	pack   bool
	listed bool // named by the configuration or a flag
	// garbled holds the paths of the rules with a key that could not be read.
	// misread those whose key is, or was meant to be, a condition.
	garbled, misread map[string]bool

	opening bool // what it uses is being read
	uses    []use
	holed   bool     // something of what it uses could not be read
	used    []string // the ids of the rules that it uses
	rules   []*stack // what it brings: the rules that it uses, and its own
}

// Locate finds the places of problems with the file's own text.
func (f *RuleFile) Locate(problems problem.List) yamlpos.Mistakes { return f.doc.Locate(problems) }

// ruleReader reads files and what they use, each once.
type ruleReader struct {
	in     Input
	lookup func(string) (string, bool)
	files  map[string]*RuleFile // by identity
	met    map[string]bool      // the names of set.Paths
	chain  []*RuleFile          // those whose uses are being read, outermost first
	set    *RuleSet
}

func (r *ruleReader) add(mistakes yamlpos.Mistakes) {
	r.set.mistakes = append(r.set.mistakes, mistakes...)
}

// open reads a file or a pack; one that was read before is not read again. The
// answer is never nil: what cannot be read has no rules.
func (r *ruleReader) open(name string) *RuleFile {
	r.meet(name)
	key := identity(name)
	if f, known := r.files[key]; known {
		return f
	}
	f := &RuleFile{Name: displayName(name), pack: packs.Is(name)}
	r.files[key] = f
	r.set.names = append(r.set.names, f.Name)
	data, unread := r.content(name)
	if unread != nil {
		r.add(unread)
		return f
	}
	doc, mistakes := yamlpos.Parse(f.Name, data)
	r.add(mistakes)
	if doc == nil {
		return f
	}
	f.doc = doc
	r.decode(f)
	r.use(f, filepath.Dir(name))
	r.add(doc.Locate(f.gather()))
	r.set.Files = append(r.set.Files, f)
	return f
}

// meet remembers a path: one file may have several, and each may come to lead
// to another file.
func (r *ruleReader) meet(name string) {
	if !packs.Is(name) && name != "-" && !r.met[name] {
		r.met[name] = true
		r.set.Paths = append(r.set.Paths, name)
		if r.in.OnRuleFile != nil {
			r.in.OnRuleFile(name)
		}
	}
}

// identity tells one file from another, whatever it is called.
func identity(name string) string {
	if packs.Is(name) || name == "-" {
		return name
	}
	if path, err := filepath.EvalSymlinks(name); err == nil {
		name = path
	}
	return absolute(name)
}

func (r *ruleReader) content(name string) ([]byte, yamlpos.Mistakes) {
	if packs.Is(name) {
		p, ok := packs.Find(name)
		if !ok {
			return nil, yamlpos.Mistakes{{File: name, Code: problem.UnknownName, Message: "there is no such pack", Hint: packs.Suggest(name), Unread: true}}
		}
		return []byte(p.Text), nil
	}
	return r.in.read(name)
}

func (r *ruleReader) decode(f *RuleFile) {
	r.add(f.doc.Expand(r.lookup))
	decoded := f.doc.Decode(&f.File)
	r.add(decoded)
	r.add(f.doc.Locate(f.pollsTwice()))
	r.tests(f, decoded)
	f.garbled, f.misread = map[string]bool{}, map[string]bool{}
	for _, m := range decoded {
		f.holed = f.holed || m.Path == "use" || strings.HasPrefix(m.Path, "use[")
		if at, key, below := strings.Cut(m.Path, "]."); below {
			key, _, _ = strings.Cut(key, ".")
			f.garbled[at+"]"] = true
			f.misread[at+"]"] = f.misread[at+"]"] || isCondition(key)
		}
	}
	if decoded.Err() == nil && !slices.ContainsFunc(yamlpos.TopLevel(f.File), f.doc.Has) {
		// An editor or a pipe that broke off leaves an empty file: it must not
		// take every rule away.
		r.add(f.doc.Locate(problem.List{{Message: "the file holds no rules", Hint: "write rules: [] when none are meant"}}))
	}
}

// pollsTwice finds the severities that say both `when: {3 of 5: …}` and `polls`:
// one of them would be forgotten.
func (f *RuleFile) pollsTwice() problem.List {
	var problems problem.List
	judge := func(at string) {
		for _, severity := range alert.Severities() {
			at := problem.Join(at, severity.String())
			if polls := at + ".polls"; f.doc.Has(polls) && len(f.doc.Keys(at+".when")) > 0 {
				problems.AddHint(polls, "remove one", "given twice: `when` says it too")
			}
		}
	}
	for i, spec := range f.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		judge(at)
		for k := range spec.Overrides {
			judge(fmt.Sprintf("%s.overrides[%d]", at, k))
		}
	}
	return problems
}

// gather puts the rules that the file uses and its own together.
func (f *RuleFile) gather() problem.List {
	var problems problem.List
	rules := newPool()
	for _, use := range f.uses {
		for _, s := range use.file.rules {
			if other := rules.add(s); other != nil {
				s.twice = true
				problems.AddHint(use.at, "leave one of them out, or give it another id",
					"two rules are called %q: at %s and at %s", s.id(), other.top().place(), s.top().place()).As(problem.DuplicateName)
			}
		}
	}
	f.used = rules.ids()
	own := map[string]entry{}
	for i, spec := range f.Rules {
		e := entry{f, fmt.Sprintf("rules[%d]", i)}
		if !f.doc.Has(e.at) {
			continue // an empty item, reported by Decode
		}
		first, twice := own[spec.ID]
		switch changed := rules.find(spec.ID); {
		case twice:
			problems.Add(problem.Join(e.at, "id"), "id %q is taken by the rule at %s", spec.ID, first.place()).As(problem.DuplicateName)
			rules.keep(&stack{entries: []entry{e}, specs: []rule.Spec{spec}, twice: true})
			continue
		case changed != nil:
			rules.replace(changed, changed.changedBy(e))
		default:
			rules.keep(&stack{entries: []entry{e}, specs: []rule.Spec{spec}})
		}
		if spec.ID != "" {
			own[spec.ID] = e
		}
	}
	f.rules = rules.stacks
	return problems
}
