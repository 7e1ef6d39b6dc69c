package rule

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Verdict is what a rule's conditions say of one series at one moment.
type Verdict struct {
	// Levels holds each severity's condition, by Severity-1; a severity
	// without condition is False.
	Levels [3]Truth
	// Clear is the clear condition; True where the rule has none.
	Clear Truth
	// NoData says that the series has had no sample for NoDataFor.
	NoData    bool
	NoDataFor time.Duration
	// Stale says that the next sample is overdue, though not missing yet.
	Stale bool
	// Warming says that the watched process has just started, Thin that the
	// rule's min_volume does not hold.
	Warming, Thin bool
	// SourceDown says that the source of missing data cannot be read: that is
	// an alert of its own.
	SourceDown bool
	// Sampled says that a sample is judged, and not the clock. Fell marks the
	// severities whose condition does not hold by the clock, for which Levels
	// says Unknown: only a sample shows that.
	Sampled bool
	Fell    [3]bool
	// Unconfirmed marks the severities whose condition only one sample has
	// held for yet: their `for` cannot end.
	Unconfirmed [3]bool
	// Step is the time between the newest sample and the one before it, as far
	// as that one spoke for it, and Gap the rest; both are zero when the
	// verdict is the clock's. The gap does not count towards a `for`, nor does
	// the step where the condition is unknown.
	Step, Gap time.Duration
}

// quiet says whether nothing holds and nothing is unknown.
func (v *Verdict) quiet() bool { return v.Levels == [3]Truth{} && !v.NoData }

// doubt says that nothing can be judged.
func (v *Verdict) doubt() {
	v.Stale = true
	v.Levels, v.Clear = [3]Truth{Unknown, Unknown, Unknown}, Unknown
}

// Next is the life cycle: the alert that follows a, given a verdict at a
// moment. The zero Alert stands for none; what comes back may be the zero
// Alert too, or have the state Inactive or Resolved, after which the next one
// begins at zero. It sets State, Severity, Worst, Reason, Levels and the
// times; value and message are the caller's.
//
// The rules: a severity is taken only when its condition has held for its
// `for`, and the highest such counts. Firing, an alert moves between
// severities in the same way. It does not move down past a condition that
// waits for its `for`, that is kept firing, or that held and is unknown now, and
// does not resolve while there is one, or while `clear` does not hold. Time in
// which a condition was unknown does not count towards its `for`. Missing data
// changes nothing unless no_data says so, and never makes an alert milder. An
// alert that flaps stays as it is until it settles.
func (r *Rule) Next(a alert.Alert, v Verdict, now time.Time) alert.Alert {
	if r.flapping.Changes > 0 {
		return r.nextFlapping(a, v, now)
	}
	if a.Flapping() && !r.seen(&v) {
		return a
	}
	if a.Flapping() { // the rule does not ask for it any more
		return r.settle(a, r.nextSteady(underneath(a), v, now), nil, now)
	}
	return r.nextSteady(a, v, now)
}

// nextSteady is the life cycle of an alert that may change as it likes.
func (r *Rule) nextSteady(a alert.Alert, v Verdict, now time.Time) alert.Alert {
	if v.NoData {
		return r.nextWithoutData(a, v, now)
	}
	if !v.Stale && !v.Thin && (isMissing(a.Reason) || isHeld(a.Reason)) {
		a.Reason = r.reasonWithData(&a)
	}
	if v.Warming || v.Thin {
		return r.startNothing(a, &v)
	}
	a = r.advanceTimers(a, &v, now)
	target := r.target(&a, v, now)
	if a.State == alert.Firing {
		return r.nextFiring(a, v, target, now)
	}
	return r.nextQuiet(a, target, now)
}

