package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// shownRoute is a route as the JSON of `tocsin routes show` has it, everything
// inherited filled in.
type shownRoute struct {
	Path           string            `json:"path"`
	Match          alert.Matchers    `json:"match"`
	Receivers      []string          `json:"receivers"`
	GroupBy        []string          `json:"group_by"`
	GroupWait      string            `json:"group_wait"`
	GroupInterval  string            `json:"group_interval"`
	RepeatInterval map[string]string `json:"repeat_interval"` // by severity
	MuteTimes      []string          `json:"mute_time_intervals"`
	ActiveTimes    []string          `json:"active_time_intervals"`
	Escalate       []escalateStep    `json:"escalate"`
	Fallback       []string          `json:"fallback"`
	Continue       bool              `json:"continue"`
	Routes         []shownRoute      `json:"routes"`
}

func shownOf(r *route.Route) shownRoute {
	t := takenRouteOf(route.Taken{Route: r}, nil)
	out := shownRoute{
		Path: r.Path, Match: append(alert.Matchers{}, r.Match...), Receivers: t.Receivers, GroupBy: orEmpty(r.GroupBy),
		GroupWait: t.GroupWait, GroupInterval: t.GroupInterval, RepeatInterval: t.RepeatInterval,
		MuteTimes: intervalNames(r.Mute), ActiveTimes: intervalNames(r.Active),
		Escalate: t.Escalate, Fallback: t.Fallback, Continue: r.Continue, Routes: []shownRoute{},
	}
	for _, child := range r.Routes {
		out.Routes = append(out.Routes, shownOf(child))
	}
	return out
}

func intervalNames(intervals []route.Interval) []string {
	names := []string{}
	for i := range intervals {
		names = append(names, intervals[i].Name)
	}
	return names
}

func printTree(w io.Writer, root *route.Route) error {
	var b strings.Builder
	var walk func(r, above *route.Route, depth int)
	walk = func(r, above *route.Route, depth int) {
		own := ownSettings(r, above)
		fmt.Fprintf(&b, "%s%s", strings.Repeat("  ", depth), r.Match)
		if len(own) > 0 {
			fmt.Fprintf(&b, "  %s", strings.Join(own, "; "))
		}
		b.WriteString("\n")
		for _, child := range r.Routes {
			walk(child, r, depth+1)
		}
	}
	walk(root, &route.Route{}, 0)
	_, err := io.WriteString(w, b.String())
	return err
}

// ownSettings are those that the route above does not have.
func ownSettings(r, above *route.Route) []string {
	var own []string
	say := func(differs bool, format string, args ...any) {
		if differs {
			own = append(own, fmt.Sprintf(format, args...))
		}
	}
	root := above.Path == "" && len(above.Routes) == 0
	say(!slices.Equal(r.Receivers, above.Receivers), "to %s", strings.Join(r.Receivers, ", "))
	groups := strings.Join(r.GroupBy, ", ")
	if groups == "" {
		groups = "nothing"
	}
	say(root || !slices.Equal(r.GroupBy, above.GroupBy), "group_by %s", groups)
	say(root || r.GroupWait != above.GroupWait, "group_wait %s", shortDuration(r.GroupWait))
	say(r.GroupInterval != above.GroupInterval, "group_interval %s", units.Duration(r.GroupInterval))
	say(repeatsOf(r) != repeatsOf(above), "repeat_interval %s", repeatsOf(r))
	say(len(r.Mute) > 0, "muted in %s", strings.Join(intervalNames(r.Mute), ", "))
	say(len(r.Active) > 0, "muted outside %s", strings.Join(intervalNames(r.Active), ", "))
	steps := stepsOf(r)
	say(steps != stepsOf(above), "escalates %s", steps)
	fallback := strings.Join(r.Fallback, ", ")
	if fallback == "" {
		fallback = "nobody"
	}
	say(!slices.Equal(r.Fallback, above.Fallback), "falls back on %s", fallback)
	say(r.Continue, "continues")
	return own
}

func repeatsOf(r *route.Route) string {
	t := takenRouteOf(route.Taken{Route: r}, nil)
	return t.repeats("")
}

func stepsOf(r *route.Route) string {
	if len(r.Escalate) == 0 {
		return "no more"
	}
	var steps []string
	for _, step := range r.Escalate {
		steps = append(steps, fmt.Sprintf("after %s to %s", units.Duration(step.After), strings.Join(step.Receivers, ", ")))
	}
	return strings.Join(steps, ", ")
}
