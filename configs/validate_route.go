package configs

import (
	"slices"

	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Routing is what the configuration says of who is told when, compiled.
type Routing struct {
	Root        *route.Route
	Inhibitions []route.Inhibition
	Maintenance []route.Maintenance
	// Receivers are those that are there, in file order.
	Receivers []route.Receiver
}

// Routing compiles what Validate has found right.
func (c *Config) Routing() Routing {
	out, _ := c.routing()
	return out
}

// routing asks the router itself what is wrong with the tree and what belongs
// to it.
func (c *Config) routing() (Routing, problem.List) {
	var out Routing
	names := make([]string, len(c.Receivers))
	for i := range c.Receivers {
		r := &c.Receivers[i]
		names[i] = r.Name
		told := route.Receiver{Name: r.Name, SkipResolved: r.SendResolved != nil && !*r.SendResolved}
		if s, ok := r.Settings.(interface{ TellsAcks() bool }); ok {
			told.Acks = s.TellsAcks()
		}
		if r.Cap.Notifications > 0 {
			told.Cap, told.CapPer = r.Cap.Notifications, r.Cap.Every()
		}
		out.Receivers = append(out.Receivers, told)
	}
	var ps, part problem.List
	intervals, part := route.CompileIntervals(c.TimeIntervals)
	ps.Under("time_intervals", part)
	out.Root, part = route.Compile(c.Route, names, intervals...)
	ps.Under("route", part)
	out.Inhibitions, part = route.CompileInhibitions(c.Inhibit)
	ps.Under("inhibit", part)
	out.Maintenance, part = route.CompileMaintenance(c.Maintenance, intervals)
	ps.Under("maintenance", part)
	return out, ps
}

func (c *Config) validateRouting() problem.List {
	_, ps := c.routing()
	return ps
}

// dropReceivers takes receivers that are left out from a route and those below
// it. Steps and fallbacks that lose their last one are as if not written.
func dropReceivers(r *route.Spec, lost map[string]*Skipped) {
	left := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return lost[name] != nil })
	}
	r.Receivers = left(r.Receivers)
	if kept := left(r.Fallback); len(kept) > 0 || len(r.Fallback) == 0 {
		r.Fallback = kept
	} else {
		r.Fallback = nil
	}
	var steps []route.StepSpec
	for _, step := range r.Escalate {
		if step.Receivers = left(step.Receivers); len(step.Receivers) > 0 {
			steps = append(steps, step)
		}
	}
	if len(r.Escalate) > 0 {
		r.Escalate = steps
	}
	for i := range r.Routes {
		dropReceivers(&r.Routes[i], lost)
	}
}