// advanceTimers starts the timer of each condition that holds and stops that
// of each that does not. The timer of a severity that waits stands still over
// a gap, and while its condition is unknown. Where a condition must hold on
// some of the last polls, the verdict says from here on whether it did.
func (r *Rule) advanceTimers(a alert.Alert, v *Verdict, now time.Time) alert.Alert {
	for i := range v.Levels {
		lv, l := &r.levels[i], &a.Levels[i]
		if lv.polls.Of == 0 {
			l.Polls = 0 // of before an edit
		} else {
			v.Levels[i] = tally(l, lv.polls, v.Levels[i], v.Sampled)
			if v.Stale && !v.Sampled { // the polls that were do not speak for now
				v.Levels[i] = Unknown
			}
		}
		pause := v.Gap
		switch v.Levels[i] {
		case True:
			if l.Since.IsZero() || l.Since.After(now) { // it was set when the clock was ahead
				l.Since = now
			}
			l.Lost = time.Time{}
		case False:
			if !kept(lv, l, taken(&a, alert.Severity(i+1)), now) {
				l.Since, l.Lost = time.Time{}, time.Time{}
			}
		case Unknown:
			pause += v.Step
			if v.Fell[i] && !v.Stale && !l.Lost.IsZero() && now.Sub(l.Lost) >= lv.keep {
				l.Since, l.Lost = time.Time{}, time.Time{}
				v.Levels[i] = False
			}
		}
		if pause > 0 && !l.Since.IsZero() && !taken(&a, alert.Severity(i+1)) {
			l.Since = l.Since.Add(min(pause, max(0, now.Sub(l.Since))))
		}
	}
	return a
}

// tally takes one poll's outcome, and says whether enough of the last ones held.
// A poll of which nothing is known is none.
func tally(l *alert.Level, p Polls, t Truth, sampled bool) Truth {
	if sampled && t != Unknown {
		l.Polls <<= 1
		if t == True {
			l.Polls |= 1
		}
		l.Polls &= ^uint64(0) >> (MaxPolls - p.Of)
	}
	switch {
	case l.Count() >= p.Need:
		return True
	case t == Unknown || !sampled:
		return Unknown
	}
	return False
}

// kept says whether a severity whose condition has ended is kept firing still.
func kept(lv *level, l *alert.Level, taken bool, now time.Time) bool {
	if lv.keep == 0 || !taken || l.Since.IsZero() {
		return false
	}
	if l.Lost.IsZero() || l.Lost.After(now) {
		l.Lost = now
	}
	return now.Sub(l.Lost) < lv.keep
}

// target is the highest severity that may be taken now: its condition holds
// and has held for its `for`, or it is the one in force and its condition
// cannot be judged.
func (r *Rule) target(a *alert.Alert, v Verdict, now time.Time) alert.Severity {
	for _, severity := range alert.Severities() {
		i := severity - 1
		since := a.Levels[i].Since
		if since.IsZero() || now.Sub(since) < r.levels[i].hold {
			continue
		}
		if v.Unconfirmed[i] && r.levels[i].hold > 0 && !taken(a, severity) {
			continue
		}
		if v.Levels[i] == True || (v.Levels[i] == Unknown || !a.Levels[i].Lost.IsZero()) && taken(a, severity) {
			return severity
		}
	}
	return alert.OK
}

func (r *Rule) nextQuiet(a alert.Alert, target alert.Severity, now time.Time) alert.Alert {
	waiting := r.waiting(&a)
	switch {
	case target != alert.OK:
		if a.PendingAt.IsZero() {
			a.PendingAt = now
		}
		a.State, a.Severity, a.Worst = alert.Firing, target, target
		a.StartsAt, a.UpdatedAt, a.SeverityAt = now, now, now
		a.Reason = r.firingReason(target)
	case waiting != alert.OK:
		if a.State != alert.Pending {
			a.State, a.PendingAt, a.UpdatedAt = alert.Pending, now, now
		}
		if a.Severity != waiting {
			a.Severity, a.SeverityAt = waiting, now
			a.Reason = r.waitingReason(waiting, &a)
		} else if !isHeld(a.Reason) {
			a.Reason = r.waitingReason(waiting, &a)
		}
	case a.State == alert.Pending:
		a.State, a.EndsAt, a.UpdatedAt = alert.Inactive, now, now
		a.Reason = "the condition ended before its `for` had passed"
	}
	return a
}

// waiting is the highest severity whose timer runs, or whose condition held on
// a poll that counts.
func (r *Rule) waiting(a *alert.Alert) alert.Severity {
	for _, severity := range alert.Severities() {
		if l := &a.Levels[severity-1]; !l.Since.IsZero() || l.Polls != 0 {
			return severity
		}
	}
	return alert.OK
}

