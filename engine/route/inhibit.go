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
		in := Inhibition{Equal: spec.Equal}
		in.Source = matchers(spec.Source, fmt.Sprintf("[%d].source", i), &problems)
		in.Target = matchers(spec.Target, fmt.Sprintf("[%d].target", i), &problems)
		out = append(out, in)
	}
	return out, problems
}

func matchers(texts []string, path string, problems *problem.List) alert.Matchers {
	if len(texts) == 0 {
		problems.AddHint(path, "write for example ['alertname = redis-down']", "an inhibition needs source and target matchers")
	}
	var ms alert.Matchers
	for i, text := range texts {
		m, err := alert.ParseMatcher(text)
		if err != nil {
			problems.Add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
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
