package route

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// StepSpec is one step of an escalation as it is written.
type StepSpec struct {
	// After is how long an alert must have been told, and nobody acknowledged
	// it, until these receivers are told, too.
	After time.Duration `yaml:"after"`
	// Receivers are told, by name.
	Receivers []string `yaml:"receivers"`
}

// Step is one step of an escalation: who is told beside when nobody has
// acknowledged an alert for so long.
type Step struct {
	After     time.Duration
	Receivers []string
}

// setEscalation takes the written steps, or the parent's. An empty list ends
// what the parent has.
func (r *Route) setEscalation(spec *Spec, path string, receivers []string, problems *problem.List) {
	if spec.Escalate == nil {
		return
	}
	r.Escalate = nil
	if len(spec.Escalate) > maxSteps {
		problems.Add(problem.Join(path, "escalate"), "%d steps: there may be %d", len(spec.Escalate), maxSteps)
		return
	}
	told := slices.Clone(r.Receivers)
	for i, step := range spec.Escalate {
		at := problem.Join(path, fmt.Sprintf("escalate[%d]", i))
		switch {
		case step.After <= 0:
			problems.Add(problem.Join(at, "after"), "want more than 0s")
		case i > 0 && step.After <= spec.Escalate[i-1].After:
			problems.AddHint(problem.Join(at, "after"), "put the steps in the order of their times",
				"not later than the step before it, which is after %s", units.Duration(spec.Escalate[i-1].After))
		}
		if len(step.Receivers) == 0 {
			problems.Add(problem.Join(at, "receivers"), "missing: whom the step tells")
		}
		checkReceivers(step.Receivers, problem.Join(at, "receivers"), receivers, problems)
		for j, name := range step.Receivers {
			if slices.Contains(told, name) {
				problems.Warn(problem.NoEffect, problem.Join(at, fmt.Sprintf("receivers[%d]", j)), "name somebody else",
					"%q is told already: by the route, or by a step before", name)
			}
		}
		told = append(told, step.Receivers...)
		r.Escalate = append(r.Escalate, Step(step))
	}
}

// setFallback takes the written fallback, or the parent's; an empty list ends
// it. A receiver that the route tells anyway is no fallback of its own.
func (r *Route) setFallback(spec *Spec, path string, receivers []string, problems *problem.List) {
	if spec.Fallback != nil {
		r.fallback = spec.Fallback
		at := problem.Join(path, "fallback")
		checkReceivers(spec.Fallback, at, receivers, problems)
		for i, name := range spec.Fallback {
			if slices.Contains(r.Receivers, name) {
				problems.AddHint(fmt.Sprintf("%s[%d]", at, i), "name another receiver", "%q is told by the route itself: it is no fallback", name)
			}
		}
	}
	r.Fallback = slices.DeleteFunc(slices.Clone(r.fallback), func(name string) bool { return slices.Contains(r.Receivers, name) })
}

// checkReceivers looks that names of receivers stand once and exist.
func checkReceivers(names []string, path string, receivers []string, problems *problem.List) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case slices.Contains(names[:i], name):
			problems.Add(at, "%q is named twice", name)
		case !slices.Contains(receivers, name):
			hint := problem.DidYouMean(name, receivers)
			problems.AddHint(at, cmp.Or(hint, "define it under receivers"), "no receiver is called %q", name).As(problem.UnknownName)
		}
	}
}
