package configs

import (
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// judge compiles a rule and finds, for each of its problems, the entry that
// wrote the field. That a rule has no condition is not said beside one that could
// not be read: critcal is one mistake, not two. Nor is it where the rule has
// another one's id, which it may have been meant to change. suggestions is how
// many more names may be looked for.
func (s *stack) judge(compile func(rule.Spec) problem.List, suggestions *int) yamlpos.Mistakes {
	if stray, known := s.stray(suggestions); known {
		return stray
	}
	var mistakes yamlpos.Mistakes
	misread := slices.ContainsFunc(s.entries, func(e entry) bool { return e.file.misread[e.at] })
	for _, p := range compile(s.spec()) {
		if p.Code == problem.NoCondition && (misread || s.twice) || p.Path == "metric" && s.twice && s.spec().Metric == "" {
			continue
		}
		e, at := s.blame(p.Path)
		p.Path = problem.Join(e.at, at)
		mistakes = append(mistakes, e.file.Locate(problem.List{p})...)
	}
	return mistakes
}

// isCondition says whether a key of a rule gives it a condition, or was meant to.
func isCondition(key string) bool {
	switch problem.Nearest(key, yamlpos.TopLevel(rule.Spec{})) {
	case "critical", "warning", "info", "no_data":
		return true
	}
	return false
}

// stray tells a rule that was meant to change a used one, and names none: it
// has no metric, which every rule of its own needs.
func (s *stack) stray(suggestions *int) (yamlpos.Mistakes, bool) {
	e := s.entries[0]
	if !e.file.doc.Has("use") || s.spec().Metric != "" || s.id() == "" || s.twice {
		return nil, false
	}
	for _, e := range s.entries {
		if e.file.doc.Has(problem.Join(e.at, "metric")) {
			return nil, false
		}
		if e.file.garbled[e.at] {
			return nil, e.file.holed
		}
	}
	near := ""
	if *suggestions > 0 {
		*suggestions--
		near = problem.DidYouMean(s.id(), e.file.used)
	}
	if near == "" && e.file.holed {
		return nil, true // what it changes may be in the file that could not be read
	}
	if near == "" {
		near = "a rule of its own needs a metric"
	}
	var problems problem.List
	problems.AddHint(problem.Join(e.at, "id"), near, "no rule that this file uses is called %q", s.id())
	return e.file.Locate(problems), true
}

// blame finds the entry that wrote what stands at a path of the rule, and the
// path there. What no entry has written is the matter of the last.
func (s *stack) blame(path string) (entry, string) {
	if e, at, ok := s.condition(path); ok {
		return e, at
	}
	list, _ := cutIndex(path) // lists are replaced whole: who has it has its items
	for part := list; part != ""; part = part[:max(0, strings.LastIndexAny(part, ".["))] {
		for _, e := range slices.Backward(s.entries) {
			if e.file.doc.Has(problem.Join(e.at, part)) {
				return e, path
			}
		}
	}
	return s.top(), path
}

// condition finds who wrote a severity's condition, as `warning: value < 80`
// or as `warning: {when: value < 80}`: another may have written only its for.
func (s *stack) condition(path string) (e entry, at string, ok bool) {
	path = strings.TrimSuffix(path, ".when")
	name := path[strings.LastIndexByte(path, '.')+1:]
	if _, err := alert.ParseSeverity(name); err != nil {
		return e, "", false
	}
	for _, e := range slices.Backward(s.entries) {
		at := problem.Join(e.at, path)
		if e.file.doc.Has(at + ".when") {
			path += ".when"
			if polls := e.file.doc.Keys(at + ".when"); len(polls) == 1 { // when: {3 of 5: value < 70}
				path += "." + polls[0]
			}
			return e, path, true
		}
		if _, scalar := e.file.doc.Text(at); scalar {
			return e, path, true
		}
		if list, inList := cutIndex(path); inList && e.file.doc.Has(problem.Join(e.at, list)) {
			break
		}
	}
	return e, "", false
}

// cutIndex returns the part of a path before its first item of a list.
func cutIndex(path string) (list string, found bool) {
	for i := range len(path) - 1 {
		if path[i] == '[' && path[i+1] >= '0' && path[i+1] <= '9' {
			return path[:i], true
		}
	}
	return path, false
}
