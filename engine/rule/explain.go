package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Explained is how a rule stands over the series that were asked for.
type Explained struct {
	Rule   string    `json:"rule"`
	Metric string    `json:"metric"`
	Unit   string    `json:"unit,omitempty"`
	At     time.Time `json:"at"` // the moment that all of it is about
	// Total is how many series were asked for; Series has the first of them,
	// what fires before what waits before the rest.
	Total  int           `json:"total"`
	Series []Explanation `json:"series"`
	Notes  []string      `json:"notes"` // why there are none
}

// Explanation is a rule over one series as it stands at a moment: what it sees,
// what each condition makes of it, and why the alert is in its state and in no
// other.
type Explanation struct {
	Labels   alert.Labels `json:"labels"` // the series' own
	Interval string       `json:"interval"`
	// Samples are the newest that are kept in memory, oldest first.
	Samples []alert.Point `json:"samples"`
	// State is ok, pending or firing.
	State    string         `json:"state"`
	Severity alert.Severity `json:"severity"` // that it has or waits for; ok for none
	AlertID  string         `json:"alert_id,omitempty"`
	Since    time.Time      `json:"since,omitzero"` // of the state
	Reason   string         `json:"reason,omitempty"`
	// Override counts from 1 the rule's override that is in force; 0 for none.
	Override   int        `json:"override,omitempty"`
	Conditions []Standing `json:"conditions"`
	Clear      *Trace     `json:"clear,omitempty"`
	MinVolume  *Trace     `json:"min_volume,omitempty"`
	Notes      []string   `json:"notes"` // what else has a part in the state
}

// explainSamples is how many samples an explanation shows.
const explainSamples = 12

// Explain tells how a rule stands over the series that its alert's labels, or
// the series' own, match; limit bounds how many are told of. It changes
// nothing. ok is false when there is no such rule.
func (e *Evaluator) Explain(id string, match alert.Matchers, limit int, now time.Time) (out Explained, ok bool) {
	i := slices.IndexFunc(e.rules, func(r *Rule) bool { return r.ID == id })
	if i < 0 {
		return out, false
	}
	r, now := e.rules[i], now.UTC()
	out = Explained{Rule: r.ID, Metric: r.Metric.Name, Unit: r.Metric.Unit, At: now.Truncate(time.Millisecond), Series: []Explanation{}, Notes: []string{}}
	f := e.families[r.family]
	if r.Off() || f == nil {
		out.Notes = append(out.Notes, "the rule is disabled")
		return out, true
	}
	found := leading[*instance]{most: limit, compare: worstFirst}
	e.asked(r, f, match, found.add)
	if out.Total = found.total; out.Total == 0 {
		out.Notes = append(out.Notes, noSeries(r, f, match))
		return out, true
	}
	for _, inst := range found.list {
		out.Series = append(out.Series, e.explain(inst, now))
	}
	return out, true
}

// asked gives the rule's instances that match.
func (e *Evaluator) asked(r *Rule, f *family, match alert.Matchers, give func(*instance)) {
	for _, t := range f.series {
		if inst := t.of(r.ID); inst != nil && asksFor(r, t, match) {
			give(inst)
		}
	}
	for key, inst := range e.restored {
		if key.rule == r.ID && (match.Matches(inst.life.alert.Labels) || match.Matches(r.without(inst.life.alert.Labels))) {
			give(inst)
		}
	}
}

// leading keeps the first few of what may be a million, sorted: nobody waits
// for the judging while all are sorted.
type leading[T any] struct {
	list    []T
	most    int
	total   int
	compare func(a, b T) int
}

func (l *leading[T]) add(x T) {
	l.total++
	at, _ := slices.BinarySearchFunc(l.list, x, l.compare)
	if at >= l.most {
		return
	}
	l.list = slices.Insert(l.list, at, x)
	l.list = l.list[:min(len(l.list), l.most)]
}

func asksFor(r *Rule, t *tracked, match alert.Matchers) bool {
	return match.Matches(t.Labels) || match.Matches(r.Identity(t.Labels))
}

// of returns the series' instance of a rule, or nil.
func (t *tracked) of(rule string) *instance {
	for inst := t.first; inst != nil; inst = inst.next {
		if inst.rule.ID == rule {
			return inst
		}
	}
	return nil
}

// worstFirst orders what fires before what waits, and that before the rest.
func worstFirst(a, b *instance) int {
	weight := func(inst *instance) int {
		al := inst.alert()
		switch {
		case al == nil:
			return 0
		case al.State == alert.Firing:
			return 10 + int(al.Severity)
		}
		return 1 + int(al.Severity)
	}
	if w := weight(b) - weight(a); w != 0 {
		return w
	}
	return byLabels(a.series, b.series)
}

