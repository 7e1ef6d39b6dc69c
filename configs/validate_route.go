package configs

import (
	"slices"

	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// validateRouting asks the router itself what is wrong with the tree and the
// inhibitions.
func (c *Config) validateRouting() problem.List {
	names := make([]string, len(c.Receivers))
	for i, r := range c.Receivers {
		names[i] = r.Name
	}
	var ps problem.List
	_, tree := route.Compile(c.Route, names)
	ps.Under("route", tree)
	_, inhibitions := route.CompileInhibitions(c.Inhibit)
	ps.Under("inhibit", inhibitions)
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
