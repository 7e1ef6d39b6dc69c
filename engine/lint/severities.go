package lint

import (
	"fmt"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// severities warns of each severity that is never seen, because a graver one
// holds whenever it does and is taken no later.
func (j *judgement) severities() {
	levels := j.levels()
	for i, milder := range levels {
		ways, ok := j.ways(milder, true)
		if !ok || len(ways) == 0 || milder.Polls.Of > 0 {
			continue
		}
		for _, graver := range levels[:i] {
			if j.shadows(graver, milder, ways) {
				break
			}
		}
	}
}

// shadows warns when the graver severity leaves nothing of the milder, which
// holds in the given ways.
func (j *judgement) shadows(graver, milder *rule.Part, ways []alternative) bool {
	others, ok := j.ways(graver, true)
	if !ok || graver.Polls.Of > 0 || graver.For > milder.For || milder.Keep > graver.Keep || !allImplied(ways, others) {
		return false
	}
	// When the graver one ends, a milder one that is unknown would be taken.
	graverFails, ok := j.ways(graver, false)
	milderFails, alsoOK := j.ways(milder, false)
	if !ok || !alsoOK || !allImplied(graverFails, milderFails) {
		return false
	}
	m, g := milder.Severity, graver.Severity
	paths := []string{milder.Path, graver.Path, m.String() + ".for", g.String() + ".for", "for"}
	if allImplied(others, ways) {
		hint := "remove one"
		if graver.For < milder.For {
			hint = fmt.Sprintf("write %s with the shorter `for`", m)
		}
		j.warn(problem.SameCondition, 0, hint,
			fmt.Sprintf("%s is never seen: %s has the same condition%s", m, g, sooner(graver, milder)), paths...)
		return true
	}
	j.warn(problem.Shadowed, 0, fmt.Sprintf("write %s with a condition that holds earlier than that of %s", m, g),
		fmt.Sprintf("%s is never seen: %s (%s) holds whenever it does%s", m, g, graver.Condition.Text, sooner(graver, milder)), paths...)
	return true
}

// sooner says how the times of the two compare.
func sooner(graver, milder *rule.Part) string {
	if graver.For < milder.For {
		return fmt.Sprintf(", and is taken after %s, not %s", units.Duration(graver.For), units.Duration(milder.For))
	}
	return ""
}
