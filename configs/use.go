package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/configs/packs"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// use is one file that another uses, and the item of its `use` that says so.
type use struct {
	file *RuleFile
	at   string
}

// use reads what a file uses; its names are relative to the folder.
func (r *ruleReader) use(f *RuleFile, folder string) {
	f.opening = true
	r.chain = append(r.chain, f)
	var problems problem.List
	for i, name := range f.Use {
		at := fmt.Sprintf("use[%d]", i)
		if !f.doc.Has(at) {
			f.holed = true // an empty item, reported by Decode
			continue
		}
		found, wrong := usedFiles(name, folder)
		for _, p := range wrong {
			p.Path = at
			problems = append(problems, p)
		}
		f.holed = f.holed || len(wrong) > 0
		for _, name := range found {
			used := r.open(name)
			if used == f && isPattern(f.Use[i]) {
				continue // use: ['*.yaml'] means the others
			}
			if used.opening {
				f.holed = true
				problems.AddHint(at, "take one of these `use` out", "the files use each other in a circle: %s", r.circle(used))
				continue
			}
			f.holed = f.holed || used.doc == nil || used.holed
			if !slices.ContainsFunc(f.uses, func(u use) bool { return u.file == used }) {
				f.uses = append(f.uses, use{used, at})
			}
		}
	}
	r.add(f.doc.Locate(problems))
	r.chain = r.chain[:len(r.chain)-1]
	f.opening = false
}

// circle writes the way from a file that is being read back to itself.
func (r *ruleReader) circle(back *RuleFile) string {
	var names []string
	for _, f := range r.chain[slices.Index(r.chain, back):] {
		names = append(names, f.Name)
	}
	return strings.Join(append(names, back.Name), " → ")
}

// usedFiles returns what one item of `use` names: a pack, a file, or the files
// that fit a pattern.
func usedFiles(name, folder string) ([]string, problem.List) {
	switch {
	case name == "-":
		return nil, problem.List{{Message: "standard input cannot be used by a file", Hint: "name a file"}}
	case !packs.Is(name) && !filepath.IsAbs(name):
		name = filepath.Join(folder, name)
	}
	return Glob([]string{name})
}
