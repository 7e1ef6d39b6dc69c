package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Ours, where the services' limits are wider: what is longer nobody reads in a chat.
const (
	maxMessage    = 400
	maxNote       = 200 // an annotation, or a comment
	maxNotes      = 3
	maxLinks      = 3
	maxName       = 60 // of a person, or of an annotation
	maxLabel      = 100
	maxLabels     = 500
	maxBriefLabel = 120 // all labels of an alert on a phone
	maxReason     = 150
	maxID         = 100
	maxAlerts     = 20
)

// Title says what a notification is about and how things stand, with an icon:
// "🔥 CRITICAL: cache-hit-rate". It is not escaped.
func Title(n *alert.Notification) string {
	if OthersFire(n) && !worstIsTold(n) {
		return "🔔 " + PlainTitle(n)
	}
	return Icon(n) + " " + PlainTitle(n)
}

// PlainTitle is Title without the icon. What tells of an end while others of the
// group fire does not begin with RESOLVED: on a phone nothing else is read. The others'
// severity is not known, so that only CRITICAL is surely the group's.
func PlainTitle(n *alert.Notification) string {
	if !OthersFire(n) {
		return notifiers.Title(n)
	}
	word := "FIRING"
	if worstIsTold(n) {
		word = "CRITICAL"
	}
	s := word + ": " + notifiers.Subject(n) + fmt.Sprintf(" (%d firing", len(n.Firing())+n.StillFiring)
	if resolved := len(n.Resolved()); resolved > 0 {
		s += fmt.Sprintf(", %d resolved", resolved)
	}
	return s + ")"
}

// OthersFire says whether alerts of the group fire that the notification does not
// tell of.
func OthersFire(n *alert.Notification) bool {
	return AboutGroup(n) && n.Status == alert.Firing && n.StillFiring > 0
}

func worstIsTold(n *alert.Notification) bool { return n.Fires() && n.Severity() == alert.Critical }

// Summary is one line of title and worst alert, for what has no room for more. What
// is resolved is called so where the title says that others fire.
func Summary(title string, n *alert.Notification) string {
	if len(n.Alerts) == 0 {
		return title
	}
	if OthersFire(n) && !n.Alerts[0].Active() {
		title += ": resolved"
	}
	return title + ": " + notifiers.Message(&n.Alerts[0])
}

// Body writes the alerts, as many as fit, then what is left out and where it is to
// be seen, and last why the message came and its id: a retry has the same one.
func Body(n *alert.Notification, f *Format, limit int) string {
	return Alerts(n, f, limit, Footer(n, f))
}

// Alerts writes the alerts, as many as fit, then what is left out and where it is to
// be seen, and last the tail, which is the service's markup already and may be empty.
func Alerts(n *alert.Notification, f *Format, limit int, tail string) string {
	blocks, left := Blocks(n, f, limit-f.Size(tail)-f.Size("\n\n"))
	all := slices.DeleteFunc(append(blocks, left, tail), func(s string) bool { return s == "" })
	return strings.Join(all, "\n\n")
}

// Blocks writes each alert as a block of lines, as many as fit into limit with an
// empty line between, and what is left out; that is empty for nothing.
func Blocks(n *alert.Notification, f *Format, limit int) (blocks []string, left string) {
	gap := f.Size("\n\n")
	limit -= f.Size(leftOut(n, f, 1_000_000)) + gap
	for i := range n.Alerts {
		block := strings.Join(Lines(n, &n.Alerts[i], f), "\n")
		size := f.Size(block) + gap
		if i == 0 && size > limit { // one must be told of
			block = strings.Join(headline(n, &n.Alerts[0], f, max(40, limit/2)), "\n")
			size = f.Size(block) + gap
		}
		if limit -= size; i == maxAlerts || i > 0 && limit < 0 {
			break
		}
		blocks = append(blocks, block)
	}
	return blocks, leftOut(n, f, Total(n)-len(blocks))
}

// leftOut says how many alerts are not shown, and where they are.
func leftOut(n *alert.Notification, f *Format, count int) string {
	if count <= 0 {
		return ""
	}
	text := fmt.Sprintf("and %d more", count)
	if link := f.LinkTo(AllAlerts(n), text); link != "" {
		return link
	}
	return text + ": " + notifiers.Listed(n)
}

