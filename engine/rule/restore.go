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
	reasonTwice    = "the same alert was brought back already"
)

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
			continue
		}
		e.version++
		inst := &instance{rule: rules[a.Rule], labels: a.Labels, alert: &a, held: strings.HasPrefix(a.Reason, missingPrefix)}
		inst.key = instanceKey{a.Rule, a.Labels.Fingerprint()}
		reason := unfit(inst.rule, &a)
		if reason == "" && e.has(inst.key) {
			reason = reasonTwice
		}
		if reason != "" {
			out = append(out, end(a, reason, now))
			continue
		}
		// Until its series is seen, a series of its own stands in, whose data
		// is missing since now.
		inst.series = &tracked{Series: Series{Labels: a.Labels}, metric: a.Metric, since: now}
		e.restored[inst.key] = inst
		e.schedule(inst, now)
	}
	for _, byLabels := range e.series { // the preloaded
		for _, t := range byLabels {
			e.adopt(t, now)
		}
	}
	return append(out, e.takeEnded()...)
}

func (e *Evaluator) has(key instanceKey) bool {
	live := e.live[key]
	return e.restored[key] != nil || live != nil && live.alert != nil
}

func (e *Evaluator) rulesByID() map[string]*Rule {
	rules := make(map[string]*Rule, len(e.rules))
	for _, r := range e.rules {
		rules[r.ID] = r
	}
	return rules
}

// unfit says why the rule cannot look after the alert; empty when it can.
func unfit(r *Rule, a *alert.Alert) string {
	switch {
	case r == nil:
		return reasonRemoved
	case r.Spec.Disabled:
		return reasonDisabled
	case a.Metric != r.Metric.Name:
		return reasonMetric
	case !r.labels.Subset(a.Labels):
		return reasonLabels
	}
	return ""
}

// adopt gives the alerts that a restart brought back to the series that they
// are about. One that the rule makes with other labels now, or does not make
// of this series any more, ends: it would fire for ever.
func (e *Evaluator) adopt(t *tracked, now time.Time) {
	if len(e.restored) == 0 {
		return
	}
	for _, inst := range t.instances {
		if back := e.restored[inst.key]; back != nil && inst.alert == nil {
			inst.alert, inst.held = back.alert, back.held
			e.leave(back)
			e.schedule(inst, now)
		}
	}
	fp := t.Labels.Fingerprint()
	for _, back := range e.restored {
		if back.alert == nil || back.alert.Series != fp || back.series.metric != t.metric {
			continue
		}
		reason := reasonLabels
		if !back.rule.Match.Matches(t.Labels) {
			reason = reasonMatch
		}
		e.ended = append(e.ended, end(*back.alert, reason, now))
		e.version++
		e.leave(back)
	}
}

// leave takes a stand-in away.
func (e *Evaluator) leave(back *instance) {
	back.alert, back.due = nil, 0
	delete(e.restored, back.key)
}

// Reload puts other rules in the place of the present ones. An alert goes on
// under the rule with its id, whatever the thresholds are now; it is judged
// anew with the next sample. Alerts whose rule is gone, or does not match them
// any more, resolve with that reason.
func (e *Evaluator) Reload(rules []*Rule, now time.Time) []Transition {
	now = now.UTC()
	carried := map[instanceKey]*instance{}
	for key, inst := range e.live {
		inst.due = 0
		if inst.alert != nil {
			carried[key] = inst
		}
	}
	e.index(rules)
	e.timers = nil
	out := append(e.takeEnded(), e.reloadStandIns(now)...)
	for _, byLabels := range e.series {
		for _, t := range byLabels {
			t.Keep(e.windows[t.metric])
			t.instances = nil
			e.attach(t)
			for _, inst := range t.instances {
				inst.takeOver(carried)
				e.schedule(inst, now)
			}
		}
	}
	return append(out, e.endCarried(carried, now)...)
}

// takeOver goes on with the alert that the rule of before had here.
func (inst *instance) takeOver(carried map[instanceKey]*instance) {
	before := carried[inst.key]
	if before == nil || before.series != inst.series {
		return
	}
	inst.alert, inst.held = before.alert, before.held
	delete(carried, inst.key)
}

// reloadStandIns keeps the alerts whose series has not been seen since the
// restart, as long as their rule is there.
func (e *Evaluator) reloadStandIns(now time.Time) []Transition {
	rules := e.rulesByID()
	var out []Transition
	for _, inst := range e.restored {
		inst.due = 0
		if inst.alert == nil {
			continue
		}
		if reason := unfit(rules[inst.key.rule], inst.alert); reason != "" {
			e.version++
			out = append(out, end(*inst.alert, reason, now))
			e.leave(inst)
			continue
		}
		inst.rule = rules[inst.key.rule]
		e.schedule(inst, now)
	}
	return sorted(out)
}

func (e *Evaluator) endCarried(carried map[instanceKey]*instance, now time.Time) []Transition {
	rules := e.rulesByID()
	var out []Transition
	for key, inst := range carried {
		r := rules[key.rule]
		reason := unfit(r, inst.alert)
		switch {
		case reason != "":
		case !r.Match.Matches(inst.series.Labels):
			reason = reasonMatch
		default:
			reason = reasonLabels
		}
		e.version++
		out = append(out, end(*inst.alert, reason, now))
	}
	return sorted(out)
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
