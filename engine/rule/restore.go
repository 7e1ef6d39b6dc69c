package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Reasons of alerts that end because nobody looks after them any more.
const (
	reasonRemoved  = "the rule was removed"
	reasonDisabled = "the rule was disabled"
	reasonMetric   = "the rule judges another metric now"
	reasonMatch    = "the rule does not apply to it any more"
	reasonLabels   = "the rule's own labels were changed"
	reasonSeries   = "the rule judges other series now"
	reasonTwice    = "the same alert was brought back already"
)

// regrouped says whether a derived series has other labels than the one that an
// alert was about, and contains or is part of it: the labels that are kept were
// edited while the daemon was down.
func regrouped(old, new alert.Labels) bool {
	return len(old) != len(new) && (old.Subset(new) || new.Subset(old))
}

// standIn keeps an alert whose series is not there. Until it is seen, a series
// of its own stands in, whose data is missing since now.
func (e *Evaluator) standIn(r *Rule, l *life, now time.Time) {
	inst := &instance{rule: r.For(seriesLabels(l.alert.Labels)), life: l}
	if inst.rule == nil {
		inst.rule = r // until the series is seen
	}
	inst.series = &tracked{Series: Series{Labels: l.alert.Labels}, since: now.UnixNano()}
	if e.families[r.family].made == nil {
		inst.series.inlet = e.labelled(seriesLabels(l.alert.Labels))
	}
	e.restored[l.key] = inst
	e.awaited[l.alert.Series] = append(e.awaited[l.alert.Series], inst)
	if l.held {
		e.miss(inst)
	}
	e.schedule(inst, now.UnixNano())
}

