package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// routesAnswer is what `tocsin routes test` answers, as its JSON has it.
// Durations are texts as in the configuration.
type routesAnswer struct {
	Labels alert.Labels `json:"labels"`
	At     time.Time    `json:"at"`
	Tried  []triedRoute `json:"tried"`
	Routes []takenRoute `json:"routes"`
	// Inhibitions could hold the alert back, while an alert that Source matches
	// fires.
	Inhibitions []inhibitedBy   `json:"inhibitions"`
	Maintenance []maintenanceOf `json:"maintenance"`
}

type triedRoute struct {
	Path    string `json:"path"`
	Depth   int    `json:"depth"`
	Matches bool   `json:"matches"`
	Takes   bool   `json:"takes"`
	Why     string `json:"why,omitempty"`

	match string
}

type takenRoute struct {
	Path           string            `json:"path"`
	GroupKey       string            `json:"group_key"`
	GroupLabels    alert.Labels      `json:"group_labels"`
	Receivers      []string          `json:"receivers"`
	GroupWait      string            `json:"group_wait"`
	GroupInterval  string            `json:"group_interval"`
	RepeatInterval map[string]string `json:"repeat_interval"` // by severity
	// Muted is why nothing is told at the moment.
	Muted string `json:"muted,omitempty"`
	// ChangesAt is when that changes; none within five years.
	ChangesAt time.Time      `json:"changes_at,omitzero"`
	Escalate  []escalateStep `json:"escalate"`
	Fallback  []string       `json:"fallback"`
}

type escalateStep struct {
	After     string   `json:"after"`
	Receivers []string `json:"receivers"`
}

type inhibitedBy struct {
	Source alert.Matchers `json:"source"`
	Equal  []string       `json:"equal"`
}

type maintenanceOf struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	// ChangesAt is when that changes; none within five years.
	ChangesAt time.Time `json:"changes_at,omitzero"`
}

func askRoutes(routing configs.Routing, labels alert.Labels, at time.Time) routesAnswer {
	trace := route.TraceRoutes(routing.Root, labels, at)
	a := routesAnswer{Labels: labels, At: at, Inhibitions: []inhibitedBy{}, Maintenance: []maintenanceOf{}}
	for _, t := range trace.Tried {
		a.Tried = append(a.Tried, triedRoute{t.Route.Path, t.Depth, t.Matches, t.Takes, t.Why, t.Route.Match.String()})
	}
	for _, t := range trace.Taken {
		a.Routes = append(a.Routes, takenRouteOf(t, at.Location()))
	}
	for _, in := range route.MayHold(routing.Inhibitions, labels) {
		a.Inhibitions = append(a.Inhibitions, inhibitedBy{in.Source, orEmpty(in.Equal)})
	}
	for _, m := range route.Covering(routing.Maintenance, labels) {
		a.Maintenance = append(a.Maintenance, maintenanceOf{m.Name, m.Active(at), in(m.Next(at), at.Location())})
	}
	return a
}

func takenRouteOf(t route.Taken, zone *time.Location) takenRoute {
	r := t.Route
	out := takenRoute{
		Path: r.Path, GroupKey: t.GroupKey, GroupLabels: t.GroupLabels, Receivers: orEmpty(r.Receivers),
		GroupWait: shortDuration(r.GroupWait), GroupInterval: units.Duration(r.GroupInterval), RepeatInterval: map[string]string{},
		Muted: t.Muted, ChangesAt: in(t.Changes, zone), Escalate: []escalateStep{}, Fallback: orEmpty(r.Fallback),
	}
	for _, s := range alert.Severities() {
		out.RepeatInterval[s.String()] = units.Duration(r.RepeatOf(s))
	}
	for _, step := range r.Escalate {
		out.Escalate = append(out.Escalate, escalateStep{units.Duration(step.After), step.Receivers})
	}
	return out
}

