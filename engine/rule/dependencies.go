package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// CheckDependencies finds what is wrong with what rules depend on: rules that do
// not exist, neither among the specs nor among others, and circles. The lists
// are by the rules' places; paths are below each rule.
func CheckDependencies(specs []Spec, others ...string) []problem.List {
	ids, at := slices.Clone(others), map[string]int{}
	for i := range specs {
		ids = append(ids, specs[i].ID)
		at[specs[i].ID] = i
	}
	out := make([]problem.List, len(specs))
	for i := range specs {
		for j, d := range specs[i].DependsOn {
			path := fmt.Sprintf("depends_on[%d]", j)
			to, known := at[d.Rule]
			switch {
			case d.Rule == "" || d.Rule == specs[i].ID: // told already
			case !known && slices.Contains(others, d.Rule):
			case !known:
				out[i].AddHint(path, problem.DidYouMean(d.Rule, ids), "there is no rule %q", d.Rule)
			case specs[to].off():
				out[i].Add(path, "the rule %q is disabled and will never fire", d.Rule)
			default:
				if circle := circleTo(specs, at, to, i, map[int]bool{}); circle != nil {
					out[i].Add(path, "the rules depend on each other in a circle: %s", strings.Join(append([]string{specs[i].ID}, circle...), " → "))
				}
			}
		}
	}
	return out
}

// off says whether the rule is switched off for all label sets.
func (s *Spec) off() bool {
	return s.Disabled && !slices.ContainsFunc(s.Overrides, func(o Override) bool { return o.Disabled != nil && !*o.Disabled })
}

// circleTo returns the ids on a way from one rule to another, or nil.
func circleTo(specs []Spec, at map[string]int, from, goal int, seen map[int]bool) []string {
	if from == goal {
		return []string{specs[goal].ID}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, d := range specs[from].DependsOn {
		next, known := at[d.Rule]
		if !known {
			continue
		}
		if way := circleTo(specs, at, next, goal, seen); way != nil {
			return append([]string{specs[from].ID}, way...)
		}
	}
	return nil
}
