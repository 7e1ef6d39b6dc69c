package rule

import (
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Standing is one severity's condition as it stands.
type Standing struct {
	Severity alert.Severity `json:"severity"`
	// Holds is what the rule makes of the condition now: true, false or unknown.
	// Trace tells what it computes to, which counts for nothing while data is
	// missing or overdue.
	Holds string `json:"holds"`
	For   string `json:"for"`             // 0s, 1m, …
	Polls string `json:"polls,omitempty"` // as the rule has it: 3 of 5
	// Margin is the clear_margin that Trace is widened by; empty until the
	// severity is taken.
	Margin string `json:"margin,omitempty"`
	// Since is when it began to hold, as far as that counts; zero when it does
	// not.
	Since time.Time `json:"since,omitzero"`
	Trace Trace     `json:"trace"`
	// Why says what keeps the alert from this severity, or that it has it.
	Why string `json:"why"`
}

// stand is one severity at the moment that is asked about.
type stand struct {
	*instance
	v        *Verdict
	severity alert.Severity
	level    *level
	timer    alert.Level
	a        *alert.Alert // nil for none
	holds    Truth
	unknown  string // why holds is
	now      time.Time
	// within says that a clear_margin is all that keeps the condition holding.
	within bool
}

// standing tells how one severity's condition stands.
func (inst *instance) standing(f *frame, v *Verdict, severity alert.Severity, now time.Time) Standing {
	s := stand{instance: inst, v: v, severity: severity, level: &inst.rule.levels[severity-1], a: inst.alert(), now: now}
	if inst.life != nil { // which remembers polls without an alert, too
		s.timer = inst.life.alert.Levels[severity-1]
	}
	when := inst.inForce(severity)
	trace := when.Trace(f)
	s.holds = s.judged()
	s.unknown = inst.whyUnknown(v, when, &trace)
	s.within = when != s.level.when && s.holds == True && s.level.when.eval(f) != True
	out := Standing{
		Severity: severity, Holds: s.holds.String(), For: units.Duration(s.level.hold),
		Since: s.timer.Since.Truncate(time.Millisecond), Trace: trace, Why: s.why(),
	}
	if s.level.polls.Of > 0 {
		out.Polls = s.level.polls.String()
	}
	if when != s.level.when {
		out.Margin = inst.rule.Spec.ClearMargin.Text
	}
	return out
}

// judged is what the rule makes of the condition.
func (s *stand) judged() Truth {
	holds := s.v.Levels[s.severity-1]
	if s.v.NoData || !s.series.seen {
		holds = Unknown
	}
	if s.level.polls.Of == 0 {
		return holds
	}
	switch {
	case s.timer.Count() >= s.level.polls.Need:
		return True
	case holds == Unknown:
		return Unknown
	}
	return False
}

// whyUnknown says why a condition cannot be judged, if it cannot.
func (inst *instance) whyUnknown(v *Verdict, when *Condition, trace *Trace) string {
	switch {
	case !inst.series.seen && inst.series.family == nil:
		return "its series has not been seen since the restart"
	case !inst.series.seen:
		return "no sample has come yet"
	case v.NoData:
		return "there has been no sample for " + units.Duration(v.NoDataFor.Round(time.Second))
	case v.Stale && !when.usesAge:
		return "the next sample is overdue"
	}
	if why := trace.unknown(); why != "" {
		return why
	}
	return "a value is unknown"
}

// unknown finds the first part that is unknown and made the whole so.
func (t *Trace) unknown() string {
	if t.Holds != Unknown.String() {
		return ""
	}
	for _, side := range [...]*TraceValue{t.Left, t.Right} {
		if side != nil && side.Why != "" {
			return side.Why
		}
	}
	for i := range t.Parts {
		if why := t.Parts[i].unknown(); why != "" {
			return why
		}
	}
	return ""
}

func (s *stand) firing() bool { return s.a != nil && s.a.State == alert.Firing }

// why says what keeps the alert from the severity, or that it has it.
func (s *stand) why() string {
	switch {
	case s.firing() && s.a.Severity == s.severity:
		return s.whyInForce()
	case !s.timer.Since.IsZero():
		return s.whyWaiting()
	case s.nothingNew() != "" && s.holds != False:
		return fmt.Sprintf("%s, but nothing new fires: %s", s.asItStands(), s.nothingNew())
	case s.level.polls.Of > 0:
		return s.polled() + "; fires at " + fmt.Sprint(s.level.polls.Need) + s.doubt()
	case s.holds == True:
		return "holds as of now; the next sample decides"
	case s.holds == Unknown:
		return "cannot be judged: " + s.unknown
	}
	return "does not hold"
}

func (s *stand) asItStands() string {
	if s.holds == Unknown {
		return "cannot be judged"
	}
	return "holds"
}

func (s *stand) polled() string {
	return fmt.Sprintf("held on %d of the last %d polls", s.timer.Count(), s.level.polls.Of)
}

// doubt is said behind what would go on if the condition could be judged.
func (s *stand) doubt() string {
	if s.v.Levels[s.severity-1] != Unknown && !s.v.NoData && s.series.seen {
		return ""
	}
	return "; it cannot be judged now: " + s.unknown
}

// nothingNew says why nothing new can fire; empty when it can.
func (s *stand) nothingNew() string {
	switch {
	case s.v.Warming:
		return "warm_up has not passed"
	case s.v.Thin:
		return "min_volume does not hold"
	}
	return ""
}

// heldFor is how long the condition has held, as far as it counts: a sample
// speaks for the time until the next one is overdue, and no longer; one that
// leaves the condition unknown speaks for none.
func (s *stand) heldFor() time.Duration {
	until := s.now
	if s.holds == Unknown && s.series.seen && !s.v.Stale && !s.v.NoData {
		until = time.Unix(0, s.series.last.at)
	}
	if fresh := time.Unix(0, s.series.heard()).Add(s.freshFor()); until.After(fresh) && s.series.seen {
		until = fresh
	}
	return max(0, until.Sub(s.timer.Since))
}

// whyWaiting is of a severity whose timer runs and that is not in force.
func (s *stand) whyWaiting() string {
	held, hold, what := s.heldFor(), s.level.hold, "has held for "
	if s.level.polls.Of > 0 {
		what = s.polled() + ", and so for "
	}
	graver := s.firing() && s.a.Severity > s.severity
	switch {
	case s.nothingNew() != "" && !graver && s.holds != False:
		return fmt.Sprintf("%s, but nothing new fires: %s", s.asItStands(), s.nothingNew())
	case s.holds == Unknown:
		return fmt.Sprintf("%s%s of %s, and cannot be judged now: %s; its time stands still", what, short(min(held, hold)), units.Duration(hold), s.unknown)
	case graver && held < hold:
		return fmt.Sprintf("%s%s of %s; %s is in force", what, short(held), units.Duration(hold), s.a.Severity)
	case graver && s.holds == True:
		return fmt.Sprintf("holds; %s is in force", s.a.Severity)
	case s.holds == False:
		return "held with the last sample, and not as of now; the next sample decides"
	case held < hold:
		return fmt.Sprintf("%s%s; fires when it has for %s, in %s", what, short(held), units.Duration(hold), short(hold-held))
	case s.v.Unconfirmed[s.severity-1] && hold > 0:
		return fmt.Sprintf("%s%s of %s, on one sample: the next one must confirm it", what, short(held), units.Duration(hold))
	}
	return "has held long enough; the next sample decides"
}

// whyInForce is of the severity that the alert fires with.
func (s *stand) whyInForce() string {
	left := s.level.keep - s.now.Sub(s.timer.Lost)
	switch {
	case s.a.Flapping():
		return "in force: the alert is flapping; by its conditions alone it would be " + underlying(s.a.Flap)
	case isMissing(s.a.Reason):
		return "in force because data is missing; the condition has no part in it"
	case !s.timer.Lost.IsZero() && left > 0:
		return fmt.Sprintf("in force: it ended %s ago and is kept for %s, %s more", short(s.now.Sub(s.timer.Lost)), units.Duration(s.level.keep), short(left))
	case s.holds == Unknown:
		return "in force; it cannot be judged now and so stays: " + s.unknown
	case s.within:
		return fmt.Sprintf("in force: it does not hold any more, but the value is not past the clear_margin of %s", s.rule.Spec.ClearMargin.Text)
	case s.holds == True && s.level.polls.Of > 0:
		return "in force: " + s.polled()
	case s.holds == True:
		return "in force"
	}
	return s.whyStays()
}

func underlying(f *alert.Flap) string {
	switch f.State {
	case alert.Firing:
		return "firing with " + f.Severity.String()
	case alert.Pending:
		return "pending"
	case alert.Resolved, alert.Inactive:
	}
	return "resolved"
}

// whyStays is of a severity in force whose condition does not hold.
func (s *stand) whyStays() string {
	if why := s.nothingNew(); why != "" {
		return "in force; it does not hold any more, but nothing changes: " + why
	}
	for _, other := range alert.Severities() {
		timer, level := s.a.Levels[other-1], &s.rule.levels[other-1]
		if timer.Since.IsZero() || other == s.severity {
			continue
		}
		held := s.now.Sub(timer.Since)
		switch {
		case held < level.hold:
			return fmt.Sprintf("in force; it does not hold any more, but %s waits: it has held for %s of %s", other, short(max(0, held)), units.Duration(level.hold))
		case other < s.severity && s.v.Levels[other-1] == True:
			return fmt.Sprintf("in force; it does not hold as of now, and the next sample moves it to %s", other)
		}
	}
	switch {
	case s.rule.clear != nil && s.v.Clear == Unknown:
		return "in force; it does not hold any more, but clear cannot be judged"
	case s.rule.clear != nil && s.v.Clear != True:
		return "in force; it does not hold any more, and stays until clear holds: " + s.rule.clear.Text
	}
	return "in force; it does not hold as of now, and the next sample decides"
}

// short is a duration in whole seconds; what is less is 0s.
func short(d time.Duration) string {
	if d < 500*time.Millisecond {
		return "0s"
	}
	return units.Duration(d.Round(time.Second))
}

func ago(at, now time.Time) string { return short(now.Sub(at)) }
