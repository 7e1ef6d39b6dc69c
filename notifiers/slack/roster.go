package slack

import (
	"slices"
	"sync"

	"github.com/tocsin-dev/tocsin/alert"
)

// Bounds of what is kept of groups: beyond them a group's message counts what
// it does not name.
const (
	maxRosters = 1000
	maxRoster  = 30
)

// roster knows which alerts each group's message tells of: a notification
// carries news only, and the message must go on naming what else fires. It is
// lost with the process; until there is news of each alert again, the message
// counts what it cannot name.
type roster struct {
	mu     sync.Mutex
	groups map[string][]alert.Alert // that fire, by reference
	order  []string                 // oldest first
}

// others returns the alerts that n counts as still firing and does not list,
// or nil when not exactly those are known.
func (r *roster) others(n *alert.Notification) []alert.Alert {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []alert.Alert
	for _, a := range r.groups[n.Reference] {
		if !lists(n, a.ID) {
			out = append(out, a)
		}
	}
	if len(out) != n.StillFiring {
		return nil
	}
	return out
}

func lists(n *alert.Notification, id string) bool {
	return slices.ContainsFunc(n.Alerts, func(a alert.Alert) bool { return a.ID == id })
}

// told notes what a message tells of after n; reference is the message's now.
// What is known may be less than what fires, never more: every end is told.
func (r *roster) told(reference string, n *alert.Notification) {
	if reference == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var firing []alert.Alert
	for _, a := range append(n.Firing(), r.groups[n.Reference]...) {
		if a.Active() && !slices.ContainsFunc(firing, func(f alert.Alert) bool { return f.ID == a.ID }) && !ends(n, a.ID) {
			a.Samples = nil // they are not shown
			firing = append(firing, a)
		}
	}
	r.drop(n.Reference)
	r.drop(reference)
	if n.Status == alert.Resolved || len(firing) > maxRoster || n.Truncated > 0 {
		return
	}
	if r.groups == nil {
		r.groups = map[string][]alert.Alert{}
	}
	if len(r.order) >= maxRosters {
		delete(r.groups, r.order[0])
		r.order = r.order[1:]
	}
	r.groups[reference] = firing
	r.order = append(r.order, reference)
}

// ends says whether n tells of the alert's end.
func ends(n *alert.Notification, id string) bool {
	return slices.ContainsFunc(n.Alerts, func(a alert.Alert) bool { return a.ID == id && !a.Active() })
}

func (r *roster) drop(reference string) {
	if _, ok := r.groups[reference]; ok {
		delete(r.groups, reference)
		r.order = slices.DeleteFunc(r.order, func(s string) bool { return s == reference })
	}
}
