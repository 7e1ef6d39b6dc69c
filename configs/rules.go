package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/atomicfile"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Rule is one rule as it is written, and where.
type Rule struct {
	Spec rule.Spec
	File string
	Line int
}

// LoadRules reads rule files; "-" is standard input. compile judges one rule,
// with paths relative to it such as critical or warning.when; nil judges
// nothing. An id that two rules have is a mistake, also over several files.
// Every rule that could be read is returned, also beside mistakes, in the
// order of the files.
func LoadRules(files []string, in Input, compile func(rule.Spec) problem.List) ([]Rule, yamlpos.Mistakes) {
	l := ruleLoader{in: in, compile: compile, seen: map[string]Rule{}}
	for _, file := range files {
		l.file(file)
	}
	return l.rules, l.mistakes.Sorted()
}

type ruleLoader struct {
	in       Input
	compile  func(rule.Spec) problem.List
	seen     map[string]Rule // by id
	rules    []Rule
	mistakes yamlpos.Mistakes
}

func (l *ruleLoader) file(path string) {
	data, unread := l.in.read(path)
	if unread != nil {
		l.mistakes = append(l.mistakes, unread...)
		return
	}
	doc, mistakes := yamlpos.Parse(displayName(path), data)
	l.mistakes = append(l.mistakes, mistakes...)
	if doc == nil {
		return
	}
	var file rule.File
	l.mistakes = append(l.mistakes, doc.Expand(l.in.lookup())...)
	decoded := doc.Decode(&file)
	l.mistakes = append(l.mistakes, decoded...)
	var problems problem.List
	if !doc.Has("rules") && decoded.Err() == nil {
		// An editor or a pipe that broke off leaves an empty file: it must not
		// take every rule away.
		problems.AddHint("", "write rules: [] when none are meant", "the file holds no rules")
	}
	for i, spec := range file.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		if !doc.Has(at) {
			continue // an empty item, reported by Decode
		}
		r := Rule{Spec: spec, File: doc.File(), Line: doc.Line(at)}
		l.rules = append(l.rules, r)
		if first, twice := l.seen[spec.ID]; twice && spec.ID != "" {
			problems.AddHint(problem.Join(at, "id"), "", "id %q is taken by the rule at %s:%d", spec.ID, first.File, first.Line)
		} else {
			l.seen[spec.ID] = r
		}
		if l.compile != nil {
			problems.Under(at, l.judge(doc, at, spec, decoded))
		}
	}
	l.mistakes = append(l.mistakes, doc.Locate(problems)...)
}

// judge compiles the rule at a path. That a rule as a whole lacks something is
// not said beside a key of it that could not be read: critcal is one mistake,
// not two.
func (l *ruleLoader) judge(doc *yamlpos.Document, at string, spec rule.Spec, decoded yamlpos.Mistakes) problem.List {
	garbled := slices.ContainsFunc(decoded, func(m yamlpos.Mistake) bool { return strings.HasPrefix(m.Path, at+".") })
	var problems problem.List
	for _, p := range l.compile(spec) {
		if p.Path == "" && garbled {
			continue
		}
		if _, err := alert.ParseSeverity(p.Path); err == nil && doc.Has(problem.Join(at, p.Path+".when")) {
			p.Path += ".when" // the condition's own place in {when: …}
		}
		problems = append(problems, p)
	}
	return problems
}

// Glob finds the files that patterns name: each once, in the order of the
// patterns, those of one pattern sorted. A pattern without * ? and [ is a
// file, and must exist; one that finds nothing is a mistake. "-" stays.
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

// glob is filepath.Glob that takes a file whose name looks like a pattern, and
// leaves out folders and the temporary files of a write that broke off.
func glob(pattern string) ([]string, error) {
	if pattern == "-" {
		return []string{pattern}, nil
	}
	if isFile(pattern) {
		return []string{filepath.Clean(pattern)}, nil
	}
	found, err := filepath.Glob(pattern)
	return slices.DeleteFunc(found, func(name string) bool { return !isFile(name) || atomicfile.IsTemporary(name) }), err
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// ruleFiles finds the files of the rules, which stand relative to the
// configuration's folder.
func (l *loader) ruleFiles(config string, added []string) {
	patterns := make([]string, 0, len(l.config.Rules))
	for _, pattern := range l.config.Rules {
		if !filepath.IsAbs(pattern) && pattern != "" {
			pattern = filepath.Join(filepath.Dir(config), pattern)
		}
		patterns = append(patterns, pattern)
	}
	files, problems := globWith(patterns, added)
	l.config.RuleFiles, l.config.RulePatterns = files, patterns
	var placed problem.List
	placed.Under("rules", problems)
	l.locate(placed)
}
