package configs

import (
	"fmt"
	"os"
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
		found, wrong := usedFiles(name, folder, r.in)
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
// that fit a pattern. A pipe or a device is none, it could keep us waiting.
func usedFiles(name, folder string, in Input) ([]string, problem.List) {
	var problems problem.List
	switch {
	case packs.Is(name):
		return Glob([]string{name})
	case name == "-":
		problems.AddHint("", "name a file", "standard input cannot be used by a file")
		return nil, problems
	case !filepath.IsAbs(name):
		name = filepath.Join(folder, name)
	}
	if leaves(in.Within, name) {
		problems.Add("", "%s is not below %s", name, in.Within)
		return nil, problems
	}
	if in.OnPattern != nil {
		in.OnPattern(name)
	}
	found, problems := globWith([]string{name}, in.Added)
	if in.Permitted != nil {
		found = slices.DeleteFunc(found, func(file string) bool { return !in.Permitted(file) })
		if problems = nil; len(found) == 0 {
			problems.Add("", "the running rules read no file %s, so a check does not either", name)
		}
	}
	for _, file := range found {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			problems.Add("", "%s is not a regular file", file)
		}
		if target, err := filepath.EvalSymlinks(file); err == nil && leaves(in.Within, target) {
			problems.Add("", "%s is not below %s", file, in.Within)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return found, nil
}

// leaves says whether a file is not below a folder; empty is every folder.
func leaves(folder, file string) bool {
	if folder == "" {
		return false
	}
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return true
	}
	at, err := filepath.Rel(absolute(folder), absolute(file))
	return err != nil || !filepath.IsLocal(at)
}

func absolute(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}
