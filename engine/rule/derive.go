package rule

import (
	"math"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// derivation makes the series of one family of those of others: a derived
// metric, or what a rule with `by` judges.
type derivation struct {
	// name is the family that it makes, inputs are those that it reads.
	name   string
	inputs []string
	// keep are the labels that its series have; all keeps them all, and makes a
	// series for each of the first input.
	keep   []string
	all    bool
	match  alert.Matchers // of the members
	value  func(e *Evaluator, g *group) float64
	order  int // after all that it reads
	groups map[alert.Fingerprint]*group
}

// group is what one derived series is made of.
type group struct {
	of      *derivation
	labels  alert.Labels
	members []*tracked
	dirty   bool // a member has a new sample
}

// feeds is what a family's series belong to.
type feeds struct {
	derivations []*derivation
	groups      map[*tracked][]*group
}

// derive groups the series anew by the present derivations.
func (e *Evaluator) derive() {
	for _, f := range e.families {
		f.feeds, f.made = nil, nil
	}
	e.dirty = make([][]*group, len(e.derivations))
	for i, d := range e.derivations {
		d.order, d.groups = i, map[alert.Fingerprint]*group{}
		e.families[d.name].made = d
		for _, input := range d.inputs {
			f := e.families[input]
			if f.feeds == nil {
				f.feeds = &feeds{groups: map[*tracked][]*group{}}
			}
			f.feeds.derivations = append(f.feeds.derivations, d)
		}
	}
	for _, f := range e.families {
		for _, t := range f.series {
			f.feeds.join(t)
		}
	}
}

// join makes a series a member of the groups that it belongs to.
func (f *feeds) join(t *tracked) {
	if f == nil {
		return
	}
	for _, d := range f.derivations {
		if !d.match.Matches(t.Labels) || d.all && t.family.metric != d.inputs[0] {
			continue
		}
		labels := t.Labels
		if !d.all {
			labels = labels.Only(d.keep...)
		}
		fp := labels.Fingerprint()
		g := d.groups[fp]
		if g == nil {
			g = &group{of: d, labels: labels}
			d.groups[fp] = g
		}
		g.members = append(g.members, t)
		f.groups[t] = append(f.groups[t], g)
	}
}

// leave undoes join.
func (f *feeds) leave(t *tracked) {
	if f == nil {
		return
	}
	for _, g := range f.groups[t] {
		g.members = slices.DeleteFunc(g.members, func(m *tracked) bool { return m == t })
		if len(g.members) == 0 {
			delete(g.of.groups, g.labels.Fingerprint())
		}
	}
	delete(f.groups, t)
}

// derived computes what the touched series are members of, each group once and
// after all that it reads, and appends the derived series to them.
func (e *Evaluator) derived(from *inlet, now time.Time) {
	for _, t := range e.touched {
		e.mark(t)
	}
	for order := range e.dirty { // a group marks only later ones
		for _, g := range e.dirty[order] {
			g.dirty = false
			if t := e.compute(g, from, now); t != nil {
				e.touched = append(e.touched, t)
				e.mark(t)
			}
		}
		clear(e.dirty[order])
		e.dirty[order] = e.dirty[order][:0]
	}
}

// mark notes the groups of a series that has a new sample.
func (e *Evaluator) mark(t *tracked) {
	if t.family.feeds == nil {
		return
	}
	for _, g := range t.family.feeds.groups[t] {
		if !g.dirty {
			g.dirty = true
			e.dirty[g.of.order] = append(e.dirty[g.of.order], g)
		}
	}
}

// compute takes the group's value for now as a sample of its derived series. It
// returns nil where there is none: what cannot be known makes no sample, so
// that the derived series goes missing as its members do.
func (e *Evaluator) compute(g *group, from *inlet, now time.Time) *tracked {
	e.frame.now = now.UnixNano()
	value := g.of.value(e, g)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	at := int64(0)
	for _, m := range g.members {
		if m.seen {
			at = max(at, m.last.at)
		}
	}
	t := e.find(e.families[g.of.name], g.labels, now)
	t.from(from)
	limit := now.UnixNano()
	if t.seen && at <= t.last.at && t.last.at-limit < int64(time.Microsecond) {
		// A member that comes later, of another source: made anew, a moment later.
		at = t.last.at + 1
		limit = max(limit, at)
	}
	if !t.take(&alert.Sample{At: time.Unix(0, at), Value: value}, limit) {
		return nil
	}
	e.made = append(e.made, alert.Sample{Metric: g.of.name, Labels: t.Labels, Value: value, At: time.Unix(0, at).UTC()})
	return t
}

// Made returns the samples of derived series that the last Observe made. They
// must be kept like others where a window over them is wanted: they are not
// computed anew after a restart. The slice is the evaluator's until the next
// call.
func (e *Evaluator) Made() []alert.Sample { return e.made }

// Makes says whether the metric is made of others. Samples of its name that a
// source gives are nobody's, and not to be kept.
func (e *Evaluator) Makes(metric string) bool {
	f := e.families[metric]
	return f != nil && f.made != nil
}

// present returns the group's series of a metric that speak for now. ok is
// false when one of them cannot be judged, because its source cannot be read or
// has not given the next sample yet: without it a sum would fall, and a fall
// would look like a recovery. A series that its source does not give any more,
// though it is read, is left out.
func (g *group) present(metric string, now int64, into []*Series) (series []*Series, ok bool) {
	for _, t := range g.members {
		if t.family.metric != metric || !t.seen {
			continue
		}
		limit := int64(DefaultNoDataIntervals * t.interval())
		if now-t.last.at <= limit {
			into = append(into, &t.Series)
			continue
		}
		if t.inlet == nil || t.inlet.from.good-max(t.last.at, t.inlet.from.since) <= limit {
			return into, false
		}
	}
	return into, true
}

// The ways in which several series become one value.
const (
	combineSum   = "sum"
	combineAvg   = "avg"
	combineMin   = "min"
	combineMax   = "max"
	combineCount = "count"
)

func combinations() []string {
	return []string{combineSum, combineAvg, combineMin, combineMax, combineCount}
}

// combine makes one value of several; unknown of none, but for their count.
func combine(how string, values []float64) float64 {
	if how == combineCount {
		return float64(len(values))
	}
	if len(values) == 0 {
		return math.NaN()
	}
	var sum total // whose order does not matter
	for _, v := range values {
		sum.add(v)
	}
	switch how {
	case combineMin:
		return slices.Min(values)
	case combineMax:
		return slices.Max(values)
	case combineAvg:
		return sum.value() / float64(len(values))
	}
	return sum.value()
}
