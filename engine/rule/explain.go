package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Explanation is a rule over one series as it stands at a moment: what it sees,
// what each condition makes of it, and why the alert is in its state and in no
// other.
type Explanation struct {
	Rule   string       `json:"rule"`
	Metric string       `json:"metric"`
	Unit   string       `json:"unit,omitempty"`
	Labels alert.Labels `json:"labels"` // the series' own
	// Samples are the newest, oldest first.
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
	Notes      []string   `json:"notes"` // why it is not another, in words
}

// Standing is one severity's condition as it stands.
type Standing struct {
	Severity alert.Severity `json:"severity"`
	For      time.Duration  `json:"-"`
	Polls    string         `json:"polls,omitempty"` // 2 of the last 5 polls; wants 3
	// Since is when it began to hold, as far as that counts; zero when it does
	// not.
	Since time.Time `json:"since,omitzero"`
	Trace Trace     `json:"trace"`
	// Why says what keeps the alert from this severity, or that it has it.
	Why string `json:"why"`
}

// explainSamples is how many samples an explanation shows.
const explainSamples = 12

// Explain tells how a rule stands over the series that its alert's labels, or
// the series' own, match. It changes nothing. ok is false when there is no
// such rule. Without any series Notes of the only explanation say why.
func (e *Evaluator) Explain(id string, match alert.Matchers, limit int, now time.Time) (out []Explanation, ok bool) {
	i := slices.IndexFunc(e.rules, func(r *Rule) bool { return r.ID == id })
	if i < 0 {
		return nil, false
	}
	r := e.rules[i]
	nothing := Explanation{Rule: r.ID, Metric: r.Metric.Name, Unit: r.Metric.Unit, State: "ok"}
	f := e.families[r.family]
	if r.Off() || f == nil {
		nothing.Notes = []string{"the rule is disabled"}
		return []Explanation{nothing}, true
	}
	seen, off := 0, 0
	var found []*instance
	for _, t := range f.series {
		seen++
		inst := t.of(r.ID)
		switch {
		case inst == nil && r.matches(t.Labels):
			off++
		case inst != nil && (match.Matches(t.Labels) || match.Matches(r.Identity(t.Labels))):
			found = append(found, inst)
		}
	}
	for key, inst := range e.restored {
		if key.rule == id && match.Matches(inst.life.alert.Labels) {
			found = append(found, inst)
		}
	}
	if len(found) == 0 {
		nothing.Notes = e.noSeries(r, f, seen, off, match)
		return []Explanation{nothing}, true
	}
	slices.SortFunc(found, worstFirst)
	for _, inst := range found[:min(limit, len(found))] {
		out = append(out, e.explain(inst, now.UTC()))
	}
	return out, true
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
		return int(al.Severity)
	}
	if w := weight(b) - weight(a); w != 0 {
		return w
	}
	return strings.Compare(a.series.Labels.String(), b.series.Labels.String())
}

// noSeries says why a rule judges nothing that is asked for.
func (e *Evaluator) noSeries(r *Rule, f *family, seen, off int, match alert.Matchers) []string {
	switch {
	case seen == 0 && f.made != nil:
		return []string{fmt.Sprintf("no series of %s has been made yet: of %s there are no samples, or none with the labels wanted", r.family, strings.Join(f.made.inputs, ", "))}
	case seen == 0:
		return []string{fmt.Sprintf("no sample of %s has come since the start: is there a source that yields it?", r.Metric.Name)}
	case len(match) > 0:
		var labels []string
		for _, t := range f.series {
			labels = append(labels, t.Labels.String())
		}
		slices.Sort(labels)
		return []string{"no series matches; there are " + strings.Join(labels[:min(5, len(labels))], ", ")}
	case off > 0:
		return []string{fmt.Sprintf("an override switches the rule off for each of the %d series that match it", off)}
	}
	return []string{fmt.Sprintf("there are %d series of %s, and the rule's match fits none of them", seen, r.Metric.Name)}
}

