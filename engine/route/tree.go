package route

import (
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
	RepeatInterval time.Duration // where RepeatOf knows no other
	Continue       bool
	Routes         []*Route
	// Mute and Active are the times in which, and outside of which, the route
	// tells nothing: see Muted.
	Mute, Active []Interval
	// Escalate are the steps, the soonest first.
	Escalate []Step
	// Fallback is told when none of Receivers can be; none of them is in it.
	Fallback []string

	repeat   repeats
	fallback []string // as it is inherited, receivers of the route included
}

// Defaults are the root's settings where it gives none.
func Defaults() Spec {
	wait, interval, repeat := 10*time.Second, time.Minute, 4*time.Hour
	return Spec{GroupBy: []string{alert.LabelCategory}, GroupWait: &wait, GroupInterval: &interval, RepeatInterval: Every(repeat)}
}

// Compile makes a tree of its written form. receivers and intervals are those
// that exist. Problems have paths below the root route: routes[1].match[0].
func Compile(spec Spec, receivers []string, intervals ...Interval) (*Route, problem.List) {
	var problems problem.List
	defaults := Defaults()
	root := &Route{
		GroupWait: *defaults.GroupWait, GroupInterval: *defaults.GroupInterval,
		RepeatInterval: *defaults.RepeatInterval.every, GroupBy: defaults.GroupBy,
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
	if len(spec.MuteTimeIntervals) > 0 {
		problems.AddHint("mute_time_intervals", "put it on a route below", "the root route takes every alert, at any time")
		spec.MuteTimeIntervals = nil
	}
	if len(spec.ActiveTimeIntervals) > 0 {
		problems.AddHint("active_time_intervals", "put it on a route below", "the root route takes every alert, at any time")
		spec.ActiveTimeIntervals = nil
	}
	if len(receivers) > maxNames {
		problems.Add("receivers", "%d receivers: there may be %d", len(receivers), maxNames)
	}
	c := compiler{receivers: receivers, intervals: intervals, problems: &problems}
	return c.node(&spec, root, ""), problems
}

// compiler is one Compile.
type compiler struct {
	receivers []string
	intervals []Interval
	problems  *problem.List
}

func (c *compiler) node(spec *Spec, parent *Route, path string) *Route {
	problems := c.problems
	r := &Route{
		Receivers: parent.Receivers, GroupBy: parent.GroupBy, GroupByAll: parent.GroupByAll,
		GroupWait: parent.GroupWait, GroupInterval: parent.GroupInterval, RepeatInterval: parent.RepeatInterval,
		Continue: spec.Continue, Escalate: parent.Escalate, repeat: parent.repeat, fallback: parent.fallback,
	}
	r.Match = matchers(spec.Match, problem.Join(path, "match"), problems)
	r.Path = strings.TrimPrefix(parent.Path+"/"+r.Match.String(), "/")
	if len(spec.Receivers) > 0 {
		r.Receivers = spec.Receivers
	}
	checkReceivers(spec.Receivers, problem.Join(path, "receivers"), c.receivers, problems)
	r.setGrouping(spec, path, problems)
	r.setIntervals(spec, path, c.intervals, problems)
	r.setEscalation(spec, path, c.receivers, problems)
	r.setFallback(spec, path, c.receivers, problems)
	for i := range spec.Routes {
		child := c.node(&spec.Routes[i], r, problem.Join(path, fmt.Sprintf("routes[%d]", i)))
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

func (r *Route) setGrouping(spec *Spec, path string, problems *problem.List) {
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
	} {
		switch {
		case t.given == nil:
		case *t.given < 0 || *t.given == 0 && !t.zero:
			problems.Add(problem.Join(path, t.name), "want more than 0s")
		default:
			*t.into = *t.given
		}
	}
	r.setRepeat(spec.RepeatInterval, path, problems)
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
func (r *Route) checkRepeat(spec *Spec, path string, problems *problem.List) {
	severity := r.shortestRepeat()
	repeat := r.RepeatOf(severity)
	if spec.GroupInterval == nil && spec.RepeatInterval == nil || repeat >= r.GroupInterval {
		return
	}
	at := "repeat_interval"
	switch {
	case spec.RepeatInterval == nil:
		at = "group_interval"
	case spec.RepeatInterval.every == nil:
		at = problem.Join(at, severity.String())
	}
	problems.Warn(problem.EarlyRepeat, problem.Join(path, at), "",
		"repeat_interval %s is shorter than group_interval %s: an alert repeats no sooner than its group is looked at",
		units.Duration(repeat), units.Duration(r.GroupInterval))
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
