package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Slack's limits, and ours where they are narrower.
// https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message, 150
// characters a header, 3,000 a section, 10 fields of 2,000. Not in the manual:
// about 13,200 characters of blocks in all are refused as msg_blocks_too_long,
// and more than 20 blocks in one attachment as invalid_attachments.
const (
	maxHeader     = 150
	maxAlerts     = 10 // two blocks each: 20 in an attachment, 22 in all
	maxBlocks     = 12_000
	maxFallback   = 600
	maxMessage    = 600
	maxNote       = 300 // an annotation, or a comment
	maxName       = 80  // of a person
	maxNotes      = 3
	maxLabelValue = 120
	maxLabels     = 800 // all labels of an alert
	maxLinks      = 4
	maxField      = 400
	maxStill      = 2000 // all that fires still
)

// content is what a message says, however it is sent.
type content struct {
	text        string // what notifications show, and clients without blocks
	blocks      []slack.Block
	attachments []slack.Attachment
	note        string // for the receipt
}

// compose renders a notification: what can be done, its news, and the others of
// its group that still fire where those are known. It is pure: the same arguments give
// the same content, whenever it is retried.
//
// The header stands at the top, so that Slack takes the text for notifications
// only; the alerts stand in attachments because nothing else has a colour.
func compose(n *alert.Notification, actions []slack.Block, w words, others ...alert.Alert) content {
	head := cmp.Or(w.title, title(n, others))
	header := slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, escape(head, maxHeader), true, false))
	budget := maxBlocks - jsonSize(actions)
	var still []slack.Attachment
	if len(others) > 0 {
		still = append(still, stillFiring(n, others))
		budget -= jsonSize(still[0].Blocks.BlockSet)
	}
	var attachments []slack.Attachment
	shown := total(n) // by the operator's own text, which has .Left
	if w.text != "" {
		attachments = append(attachments, wordsAttachment(n, w.text))
	} else {
		attachments, shown = alertAttachments(n, budget)
	}
	attachments = append(attachments, still...)
	return content{
		text:        cmp.Or(escape(w.title, maxFallback), fallback(n)),
		blocks:      append([]slack.Block{header}, actions...),
		attachments: append(attachments, footer(n, total(n)-shown, max(0, n.StillFiring-len(others)))),
		note:        w.note,
	}
}

// stillFiring names what was told before and fires still, a line an alert.
func stillFiring(n *alert.Notification, others []alert.Alert) slack.Attachment {
	known := alert.Notification{Alerts: slices.Clone(others), Acks: n.Acks, ExternalURL: n.ExternalURL, At: n.At}
	slices.SortStableFunc(known.Alerts, func(a, b alert.Alert) int { return int(b.Severity) - int(a.Severity) })
	lines, shown := newsLines(&known, maxStill)
	if left := len(others) - shown; left > 0 {
		lines = append(lines, andMore(n, left))
	}
	text := "*Still firing, told before*\n" + strings.Join(lines, "\n")
	return slack.Attachment{
		Color:  colour(n, &known.Alerts[0]),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewSectionBlock(markdown(text), nil, nil)}},
	}
}

// webhookMessage is the content as an incoming webhook takes it.
func webhookMessage(c content) slack.WebhookMessage {
	return slack.WebhookMessage{
		Text:        c.text,
		Blocks:      &slack.Blocks{BlockSet: c.blocks},
		Attachments: c.attachments,
		Parse:       "none", // an @name in the text is a name, not a mention
	}
}

// title says how things stand: "🔥 CRITICAL: cache-hit-rate". Where alerts fire
// that are not listed, the severity of the listed ones is not the group's; the
// others', where they are known, count too.
func title(n *alert.Notification, others []alert.Alert) string {
	if aboutGroup(n) && n.Status == alert.Firing && n.StillFiring > 0 {
		s := "🔔 FIRING: "
		if len(others) > 0 || n.Fires() && n.Severity() == alert.Critical { // nothing is worse
			all := alert.Notification{Alerts: append(n.Firing(), others...)}
			s = severityIcon(true, all.Severity()) + " " + strings.ToUpper(all.Severity().String()) + ": "
		}
		s += strings.TrimSpace(notifiers.Subject(n) + fmt.Sprintf(" (%d firing", len(n.Firing())+n.StillFiring))
		if resolved := len(n.Resolved()); resolved > 0 {
			s += fmt.Sprintf(", %d resolved", resolved)
		}
		return s + ")"
	}
	return icon(n) + " " + notifiers.Title(n)
}

