package configs

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// validateRoutes checks the routing tree, with paths relative to its root.
func (c *Config) validateRoutes() problem.List {
	names := make([]string, len(c.Receivers))
	for i, r := range c.Receivers {
		names[i] = r.Name
	}
	var ps problem.List
	if len(c.Route.Receivers) == 0 {
		ps.AddHint("receivers", exampleReceivers, "missing: the root route takes every alert")
	}
	if len(c.Route.Match) > 0 {
		ps.AddHint("match", "put it on a route below", "the root route takes every alert and matches nothing")
	}
	if c.Route.Continue {
		ps.AddHint("continue", "remove it", "nothing comes after the root route")
	}
	ps = append(ps, validateRoute(c.Route, times{}, names)...)
	return ps
}

// times are the ones in effect on a route, its parents' included.
type times struct{ groupInterval, repeatInterval time.Duration }

func validateRoute(r route.Spec, inherited times, receivers []string) problem.List {
	var ps problem.List
	for i, name := range r.Receivers {
		at := fmt.Sprintf("receivers[%d]", i)
		switch {
		case slices.Contains(r.Receivers[:i], name):
			ps.Add(at, "%q is named twice", name)
		case !slices.Contains(receivers, name):
			hint := problem.DidYouMean(name, receivers)
			ps.AddHint(at, cmp.Or(hint, "define it under receivers"), "no receiver is called %q", name)
		}
	}
	validateMatchers(&ps, "match", r.Match)
	validateGroupBy(&ps, r.GroupBy)
	inherited.groupInterval = over(&ps, "group_interval", r.GroupInterval, inherited.groupInterval)
	inherited.repeatInterval = over(&ps, "repeat_interval", r.RepeatInterval, inherited.repeatInterval)
	given := r.GroupInterval != nil || r.RepeatInterval != nil
	if given && inherited.repeatInterval < inherited.groupInterval && inherited.repeatInterval > 0 {
		at := "repeat_interval"
		if r.RepeatInterval == nil {
			at = "group_interval"
		}
		ps = append(ps, problem.Problem{
			Path: at, Warning: true,
			Message: fmt.Sprintf("repeat_interval %s is shorter than group_interval %s: an alert repeats no sooner than its group is looked at",
				units.Duration(inherited.repeatInterval), units.Duration(inherited.groupInterval)),
		})
	}
	for i, child := range r.Routes {
		ps.Under(fmt.Sprintf("routes[%d]", i), validateRoute(child, inherited, receivers))
	}
	return ps
}

// over returns the time that is given, or the inherited one.
func over(ps *problem.List, path string, given *time.Duration, inherited time.Duration) time.Duration {
	if given == nil {
		return inherited
	}
	positive(ps, path, *given)
	return *given
}

func validateMatchers(ps *problem.List, path string, matchers []string) {
	for i, text := range matchers {
		if _, err := alert.ParseMatcher(text); err != nil {
			ps.Add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
		}
	}
}

func validateGroupBy(ps *problem.List, names []string) {
	for i, name := range names {
		at := fmt.Sprintf("group_by[%d]", i)
		switch {
		case name == "..." && len(names) > 1:
			ps.AddHint(at, "write it alone", "'...' is every label already")
		case name != "..." && !isLabelName(name):
			ps.AddHint(at, "use the name of a label, or '...' for every label", "%q is not the name of a label", name)
		case slices.Contains(names[:i], name):
			ps.Add(at, "%q is named twice", name)
		}
	}
}

func validateInhibit(r route.InhibitSpec) problem.List {
	var ps problem.List
	if len(r.Source) == 0 {
		ps.AddHint("source", "write for example ['alertname = redis-down']", "missing: which alert holds others back")
	}
	if len(r.Target) == 0 {
		ps.AddHint("target", "write for example ['category = cache']", "missing: which alerts are held back")
	}
	validateMatchers(&ps, "source", r.Source)
	validateMatchers(&ps, "target", r.Target)
	for i, name := range r.Equal {
		if !isLabelName(name) {
			ps.Add(fmt.Sprintf("equal[%d]", i), "%q is not the name of a label", name)
		}
	}
	return ps
}

// dropReceivers takes receivers that are left out from a route and those below
// it.
func dropReceivers(r *route.Spec, lost map[string]*Skipped) {
	r.Receivers = slices.DeleteFunc(slices.Clone(r.Receivers), func(name string) bool { return lost[name] != nil })
	for i := range r.Routes {
		dropReceivers(&r.Routes[i], lost)
	}
}
