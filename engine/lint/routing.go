package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Receivers warns of the receivers that no route names, be it as a step of an
// escalation or a fallback, with paths below receivers.
func Receivers(names []string, tree route.Spec) problem.List {
	used := map[string]bool{}
	var walk func(r route.Spec)
	walk = func(r route.Spec) {
		named := slices.Concat(r.Receivers, r.Fallback)
		for _, step := range r.Escalate {
			named = append(named, step.Receivers...)
		}
		for _, name := range named {
			used[name] = true
		}
		for _, below := range r.Routes {
			walk(below)
		}
	}
	walk(tree)
	var out problem.List
	for i, name := range names {
		if name != "" && !used[name] {
			out.Warn(problem.UnusedReceiver, fmt.Sprintf("[%d].name", i), "name it in a route, or remove it", "no route names %q: it is never told anything", name)
		}
	}
	return out
}

// Alerts is what is known of the labels of all alerts that the rules can make,
// by label: alertname, category and severity. Nil where nothing is known.
type Alerts map[string][]string

// Routes warns of the routes that no alert can reach, with paths below the root
// route. Matchers that cannot be read are passed over.
func Routes(tree route.Spec, alerts Alerts) problem.List {
	var out problem.List
	walkRoutes(tree, nil, "", alerts, &out)
	return out
}

func walkRoutes(r route.Spec, above alert.Matchers, path string, alerts Alerts, out *problem.List) {
	var before []alert.Matchers // of the siblings that let nothing past
	for i, child := range r.Routes {
		at := problem.Join(path, fmt.Sprintf("routes[%d]", i))
		match, ok := read(child.Match)
		if !ok {
			continue
		}
		all := append(slices.Clone(above), match.Matchers...)
		switch {
		case alerts.warn(match, problem.Join(at, "match"), out):
		case contradicts(above, match.Matchers):
			out.Warn(problem.UnreachableRoute, at, "", "no alert gets here: the route above takes none of these")
		case slices.ContainsFunc(before, func(m alert.Matchers) bool { return covers(m, all) }):
			out.Warn(problem.UnreachableRoute, at, "put it first, or write `continue: true` there",
				"no alert gets here: an earlier route takes all of them")
		default:
			walkRoutes(child, all, at, alerts, out)
		}
		if !child.Continue {
			before = append(before, match.Matchers)
		}
	}
}

// Inhibitions warns of matchers that no alert can satisfy, with paths below
// inhibit.
func Inhibitions(specs []route.InhibitSpec, alerts Alerts) problem.List {
	var out problem.List
	for i, spec := range specs {
		for _, side := range [...]struct {
			name  string
			match route.MatchSpec
		}{{"source", spec.Source}, {"target", spec.Target}} {
			if match, ok := read(side.match); ok {
				alerts.warn(match, fmt.Sprintf("[%d].%s", i, side.name), &out)
			}
		}
	}
	return out
}

// warn tells of matchers that no alert satisfies, and whether there are any.
func (a Alerts) warn(written route.Match, path string, out *problem.List) bool {
	found := false
	match := written.Matchers
	for i, m := range match {
		at := fmt.Sprintf("%s[%d]", path, written.Texts[i])
		values, known := a[m.Name]
		switch {
		case contradiction(match, i).message != "":
			out.Warn(problem.NoSuchAlert, at, "", "%s", contradiction(match, i).message)
		case !known || slices.ContainsFunc(values, func(v string) bool { return fits(alert.Matchers{m}, m.Name, v) }):
			continue
		default:
			out.Warn(problem.NoSuchAlert, at, suggestion(m.Value, values), "no alert has %s", m)
		}
		found = true
	}
	return found
}

// NewAlerts collects the labels of the alerts of rules, by id with the category
// of each. Of no rules nothing is known: they are still to be written.
func NewAlerts(categories map[string]string) Alerts {
	named := map[string]bool{}
	for _, category := range categories {
		named[category] = true
	}
	severities := []string{}
	for _, s := range alert.Severities() {
		severities = append(severities, s.String())
	}
	alerts := Alerts{alert.LabelSeverity: severities}
	if len(categories) > 0 {
		alerts[alert.LabelName] = slices.Sorted(maps.Keys(categories))
		alerts[alert.LabelCategory] = slices.Sorted(maps.Keys(named))
	}
	return alerts
}

func read(texts route.MatchSpec) (route.Match, bool) {
	match, wrong := texts.Read()
	return match, len(wrong) == 0
}

// contradicts says whether nothing satisfies both.
func contradicts(a, b alert.Matchers) bool {
	all := append(slices.Clone(a), b...)
	for i := range all {
		if i >= len(a) && contradiction(all, i).message != "" {
			return true
		}
	}
	return false
}

// covers says whether a takes whatever satisfies b: each of its matchers stands
// in b, too, or holds for the value that b wants.
func covers(a, b alert.Matchers) bool {
	for _, wanted := range a {
		if !slices.ContainsFunc(b, func(m alert.Matcher) bool {
			return m.String() == wanted.String() ||
				m.Op == alert.MatchEqual && m.Name == wanted.Name && wanted.Matches(alert.FromMap(map[string]string{m.Name: m.Value}))
		}) {
			return false
		}
	}
	return true
}
