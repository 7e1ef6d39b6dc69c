package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// notes says what beside the conditions has a part in the state.
func (e *Evaluator) notes(inst *instance, v *Verdict, override int, now time.Time) []string {
	notes := []string{}
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	r, t := inst.rule, inst.series
	if override > 0 {
		add("override %d of the rule is in force: its match is %s", override, e.states[r.ID].rule.variants[override-1].match)
	}
	notes = append(notes, inst.dataNotes(v, now)...)
	notes = append(notes, e.madeNotes(inst, now)...)
	if v.Warming {
		add("the watched process is %s old, and warm_up is %s: nothing new fires until then", ago(time.Unix(0, t.inlet.startedAt), now), units.Duration(r.WarmUp))
	}
	if v.Thin {
		add("min_volume does not hold: nothing new fires, and what fires stays")
	}
	if a := inst.alert(); a != nil && a.Flapping() {
		f := a.Flap
		add("flapping for %s, with %d changes in the last %s: it settles when there are no more than %d, in %s at the earliest",
			ago(f.Since, now), r.lately(f, now), units.Duration(r.flapping.Within), r.flapping.calm(), short(r.settlesAt(f).Sub(now)))
	}
	return append(notes, e.dependencyNotes(inst)...)
}

// dataNotes tells of data that does not come.
func (inst *instance) dataNotes(v *Verdict, now time.Time) []string {
	r, t := inst.rule, inst.series
	silent := ago(time.Unix(0, t.heard()), now)
	down := ""
	if t.inlet != nil && t.inlet.from.down {
		down = fmt.Sprintf("its source %s cannot be read", t.inlet.from.name)
	}
	switch {
	case t.family == nil:
		return []string{fmt.Sprintf("the alert is from before the restart, %s ago; its series has not been seen since", silent)}
	case v.NoData && down != "":
		return []string{fmt.Sprintf("no sample for %s, and %s: no_data: %s waits for the source", silent, down, r.noData.name)}
	case v.NoData:
		return []string{fmt.Sprintf("no sample for %s, which is missing data: %s", silent, inst.noDataDoes())}
	case down != "":
		return []string{fmt.Sprintf("%s; the last sample came %s ago", down, silent)}
	case v.Stale:
		return []string{fmt.Sprintf("the next sample is overdue: the last came %s ago, and one is expected every %s; data counts as missing after %s",
			silent, units.Duration(t.interval()), units.Duration(inst.noDataAfter()))}
	}
	return nil
}

// noDataDoes says what no_data makes of the alert.
func (inst *instance) noDataDoes() string {
	name := inst.rule.noData.name
	switch {
	case name == noDataKeep && inst.alert() != nil:
		return fmt.Sprintf("no_data: keep leaves the alert as it is; it ends when its source was read for %s without it", units.Duration(inst.goneAfter()))
	case name == noDataKeep:
		return "no_data: keep leaves all as it is"
	case name == noDataOK:
		return "no_data: ok takes that for well"
	}
	return "no_data: " + name + " fires for that"
}

// madeNotes tells what a series is made of, and what of that is silent: without
// one of its members it is not made.
func (e *Evaluator) madeNotes(inst *instance, now time.Time) []string {
	f := inst.series.family
	if f == nil || f.made == nil {
		return nil
	}
	g := f.made.groups[inst.series.Labels.Fingerprint()]
	if g == nil {
		return nil
	}
	from := strings.Join(f.made.inputs, " and ")
	if inst.rule.combined != nil {
		from = f.made.name
	}
	notes := []string{fmt.Sprintf("the value is made of %d series: %s", len(g.members), from)}
	for _, m := range g.members {
		silent := now.Sub(time.Unix(0, m.heard()))
		if silent > DefaultNoDataIntervals*m.interval() {
			notes = append(notes, fmt.Sprintf("of %s%s there has been no sample for %s", m.family.metric, m.Labels, short(silent)))
		}
	}
	const most = 6
	slices.Sort(notes[1:])
	if more := len(notes) - most; more > 0 {
		notes = append(notes[:most], fmt.Sprintf("and of %d more", more))
	}
	return notes
}

// dependencyNotes names the rules that this one depends on and that fire for
// the same thing. What that is, is as the routing has it.
func (e *Evaluator) dependencyNotes(inst *instance) []string {
	labels := inst.rule.Identity(inst.series.Labels)
	if inst.series.family == nil {
		labels = inst.series.Labels
	}
	var notes []string
	for _, d := range inst.rule.DependsOn {
		for _, in := range [...]map[instanceKey]*instance{e.alerts, e.restored} {
			for _, other := range in {
				if a := other.alert(); a.Rule == d.Rule && a.State == alert.Firing && e.concerns(d, a.Labels, labels) {
					notes = append(notes, fmt.Sprintf("it depends on %s, which fires for %s: judging goes on, and messages are held back meanwhile", d.Rule, a.Labels.Without(alert.LabelName, alert.LabelCategory)))
				}
			}
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}

// concerns says whether an alert of a rule that is depended on is about the
// same thing.
func (e *Evaluator) concerns(d Dependency, other, own alert.Labels) bool {
	if d.Equal != nil {
		return !slices.ContainsFunc(d.Equal, func(name string) bool { return other.Get(name) != own.Get(name) })
	}
	source := own.Get(alert.LabelSource)
	return other.Get(alert.LabelSource) == source || !e.Covers(d.Rule, source)
}
