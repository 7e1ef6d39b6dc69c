package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/configs/packs"
	"github.com/tocsin-dev/tocsin/internal/atomicfile"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Glob finds the rule files that patterns name: each once, in the order of the
// patterns, those of one pattern sorted. A pattern without * ? and [ is a
// file, and must exist; one that finds nothing is a mistake. "-" and the names
// of packs stay.
func Glob(patterns []string) ([]string, problem.List) { return globWith(patterns, nil) }

// globWith is Glob where some files count as there.
func globWith(patterns, added []string) ([]string, problem.List) {
	var files []string
	var problems problem.List
	for i, pattern := range patterns {
		found, err := glob(pattern)
		for _, file := range added {
			if fits, _ := filepath.Match(pattern, file); (fits || file == filepath.Clean(pattern)) && !slices.Contains(found, file) {
				found = append(found, file)
				slices.Sort(found)
			}
		}
		at := fmt.Sprintf("[%d]", i)
		switch {
		case err != nil:
			problems.AddHint(at, "write for example rules/*.yaml", "%q is not a pattern", pattern)
		case len(found) == 0 && packs.Is(pattern):
			problems.AddHint(at, packs.Suggest(pattern), "there is no pack %q", strings.TrimPrefix(pattern, packs.Prefix))
		case len(found) == 0 && isPattern(pattern):
			problems.Add(at, "no file fits %s", pattern)
		case len(found) == 0:
			problems.Add(at, "there is no file %s", pattern)
		}
		for _, file := range found {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files, problems
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// glob is filepath.Glob that knows packs, takes a file whose name looks like a
// pattern, and leaves out folders. Like a shell it leaves out hidden files,
// unless the pattern begins with the dot: they are those of editors and file
// managers, and the temporary ones of a write that broke off.
func glob(pattern string) ([]string, error) {
	if packs.Is(pattern) {
		if _, ok := packs.Find(pattern); !ok {
			return nil, nil
		}
		return []string{pattern}, nil
	}
	if pattern == "-" {
		return []string{pattern}, nil
	}
	if isFile(pattern) {
		return []string{filepath.Clean(pattern)}, nil
	}
	found, err := filepath.Glob(pattern)
	hidden := isHidden(pattern)
	return slices.DeleteFunc(found, func(name string) bool {
		return !isFile(name) || atomicfile.IsTemporary(name) || isHidden(name) && !hidden
	}), err
}

func isHidden(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") }

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// ruleFiles finds the files of the rules, which stand relative to the
// configuration's folder.
func (l *loader) ruleFiles(config string, added []string) {
	patterns := make([]string, 0, len(l.config.Rules))
	for _, pattern := range l.config.Rules {
		if !filepath.IsAbs(pattern) && !packs.Is(pattern) && pattern != "" {
			pattern = filepath.Join(filepath.Dir(config), pattern)
		}
		patterns = append(patterns, pattern)
	}
	files, problems := globWith(patterns, added)
	l.config.RuleFiles = files
	l.config.RulePatterns = slices.DeleteFunc(patterns, func(p string) bool { return p == "-" || p == "" || packs.Is(p) })
	var placed problem.List
	placed.Under("rules", problems)
	l.locate(placed)
}