// in shows a moment in a zone; none stays none.
func in(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// shortDuration writes 0s for what units.Duration leaves as 0s or in full.
func shortDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	return units.Duration(d)
}

func (a *routesAnswer) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "alert  %s\nat     %s\n\n", a.Labels, a.At.Format(time.RFC3339))
	width := 0
	for _, t := range a.Tried {
		width = max(width, 2*t.Depth+len([]rune(t.match)))
	}
	for _, t := range a.Tried {
		said := t.Why
		switch {
		case t.Takes:
			said = "matches, and takes it"
		case t.Matches:
			said = "matches"
		}
		name := strings.Repeat("  ", t.Depth) + t.match
		fmt.Fprintf(&b, "%s%s  %s\n", name, strings.Repeat(" ", width-len([]rune(name))), said)
	}
	severity := a.Labels.Get(alert.LabelSeverity)
	for _, r := range a.Routes {
		r.print(&b, severity)
	}
	a.printHeld(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *takenRoute) print(b *strings.Builder, severity string) {
	fmt.Fprintf(b, "\nroute      %s\n", r.Path)
	fmt.Fprintf(b, "group      %s, key %s\n", r.GroupLabels, r.GroupKey)
	fmt.Fprintf(b, "receivers  %s\n", strings.Join(r.Receivers, ", "))
	fmt.Fprintf(b, "timing     group_wait %s, group_interval %s, repeat_interval %s\n",
		r.GroupWait, r.GroupInterval, r.repeats(severity))
	fmt.Fprintf(b, "now        %s\n", r.now())
	for i, step := range r.Escalate {
		word := "         "
		if i == 0 {
			word = "escalates"
		}
		fmt.Fprintf(b, "%s  after %s to %s, unless somebody acknowledges\n", word, step.After, strings.Join(step.Receivers, ", "))
	}
	if len(r.Fallback) > 0 {
		fmt.Fprintf(b, "fallback   %s\n", strings.Join(r.Fallback, ", "))
	}
}

// repeats is the time of the alert's severity, or of each where it has none.
func (r *takenRoute) repeats(severity string) string {
	if one, ok := r.RepeatInterval[severity]; ok {
		return one
	}
	var all []string
	for _, s := range alert.Severities() {
		all = append(all, r.RepeatInterval[s.String()])
	}
	if len(slices.Compact(slices.Clone(all))) == 1 {
		return all[0]
	}
	return fmt.Sprintf("%s (critical), %s (warning), %s (info)", all[0], all[1], all[2])
}

func (r *takenRoute) now() string {
	said, then := "not muted", "muted from "
	if r.Muted != "" {
		said, then = r.Muted, "until "
	}
	if r.ChangesAt.IsZero() {
		return said
	}
	if r.Muted != "" {
		return said + " " + then + r.ChangesAt.Format(time.RFC3339)
	}
	return said + "; " + then + r.ChangesAt.Format(time.RFC3339)
}

func (a *routesAnswer) printHeld(b *strings.Builder) {
	if len(a.Inhibitions)+len(a.Maintenance) > 0 {
		b.WriteString("\n")
	}
	for _, i := range a.Inhibitions {
		fmt.Fprintf(b, "held back while an alert fires that matches %s", i.Source)
		if len(i.Equal) > 0 {
			fmt.Fprintf(b, ", of the same %s", strings.Join(i.Equal, ", "))
		}
		b.WriteString("\n")
	}
	for _, m := range a.Maintenance {
		switch {
		case m.Active && m.ChangesAt.IsZero():
			fmt.Fprintf(b, "held back by maintenance %s\n", m.Name)
		case m.Active:
			fmt.Fprintf(b, "held back by maintenance %s until %s\n", m.Name, m.ChangesAt.Format(time.RFC3339))
		case !m.ChangesAt.IsZero():
			fmt.Fprintf(b, "will be held back by maintenance %s from %s\n", m.Name, m.ChangesAt.Format(time.RFC3339))
		}
	}
}
