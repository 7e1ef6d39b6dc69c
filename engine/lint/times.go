package lint

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// times warns of times that do not go with how often the sources are polled, and
// how long samples are kept.
func (j *judgement) times() {
	for _, level := range j.levels() {
		j.shortFor(level)
	}
	for i := range j.parts {
		for _, w := range j.parts[i].Condition.WindowCalls() {
			j.shortWindow(&j.parts[i], w)
			j.longWindow(&j.parts[i], w.Func, w.Length, w.Offset)
		}
		for _, metric := range slices.Sorted(maps.Keys(j.parts[i].Condition.Baselines())) {
			for _, need := range j.parts[i].Condition.Baselines()[metric] {
				j.longWindow(&j.parts[i], "baseline", need.Period, 0)
			}
		}
	}
}

// shortFor warns of a `for` that has passed at the next poll already.
func (j *judgement) shortFor(level *rule.Part) {
	s, ok := slowest(j.sources)
	if !ok || level.For <= 0 || level.For >= s.Interval {
		return
	}
	severity := level.Severity.String()
	path, other := severity+".for", "for"
	if j.rule.Spec.For == level.For && !j.gives(severity) {
		path, other = other, path
	}
	j.warn(problem.ShortFor, 0, "write at least "+units.Duration(s.Interval),
		fmt.Sprintf("%s is shorter than the interval of source %q, which is polled every %s", units.Duration(level.For), s.Name, units.Duration(s.Interval)),
		path, other)
}

// gives says whether the severity has a `for` of its own.
func (j *judgement) gives(severity string) bool {
	s := &j.rule.Spec
	return map[string]*rule.When{"critical": &s.Critical, "warning": &s.Warning, "info": &s.Info}[severity].For != nil
}

func slowest(sources []Source) (Source, bool) {
	var found Source
	for _, s := range sources {
		if s.Interval > found.Interval {
			found = s
		}
	}
	return found, found.Interval > 0
}

// shortWindow warns of a window that never holds two samples: it says what the
// last value says, or nothing at all.
func (j *judgement) shortWindow(p *rule.Part, w rule.Window) {
	switch w.Func {
	case "count", "change", "change_pct":
		return // they want no two samples within
	}
	of := j.sources
	if w.Metric != j.rule.Metric.Name {
		of = j.world.giving(w.Metric)
	}
	if s, ok := slowest(of); ok && w.Length < 2*s.Interval {
		j.warn(problem.ShortWindow, w.Offset, "write at least "+units.Duration(2*s.Interval),
			fmt.Sprintf("%s of %s holds fewer than two samples of source %q, which is polled every %s",
				w.Func, units.Duration(w.Length), s.Name, units.Duration(s.Interval)), p.Path)
	}
}

// longWindow warns of a window that a restart leaves incomplete.
func (j *judgement) longWindow(p *rule.Part, name string, length time.Duration, offset int) {
	if kept := j.world.Retention; kept > 0 && length > kept {
		j.warn(problem.LongWindow, offset, "keep them for longer, by store.retention.samples",
			fmt.Sprintf("%s of %s looks back further than samples are kept, which is %s: after a restart it is unknown",
				name, units.Duration(length), units.Duration(kept)), p.Path)
	}
}
