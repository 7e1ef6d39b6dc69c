package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Restore brings back the alerts of before a restart, as they were: pending
// and firing ones. Those whose rule is gone come back resolved, with that
// reason. Call it once, before the first sample.
func (e *Evaluator) Restore(alerts []alert.Alert, now time.Time) []Transition {
	rules := make(map[string]*Rule, len(e.rules))
	for _, r := range e.rules {
		rules[r.ID] = r
	}
	var out []Transition
	for i := range alerts {
		a := alerts[i]
		if a.State != alert.Firing && a.State != alert.Pending {
			continue
		}
		r := rules[a.Rule]
		if r == nil {
			out = append(out, end(a, "the rule was removed", now))
			continue
		}
		e.version++
		if identity := r.Identity(a.Labels); !identity.Equal(a.Labels) {
			out = append(out, end(a, "the rule's own labels were changed", now))
			continue
		}
		// Until its series is seen, a series of its own stands in, whose data
		// is missing since now.
		stand := &tracked{Series: Series{Labels: a.Labels}, metric: r.Metric.Name, since: now}
		inst := &instance{rule: r, series: stand, labels: a.Labels, alert: &a}
		e.restored[instanceKey{r.ID, a.Labels.Fingerprint()}] = inst
		e.schedule(inst, now)
	}
	return out
}

// Reload puts other rules in the place of the present ones. An alert goes on
// under the rule with its id, whatever the thresholds are now; it is judged
// anew with the next sample. Alerts whose rule is gone, or does not match them
// any more, resolve with that reason.
func (e *Evaluator) Reload(rules []*Rule, now time.Time) []Transition {
	carried := map[instanceKey]*instance{}
	keep := func(inst *instance) {
		if inst.alert != nil {
			carried[instanceKey{inst.rule.ID, inst.labels.Fingerprint()}] = inst
		}
	}
	for _, inst := range e.restored {
		keep(inst)
	}
	for _, byLabels := range e.series {
		for _, t := range byLabels {
			for _, inst := range t.instances {
				keep(inst)
			}
			t.instances = nil
		}
	}
	standIns := e.restored
	e.index(rules)
	e.timers, e.restored = nil, map[instanceKey]*instance{}
	for _, byLabels := range e.series {
		for _, t := range byLabels {
			t.Keep(e.windows[t.metric])
			e.attachCarried(t, carried, now)
		}
	}
	return append(e.restoreStandIns(carried, standIns, now), e.endCarried(carried, now)...)
}

func (e *Evaluator) attachCarried(t *tracked, carried map[instanceKey]*instance, now time.Time) {
	e.attach(t)
	for _, inst := range t.instances {
		key := instanceKey{inst.rule.ID, inst.labels.Fingerprint()}
		if old := carried[key]; old != nil {
			inst.alert, inst.held = old.alert, old.held
			delete(carried, key)
		}
		e.schedule(inst, now)
	}
}

// restoreStandIns keeps the alerts whose series has not been seen since the
// restart, as long as their rule is there.
func (e *Evaluator) restoreStandIns(carried, standIns map[instanceKey]*instance, now time.Time) []Transition {
	var waiting []alert.Alert
	for key, inst := range standIns {
		if carried[key] != nil && inst.alert != nil {
			waiting = append(waiting, *inst.alert)
			delete(carried, key)
		}
	}
	return e.Restore(waiting, now)
}

func (e *Evaluator) endCarried(carried map[instanceKey]*instance, now time.Time) []Transition {
	known := make(map[string]bool, len(e.rules))
	for _, r := range e.rules {
		known[r.ID] = true
	}
	var out []Transition
	for key, inst := range carried {
		reason := "the rule was removed"
		if known[key.rule] {
			reason = "the rule does not apply to it any more"
		}
		e.version++
		out = append(out, end(*inst.alert, reason, now))
	}
	return out
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