// AllAlerts is where Tocsin lists what the notification tells of, or "".
func AllAlerts(n *alert.Notification) string { return WebURL(notifiers.ListURL(n)) }

// Total is how many alerts the notification tells of, listed or not.
func Total(n *alert.Notification) int {
	listed := len(n.Alerts) + n.Truncated
	if n.Digest != nil {
		return max(listed, n.Digest.Alerts)
	}
	return listed
}

// Lines writes one alert: what, how much and since when, then its labels, who took
// it up, and what its annotations say.
func Lines(n *alert.Notification, a *alert.Alert, f *Format) []string {
	lines := headline(n, a, f, maxMessage)
	if labels := labels(a, f); labels != "" {
		lines = append(lines, labels)
	}
	if taken := ackLine(n, a, f); taken != "" {
		lines = append(lines, taken)
	}
	if f.Brief {
		return lines
	}
	links, notes := annotations(a, f)
	lines = append(lines, notes...)
	if n.Kind == alert.KindAlerts {
		if link := f.LinkTo(notifiers.AlertURL(n, a), "Alert"); link != "" {
			links = append(links, link)
		}
	}
	if len(links) > 0 {
		lines = append(lines, strings.Join(links, " · "))
	}
	return lines
}

func headline(n *alert.Notification, a *alert.Alert, f *Format, limit int) []string {
	lines := []string{AlertIcon(n, a) + " " + f.BoldText(notifiers.Message(a), min(limit, maxMessage))}
	if n.Kind != alert.KindAlerts {
		return lines // a test has no value and no age
	}
	var facts []string
	if measured := notifiers.Measured(a); measured != "" {
		facts = append(facts, f.Inert(measured, maxLabel))
	}
	severity := a.Severity.String()
	if a.Worst > a.Severity {
		severity += " (was " + a.Worst.String() + ")"
	}
	lasted, began := notifiers.LastedText(a, n.At), notifiers.Began(a)
	switch {
	case began.IsZero():
		facts = append(facts, severity)
	case a.Active():
		facts = append(facts, severity+" since "+f.date(began)+" ("+lasted+")")
	default:
		facts = append(facts, severity+", resolved after "+lasted)
	}
	if peak := notifiers.Peak(a); peak != "" {
		facts = append(facts, "at its worst "+f.Inert(peak, maxLabel))
	}
	return append(lines, strings.Join(facts, " · "))
}

// labels shows those that tell this alert from others of its rule, which is named
// first. A label that does not fit any more is counted.
func labels(a *alert.Alert, f *Format) string {
	most, pieces, used := maxLabels, []string{}, 0
	if f.Brief {
		most = maxBriefLabel
	}
	own := notifiers.OwnLabels(a)
	for i, label := range own {
		piece := f.CodeText(label.Name+"="+label.Value, maxLabel)
		if used += f.Size(piece) + 1; used > most && i > 0 {
			pieces = append(pieces, fmt.Sprintf("and %d more labels", len(own)-i))
			break
		}
		pieces = append(pieces, piece)
	}
	return strings.Join(pieces, " ")
}

// ackLine says who has taken the alert up; empty for nobody.
func ackLine(n *alert.Notification, a *alert.Alert, f *Format) string {
	for i := range n.Acks {
		ack := &n.Acks[i]
		if ack.AlertID != a.ID || !a.Active() {
			continue
		}
		line := "👤 acknowledged"
		if ack.Snooze() {
			line = "💤 snoozed until " + f.date(ack.Until)
		}
		if ack.By != "" {
			line += " by " + f.Inert(ack.By, maxName)
		}
		if ack.Comment != "" {
			line += ": " + f.Inert(ack.Comment, maxNote)
		}
		return line
	}
	return ""
}

