package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// reasonUnwatched is that of alerts whose source is not configured any more.
const reasonUnwatched = "its source is not watched any more"

// Unwatch forgets the series that nobody watches any more and ends their
// alerts: data that is missing may come back, but theirs never will. watched
// is asked of a series' labels, or of an alert's where a restart brought it
// back and its series was not seen since. Call it after Restore and Reload.
func (e *Evaluator) Unwatch(watched func(alert.Labels) bool, now time.Time) []Transition {
	now = now.UTC()
	out := e.takeEnded()
	for metric, byLabels := range e.series {
		for fp, t := range byLabels {
			if watched(t.Labels) {
				continue
			}
			delete(byLabels, fp)
			for _, inst := range t.instances {
				out = e.endUnwatched(inst, now, out)
				e.drop(inst)
			}
		}
		if len(byLabels) == 0 {
			delete(e.series, metric)
		}
	}
	for _, inst := range e.restored {
		if inst.alert != nil && !watched(seriesLabels(inst.alert.Labels)) {
			out = e.endUnwatched(inst, now, out)
			e.leave(inst)
		}
	}
	return sorted(out)
}

func (e *Evaluator) endUnwatched(inst *instance, now time.Time, out []Transition) []Transition {
	if inst.alert == nil {
		return out
	}
	e.version++
	return append(out, end(*inst.alert, reasonUnwatched, now))
}

// seriesLabels undoes what Identity does to the source label, so that an alert
// whose rule sets source itself is known by the source that it came from.
func seriesLabels(identity alert.Labels) alert.Labels {
	if from := identity.Get("exported_" + alert.LabelSource); from != "" {
		return identity.With(alert.LabelSource, from)
	}
	return identity
}
