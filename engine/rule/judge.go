package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// cause is what an instance is judged for.
type cause bool

const (
	bySample cause = true
	byClock  cause = false
)

// judge takes one instance's verdict and steps its alert.
func (e *Evaluator) judge(inst *instance, why cause, now time.Time, out []Transition) []Transition {
	f := &e.frame
	f.now, f.series = now.UnixNano(), &inst.series.Series
	v := inst.verdict(f, why, now)
	if e.watch != nil {
		e.tell(inst, v)
	}
	if inst.alert == nil && v.quiet() {
		e.schedule(inst, now)
		return out
	}
	return e.step(inst, &v, now, out)
}

// step takes the alert from what it was to what the verdict makes of it.
func (e *Evaluator) step(inst *instance, v *Verdict, now time.Time, out []Transition) []Transition {
	var old alert.Alert
	if inst.alert != nil {
		old = *inst.alert
	}
	next := inst.rule.Next(old, *v, now)
	if next.State == "" {
		inst.step, inst.gap = 0, 0
		e.schedule(inst, now)
		return out
	}
	inst.describe(&next, &old, v, &e.frame)
	kind, changed := compare(&old, &next)
	if kind == "" && v.NoData && !inst.held {
		kind, changed = alert.EventHeld, true
		next.Reason = missingReason(v.NoDataFor) + heldSuffix
	}
	inst.held = inst.held || v.NoData
	if !v.NoData {
		inst.step, inst.gap = 0, 0
	}
	if changed {
		out = append(out, Transition{Kind: kind, Alert: next, From: old.Severity})
	}
	e.version++
	inst.alert = &next
	if next.State == alert.Resolved || next.State == alert.Inactive {
		inst.alert = nil
	}
	e.schedule(inst, now)
	return out
}

// verdict judges the conditions. By the clock alone they can hold, and so end
// a `for`; that they do not hold any more, only a sample shows: a window that
// runs empty is no recovery.
func (inst *instance) verdict(f *frame, why cause, now time.Time) Verdict {
	t, r := inst.series, inst.rule
	v := Verdict{Clear: True, Step: inst.step, Gap: inst.gap}
	if inst.dataMissing(now) {
		v.NoData, v.NoDataFor = true, now.Sub(t.heard())
		return v
	}
	if !t.seen {
		v.doubt()
		return v
	}
	v.Stale = now.Sub(t.heard()) > inst.freshFor()
	for i := range r.levels {
		when := r.levels[i].when
		switch {
		case when == nil:
		case v.Stale && !when.usesAge:
			v.Levels[i] = Unknown
		default:
			v.Levels[i] = when.eval(f)
			if v.Levels[i] == False && why == byClock && !when.usesAge {
				v.Levels[i] = Unknown
			}
			v.Unconfirmed[i] = !when.usesAge && inst.unconfirmed(i)
		}
	}
	if r.clear != nil && inst.alert != nil {
		v.Clear = r.clear.eval(f)
	}
	if v.Stale && !r.usesAge {
		v.Clear = Unknown
	}
	v.Warming = r.WarmUp > 0 && !t.startedAt.IsZero() && now.Sub(t.startedAt) < r.WarmUp
	return v
}

// unconfirmed says whether no sample has come since the one that started the
// severity's timer. A `for` never ends on one bad poll, however long the
// source's interval is.
func (inst *instance) unconfirmed(level int) bool {
	if inst.alert == nil {
		return true
	}
	since := inst.alert.Levels[level].Since
	return since.IsZero() || inst.series.last.at <= since.UnixNano()
}

// dataMissing says whether the series is overdue. A rule over age judges that
// itself, unless its no_data says what to do.
func (inst *instance) dataMissing(now time.Time) bool {
	if inst.rule.usesAge && inst.rule.noData.name == noDataKeep && inst.series.seen {
		return false
	}
	return now.After(inst.missingAt())
}

// missingAt is when the series' data counts as missing. What was overdue
// already when the watching began, for the daemon was down, is given time
// anew.
func (inst *instance) missingAt() time.Time {
	at := inst.series.heard().Add(inst.noDataAfter())
	if at.Before(inst.series.since) {
		at = inst.series.since.Add(inst.noDataAfter())
	}
	return at
}