// Remembering returns the ids of the rules whose alerts leave something to the
// next ones: how often they changed, or their last polls. Restore wants the
// newest ended alerts of these too.
func (e *Evaluator) Remembering() []string {
	var ids []string
	for _, r := range e.rules {
		if r.remembers() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Restore brings back the alerts of before a restart, as they were: pending
// and firing ones. Those that no rule looks after any more come back resolved,
// with that reason. Call it once, before the first sample is observed; samples
// may be preloaded before or after.
func (e *Evaluator) Restore(alerts []alert.Alert, now time.Time) []Transition {
	now = now.UTC()
	rules := e.rulesByID()
	out := e.takeEnded()
	for i := range alerts {
		a := alerts[i]
		if a.State != alert.Firing && a.State != alert.Pending {
			e.recollect(&a)
			continue
		}
		e.version++
		l := &life{alert: a, held: strings.HasPrefix(a.Reason, missingPrefix), thin: strings.HasPrefix(a.Reason, thinPrefix), key: instanceKey{a.Rule, a.Labels.Fingerprint()}}
		reason := e.unfit(rules[a.Rule], &a)
		if reason == "" && e.has(l.key) {
			reason = reasonTwice
		}
		if reason != "" {
			out = append(out, end(a, reason, now))
			continue
		}
		e.standIn(rules[a.Rule], l, now)
	}
	for _, f := range e.families { // the preloaded
		for _, t := range f.series {
			e.adopt(t, now)
		}
	}
	return append(out, e.takeEnded()...)
}

// recollect notes an alert that has ended, until its series is seen: the next
// one must know how often it changed.
func (e *Evaluator) recollect(a *alert.Alert) {
	key := instanceKey{a.Rule, a.Fingerprint}
	if known := e.past[key]; known == nil || a.UpdatedAt.After(known.UpdatedAt) {
		e.past[key] = a
	}
}

func (e *Evaluator) has(key instanceKey) bool {
	return e.restored[key] != nil || e.alerts[key] != nil
}

func (e *Evaluator) rulesByID() map[string]*Rule {
	rules := make(map[string]*Rule, len(e.rules))
	for _, r := range e.rules {
		rules[r.ID] = r
	}
	return rules
}

// unfit says why the rule cannot look after the alert; empty when it can.
func (e *Evaluator) unfit(r *Rule, a *alert.Alert) string {
	switch {
	case r == nil:
		return reasonRemoved
	case r.Off():
		return reasonDisabled
	case a.Metric != r.Metric.Name:
		return reasonMetric
	case !r.labels.Subset(a.Labels):
		return reasonLabels
	case !e.families[r.family].made.couldBe(r, a.Labels):
		return reasonSeries
	}
	return ""
}

// couldBe says whether the alert is about one of the derivation's series, as far
// as its labels tell; nil for series that are nobody's making.
func (d *derivation) couldBe(r *Rule, identity alert.Labels) bool {
	if d == nil || d.all {
		return true
	}
	for _, label := range r.without(identity) {
		name := label.Name
		if own, renamed := strings.CutPrefix(name, exportedPrefix); renamed && !slices.Contains(d.keep, name) {
			name = own
		}
		if !slices.Contains(d.keep, name) {
			return false
		}
	}
	return true
}

// adopt gives the alerts that a restart brought back to the series that they
// are about. One that the rule makes with other labels now, or does not make
// of this series any more, ends: it would fire for ever.
func (e *Evaluator) adopt(t *tracked, now time.Time) {
	if len(e.restored)+len(e.past) == 0 {
		return
	}
	for inst := t.first; inst != nil; inst = inst.next {
		key := instanceKey{inst.rule.ID, inst.rule.Identity(t.Labels).Fingerprint()}
		if back := e.restored[key]; back != nil && inst.life == nil {
			inst.life = back.life
			e.arrived(back)
			e.alerts[key] = inst
			back.life, back.due = nil, 0
			if inst.life.held {
				e.miss(inst)
			}
			e.schedule(inst, now.UnixNano())
		}
		inst.recall(e.past[key])
		delete(e.past, key)
	}
	if t.family.made != nil {
		e.endRegrouped(t, now)
	}
	for _, back := range slices.Clone(e.awaited[t.Labels.Fingerprint()]) {
		if back.rule.family != t.family.metric {
			continue
		}
		reason := reasonLabels
		if !back.rule.matches(t.Labels) {
			reason = reasonMatch
		}
		e.ended = e.close(back, reason, now, e.ended)
	}
}

// endRegrouped ends the alerts of derived series that are made with other labels
// now.
func (e *Evaluator) endRegrouped(t *tracked, now time.Time) {
	for _, back := range e.restored {
		if back.rule.family == t.family.metric && regrouped(back.rule.without(back.alert().Labels), t.Labels) {
			e.ended = e.close(back, reasonSeries, now, e.ended)
		}
	}
}

// arrived takes a stand-in away.
func (e *Evaluator) arrived(back *instance) {
	delete(e.restored, back.life.key)
	fp := back.life.alert.Series
	left := slices.DeleteFunc(e.awaited[fp], func(inst *instance) bool { return inst == back })
	if e.awaited[fp] = left; len(left) == 0 {
		delete(e.awaited, fp)
	}
}

// Reload puts other rules in the place of the present ones. An alert goes on
// under the rule with its id, whatever the thresholds are now; it is judged
// anew with the next sample. Alerts whose rule is gone, or does not match them
// any more, resolve with that reason.
func (e *Evaluator) Reload(rules []*Rule, now time.Time) []Transition {
	now = now.UTC()
	carried, lives := e.alerts, map[*tracked][]*instance{}
	for _, f := range e.families {
		for _, t := range f.series {
			for inst := t.first; inst != nil; inst = inst.next {
				inst.due = 0
				if inst.life != nil {
					lives[t] = append(lives[t], inst)
				}
			}
			t.first = nil
		}
	}
	e.alerts, e.timers = map[instanceKey]*instance{}, nil
	e.index(rules)
	out := append(e.takeEnded(), e.reloadStandIns(now)...)
	for _, f := range e.families {
		for _, t := range f.series {
			f.keep(&t.Series)
			t.DropAggregates()
			t.attach()
			for inst := t.first; inst != nil; inst = inst.next {
				e.takeOver(inst, lives[t])
				e.schedule(inst, now.UnixNano())
				if inst.rule.noData.name != noDataKeep && inst.dataMissing(now.UnixNano()) { // its no_data may be new
					inst.want = now.Add(time.Millisecond).UnixNano()
					e.wake(inst)
				}
			}
		}
	}
	out = append(out, e.endCarried(carried, now)...)
	e.dropSpared()
	return out
}

// takeOver goes on with what the rule of before remembered here.
func (e *Evaluator) takeOver(inst *instance, before []*instance) {
	for _, old := range before {
		if old.rule.ID == inst.rule.ID && old.alert() == nil && inst.rule.remembers() {
			inst.life = old.life
			return
		}
		if old.rule.ID != inst.rule.ID || !inst.rule.labels.Subset(old.life.alert.Labels) {
			continue
		}
		key := instanceKey{inst.rule.ID, inst.rule.Identity(inst.series.Labels).Fingerprint()}
		if key == old.life.key {
			inst.life, old.life = old.life, nil
			e.alerts[key] = inst
			if inst.life.held {
				e.miss(inst)
			}
		}
		return
	}
}

// reloadStandIns keeps the alerts whose series has not been seen since the
// restart, as long as their rule is there.
func (e *Evaluator) reloadStandIns(now time.Time) []Transition {
	rules := e.rulesByID()
	var out []Transition
	for key, inst := range e.restored {
		inst.due = 0
		if reason := e.unfit(rules[key.rule], inst.alert()); reason != "" {
			out = e.close(inst, reason, now, out)
			continue
		}
		r := rules[key.rule]
		if inst.rule = r.For(seriesLabels(inst.alert().Labels)); inst.rule == nil {
			inst.rule = r // until the series is seen
		}
		e.schedule(inst, now.UnixNano())
	}
	return sorted(out)
}

func (e *Evaluator) endCarried(carried map[instanceKey]*instance, now time.Time) []Transition {
	rules := e.rulesByID()
	var out []Transition
	for key, inst := range carried {
		if inst.life == nil {
			continue // it goes on
		}
		r, a := rules[key.rule], &inst.life.alert
		reason := e.unfit(r, a)
		switch {
		case reason == "" && e.remade(r, inst):
			e.standIn(r, inst.life, now)
			continue
		case reason != "":
		case inst.series.family.metric != r.family:
			reason = reasonSeries
		case r.For(inst.series.Labels) == nil:
			reason = reasonMatch
		case !r.matches(inst.series.Labels):
			reason = reasonMatch
		default:
			reason = reasonLabels
		}
		e.version++
		out = append(out, end(*a, reason, now))
	}
	return sorted(out)
}

// remade says whether the rule makes the same groups of series in another way
// now: the alert goes on with the group when its first value is made.
func (e *Evaluator) remade(r *Rule, inst *instance) bool {
	was := inst.series.family.made
	return was != nil && r.combined != nil && was.name != r.family && slices.Equal(was.keep, r.combined.keep) && r.For(inst.series.Labels) != nil
}

// sorted orders what came out of a map.
func sorted(ts []Transition) []Transition {
	slices.SortFunc(ts, func(a, b Transition) int { return strings.Compare(a.Alert.ID+a.Alert.Rule, b.Alert.ID+b.Alert.Rule) })
	return ts
}

// end closes an alert that no rule looks after any more.
func end(a alert.Alert, reason string, now time.Time) Transition {
	kind := alert.EventResolved
	if a.State == alert.Pending {
		a.State, kind = alert.Inactive, alert.EventInactive
	} else {
		a.State = alert.Resolved
	}
	a.EndsAt, a.UpdatedAt, a.Reason = now, now, reason
	return Transition{Kind: kind, Alert: a, From: a.Severity}
}