// total is how many alerts the notification tells of, listed or not.
func total(n *alert.Notification) int {
	listed := len(n.Alerts) + n.Truncated
	if n.Digest != nil {
		return max(listed, n.Digest.Alerts)
	}
	return listed
}

// alertAttachments renders the first alerts, as many as fit into so many
// characters, those of one colour together. It returns how many.
func alertAttachments(n *alert.Notification, budget int) (out []slack.Attachment, shown int) {
	for i := range n.Alerts {
		a := &n.Alerts[i]
		blocks := alertBlocks(n, a)
		size := jsonSize(blocks)
		if shown == maxAlerts || (shown > 0 && size > budget) {
			break
		}
		budget -= size
		shown++
		if c := colour(n, a); len(out) == 0 || out[len(out)-1].Color != c {
			out = append(out, slack.Attachment{Color: c})
		}
		last := &out[len(out)-1].Blocks
		last.BlockSet = append(last.BlockSet, blocks...)
	}
	return out, shown
}

func jsonSize(blocks []slack.Block) int {
	data, err := json.Marshal(blocks)
	if err != nil {
		return maxBlocks // Notify marshals it again and says what is wrong
	}
	return utf8.RuneCount(data)
}

// fallback is the text of a push notification: what, where, how bad.
func fallback(n *alert.Notification) string {
	s := title(n, nil)
	if len(n.Alerts) > 0 {
		a := &n.Alerts[0]
		if !a.Active() && n.Status == alert.Firing && aboutGroup(n) && n.StillFiring > 0 {
			s += ": resolved" // the title says that others fire
		}
		s += ": " + notifiers.Message(a)
		if a.Value.Known() {
			s += ", now " + notifiers.Measured(a)
		}
		if peak := notifiers.Peak(a); peak != "" {
			s += ", at its worst " + peak
		}
	}
	if more := total(n) - 1; more > 0 {
		return escape(s, maxFallback-20) + fmt.Sprintf(" and %d more", more)
	}
	return escape(s, maxFallback)
}

// alertBlocks renders one alert: what and how much, then labels and links.
func alertBlocks(n *alert.Notification, a *alert.Alert) []slack.Block {
	text := alertIcon(a) + " " + escape(notifiers.Message(a), maxMessage)
	if taken := ackLine(n, a); taken != "" {
		text += "\n" + taken
	}
	links, notes := annotations(a)
	for _, note := range notes {
		text += "\n" + note
	}
	blocks := []slack.Block{slack.NewSectionBlock(markdown(text), fields(n, a), nil)}
	if url := link(notifiers.AlertURL(n, a), "Alert"); url != "" {
		links = append(links, url)
	}
	var small []slack.MixedElement
	if labels := labelLine(a); labels != "" {
		small = append(small, markdown(labels))
	}
	if len(links) > 0 {
		small = append(small, markdown(strings.Join(links, " · ")))
	}
	if len(small) > 0 {
		blocks = append(blocks, slack.NewContextBlock("", small...))
	}
	return blocks
}

// ackLine says who has taken the alert up; empty for nobody.
func ackLine(n *alert.Notification, a *alert.Alert) string {
	for i := range n.Acks {
		ack := &n.Acks[i]
		if ack.AlertID != a.ID || !a.Active() {
			continue
		}
		line := "👤 acknowledged"
		if ack.Snooze() {
			line = "💤 snoozed until " + date(ack.Until)
		}
		if ack.By != "" {
			line += " by " + escape(ack.By, maxName)
		}
		if ack.Comment != "" {
			line += ": " + escape(ack.Comment, maxNote)
		}
		return line
	}
	return ""
}

func fields(n *alert.Notification, a *alert.Alert) []*slack.TextBlockObject {
	var out []*slack.TextBlockObject
	if measured := notifiers.Measured(a); measured != "" {
		out = append(out, field("Value", escape(measured, maxField)))
	}
	out = append(out, since(n, a), field("Severity", severity(a)), field("Rule", escape(a.Rule, maxField)))
	if peak := notifiers.Peak(a); peak != "" {
		out = append(out, field("Peak", escape(peak, maxField)))
	}
	return out
}