func byLabels(a, b *tracked) int {
	return slices.CompareFunc(a.Labels, b.Labels, func(a, b alert.Label) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
}

// noSeries says why a rule judges nothing that was asked for.
func noSeries(r *Rule, f *family, match alert.Matchers) string {
	const most = 5
	newList := func() *leading[*tracked] { return &leading[*tracked]{most: most, compare: byLabels} }
	// Asked are those that were asked for, fits those of them that the rule's
	// match fits.
	judged, asked, fits := newList(), newList(), newList()
	for _, t := range f.series {
		if t.of(r.ID) != nil {
			judged.add(t)
		}
		if asksFor(r, t, match) {
			asked.add(t)
			if r.matches(t.Labels) {
				fits.add(t)
			}
		}
	}
	switch {
	case len(f.series) == 0 && f.made != nil:
		return fmt.Sprintf("no series of %s has been made yet: it is made of %s, of which there are no samples since the start, or none with the labels that it wants",
			r.family, strings.Join(f.made.inputs, " and "))
	case len(f.series) == 0:
		return fmt.Sprintf("no sample of %s has come since the start: does a source yield it, and is that source up?", r.Metric.Name)
	case asked.total == 0 && judged.total == 0:
		return fmt.Sprintf("no series of %s matches, and the rule judges none", r.Metric.Name)
	case asked.total == 0:
		return "no series matches; the rule judges " + listed(judged)
	case fits.total == 0:
		return fmt.Sprintf("there is %s, and the rule's match %s does not fit it", listed(asked), r.Match)
	case r.For(fits.list[0].Labels) == nil:
		return "an override switches the rule off for " + listed(fits)
	}
	return fmt.Sprintf("another series makes the same alert as %s: the rule's own labels make them one", listed(fits))
}

// listed names some of the series.
func listed(series *leading[*tracked]) string {
	labels := make([]string, 0, len(series.list))
	for _, t := range series.list {
		labels = append(labels, t.Labels.String())
	}
	text := strings.Join(labels, ", ")
	if more := series.total - len(series.list); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (e *Evaluator) explain(inst *instance, now time.Time) Explanation {
	t, r := inst.series, inst.rule
	out := Explanation{
		Labels: t.Labels, Interval: units.Duration(t.interval()), Samples: inst.shown(),
		State: "ok", Override: e.overrideOf(inst), Conditions: []Standing{},
	}
	a := inst.alert()
	if a != nil {
		out.State, out.Severity, out.AlertID, out.Reason = string(a.State), a.Severity, a.ID, a.Reason
		out.Since = a.PendingAt
		if a.State == alert.Firing {
			out.Since = a.StartsAt
		}
		out.Since = out.Since.Truncate(time.Millisecond)
	}
	if t.family == nil { // the stand-in has the alert's labels
		out.Labels = r.without(a.Labels)
	}
	f := e.frame // judging goes on with its own
	f.now, f.series = now.UnixNano(), &t.Series
	v := inst.verdict(&f, bySample, f.now)
	for _, severity := range alert.Severities() {
		if r.levels[severity-1].when != nil {
			out.Conditions = append(out.Conditions, inst.standing(&f, &v, severity, now))
		}
	}
	if r.clear != nil {
		trace := r.clear.Trace(&f)
		out.Clear = &trace
	}
	if r.minVolume != nil {
		trace := r.minVolume.Trace(&f)
		out.MinVolume = &trace
	}
	out.Notes = e.notes(inst, &v, out.Override, now)
	return out
}

// shown are the newest samples that the series or its alert has.
func (inst *instance) shown() []alert.Point {
	points := []alert.Point{}
	if t := inst.series; t.seen {
		for _, p := range t.tail(make([]point, 0, explainSamples), explainSamples) {
			points = append(points, alert.Point{At: time.Unix(0, p.at).UTC(), Value: alert.Number(p.value)})
		}
	}
	if inst.alert() != nil { // which remembers more than a series without a window
		if own := inst.life.samples(); len(own) > len(points) {
			points = slices.Clone(own)
		}
	}
	for i := range points {
		points[i].At = points[i].At.Truncate(time.Millisecond)
	}
	return points
}

// overrideOf finds the override that is in force for an instance.
func (e *Evaluator) overrideOf(inst *instance) int {
	s := e.states[inst.rule.ID]
	if s == nil || s.rule == inst.rule {
		return 0
	}
	return 1 + slices.IndexFunc(s.rule.variants, func(v variant) bool { return v.rule == inst.rule })
}
