package imports

import (
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
)

// routeNode is a route of ours, as it is to be written.
type routeNode struct {
	match, receivers []string
	groupBy          []string
	grouped          bool // groupBy is written, empty or not
	times            [][2]string
	mute, active     []string
	cont             bool
	routes           []*routeNode
}

// readRoute reads a route and those below it. The root has what Alertmanager
// does by default, where our defaults differ.
func (a *alertmanager) readRoute(m *mapping, root bool) *routeNode {
	before := len(*a.r.notes)
	n := &routeNode{match: a.matchers(m, "match", "match_re", "matchers")}
	wider := a.r.lostSince(before)
	if root && len(n.match) > 0 {
		a.r.lost(m.node, m.path, "the root route takes every alert: its matchers are not taken over")
		n.match = nil
	}
	a.routeReceivers(m, n, root)
	a.grouping(m, n, root)
	for _, t := range [...]struct{ key, otherwise string }{{"group_wait", "30s"}, {"group_interval", "5m"}, {"repeat_interval", "4h"}} {
		text := m.duration(t.key)
		if text == "" && root {
			text = t.otherwise
		}
		if text != "" {
			n.times = append(n.times, [2]string{t.key, text})
		}
	}
	n.mute, n.active = a.intervalsOf(m, "mute_time_intervals", root), a.intervalsOf(m, "active_time_intervals", root)
	n.cont = m.text("continue") == "true"
	if root && n.cont {
		a.r.remark(m.value["continue"], m.at("continue"), "nothing comes after the root route: not taken over")
		n.cont = false
	}
	if wider && !root && !n.cont {
		a.r.remark(m.node, m.path, "continue: true, for without that matcher it takes what others were told")
		n.cont = true
	}
	for _, child := range m.mappings("routes") {
		n.routes = append(n.routes, a.readRoute(child, false))
	}
	m.rest(true, "not known here, and not taken over")
	return n
}

func (a *alertmanager) routeReceivers(m *mapping, n *routeNode, root bool) {
	if name := m.text("receiver"); name != "" {
		found := a.receiver(name)
		if found == nil {
			a.r.lost(m.value["receiver"], m.at("receiver"), "no receiver is called %q; the route above is told instead", name)
		} else {
			n.receivers = found.names()
		}
	}
	if !root {
		return
	}
	// Somebody must be told of what nobody else is.
	if len(n.receivers) == 0 || a.allOff(n.receivers) {
		if len(n.receivers) == 0 && m.value["receiver"] == nil {
			a.r.lost(m.node, m.at("receiver"), "missing: the console is told")
		}
		n.receivers = append(n.receivers, a.console())
	}
}

func (a *alertmanager) grouping(m *mapping, n *routeNode, root bool) {
	n.grouped = root || m.take("group_by") != nil
	for i, name := range m.texts("group_by") {
		switch {
		case name == "..." || alert.IsLabelName(name):
			if !slices.Contains(n.groupBy, name) {
				n.groupBy = append(n.groupBy, name)
			}
		default:
			a.r.lost(m.list("group_by")[i], m.at("group_by"), "the label %q cannot stand in group_by: more alerts share a group", name)
		}
	}
	if slices.Contains(n.groupBy, "...") {
		n.groupBy = []string{"..."}
	}
}

func (a *alertmanager) intervalsOf(m *mapping, key string, root bool) []string {
	var out []string
	for i, name := range m.texts(key) {
		switch {
		case root:
			a.r.lost(m.value[key], m.at(key), "the root route is never muted: not taken over")
			return nil
		case !a.knows(name):
			a.r.lost(m.list(key)[i], m.at(key), "no time interval is called %q", name)
		default:
			out = append(out, name)
		}
	}
	return out
}

// write writes the route at a depth; below the root it begins an item.
func (n *routeNode) write(w *writer, depth int) {
	if len(n.match) > 0 {
		w.line(depth, "match: %s", flow(n.match))
	}
	if len(n.receivers) > 0 {
		w.line(depth, "receivers: %s", flow(n.receivers))
	}
	if n.grouped {
		w.line(depth, "group_by: %s", flow(n.groupBy))
	}
	for _, t := range n.times {
		w.line(depth, "%s: %s", t[0], t[1])
	}
	if len(n.mute) > 0 {
		w.line(depth, "mute_time_intervals: %s", flow(n.mute))
	}
	if len(n.active) > 0 {
		w.line(depth, "active_time_intervals: %s", flow(n.active))
	}
	if n.cont {
		w.line(depth, "continue: true")
	}
	if len(n.routes) == 0 {
		return
	}
	w.line(depth, "routes:")
	for _, child := range n.routes {
		var item writer
		child.write(&item, 0)
		w.item(depth+1, item.String())
	}
}

// item writes lines as one item of a list.
func (w *writer) item(depth int, text string) {
	if text == "" {
		text = "{}\n"
	}
	first := true
	for line := range lines(text) {
		mark := "  "
		if first {
			mark = "- "
		}
		if line == "" { // within a block
			w.line(0, "")
			continue
		}
		w.line(depth, "%s%s", mark, line)
		first = false
	}
}
