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

// Dependency is a rule on which another one depends.
type Dependency struct {
	Rule string
	// Equal are labels that both alerts must share; nil asks for the source,
	// where the other rule judges anything of this alert's source.
	Equal []string
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

// holds says whether a firing source holds back the target. An alert that
// matches both sides holds back none that does so too, itself included.
func (in *Inhibition) holds(source, target alert.Labels) bool {
	if !in.Source.Matches(source) || !in.Target.Matches(target) {
		return false
	}
	if in.Target.Matches(source) && in.Source.Matches(target) {
		return false
	}
	return agree(in.Equal, source, target)
}

// heldBack says why the alert is not told for now; empty when nothing holds it
// back.
func (d *Dispatcher) heldBack(a *alert.Alert) string {
	if by := d.dependsOnFiring(a); by != "" {
		return "held back: it depends on " + by + ", which fires"
	}
	if by := d.inhibitedBy(a); by != "" {
		return "held back: " + by + " fires, which inhibits it"
	}
	return ""
}

// dependsOnFiring names the rule that the alert's depends on and that fires, or
// "".
func (d *Dispatcher) dependsOnFiring(a *alert.Alert) string {
	for _, on := range d.options.DependsOn[a.Rule] {
		for id := range d.depended[on.Rule] {
			if other := d.alerts[id]; other.ID != a.ID && d.concerns(on, other, a) {
				return on.Rule
			}
		}
	}
	return ""
}

// concerns says whether an alert of the rule depended on is about the same
// thing: two caches that two sources watch do not excuse each other, but a page
// may depend on the cache that another source watches.
func (d *Dispatcher) concerns(on Dependency, other, a *alert.Alert) bool {
	if on.Equal != nil {
		return agree(on.Equal, other.Labels, a.Labels)
	}
	source := a.Labels.Get(alert.LabelSource)
	return other.Labels.Get(alert.LabelSource) == source || d.options.Covers == nil || !d.options.Covers(on.Rule, source)
}

func agree(names []string, a, b alert.Labels) bool {
	for _, name := range names {
		if a.Get(name) != b.Get(name) {
			return false
		}
	}
	return true
}

// inhibitedBy names the firing alert that holds this one back, or "".
func (d *Dispatcher) inhibitedBy(a *alert.Alert) string {
	labels := a.AllLabels()
	for i := range d.options.Inhibitions {
		in := &d.options.Inhibitions[i]
		if !in.Target.Matches(labels) {
			continue
		}
		by := ""
		for _, other := range d.alerts {
			if other.Active() && other.ID != a.ID && (by == "" || other.Rule < by) && in.holds(other.AllLabels(), labels) {
				by = other.Rule
			}
		}
		if by != "" {
			return by
		}
	}
	return ""
}