// annotations returns the links and the notes among an alert's annotations, by
// name. What the message says already is left out.
func annotations(a *alert.Alert, f *Format) (links, notes []string) {
	for _, name := range slices.Sorted(maps.Keys(a.Annotations)) {
		text := a.Annotations[name]
		if WebURL(text) != "" {
			switch link := f.LinkTo(text, linkName(name)); {
			case len(links) == maxLinks:
			case link != "":
				links = append(links, link)
			default: // the service has no links
				links = append(links, linkName(name)+": "+WebURL(text))
			}
			continue
		}
		if text != "" && text != a.Message && len(notes) < maxNotes {
			notes = append(notes, f.Inert(name, maxName)+": "+f.Inert(text, maxNote))
		}
	}
	return links, notes
}

// linkName makes "Runbook" of runbook_url.
func linkName(annotation string) string {
	name := strings.ReplaceAll(strings.TrimSuffix(annotation, "_url"), "_", " ")
	if name == "" {
		return annotation
	}
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}

// Footer says why the message came, and its id.
func Footer(n *alert.Notification, f *Format) string {
	var parts []string
	if n.Reason != "" {
		parts = append(parts, f.Inert(n.Reason, maxReason))
	}
	if n.StillFiring > 0 {
		parts = append(parts, fmt.Sprintf("%d more still firing in this group", n.StillFiring))
	}
	return strings.Join(append(parts, "tocsin "+f.Inert(n.ID, maxID)), " · ")
}

// Icon shows at a glance what a message is.
func Icon(n *alert.Notification) string {
	switch {
	case n.Kind == alert.KindTest:
		return "🔧"
	case n.Kind == alert.KindCanary:
		return "🐤"
	case n.Kind == alert.KindWarning:
		return "⏳"
	case n.Digest != nil:
		return "🌊"
	}
	return severityIcon(n.Fires(), n.Severity())
}

// AlertIcon is that of one alert.
func AlertIcon(n *alert.Notification, a *alert.Alert) string {
	if n.Kind != alert.KindAlerts {
		return "ℹ️"
	}
	return severityIcon(a.Active(), a.Severity)
}

func severityIcon(firing bool, s alert.Severity) string {
	switch {
	case !firing:
		return "✅"
	case s == alert.Critical:
		return "🔥"
	case s == alert.Warning:
		return "⚠️"
	}
	return "ℹ️"
}

// Color is 0xRRGGBB of the worst that fires; what is no news of alerts has none
// that could frighten anyone.
func Color(n *alert.Notification) int {
	switch {
	case n.Kind != alert.KindAlerts:
		return 0x9aa0a6
	case !n.Fires():
		return 0x2eb886
	case n.Severity() == alert.Critical:
		return 0xa30200
	case n.Severity() == alert.Warning:
		return 0xdaa038
	}
	return 0x439fe0
}

// Link is one thing that a reader can do.
type Link struct{ Text, URL string }

// Links are what can be done: taken up and snoozed while anything fires, read about
// and looked at always. Each of the first asks before it does anything.
func Links(n *alert.Notification, links *notifiers.Links) []Link {
	all := []Link{
		{"Acknowledge", links.Acknowledge(n)},
		{"Snooze 1h", links.Snooze(n, time.Hour)},
		{"Snooze 8h", links.Snooze(n, 8*time.Hour)},
		{"Runbook", Runbook(n)},
		{"Open", Page(n)},
	}
	return slices.DeleteFunc(all, func(l Link) bool { return l.URL == "" })
}

// LinkLine writes them on one line, but for those that every alert has of its own.
func LinkLine(n *alert.Notification, links *notifiers.Links, f *Format) string {
	var out []string
	for _, l := range Links(n, links) {
		if l.Text != "Runbook" && l.Text != "Open" {
			if link := f.LinkTo(l.URL, l.Text); link != "" {
				out = append(out, link)
			}
		}
	}
	return strings.Join(out, " · ")
}

// Runbook is the first alert's that has one.
func Runbook(n *alert.Notification) string {
	for i := range n.Alerts {
		for _, name := range [...]string{"runbook_url", "runbook"} {
			if u := WebURL(n.Alerts[i].Annotations[name]); u != "" {
				return u
			}
		}
	}
	return ""
}

// Page is where Tocsin shows the one alert, or all.
func Page(n *alert.Notification) string {
	if Total(n) == 1 && n.StillFiring == 0 && n.Kind == alert.KindAlerts {
		return WebURL(notifiers.AlertURL(n, &n.Alerts[0]))
	}
	return AllAlerts(n)
}
