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
	moment := now.UnixNano()
	f.now, f.series = moment, &inst.series.Series
	v := inst.verdict(f, why, moment)
	if e.watch != nil {
		e.tell(inst, v)
	}
	if v.SourceDown && inst.rule.noData.name != noDataKeep {
		e.spare(inst)
	}
	begins := v.Sampled || v.NoData || inst.rule.usesAge // by the clock alone no alert does
	if inst.life == nil && v.quiet() || inst.alert() == nil && !begins {
		e.schedule(inst, moment)
		return out
	}
	return e.step(inst, &v, now, out)
}

// step takes the alert from what it was to what the verdict makes of it.
func (e *Evaluator) step(inst *instance, v *Verdict, now time.Time, out []Transition) []Transition {
	var old alert.Alert
	l := inst.life
	if l != nil {
		old = l.alert
	}
	next := inst.rule.Next(old, *v, now)
	if next.State == "" {
		if l != nil {
			l.step, l.gap, l.alert = 0, 0, next
			if next.Flap == nil && next.Levels == [3]alert.Level{} {
				inst.life = nil
			}
		}
		e.schedule(inst, now.UnixNano())
		return out
	}
	if l == nil {
		l = &life{}
		inst.life = l
	}
	inst.describe(&next, &old, v, &e.frame)
	l.key = instanceKey{inst.rule.ID, next.Fingerprint}
	kind, changed := compare(&old, &next)
	if kind == "" && (v.NoData && !l.held || v.Thin && !l.thin && next.State == alert.Firing) {
		kind, changed = alert.EventHeld, true
		next.Reason = inst.rule.holdReason(v)
	}
	l.held = l.held || v.NoData
	l.thin = v.Thin
	if !v.NoData {
		l.step, l.gap = 0, 0
		l.note(inst.series)
	}
	if kind != "" {
		next.Samples = l.samples()
	}
	if changed {
		out = append(out, Transition{Kind: kind, Alert: next, From: old.Severity})
	}
	e.version++
	l.alert = next
	if inst.series.family != nil { // stand-ins are in restored
		e.alerts[l.key] = inst
	}
	switch {
	case next.State == alert.Resolved || next.State == alert.Inactive:
		e.forget(inst)
		inst.recall(&next)
	case v.NoData:
		e.miss(inst)
	}
	e.schedule(inst, now.UnixNano())
	return out
}

// verdict judges the conditions. By the clock alone they can hold, and so end
// a `for`; that they do not hold any more, only a sample shows: a window that
// runs empty is no recovery.
func (inst *instance) verdict(f *frame, why cause, now int64) Verdict {
	t, r := inst.series, inst.rule
	v := Verdict{Clear: True, Sampled: why == bySample}
	if inst.life != nil {
		v.Step, v.Gap = inst.life.step, inst.life.gap
	}
	if inst.dataMissing(now) {
		v.NoData, v.NoDataFor = true, time.Duration(now-t.heard())
		v.SourceDown = t.down()
		return v
	}
	if !t.seen {
		v.doubt()
		return v
	}
	v.Stale = now-t.heard() > int64(inst.freshFor())
	for i := range r.levels {
		when := inst.inForce(alert.Severity(i + 1))
		switch {
		case when == nil:
		case v.Stale && !when.usesAge:
			v.Levels[i] = Unknown
		default:
			v.Levels[i] = when.eval(f)
			if why == byClock && !when.usesAge {
				inst.byClock(&v, i)
			}
			v.Unconfirmed[i] = !when.usesAge && r.levels[i].polls.Of == 0 && inst.unconfirmed(i)
		}
	}
	if r.clear != nil && inst.life != nil {
		v.Clear = r.clear.eval(f)
	}
	if v.Stale && !r.usesAge {
		v.Clear = Unknown
	}
	if r.minVolume != nil && !v.Stale {
		v.Thin = r.minVolume.eval(f) == False
	}
	v.Warming = r.WarmUp > 0 && t.inlet != nil && t.inlet.startedAt != 0 && now-t.inlet.startedAt < int64(r.WarmUp)
	return v
}