func (r *Rule) nextFiring(a alert.Alert, v Verdict, target alert.Severity, now time.Time) alert.Alert {
	switch {
	case target == a.Severity:
		r.tellKept(&a)
	case r.open(&a, v, target):
		// Something above the target still holds or cannot be judged: that is
		// no recovery.
	case target != alert.OK:
		a.Reason = fmt.Sprintf("%s moved to %s: %s", a.Severity, target, r.firingReason(target))
		a.Severity, a.SeverityAt, a.UpdatedAt = target, now, now
		a.Worst = max(a.Worst, target)
	case v.Clear != True:
		// Hysteresis: the alert stays until clear holds.
	default:
		a.State, a.EndsAt, a.UpdatedAt = alert.Resolved, now, now
		a.Reason = r.resolvedReason()
	}
	return a
}

// open says whether the alert may not move to the target yet: a severity
// between it and the one in force, or, for a resolution, any severity, waits
// for its `for`, or has held and is unknown now, or nothing at all is known. A
// condition that never held and is unknown keeps nothing up: change_pct(1h) of
// one severity would hold the others for the first hour.
func (r *Rule) open(a *alert.Alert, v Verdict, target alert.Severity) bool {
	unknown, known := false, false
	for _, severity := range alert.Severities() {
		i := severity - 1
		unknown = unknown || v.Levels[i] == Unknown
		known = known || r.levels[i].when != nil && v.Levels[i] != Unknown
		if severity <= target || target != alert.OK && severity > a.Severity {
			continue
		}
		if !a.Levels[i].Since.IsZero() || v.Levels[i] == Unknown && severity == a.Severity {
			return true
		}
	}
	return unknown && !known
}

func (r *Rule) nextWithoutData(a alert.Alert, v Verdict, now time.Time) alert.Alert {
	reason := missingReason(v.NoDataFor)
	severity := r.noData.severity
	switch {
	case v.SourceDown: // it is told once, by the rule that watches the source
	case severity != alert.OK && taken(&a, severity):
	case severity != alert.OK:
		if a.PendingAt.IsZero() {
			a.PendingAt = now
		}
		if a.State != alert.Firing {
			a.StartsAt = now
		}
		a.State, a.Severity = alert.Firing, severity
		a.Worst = max(a.Worst, severity)
		a.UpdatedAt, a.SeverityAt, a.Reason = now, now, reason
	case r.noData.name == noDataOK && a.State == alert.Firing:
		a.State, a.EndsAt, a.UpdatedAt, a.Reason = alert.Resolved, now, now, reason+", which this rule takes for well"
	case r.noData.name == noDataOK && a.State == alert.Pending:
		a.State, a.EndsAt, a.UpdatedAt, a.Reason = alert.Inactive, now, now, reason
	}
	return a
}

// startNothing keeps what fires and starts nothing: a cold cache after a
// restart is not an incident, nor is a rate over three requests. Timers begin
// again when there is something to judge.
func (r *Rule) startNothing(a alert.Alert, v *Verdict) alert.Alert {
	if a.State != alert.Pending {
		return a
	}
	a.Levels, a.Reason = [3]alert.Level{}, "the watched process has just started"
	if v.Thin {
		a.Reason = thinPrefix + r.minVolume.Text + " does not hold"
	}
	return a
}

// NextDue returns when the alert may change without a new sample: the end of
// the next `for` or `keep_firing_for`, or of its flapping. Zero means never.
func (r *Rule) NextDue(a *alert.Alert, now time.Time) time.Time {
	var due time.Time
	consider := func(at time.Time) {
		if at.After(now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	for i := range a.Levels {
		l := &a.Levels[i]
		if !l.Since.IsZero() {
			consider(l.Since.Add(r.levels[i].hold))
		}
		if !l.Lost.IsZero() {
			consider(l.Lost.Add(r.levels[i].keep))
		}
	}
	if a.Flapping() {
		consider(r.settlesAt(a.Flap))
	}
	return due
}

// worse returns the value that is further from well, by the condition's verb.
func worse(verb string, peak, value alert.Number) alert.Number {
	switch {
	case !value.Known():
		return peak
	case !peak.Known():
		return value
	case strings.HasSuffix(verb, "below") || verb == "decreased to":
		return alert.Number(math.Min(float64(peak), float64(value)))
	}
	return alert.Number(math.Max(float64(peak), float64(value)))
}