func (e *Evaluator) explain(inst *instance, now time.Time) Explanation {
	t, r := inst.series, inst.rule
	out := Explanation{
		Rule: r.ID, Metric: r.Metric.Name, Unit: r.Metric.Unit, Labels: t.Labels, State: "ok", Override: e.overrideOf(inst),
	}
	for _, p := range t.shown() {
		out.Samples = append(out.Samples, alert.Point{At: time.Unix(0, p.at).UTC(), Value: alert.Number(p.value)})
	}
	a := inst.alert()
	if a != nil {
		out.State, out.Severity, out.AlertID, out.Reason = string(a.State), a.Severity, a.ID, a.Reason
		out.Since = a.PendingAt
		if a.State == alert.Firing {
			out.Since = a.StartsAt
		}
	}
	f := e.frame // judging goes on with its own
	f.now, f.series = now.UnixNano(), &t.Series
	v := inst.verdict(&f, bySample, f.now)
	for _, severity := range alert.Severities() {
		if r.levels[severity-1].when != nil {
			out.Conditions = append(out.Conditions, inst.standing(&f, severity, a, now))
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
	out.Notes = append(inst.notes(&v, now), e.dependencyNotes(r)...)
	return out
}

// dependencyNotes names the rules that this one depends on and that fire.
func (e *Evaluator) dependencyNotes(r *Rule) []string {
	var notes []string
	for _, d := range r.DependsOn {
		for _, inst := range e.alerts {
			if a := inst.alert(); a.Rule == d.Rule && a.State == alert.Firing {
				notes = append(notes, fmt.Sprintf("it depends on %s, which fires for %s: judging goes on, sending may be held back", d.Rule, inst.series.Labels))
			}
		}
	}
	slices.Sort(notes)
	return notes
}

func (t *tracked) shown() []point {
	if !t.seen {
		return nil
	}
	return t.tail(make([]point, 0, explainSamples), explainSamples)
}

// overrideOf finds the override that is in force for an instance.
func (e *Evaluator) overrideOf(inst *instance) int {
	s := e.states[inst.rule.ID]
	if s == nil || s.rule == inst.rule {
		return 0
	}
	return 1 + slices.IndexFunc(s.rule.variants, func(v variant) bool { return v.rule == inst.rule })
}

// standing tells how one severity's condition stands.
func (inst *instance) standing(f *frame, severity alert.Severity, a *alert.Alert, now time.Time) Standing {
	lv := &inst.rule.levels[severity-1]
	when := inst.inForce(severity)
	s := Standing{Severity: severity, For: lv.hold, Trace: when.Trace(f)}
	var l alert.Level
	if a != nil {
		l = a.Levels[severity-1]
	}
	s.Since = l.Since
	if lv.polls.Of > 0 {
		s.Polls = fmt.Sprintf("held on %d of the last %d polls; wants %d", l.Count(), lv.polls.Of, lv.polls.Need)
	}
	s.Why = inst.whyNot(lv, &l, severity, a, s.Trace.Holds, now)
	return s
}

// whyNot says what keeps the alert from a severity, or that it has it.
func (inst *instance) whyNot(lv *level, l *alert.Level, severity alert.Severity, a *alert.Alert, holds string, now time.Time) string {
	switch {
	case a != nil && a.State == alert.Firing && a.Severity == severity && !l.Lost.IsZero():
		return fmt.Sprintf("in force: it ended %s ago and is kept for %s", ago(l.Lost, now), units.Duration(lv.keep))
	case a != nil && a.State == alert.Firing && a.Severity == severity && lv.stays != lv.when && holds == True.String():
		return "in force; it ends when the value is a clear_margin on the good side"
	case a != nil && a.State == alert.Firing && a.Severity == severity:
		return "in force"
	case !l.Since.IsZero() && now.Sub(l.Since) < lv.hold:
		return fmt.Sprintf("has held for %s; fires when it has for %s", ago(l.Since, now), units.Duration(lv.hold))
	case !l.Since.IsZero() && a.State == alert.Firing && a.Severity > severity:
		return fmt.Sprintf("holds; %s is graver", a.Severity)
	case !l.Since.IsZero() && inst.unconfirmed(int(severity)-1):
		return "holds on one sample; the next one must confirm it"
	case lv.polls.Of > 0:
		return "the last polls decide"
	case holds == True.String():
		return "holds as of now; the next sample decides"
	case holds == Unknown.String():
		return "cannot be judged"
	}
	return "does not hold"
}

func ago(at, now time.Time) string { return units.Duration(now.Sub(at).Round(time.Second)) }

// notes says what else has a part in the state.
func (inst *instance) notes(v *Verdict, now time.Time) []string {
	notes := []string{}
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	r, t, a := inst.rule, inst.series, inst.alert()
	switch heard := time.Unix(0, t.heard()); {
	case t.family == nil:
		add("the series has not been seen since the restart")
	case v.NoData && v.SourceDown:
		add("no sample for %s, and its source %s cannot be read; no_data is %s and waits for the source", ago(heard, now), t.inlet.from.name, r.noData.name)
	case v.NoData:
		add("no sample for %s, which is missing data; no_data is %s", ago(heard, now), r.noData.name)
	case v.Stale:
		add("the next sample is overdue: the last came %s ago, one is expected every %s", ago(heard, now), units.Duration(t.interval()))
	}
	if v.Warming {
		add("warming up: the watched process is %s old, warm_up is %s; nothing new fires", ago(time.Unix(0, t.inlet.startedAt), now), units.Duration(r.WarmUp))
	}
	if v.Thin {
		add("min_volume does not hold: nothing new fires, and what fires stays")
	}
	if a == nil {
		return notes
	}
	if a.Flapping() {
		add("flapping since %s: it is kept firing until %s has no more than %d changes", a.Flap.Since.UTC().Format(time.RFC3339), units.Duration(r.flapping.Within), r.flapping.calm())
	}
	if a.State == alert.Firing && r.clear != nil && v.Clear != True && v.Levels == [3]Truth{} {
		add("no condition holds; it stays until clear does: %s", r.clear.Text)
	}
	if due := r.NextDue(a, now); !due.IsZero() {
		add("due to be judged by the clock at %s", due.UTC().Format(time.RFC3339))
	}
	return notes
}