// inForce is the condition that a severity is judged by: once it is taken, the
// one that keeps it. An alert that flaps is judged as what it would be.
func (inst *instance) inForce(severity alert.Severity) *Condition {
	if inst.life == nil {
		return inst.rule.levels[severity-1].when
	}
	a := &inst.life.alert
	if a.Flapping() && a.Flap.State == alert.Firing && a.Flap.Severity >= severity || !a.Flapping() && taken(a, severity) {
		return inst.rule.levels[severity-1].stays
	}
	return inst.rule.levels[severity-1].when
}

// byClock takes back what only a sample shows: that a condition does not hold
// any more, or that it has begun to.
func (inst *instance) byClock(v *Verdict, level int) {
	switch {
	case v.Levels[level] == False:
		v.Levels[level], v.Fell[level] = Unknown, true
	case inst.life == nil || inst.life.alert.Levels[level].Since.IsZero():
		v.Levels[level] = Unknown
	}
}

// unconfirmed says whether no sample has come since the one that started the
// severity's timer. A `for` never ends on one bad poll, however long the
// source's interval is.
func (inst *instance) unconfirmed(level int) bool {
	if inst.life == nil {
		return true
	}
	since := inst.life.alert.Levels[level].Since
	return since.IsZero() || inst.series.last.at <= since.UnixNano()
}

// dataMissing says whether the series is overdue. A rule over age judges that
// itself, unless its no_data says what to do.
func (inst *instance) dataMissing(now int64) bool {
	if inst.rule.usesAge && inst.rule.noData.name == noDataKeep && inst.series.seen {
		return false
	}
	return now > inst.missingAt()
}

// missingAt is when the series' data counts as missing. What was overdue
// already when the watching began, for the daemon was down, is given time
// anew, and so is what its source could not give while it was down: a rate
// wants two polls.
func (inst *instance) missingAt() int64 {
	at, after := inst.series.heard(), int64(inst.noDataAfter())
	if at+after < inst.series.since {
		at = inst.series.since
	}
	return max(at, inst.series.back()) + after
}

// describe fills in what the life cycle leaves to its caller.
func (inst *instance) describe(next, old *alert.Alert, v *Verdict, f *frame) {
	r := inst.rule
	if old.State == "" {
		next.Labels = r.Identity(inst.series.Labels)
		next.Fingerprint = next.Labels.Fingerprint()
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
		switch {
		case old.State != alert.Firing && v.NoData:
			next.Peak = alert.Unknown()
		case old.State != alert.Firing:
			next.Peak = next.Value
		case !v.NoData:
			next.Peak = worse(next.Verb, next.Peak, next.Value)
		}
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
	case next.State == alert.Firing && next.Flapping() && !old.Flapping():
		return alert.EventFlapping, true
	case next.State == alert.Firing && old.Flapping() && !next.Flapping():
		return alert.EventSettled, true
	case old.State != next.State:
		return map[alert.State]alert.EventKind{
			alert.Pending: alert.EventPending, alert.Firing: alert.EventFiring,
			alert.Resolved: alert.EventResolved, alert.Inactive: alert.EventInactive,
		}[next.State], true
	case next.State == alert.Firing && old.Severity != next.Severity:
		return alert.EventSeverity, true
	}
	worse := next.State == alert.Firing && next.Peak.Known() && next.Peak != old.Peak
	return "", worse || old.Levels != next.Levels || old.Severity != next.Severity || old.Reason != next.Reason || old.Flap != next.Flap
}

// schedule notes when the instance must be judged next. What depends on now,
// such as an average, is judged then and with samples only: at moments that do
// not depend on how the evaluator came to where it is.
func (e *Evaluator) schedule(inst *instance, now int64) {
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

func (inst *instance) nextDue(now int64) int64 {
	var due int64
	consider := func(at int64) {
		if at > now && (due == 0 || at < due) {
			due = at
		}
	}
	r, a := inst.rule, inst.alert()
	if a != nil {
		consider(nanos(r.NextDue(a, time.Unix(0, now))))
	}
	if r.noData.name != noDataKeep || a != nil && !inst.life.held {
		consider(inst.missingAt() + int64(time.Millisecond))
	}
	if r.usesAge && inst.series.seen {
		consider(now + int64(inst.series.interval()))
	}
	return due
}
