package notifiers

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Plain makes one line of a text that strangers may have written: line breaks
// and tabs become spaces; control characters (so no ANSI escapes), invalid
// UTF-8 and the marks that turn the direction of writing are taken out.
func Plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar, unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s))
}

// Clip returns s with at most limit characters, an ellipsis last when some
// were cut.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	count, cut := 0, 0
	for i := range s {
		if count == limit-1 {
			cut = i
		}
		if count == limit {
			return s[:cut] + "…"
		}
		count++
	}
	return s
}

// StateWord is the alert's severity in capitals, or RESOLVED.
func StateWord(a *alert.Alert) string {
	if !a.Active() {
		return "RESOLVED"
	}
	return strings.ToUpper(a.Severity.String())
}

// Title names what a notification is about: "CRITICAL: cache-hit-rate" or
// "WARNING: cache-hit-rate (2 firing, 1 resolved)". One that is no news of one
// group says what it is.
func Title(n *alert.Notification) string {
	switch {
	case n.Kind == alert.KindTest:
		return "TEST: " + subject(n)
	case n.Kind == alert.KindCanary:
		return "CANARY: " + subject(n)
	case n.Kind == alert.KindWarning:
		return "NOTICE: " + subject(n)
	case n.Digest != nil:
		return "STORM: " + Counted(n.Digest.Groups, "group") + ", " + Counted(n.Digest.Alerts, "alert")
	}
	word := "RESOLVED"
	if n.Fires() {
		word = strings.ToUpper(n.Severity().String())
	}
	return word + ": " + subject(n)
}

// Counted is a number and what it counts: "1 group", "1,031 alerts".
func Counted(n int, what string) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n != 1 {
		what += "s"
	}
	return digits + " " + what
}

// Subject is what Title names, without how it stands: "cache-hit-rate".
func Subject(n *alert.Notification) string { return commonRule(n) }

func subject(n *alert.Notification) string {
	total := len(n.Alerts) + n.Truncated
	name := commonRule(n)
	switch firing := len(n.Firing()); {
	case total == 1 && name != "":
		return name
	case n.Truncated == 0 && firing > 0 && firing < total:
		return strings.TrimSpace(fmt.Sprintf("%s (%d firing, %d resolved)", name, firing, total-firing))
	case name == "":
		return Counted(total, "alert")
	}
	return fmt.Sprintf("%s (%d alerts)", name, total)
}

// commonRule returns the rule that every alert is of, or else what the group
// is grouped by, or "".
func commonRule(n *alert.Notification) string {
	if rule := n.GroupLabels.Get(alert.LabelName); rule != "" {
		return rule
	}
	same := n.Truncated == 0 && len(n.Alerts) > 0
	for i := range n.Alerts {
		same = same && n.Alerts[i].Rule == n.Alerts[0].Rule
	}
	if same {
		return n.Alerts[0].Rule
	}
	values := make([]string, len(n.GroupLabels))
	for i, label := range n.GroupLabels {
		values[i] = label.Value
	}
	return strings.Join(values, " ")
}

// Message is the alert's message, or what can be said without one; with a word
// where the alert changes too often to be told of each time, and where it ended and
// did not recover.
func Message(a *alert.Alert) string {
	switch {
	case a.Active() && a.Flapping():
		return message(a) + " (flapping; told again when it settles)"
	case !a.Active() && a.Reason != "" && !strings.HasPrefix(a.Reason, ordinaryEnd):
		return message(a) + " (" + a.Reason + ")"
	}
	return message(a)
}

// maxLabelsMessage bounds the labels that stand for a message.
const maxLabelsMessage = 200

// ordinaryEnd begins the reason of a recovery. What ends in another way, for its
// rule was removed or its data is gone, must not look like one.
const ordinaryEnd = "no condition holds any more"

// message is never empty, also where an alert from outside has no name and no
// annotation, or a message that shows nothing: services refuse an empty text.
func message(a *alert.Alert) string {
	if Plain(a.Message) != "" {
		return a.Message
	}
	s := cmp.Or(Plain(a.Rule), Clip(Plain(OwnLabels(a).String()), maxLabelsMessage))
	if len(OwnLabels(a)) == 0 && Plain(a.Rule) == "" {
		s = "an alert without a name"
	}
	if a.Verb != "" && a.Threshold.Known() {
		s += ": " + a.Metric + " " + a.Verb + " " + units.Quantity(float64(a.Threshold), a.Unit)
	}
	return s
}

// Measured is the alert's value beside its threshold, each with its unit:
// "82.3% (threshold 85%)". It is empty for an alert from outside, which has
// neither: whoever posted it measured.
func Measured(a *alert.Alert) string {
	if a.Outside != nil && !a.Value.Known() {
		return ""
	}
	s := units.Quantity(float64(a.Value), a.Unit)
	if a.Threshold.Known() {
		s += " (threshold " + units.Quantity(float64(a.Threshold), a.Unit) + ")"
	}
	return s
}

// Began is when the alert fired, or when its condition first held.
func Began(a *alert.Alert) time.Time {
	if a.StartsAt.IsZero() {
		return a.PendingAt
	}
	return a.StartsAt
}

// Peak is the worst value of an alert that has ended, with its unit: "58.4%".
// It is empty while the alert fires, and where none is known.
func Peak(a *alert.Alert) string {
	if a.Active() || !a.Peak.Known() {
		return ""
	}
	return units.Quantity(float64(a.Peak), a.Unit)
}

// LastedText is Lasted in whole seconds, for people.
func LastedText(a *alert.Alert, now time.Time) string {
	return units.Duration(Lasted(a, now).Round(time.Second))
}

// Lasted is how long the alert fired, or has been firing at a time; never
// less than zero.
func Lasted(a *alert.Alert, at time.Time) time.Duration {
	began := Began(a)
	if began.IsZero() {
		return 0
	}
	if !a.Active() && !a.EndsAt.IsZero() {
		at = a.EndsAt
	}
	return max(0, at.Sub(began))
}

// OwnLabels are the labels that tell one alert of a rule from another: all
// but alertname, category and severity, which are shown otherwise.
func OwnLabels(a *alert.Alert) alert.Labels {
	return a.Labels.Without(alert.LabelName, alert.LabelCategory, alert.LabelSeverity)
}

// AlertURL is where Tocsin shows the alert, or "" when it does not know where
// it is reached.
func AlertURL(n *alert.Notification, a *alert.Alert) string {
	if n.ExternalURL == "" {
		return ""
	}
	return n.ExternalURL + "/api/v1/alerts/" + url.PathEscape(a.ID)
}
