package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// other finds another metric's series for the labels of this one: the same
// labels; else the one with the most of these labels and no others; else the
// only one that is so but for its source; else the only one of another source
// that has labels beside, such as the application's instance. Where several
// are equally near there is none: a guess would be worse than unknown.
func (e *Evaluator) other(metric string, labels alert.Labels) *Series {
	f := e.families[metric]
	if f == nil {
		return nil
	}
	fp := labels.Fingerprint()
	if t := f.series[fp]; t != nil {
		return &t.Series
	}
	if found, known := f.near[fp]; known {
		return found
	}
	found := f.nearest(labels)
	if f.near == nil {
		f.near = map[alert.Fingerprint]*Series{}
	}
	f.near[fp] = found
	return found
}

// nearest looks for a series with other labels; see other. What it finds is
// remembered until a series comes or goes.
func (f *family) nearest(labels alert.Labels) *Series {
	var best [3]*Series // by nearness
	var many [3]bool
	for _, t := range f.series {
		near, ok := nearness(t.Labels, labels)
		if !ok {
			continue
		}
		found := best[near]
		switch {
		case found == nil || near == within && len(t.Labels) > len(found.Labels):
			best[near], many[near] = &t.Series, false
		case near != within || len(t.Labels) == len(found.Labels):
			many[near] = true
		}
	}
	for near := range best {
		if many[near] {
			return nil
		}
		if best[near] != nil {
			return best[near]
		}
	}
	return nil
}

// How near a series is to a label set, nearest first.
const (
	within = iota // all of its labels are in the set
	aside         // so they are, but for the source
	beyond        // another source's, with labels that the set does not have
)

func nearness(series, labels alert.Labels) (int, bool) {
	extra, otherSource := false, false
	for i := range series {
		switch mine := labels.Get(series[i].Name); {
		case mine == series[i].Value:
		case series[i].Name == alert.LabelSource:
			otherSource = true
		case mine == "":
			extra = true
		default:
			return 0, false
		}
	}
	switch {
	case !extra && !otherSource:
		return within, true
	case !extra:
		return aside, true
	}
	return beyond, otherSource
}

// Alerts returns the alerts that there are, sorted: worst first, then by the
// moment they fired, then by id.
func (e *Evaluator) Alerts() []alert.Alert {
	all := make([]alert.Alert, 0, len(e.alerts)+len(e.restored))
	for _, held := range [...]map[instanceKey]*instance{e.alerts, e.restored} {
		for _, inst := range held {
			if a := inst.alert(); a != nil {
				all = append(all, *a)
			}
		}
	}
	slices.SortFunc(all, func(a, b alert.Alert) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		if c := b.PendingAt.Compare(a.PendingAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Alert returns the alert of a rule with that identity, as it stands; false when
// there is none.
func (e *Evaluator) Alert(rule string, identity alert.Fingerprint) (alert.Alert, bool) {
	key := instanceKey{rule, identity}
	for _, inst := range [...]*instance{e.alerts[key], e.restored[key]} {
		if inst != nil && inst.alert() != nil {
			return *inst.alert(), true
		}
	}
	return alert.Alert{}, false
}

// SeriesCount returns how many series a rule judges.
func (e *Evaluator) SeriesCount(rule string) int {
	if s := e.states[rule]; s != nil {
		return s.series
	}
	return 0
}

// Covers says whether a rule judges any series of a source.
func (e *Evaluator) Covers(rule, source string) bool {
	s := e.states[rule]
	return s != nil && s.sources[source] > 0
}

// Sweep forgets the series that have had no sample for long and carry no
// alert, so that label sets that come and go do not fill the memory; those
// whose no_data waits for their source stay. An alert
// whose series has not come back since a restart stays: missing data is not
// recovery.
func (e *Evaluator) Sweep(now time.Time) {
	used, spared := map[*inlet]bool{}, map[*tracked]bool{}
	for _, u := range e.upstreams {
		for _, inst := range u.spared {
			spared[inst.series] = true
		}
	}
	for _, f := range e.families {
		limit := int64(max(time.Hour, 2*f.lookback))
		for fp, t := range f.series {
			if now.UnixNano()-t.heard() <= limit || t.hasAlert() || spared[t] {
				used[t.inlet] = true
				continue
			}
			f.remove(fp)
			t.detach(e.states)
		}
	}
	for _, u := range e.upstreams {
		u.sweep(used)
	}
	for key, a := range e.past { // too old to count
		if now.Sub(a.UpdatedAt) > maxFlappingWithin {
			delete(e.past, key)
		}
	}
}
