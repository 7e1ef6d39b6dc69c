package route

import (
	"fmt"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Inhibition holds back targets while a source fires. It is immutable.
type Inhibition struct {
	Source, Target alert.Matchers
	Equal          []string
}

// CompileInhibitions makes inhibitions of their written form. Problems have
// paths as [0].source[1].
func CompileInhibitions(specs []InhibitSpec) ([]Inhibition, problem.List) {
	var problems problem.List
	out := make([]Inhibition, 0, len(specs))
	for i, spec := range specs {
		at := fmt.Sprintf("[%d]", i)
		if len(spec.Source) == 0 {
			problems.AddHint(at+".source", "write for example ['alertname = redis-down']", "missing: which alert holds others back")
		}
		if len(spec.Target) == 0 {
			problems.AddHint(at+".target", "write for example ['category = cache']", "missing: which alerts are held back")
		}
		for j, name := range spec.Equal {
			if !alert.IsLabelName(name) {
				problems.Add(fmt.Sprintf("%s.equal[%d]", at, j), "%q is not the name of a label", name)
			}
		}
		out = append(out, Inhibition{
			Source: matchers(spec.Source, at+".source", &problems),
			Target: matchers(spec.Target, at+".target", &problems),
			Equal:  spec.Equal,
		})
	}
	return out, problems
}

func matchers(texts []string, path string, problems *problem.List) alert.Matchers {
	var ms alert.Matchers
	for i, text := range texts {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			problems.Add(fmt.Sprintf("%s[%d]", path, i), "%v", err).Code = problem.BadMatcher
			continue
		}
		ms = append(ms, m)
	}
	return ms
}

// holds says whether a firing source holds back the target. An alert that
// matches both sides holds back none that does so too, itself included.
func (in *Inhibition) holds(source, target alert.Labels) bool {
	if !in.Source.Matches(source) || !in.Target.Matches(target) {
		return false
	}
	if in.Target.Matches(source) && in.Source.Matches(target) {
		return false
	}
	for _, name := range in.Equal {
		if source.Get(name) != target.Get(name) {
			return false
		}
	}
	return true
}
