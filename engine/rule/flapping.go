package rule

import (
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// nextFlapping is the life cycle of an alert that may not change too often.
// When it has changed more often than the rule allows, it is kept firing, with
// the worst severity that it has meanwhile; what it would be is followed
// underneath. It settles when the time that the rule gives holds no more than
// half as many changes as it allows: a single bound would flap itself.
func (r *Rule) nextFlapping(a alert.Alert, v Verdict, now time.Time) alert.Alert {
	before := a
	if a.Flapping() {
		before = underneath(a)
	}
	next := r.nextSteady(before, v, now)
	flap := a.Flap
	if a.State == "" {
		flap = r.trim(flap, now)
	}
	flap = r.remember(flap, tellable(&before, &next), now)
	lately := r.lately(flap, now)
	switch {
	case a.Flapping() && next.State != alert.Pending && lately <= r.flapping.calm() && r.seen(&v):
		return r.settle(a, next, flap, now)
	case a.Flapping():
		return r.keepFlapping(a, next, flap, now)
	case lately > r.flapping.Changes && (next.State == alert.Firing || before.State == alert.Firing):
		return r.startFlapping(before, next, flap, now)
	}
	next.Flap = flap
	return next
}

// seen says whether there is anything to judge by: an alert does not settle, and
// so does not end, in an outage that leaves its state as it is.
func (r *Rule) seen(v *Verdict) bool {
	if v.NoData {
		return r.noData.name != noDataKeep && !v.SourceDown
	}
	return !v.Stale && !v.Thin && !v.Warming
}

// underneath is the alert as it would be if it were not kept firing.
func underneath(a alert.Alert) alert.Alert {
	a.State, a.Severity = a.Flap.State, a.Flap.Severity
	flap := *a.Flap
	flap.Since, flap.State, flap.Severity = time.Time{}, "", alert.OK
	a.Flap = &flap
	return a
}

// tellable says whether the step from before to next is one that people are
// told of.
func tellable(before, next *alert.Alert) bool {
	fired, fires := before.State == alert.Firing, next.State == alert.Firing
	return fired != fires || fires && before.Severity != next.Severity
}

// remember adds a change and forgets those that are too old then. What does not
// change is returned as it was.
func (r *Rule) remember(f *alert.Flap, changed bool, now time.Time) *alert.Flap {
	if !changed {
		return f
	}
	var next alert.Flap
	if f != nil {
		next = *f
	}
	lately := r.lately(f, now)
	next.Changes = append(slices.Clone(next.Changes[len(next.Changes)-lately:]), now)
	if extra := len(next.Changes) - maxFlappingChanges - 1; extra > 0 {
		next.Changes = next.Changes[extra:]
	}
	return &next
}

// trim is what an alert leaves to the next one at a moment; nil for nothing.
func (r *Rule) trim(f *alert.Flap, now time.Time) *alert.Flap {
	switch lately := r.lately(f, now); {
	case lately == 0:
		return nil
	case lately < len(f.Changes):
		return &alert.Flap{Changes: f.Changes[len(f.Changes)-lately:]}
	}
	return f
}

// lately counts the changes that are not too old.
func (r *Rule) lately(f *alert.Flap, now time.Time) int {
	if f == nil {
		return 0
	}
	n := 0
	for n < len(f.Changes) && now.Sub(f.Changes[len(f.Changes)-1-n]) < r.flapping.Within {
		n++
	}
	return n
}

func (r *Rule) startFlapping(before, next alert.Alert, flap *alert.Flap, now time.Time) alert.Alert {
	f := *flap
	f.Since, f.State, f.Severity = now, next.State, next.Severity
	if next.State != alert.Firing { // it would resolve
		f.State, f.Severity = "", alert.OK
		next = endedUnderneath(before, next)
	}
	next.Flap, next.UpdatedAt = &f, now
	next.Reason = r.flappingReason(&f)
	return next
}

func (r *Rule) flappingReason(f *alert.Flap) string {
	return fmt.Sprintf("flapping: %d changes in %s; it is kept firing until it settles", r.lately(f, f.Changes[len(f.Changes)-1]), units.Duration(r.flapping.Within))
}

// endedUnderneath keeps an alert firing that would resolve, with the polls that
// are left.
func endedUnderneath(before, next alert.Alert) alert.Alert {
	levels := withoutTimers(next.Levels)
	next = before
	next.State, next.Levels = alert.Firing, levels
	return next
}

// withoutTimers is what is left of an alert's conditions when it has ended:
// where missing data ended it, they may still have held.
func withoutTimers(levels [3]alert.Level) [3]alert.Level {
	for i := range levels {
		levels[i].Since, levels[i].Lost = time.Time{}, time.Time{}
	}
	return levels
}

func (r *Rule) keepFlapping(a, next alert.Alert, flap *alert.Flap, now time.Time) alert.Alert {
	f := *flap
	f.Since, f.State, f.Severity = a.Flap.Since, next.State, next.Severity
	switch next.State {
	case alert.Firing:
	case alert.Pending: // its timers go on
	default:
		f.State, f.Severity = "", alert.OK
		next.Levels = withoutTimers(next.Levels)
	}
	out := a
	out.Levels = next.Levels
	if isHeld(a.Reason) && !isHeld(next.Reason) { // data is back
		out.Reason = r.flappingReason(&f)
	}
	if next.State == alert.Firing && next.Severity > a.Severity {
		out.Severity, out.SeverityAt, out.UpdatedAt = next.Severity, now, now
		out.Worst = max(out.Worst, next.Severity)
		out.Reason = "flapping, and " + next.Reason
	}
	if !sameFlap(&f, a.Flap) {
		out.Flap = &f
	}
	return out
}

func sameFlap(a, b *alert.Flap) bool {
	return a.Since.Equal(b.Since) && a.State == b.State && a.Severity == b.Severity && slices.EqualFunc(a.Changes, b.Changes, time.Time.Equal)
}

// settle ends the flapping: the alert is what it would have been.
func (r *Rule) settle(a, next alert.Alert, flap *alert.Flap, now time.Time) alert.Alert {
	said := "settled, having flapped for " + units.Duration(now.Sub(a.Flap.Since).Round(time.Second))
	out := a
	out.Levels, out.UpdatedAt = next.Levels, now
	if out.Flap = flap; flap != nil {
		f := *flap
		f.Since, f.State, f.Severity = time.Time{}, "", alert.OK
		out.Flap = &f
	}
	if next.State == alert.Firing {
		if out.Severity != next.Severity {
			out.Severity, out.SeverityAt = next.Severity, now
		}
		out.Reason = said + ": " + r.firingReason(next.Severity)
		return out
	}
	out.State, out.EndsAt, out.Reason = alert.Resolved, now, said+": "+r.resolvedReason()
	return out
}

// calm is how many changes an alert may have left when it settles.
func (f Flapping) calm() int { return f.Changes / 2 }

// settlesAt is when so many changes are too old that the alert has settled.
func (r *Rule) settlesAt(f *alert.Flap) time.Time {
	i := len(f.Changes) - 1 - r.flapping.calm()
	if i < 0 {
		return f.Since
	}
	return f.Changes[i].Add(r.flapping.Within)
}

// recall lets an instance without an alert remember of the one that has ended
// what the next one must know: how often it changed, and its last polls. The
// oldest poll is left out: it counts no more when the next one comes.
func (inst *instance) recall(ended *alert.Alert) {
	if ended == nil || inst.life != nil {
		return
	}
	memory := alert.Alert{Flap: ended.Flap}
	for i := range ended.Levels {
		if of := inst.rule.levels[i].polls.Of; of > 1 {
			memory.Levels[i].Polls = ended.Levels[i].Polls & (^uint64(0) >> (MaxPolls - of + 1))
		}
	}
	if memory.Flap != nil || memory.Levels != [3]alert.Level{} {
		inst.life = &life{alert: memory}
	}
}
