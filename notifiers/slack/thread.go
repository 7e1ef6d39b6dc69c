package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

const (
	maxLines    = 20 // alerts of one reply
	maxNewsText = 2900
	maxPlain    = 3500 // of Slack's 4,000 for a text that is not cut
)

// newsOf is a reply in a group's thread: what is new, a line an alert.
func newsOf(n *alert.Notification) content {
	heading := title(n, nil)
	if n.Reason != "" {
		heading += ": " + n.Reason
	}
	lines, shown := newsLines(n, maxNewsText)
	if left := total(n) - shown; left > 0 {
		lines = append(lines, andMore(n, left))
	}
	small := "tocsin " + escape(n.ID, 100)
	if n.StillFiring > 0 {
		small = fmt.Sprintf("%d more still firing · ", n.StillFiring) + small
	}
	return content{
		text: fallback(n),
		blocks: []slack.Block{
			slack.NewSectionBlock(markdown("*"+bold(escape(heading, maxField))+"*"), nil, nil),
			slack.NewSectionBlock(markdown(strings.Join(lines, "\n")), nil, nil),
			slack.NewContextBlock("", markdown(small)),
		},
		attachments: []slack.Attachment{},
	}
}

// bold takes out what would end bold text.
func bold(text string) string { return strings.ReplaceAll(text, "*", "∗") }

// newsLines renders as many alerts as fit, and says how many those are.
func newsLines(n *alert.Notification, limit int) (lines []string, shown int) {
	used := 0
	for i := range n.Alerts {
		line := newsLine(n, &n.Alerts[i])
		if used += length(line) + 1; i == maxLines || i > 0 && used > limit {
			break
		}
		lines = append(lines, line)
		shown++
	}
	return lines, shown
}

// newsLine says of one alert what became of it, how much, and where.
func newsLine(n *alert.Notification, a *alert.Alert) string {
	var s strings.Builder
	switch began := notifiers.Began(a); {
	case !a.Active():
		fmt.Fprintf(&s, "✅ resolved after %s", notifiers.LastedText(a, n.At))
	case a.Flapping():
		fmt.Fprintf(&s, "%s flapping, %s", alertIcon(a), a.Severity)
	case raised(a):
		fmt.Fprintf(&s, "%s raised to %s %s", alertIcon(a), a.Severity, date(a.SeverityAt))
	case !began.IsZero():
		fmt.Fprintf(&s, "%s %s since %s", alertIcon(a), a.Severity, date(began))
	default:
		fmt.Fprintf(&s, "%s %s", alertIcon(a), a.Severity)
	}
	s.WriteString(": " + escape(notifiers.Message(a), 300))
	if a.Value.Known() {
		s.WriteString(", now " + escape(notifiers.Measured(a), 100))
	}
	if peak := notifiers.Peak(a); peak != "" {
		s.WriteString(", at its worst " + escape(peak, 50))
	}
	if taken := ackLine(n, a); taken != "" {
		s.WriteString(" · " + taken)
	}
	if u := link(notifiers.AlertURL(n, a), "alert"); u != "" {
		s.WriteString(" · " + u)
	}
	return s.String()
}

// raised says whether the alert fires with a higher severity than it began with.
func raised(a *alert.Alert) bool {
	return a.Severity == a.Worst && !a.StartsAt.IsZero() && a.SeverityAt.After(a.StartsAt)
}

// plainText is the message without any block: for when Slack does not take
// those, and an alert must be told all the same.
func plainText(n *alert.Notification) string {
	s := escape(title(n, nil)+": "+n.Reason, maxField)
	used, shown := length(s)+200, 0
	for i := range n.Alerts {
		a := &n.Alerts[i]
		text := notifiers.Message(a)
		if measured := notifiers.Measured(a); measured != "" {
			text += ": " + measured
		}
		line := "\n" + alertIcon(a) + " " + escape(text, 200)
		if used += length(line); used > maxPlain {
			break
		}
		s += line
		shown++
	}
	if left := total(n) - shown; left > 0 {
		s += "\n" + escape(notifiers.AndMore(n, left), maxField)
	}
	if n.StillFiring > 0 {
		s += fmt.Sprintf("\n%d more still firing", n.StillFiring)
	}
	return s + "\ntocsin " + escape(n.ID, 100)
}
