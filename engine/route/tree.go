package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Route is one compiled node of the tree, everything inherited filled in. It
// is immutable.
type Route struct {
	// Path names the route by the matchers on the way to it, root first, as in
	// {}/{severity="critical"}: an edit elsewhere in the tree leaves it.
	Path           string
	Match          alert.Matchers
	Receivers      []string
	GroupBy        []string
	GroupByAll     bool
	GroupWait      time.Duration
	GroupInterval  time.Duration
	RepeatInterval time.Duration
	Continue       bool
	Routes         []*Route
	Mute, ActiveIn []*Interval
	Escalate       []Step
	Fallback       []string
}

// Defaults are the root's settings where it gives none.
func Defaults() Spec {
	wait, interval, repeat := 10*time.Second, time.Minute, 4*time.Hour
	return Spec{GroupBy: []string{alert.LabelCategory}, GroupWait: &wait, GroupInterval: &interval, RepeatInterval: &repeat}
}

// Compile makes a tree of its written form. receivers are the names that
// exist. Problems have paths below the root route: routes[1].match[0].
func Compile(spec Spec, receivers []string) (*Route, problem.List) {
	var problems problem.List
	defaults := Defaults()
	root := &Route{
		GroupWait: *defaults.GroupWait, GroupInterval: *defaults.GroupInterval,
		RepeatInterval: *defaults.RepeatInterval, GroupBy: defaults.GroupBy,
	}
	if len(spec.Receivers) == 0 {
		problems.AddHint("receivers", "name at least one receiver, as in receivers: [console]", "missing: the root route takes every alert")
	}
	if len(spec.Match) > 0 {
		problems.AddHint("match", "put it on a route below", "the root route takes every alert and matches nothing")
		spec.Match = nil
	}
	if spec.Continue {
		problems.AddHint("continue", "remove it", "nothing comes after the root route")
	}
	out := compileNode(spec, root, "", receivers, &problems)
	return out, problems
}

func compileNode(spec Spec, parent *Route, path string, receivers []string, problems *problem.List) *Route {
	r := &Route{
		Receivers: parent.Receivers, GroupBy: parent.GroupBy, GroupByAll: parent.GroupByAll,
		GroupWait: parent.GroupWait, GroupInterval: parent.GroupInterval, RepeatInterval: parent.RepeatInterval,
		Continue: spec.Continue,
	}
	r.Match = matchers(spec.Match, problem.Join(path, "match"), problems)
	r.Path = strings.TrimPrefix(parent.Path+"/"+r.Match.String(), "/")
	r.setReceivers(spec, path, receivers, problems)
	r.setGrouping(spec, path, problems)
	for i := range spec.Routes {
		child := compileNode(spec.Routes[i], r, problem.Join(path, fmt.Sprintf("routes[%d]", i)), receivers, problems)
		child.Path = uniquePath(child.Path, r.Routes)
		r.Routes = append(r.Routes, child)
	}
	return r
}

// uniquePath tells two siblings with the same matchers apart.
func uniquePath(path string, siblings []*Route) string {
	n := 0
	for _, s := range siblings {
		if s.Path == path || strings.HasPrefix(s.Path, path+"#") {
			n++
		}
	}
	if n > 0 {
		return fmt.Sprintf("%s#%d", path, n+1)
	}
	return path
}

func (r *Route) setReceivers(spec Spec, path string, receivers []string, problems *problem.List) {
	if len(spec.Receivers) > 0 {
		r.Receivers = spec.Receivers
	}
	for i, name := range spec.Receivers {
		at := problem.Join(path, fmt.Sprintf("receivers[%d]", i))
		switch {
		case slices.Contains(spec.Receivers[:i], name):
			problems.Add(at, "%q is named twice", name)
		case !slices.Contains(receivers, name):
			hint := problem.DidYouMean(name, receivers)
			problems.AddHint(at, cmp.Or(hint, "define it under receivers"), "no receiver is called %q", name).As(problem.UnknownName)
		}
	}
}

func (r *Route) setGrouping(spec Spec, path string, problems *problem.List) {
	if spec.GroupBy != nil {
		r.GroupBy, r.GroupByAll = spec.GroupBy, slices.Contains(spec.GroupBy, everyLabel)
		checkGroupBy(spec.GroupBy, path, problems)
	}
	for _, t := range [...]struct {
		name        string
		given, into *time.Duration
		zero        bool
	}{
		{"group_wait", spec.GroupWait, &r.GroupWait, true},
		{"group_interval", spec.GroupInterval, &r.GroupInterval, false},
		{"repeat_interval", spec.RepeatInterval, &r.RepeatInterval, false},
	} {
		switch {
		case t.given == nil:
		case *t.given < 0 || *t.given == 0 && !t.zero:
			problems.Add(problem.Join(path, t.name), "want more than 0s")
		default:
			*t.into = *t.given
		}
	}
	r.checkRepeat(spec, path, problems)
}

// everyLabel in group_by stands for all labels.
const everyLabel = "..."

func checkGroupBy(names []string, path string, problems *problem.List) {
	for i, name := range names {
		at := problem.Join(path, fmt.Sprintf("group_by[%d]", i))
		switch {
		case name == everyLabel && len(names) > 1:
			problems.AddHint(at, "write it alone", "'...' is every label already")
		case name != everyLabel && !alert.IsLabelName(name):
			problems.AddHint(at, "use the name of a label, or '...' for every label", "%q is not the name of a label", name)
		case slices.Contains(names[:i], name):
			problems.Add(at, "%q is named twice", name)
		}
	}
}

// checkRepeat remarks upon a repeat that comes no sooner than it could.
func (r *Route) checkRepeat(spec Spec, path string, problems *problem.List) {
	if spec.GroupInterval == nil && spec.RepeatInterval == nil || r.RepeatInterval >= r.GroupInterval {
		return
	}
	at := "repeat_interval"
	if spec.RepeatInterval == nil {
		at = "group_interval"
	}
	*problems = append(*problems, problem.Problem{
		Path: problem.Join(path, at), Warning: true, Code: problem.EarlyRepeat,
		Message: fmt.Sprintf("repeat_interval %s is shorter than group_interval %s: an alert repeats no sooner than its group is looked at",
			units.Duration(r.RepeatInterval), units.Duration(r.GroupInterval)),
	})
}

// Take returns the routes that an alert with these labels takes: the deepest
// match of each branch, one unless a route says continue. A route that matches
// while none of its children do takes the alert itself.
func (r *Route) Take(labels alert.Labels) []*Route {
	if !r.Match.Matches(labels) {
		return nil
	}
	var taken []*Route
	for _, child := range r.Routes {
		below := child.Take(labels)
		taken = append(taken, below...)
		if len(below) > 0 && !child.Continue {
			break
		}
	}
	if len(taken) == 0 {
		return []*Route{r}
	}
	return taken
}

// GroupLabels returns the labels that name the alert's group on this route.
func (r *Route) GroupLabels(labels alert.Labels) alert.Labels {
	if r.GroupByAll {
		return labels.Without(alert.LabelSeverity)
	}
	return labels.Only(r.GroupBy...)
}

// GroupKey names the group for ever: the route's path and the group's labels.
func (r *Route) GroupKey(labels alert.Labels) string {
	return r.Path + ":" + r.GroupLabels(labels).String()
}
