package route

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Trace is the way of an alert through the tree, for people who ask.
type Trace struct {
	// Tried are the routes in the order in which they are looked at, those that
	// are passed over included.
	Tried []Tried
	// Taken are the routes that the alert takes, one unless a route says
	// continue.
	Taken []Taken
}

// Tried is one route that was looked at.
type Tried struct {
	Route *Route
	Depth int // 0 is the root
	// Matches says whether all of its matchers hold, and Takes whether the alert
	// takes it: it matches, and no route below does.
	Matches, Takes bool
	// Why says why it does not match, or why it was passed over.
	Why string
}

// Taken is a route that an alert takes, and what it means for the alert.
type Taken struct {
	Route       *Route
	GroupKey    string
	GroupLabels alert.Labels
	// Muted is why the route tells nothing at the moment; empty when it does.
	// Changes is when that changes next, zero for never within five years.
	Muted   string
	Changes time.Time
}

// TraceRoutes follows an alert of these labels down the tree.
func TraceRoutes(root *Route, labels alert.Labels, at time.Time) Trace {
	var t Trace
	for _, r := range t.follow(root, 0, labels) {
		taken := Taken{Route: r, GroupKey: r.GroupKey(labels), GroupLabels: r.GroupLabels(labels), Changes: r.NextMute(at)}
		taken.Muted, _ = r.Muted(at)
		t.Taken = append(t.Taken, taken)
	}
	return t
}

// follow is Route.Take that keeps notes.
func (t *Trace) follow(r *Route, depth int, labels alert.Labels) []*Route {
	own := len(t.Tried)
	t.Tried = append(t.Tried, Tried{Route: r, Depth: depth, Matches: r.Match.Matches(labels)})
	if !t.Tried[own].Matches {
		t.Tried[own].Why = whyNot(r.Match, labels)
		return nil
	}
	var taken []*Route
	by := "" // the child that lets the alert no further
	for _, child := range r.Routes {
		if by != "" {
			t.Tried = append(t.Tried, Tried{Route: child, Depth: depth + 1, Why: "not tried: " + by + " takes the alert and does not continue"})
			continue
		}
		below := t.follow(child, depth+1, labels)
		taken = append(taken, below...)
		if len(below) > 0 && !child.Continue {
			by = child.Match.String()
		}
	}
	if len(taken) == 0 {
		t.Tried[own].Takes = true
		return []*Route{r}
	}
	return taken
}

// whyNot names the first matcher that does not hold.
func whyNot(match alert.Matchers, labels alert.Labels) string {
	for i := range match {
		switch m := &match[i]; {
		case m.Matches(labels):
		case !labels.Has(m.Name):
			return fmt.Sprintf("no: there is no label %s, and %s is wanted", m.Name, m)
		default:
			return fmt.Sprintf("no: %s is %s, and %s is wanted", m.Name, strconv.Quote(labels.Get(m.Name)), m)
		}
	}
	return ""
}

// MayHold are the inhibitions that could hold back an alert of these labels
// while another one fires.
func MayHold(inhibitions []Inhibition, labels alert.Labels) []Inhibition {
	var out []Inhibition
	for _, in := range inhibitions {
		if in.Target.Matches(labels) {
			out = append(out, in)
		}
	}
	return out
}

// Covering are the windows of maintenance that an alert of these labels is
// excused by, now or another time.
func Covering(windows []Maintenance, labels alert.Labels) []Maintenance {
	var out []Maintenance
	for i := range windows {
		if windows[i].Match.Matches(labels) {
			out = append(out, windows[i])
		}
	}
	return out
}
