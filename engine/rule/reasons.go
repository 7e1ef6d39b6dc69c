package rule

import (
	"fmt"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Reasons of alerts without data. They are read back after a restart.
const (
	missingPrefix = "no data for "
	thinPrefix    = "too little to judge: "
	heldSuffix    = "; the state is kept"
)

func missingReason(d time.Duration) string { return missingPrefix + units.Duration(d) }

// holdReason says why an alert stays as it is; empty when nothing holds it.
func (r *Rule) holdReason(v *Verdict) string {
	switch {
	case v.NoData && v.SourceDown:
		return missingReason(v.NoDataFor) + ", and its source cannot be read" + heldSuffix
	case v.NoData:
		return missingReason(v.NoDataFor) + heldSuffix
	case v.Thin:
		return thinPrefix + r.minVolume.Text + " does not hold" + heldSuffix
	}
	return ""
}

// isHeld knows the reason of an alert that was left as it was, isMissing that
// of one which missing data made.
func isHeld(reason string) bool { return strings.HasSuffix(reason, heldSuffix) }

func isMissing(reason string) bool {
	return strings.HasPrefix(reason, missingPrefix) && !strings.HasSuffix(reason, heldSuffix)
}

// reasonWithData is the reason of an alert whose data has come back.
func (r *Rule) reasonWithData(a *alert.Alert) string {
	switch {
	case a.Severity == alert.OK || r.levels[a.Severity-1].when == nil || isMissing(a.Reason):
		return "data is back"
	case a.State == alert.Pending:
		return r.waitingReason(a.Severity, a)
	}
	return r.firingReason(a.Severity)
}

func (r *Rule) firingReason(severity alert.Severity) string {
	lv := &r.levels[severity-1]
	switch {
	case lv.when == nil:
		return severity.String()
	case lv.hold == 0:
		return lv.subject() + " holds"
	}
	return fmt.Sprintf("%s has held for %s", lv.subject(), units.Duration(lv.hold))
}

func (r *Rule) waitingReason(severity alert.Severity, a *alert.Alert) string {
	lv, l := &r.levels[severity-1], &a.Levels[severity-1]
	if lv.polls.Of > 0 && l.Since.IsZero() {
		return fmt.Sprintf("%s held on %d of the last %d polls; fires at %d", lv.when.Text, l.Count(), lv.polls.Of, lv.polls.Need)
	}
	return fmt.Sprintf("%s holds; fires when it has for %s", lv.subject(), units.Duration(lv.hold))
}

// subject is the condition as reasons name it.
func (lv *level) subject() string {
	if lv.when == nil {
		return "a condition that the rule had"
	}
	if lv.polls.Of > 0 {
		return fmt.Sprintf("%s on %s polls", lv.when.Text, lv.polls)
	}
	return lv.when.Text
}

// tellKept says in the reason that a severity is only kept, and when it is not
// any more.
func (r *Rule) tellKept(a *alert.Alert) {
	lv, l := &r.levels[a.Severity-1], &a.Levels[a.Severity-1]
	switch {
	case !l.Lost.IsZero():
		a.Reason = fmt.Sprintf("%s has ended; %s is kept for %s", lv.subject(), a.Severity, units.Duration(lv.keep))
	case strings.Contains(a.Reason, " is kept for "):
		a.Reason = r.firingReason(a.Severity)
	}
}

func (r *Rule) resolvedReason() string {
	if r.clear != nil {
		return "no condition holds any more, and " + r.clear.Text
	}
	return "no condition holds any more"
}