// heard is when the last sample came; before the first, when the watching
// began.
func (t *tracked) heard() time.Time {
	if at, _, ok := t.Last(); ok {
		return at
	}
	return t.since
}

// describe fills in what the life cycle leaves to its caller.
func (inst *instance) describe(next, old *alert.Alert, v *Verdict, f *frame) {
	r := inst.rule
	if old.State == "" {
		next.Labels, next.Fingerprint = inst.labels, inst.key.identity
		next.Series = inst.series.Labels.Fingerprint()
		next.ID = alert.NewID(next.Fingerprint, next.PendingAt)
		next.Value, next.Threshold, next.Peak = alert.Unknown(), alert.Unknown(), alert.Unknown()
	}
	next.Rule, next.Category, next.Metric, next.Unit = r.ID, r.Category, r.Metric.Name, r.Metric.Unit
	moved := old.Severity != next.Severity || old.State != next.State
	if !v.NoData && inst.series.seen {
		inst.measure(next, old.Severity != next.Severity, v, f)
	}
	if next.State == alert.Firing {
		if old.State != alert.Firing {
			next.Peak = next.Value
		}
		next.Peak = worse(next.Verb, next.Peak, next.Value)
	}
	// The message tells what made the alert what it is; a value that is better
	// by now, while `clear` or a `for` is waited for, would belie it.
	ended := next.State == alert.Resolved || next.State == alert.Inactive
	if next.Message == "" || !ended && (moved || inst.holds(next.Severity, v)) {
		r.Describe(next)
	}
}

func (inst *instance) holds(severity alert.Severity, v *Verdict) bool {
	return severity != alert.OK && !v.NoData && v.Levels[severity-1] == True
}

// measure takes value and threshold from the condition of the alert's
// severity. Once that does not hold, the threshold stays what it was, and a
// value that is not known the last that was.
func (inst *instance) measure(next *alert.Alert, moved bool, v *Verdict, f *frame) {
	if next.Severity == alert.OK {
		return
	}
	when := inst.rule.levels[next.Severity-1].when
	if when == nil {
		next.Value = alert.Number(lastValue(f))
		return
	}
	holds := inst.holds(next.Severity, v)
	found := when.explain(f, holds)
	if value := alert.Number(found.value); value.Known() {
		next.Value = value
	}
	if holds || moved {
		next.Threshold, next.Verb = alert.Number(found.threshold), found.verb
	}
}

// compare names the transition from old to next; changed is false when nothing
// needs to be remembered.
func compare(old, next *alert.Alert) (kind alert.EventKind, changed bool) {
	switch {
	case old.State != next.State:
		return map[alert.State]alert.EventKind{
			alert.Pending: alert.EventPending, alert.Firing: alert.EventFiring,
			alert.Resolved: alert.EventResolved, alert.Inactive: alert.EventInactive,
		}[next.State], true
	case next.State == alert.Firing && old.Severity != next.Severity:
		return alert.EventSeverity, true
	}
	return "", old.Levels != next.Levels || old.Severity != next.Severity || old.Reason != next.Reason
}

// schedule notes when the instance must be judged next. What depends on now,
// such as an average, is judged then and with samples only: at moments that do
// not depend on how the evaluator came to where it is.
func (e *Evaluator) schedule(inst *instance, now time.Time) {
	inst.want = inst.nextDue(now)
	if inst.want != 0 && (inst.due == 0 || inst.want < inst.due) {
		e.wake(inst)
	}
}

// wake puts the instance into the heap. A moment that is put off later leaves
// its entry, which is found too early and moved then.
func (e *Evaluator) wake(inst *instance) {
	inst.due = inst.want
	e.timers.push(timer{at: inst.due, inst: inst})
}

func (inst *instance) nextDue(now time.Time) int64 {
	var due time.Time
	if inst.alert != nil {
		due = inst.rule.NextDue(inst.alert, now)
	}
	consider := func(at time.Time) {
		if at.After(now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if inst.rule.noData.name != noDataKeep || inst.alert != nil && !inst.held {
		consider(inst.missingAt().Add(time.Millisecond))
	}
	if inst.rule.usesAge && inst.series.seen {
		consider(now.Add(inst.interval()))
	}
	if due.IsZero() {
		return 0
	}
	return due.UnixNano()
}
