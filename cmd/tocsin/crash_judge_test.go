//go:build unix

package main_test

import (
	"fmt"
	"strings"
)

// occurrence is one life of an alert as one receiver was told of it.
type occurrence struct {
	firing, resolved map[string]bool // the messages that told it, by id
	firingTaken      bool
	resolvedTaken    bool
}

// heard is all that a receiver was told.
type heard struct {
	in     *sink
	alerts map[string]*occurrence // by the alert's id
}

// listen reads what a receiver was told, and complains of an order that is not
// kept: that of a group's notifications, and that of an alert's beginning and
// end. What comes again of what was taken is left out: its id tells.
func listen(in *sink) heard {
	in.t.Helper()
	h := heard{in: in, alerts: map[string]*occurrence{}}
	last := map[string]int64{} // the newest of each life of a group
	seen := map[string]bool{}
	for _, a := range in.arrivals() {
		n := &a.note
		group := n.Group + " " + n.Opened.String()
		if !seen[a.id] && n.Kind == "" {
			if n.Seq <= last[group] {
				in.t.Errorf("%s: group %s was told number %d after number %d", in.name, group, n.Seq, last[group])
			}
			last[group] = n.Seq
		}
		for _, alert := range n.Alerts {
			o := h.alerts[alert.ID]
			if o == nil {
				o = &occurrence{firing: map[string]bool{}, resolved: map[string]bool{}}
				h.alerts[alert.ID] = o
			}
			if alert.State == "resolved" {
				o.resolved[a.id] = true
				o.resolvedTaken = o.resolvedTaken || a.taken
				continue
			}
			if !seen[a.id] && len(o.resolved) > 0 {
				in.t.Errorf("%s: %s was told as firing after it was told as resolved", in.name, alert.ID)
			}
			o.firing[a.id] = true
			o.firingTaken = o.firingTaken || a.taken
		}
		seen[a.id] = true
	}
	return h
}

// untold lists the occurrences whose end the receiver has not taken yet.
func (h heard) untold(ids []string) []string {
	var out []string
	for _, id := range ids {
		if o := h.alerts[id]; o == nil || !o.resolvedTaken {
			out = append(out, id)
		}
	}
	return out
}

// wantOnce complains unless each occurrence was told as it began, or as one that
// began and ended meanwhile, and as it ended, each in one message.
func (h heard) wantOnce(ids []string) {
	h.in.t.Helper()
	for _, id := range ids {
		o := h.alerts[id]
		switch {
		case o == nil:
			h.in.t.Errorf("%s: was never told of %s", h.in.name, id)
		case !o.resolvedTaken || len(o.resolved) != 1 || len(o.firing) > 1 || len(o.firing) == 1 && !o.firingTaken:
			h.in.t.Errorf("%s: %s was told as firing in %v (taken: %t), as resolved in %v (taken: %t)",
				h.in.name, id, keysOf(o.firing), o.firingTaken, keysOf(o.resolved), o.resolvedTaken)
		}
	}
	known := map[string]bool{}
	for _, id := range ids {
		known[id] = true
	}
	for id := range h.alerts {
		if !known[id] {
			h.in.t.Errorf("%s: was told of %s, which the history does not know", h.in.name, id)
		}
	}
}

func keysOf(m map[string]bool) string {
	var out []string
	for key := range m {
		out = append(out, key)
	}
	return fmt.Sprintf("[%s]", strings.Join(out, " "))
}
