package slack

import (
	"maps"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// maxSection is how many characters one section holds, and maxSections how many
// of them an operator's text may fill.
const (
	maxSection  = 3000
	maxSections = 3
)

// words are the operator's texts in the place of ours; empty for none.
type words struct {
	title string
	text  string // mrkdwn
	note  string // for the receipt
}

// words renders the operator's templates. What stands in the template is
// Slack's markup; what comes from an alert is text and is escaped, so that it
// mentions nobody.
func (c *Config) words(n *alert.Notification) words {
	var w words
	if c.Title.Empty() && c.Text.Empty() {
		return w
	}
	none := func() string { return "" }
	titles, texts := notifiers.TextsOf(n), notifiers.TextsOf(escaped(n))
	w.title = notifiers.Plain(titles.Text("title", &c.Title, none)) // a header has no markup
	w.text = strings.TrimSpace(texts.Text("text", &c.Text, none))
	w.note = strings.Trim(titles.Failed()+"; "+texts.Failed(), "; ")
	return w
}

// escaped is a notification whose texts hold no markup.
func escaped(n *alert.Notification) *alert.Notification {
	out := *n
	out.Reason, out.GroupLabels = escapeAll(n.Reason), escapedLabels(n.GroupLabels)
	out.Alerts = slices.Clone(n.Alerts)
	for i := range out.Alerts {
		a := &out.Alerts[i]
		a.Rule, a.Category, a.Metric, a.Unit = escapeAll(a.Rule), escapeAll(a.Category), escapeAll(a.Metric), escapeAll(a.Unit)
		a.Message, a.Reason, a.Labels = escapeAll(a.Message), escapeAll(a.Reason), escapedLabels(a.Labels)
		a.Annotations = maps.Clone(a.Annotations)
		for name, text := range a.Annotations {
			a.Annotations[name] = escapeAll(text)
		}
		if a.Outside != nil {
			outside := *a.Outside
			outside.GeneratorURL = escapeAll(outside.GeneratorURL)
			a.Outside = &outside
		}
	}
	return &out
}

func escapedLabels(ls alert.Labels) alert.Labels {
	ls = slices.Clone(ls)
	for i := range ls {
		ls[i].Value = escapeAll(ls[i].Value)
	}
	return ls
}

// escapeAll escapes without cutting, line breaks included.
func escapeAll(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// wordsAttachment shows the operator's text, in as many sections as it takes;
// what is beyond that is cut at a line where there is one.
func wordsAttachment(n *alert.Notification, text string) slack.Attachment {
	out := slack.Attachment{Color: colour(n, &n.Alerts[0])}
	for len(out.Blocks.BlockSet) < maxSections && text != "" {
		piece := text
		if runes := []rune(text); len(runes) > maxSection {
			piece = string(runes[:maxSection-1])
			if at := strings.LastIndexByte(piece, '\n'); at > 0 {
				piece = piece[:at]
			}
		}
		text = strings.TrimSpace(text[len(piece):])
		if text != "" && len(out.Blocks.BlockSet) == maxSections-1 {
			piece += "…"
		}
		out.Blocks.BlockSet = append(out.Blocks.BlockSet, slack.NewSectionBlock(markdown(piece), nil, nil))
	}
	return out
}
