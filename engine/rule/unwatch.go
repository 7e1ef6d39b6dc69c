package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// reasonUnwatched is that of alerts whose source is not configured any more.
const reasonUnwatched = "its source is not watched any more"

// reasonEmptied is that of alerts of a derived series without members.
const reasonEmptied = "nothing is left that its series is made of"

// Unwatch forgets the series that nobody watches any more and ends their
// alerts: data that is missing may come back, but theirs never will. watched
// is asked of a series' labels, or of an alert's where a restart brought it
// back and its series was not seen since. Call it after Restore and Reload.
func (e *Evaluator) Unwatch(watched func(alert.Labels) bool, now time.Time) []Transition {
	now = now.UTC()
	out := e.takeEnded()
	for _, f := range e.families {
		for fp, t := range f.series {
			if t.inlet != nil && f.made != nil || !unwatched(f, t.Labels, watched) { // what is made goes with its members
				continue
			}
			for inst := t.first; inst != nil; inst = inst.next {
				if inst.alert() != nil {
					out = e.close(inst, reasonUnwatched, now, out)
				}
			}
			t.detach(e.states)
			f.remove(fp)
		}
	}
	out = e.endEmptied(now, out)
	for _, inst := range e.restored {
		if unwatched(e.families[inst.rule.family], seriesLabels(inst.alert().Labels), watched) {
			out = e.close(inst, reasonUnwatched, now, out)
		}
	}
	return sorted(out)
}

// unwatched says whether nobody watches a series of the family any more. That of
// a derived one is only known while its labels tell the source.
func unwatched(f *family, labels alert.Labels, watched func(alert.Labels) bool) bool {
	return (f.made == nil || labels.Has(alert.LabelSource)) && !watched(labels)
}

// endEmptied forgets the derived series that have lost their last member.
func (e *Evaluator) endEmptied(now time.Time, out []Transition) []Transition {
	for _, d := range e.derivations {
		f := e.families[d.name]
		for fp, t := range f.series {
			if d.groups[fp] != nil || t.inlet == nil { // not computed since a restart: its members may come yet
				continue
			}
			for inst := t.first; inst != nil; inst = inst.next {
				if inst.alert() != nil {
					out = e.close(inst, reasonEmptied, now, out)
				}
			}
			t.detach(e.states)
			f.remove(fp)
		}
	}
	return out
}

// seriesLabels undoes what Identity does to the source label, so that an alert
// whose rule sets source itself is known by the source that it came from.
func seriesLabels(identity alert.Labels) alert.Labels {
	if from := identity.Get(exportedPrefix + alert.LabelSource); from != "" {
		return identity.With(alert.LabelSource, from)
	}
	return identity
}