func field(name, text string) *slack.TextBlockObject { return markdown("*" + name + "*\n" + text) }

func severity(a *alert.Alert) string {
	s := a.Severity.String()
	if a.Worst > a.Severity {
		s += " (was " + a.Worst.String() + ")"
	}
	return s
}

func since(n *alert.Notification, a *alert.Alert) *slack.TextBlockObject {
	name, lasted := "Since", notifiers.LastedText(a, n.At)
	if !a.Active() {
		name, lasted = "Fired", "for "+lasted
	}
	began := notifiers.Began(a)
	if began.IsZero() {
		return field(name, "unknown")
	}
	return field(name, date(began)+" ("+lasted+")")
}

// labelLine shows the labels that tell this alert from others of its rule. A
// label that does not fit any more is counted.
func labelLine(a *alert.Alert) string {
	var b strings.Builder
	labels := notifiers.OwnLabels(a)
	used := 0
	for i, label := range labels {
		piece := code(label.Name+"="+label.Value, maxLabelValue)
		if used += length(piece) + 1; used > maxLabels {
			fmt.Fprintf(&b, "and %d more labels", len(labels)-i)
			break
		}
		b.WriteString(piece + " ")
	}
	return strings.TrimSuffix(b.String(), " ")
}

// annotations returns the links and the notes among an alert's annotations,
// by name. What the message says already is left out.
func annotations(a *alert.Alert) (links, notes []string) {
	for _, name := range slices.Sorted(maps.Keys(a.Annotations)) {
		text := a.Annotations[name]
		if url := link(text, linkName(name)); url != "" {
			if len(links) < maxLinks {
				links = append(links, url)
			}
			continue
		}
		if text != "" && text != a.Message && len(notes) < maxNotes {
			notes = append(notes, "*"+escape(name, 40)+":* "+escape(text, maxNote))
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

// footer says what was left out, why the message came, how many fire beside those
// that it names, and its id: a retry has the same one.
func footer(n *alert.Notification, left, still int) slack.Attachment {
	var blocks []slack.Block
	if left > 0 {
		blocks = append(blocks, slack.NewSectionBlock(markdown(andMore(n, left)), nil, nil))
	}
	why := escape(n.Reason, maxField)
	if why != "" {
		why += " · "
	}
	if still > 0 {
		why += fmt.Sprintf("%d more still firing in this group · ", still)
	}
	why += "tocsin " + escape(n.ID, 100)
	return slack.Attachment{Blocks: slack.Blocks{BlockSet: append(blocks, slack.NewContextBlock("", markdown(why)))}}
}

// andMore says how many alerts are left out, and where to see them.
func andMore(n *alert.Notification, left int) string {
	if url := link(notifiers.ListURL(n), fmt.Sprintf("and %d more", left)); url != "" {
		return url
	}
	return escape(notifiers.AndMore(n, left), maxField)
}

// markdown is verbatim: Slack makes no links and mentions of its own of
// @names, #channels and URLs in it.
func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

// icon shows at a glance what a message is.
func icon(n *alert.Notification) string {
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

func alertIcon(a *alert.Alert) string { return severityIcon(a.Active(), a.Severity) }

func severityIcon(firing bool, s alert.Severity) string {
	if !firing {
		return "✅"
	}
	switch s {
	case alert.Critical:
		return "🔥"
	case alert.Warning:
		return "⚠️"
	case alert.Info, alert.OK:
		return "ℹ️"
	}
	return "❔"
}

// colour is that of the alert's severity; what is no news of alerts has none
// that could frighten anyone.
func colour(n *alert.Notification, a *alert.Alert) string {
	if n.Kind != alert.KindAlerts {
		return "#9aa0a6"
	}
	if !a.Active() {
		return "#2eb886"
	}
	switch a.Severity {
	case alert.Critical:
		return "#a30200"
	case alert.Warning:
		return "#daa038"
	case alert.Info, alert.OK:
		return "#439fe0"
	}
	return "#439fe0"
}
