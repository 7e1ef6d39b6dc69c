package teams

import (
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Teams takes messages of about 28 KB; the workflow puts a frame of its own around
// ours. https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions
const (
	maxBody  = 18_000 // bytes of all lines, each in its frame
	frame    = 90     // bytes of JSON around a line
	maxTitle = 300
)

// message is what the template "Send webhook alerts to a channel" takes.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	ContentURL  any    `json:"contentUrl"` // null
	Content     card   `json:"content"`
}

// card is an Adaptive Card. https://adaptivecards.io/explorer/
type card struct {
	Type    string   `json:"type"`
	Schema  string   `json:"$schema"`
	Version string   `json:"version"`
	Teams   width    `json:"msteams"`
	Body    []any    `json:"body"`
	Actions []action `json:"actions,omitempty"`
}

type width struct {
	Width string `json:"width"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// line is a RichTextBlock of one run: its text is no Markdown, unlike a TextBlock's,
// so that nothing in it needs an escape.
type line struct {
	Type    string `json:"type"`
	Inlines []run  `json:"inlines"`
	Spacing string `json:"spacing,omitempty"`
	// Separator draws a line above.
	Separator bool `json:"separator,omitempty"`
}

type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
	Subtle bool   `json:"isSubtle,omitempty"`
}

// markdown is a TextBlock, for the operator's own template.
type markdown struct {
	Type string `json:"type"`
	Text string `json:"text"`
	Wrap bool   `json:"wrap"`
}

func oneLine(r run, spacing string) line {
	r.Type = "TextRun"
	r.Text = strings.ReplaceAll(r.Text, "{{", "{\u200b{") // {{DATE(…)}} is a function of cards
	return line{Type: "RichTextBlock", Inlines: []run{r}, Spacing: spacing}
}

// body makes the message. It is pure: a retry is the same.
func (t *Notifier) body(n *alert.Notification) (body []byte, note string, err error) {
	f := chat.Plain(func(s string) int { return chat.JSONBytes(s) + frame*strings.Count(s, "\n") })
	texts := notifiers.TextsOf(n)
	title := f.Inert(chat.Text(texts, "title", &t.cfg.Title, func() string { return chat.Title(n) }), maxTitle)
	c := card{
		Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: "1.4", Teams: width{"Full"},
		Body: []any{oneLine(run{Text: title, Size: "Large", Weight: "Bolder", Color: color(n)}, "")},
	}
	var lines []any
	text := chat.Text(texts, "message", &t.cfg.Message, func() string { lines = alertLines(n, &f); return "" })
	if text != "" {
		lines = []any{markdown{"TextBlock", f.Clip(text, maxBody), true}}
	}
	c.Body = append(c.Body, lines...)
	for _, l := range chat.Links(n, t.base.Links) {
		c.Actions = append(c.Actions, action{"Action.OpenUrl", l.Text, l.URL})
	}
	body, err = chat.JSON(message{Type: "message", Attachments: []attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}}})
	return body, texts.Failed(), err
}

// alertLines writes the alerts, the first line of each in bold.
func alertLines(n *alert.Notification, f *chat.Format) (out []any) {
	blocks, left := chat.Blocks(n, f, maxBody)
	for _, block := range blocks {
		for i, text := range strings.Split(block, "\n") {
			if i > 0 {
				out = append(out, oneLine(run{Text: text}, "None"))
				continue
			}
			first := oneLine(run{Text: text, Weight: "Bolder"}, "Medium")
			first.Separator = true
			out = append(out, first)
		}
	}
	if left != "" {
		out = append(out, oneLine(run{Text: left}, "Medium"))
	}
	return append(out, oneLine(run{Text: chat.Footer(n, f), Size: "Small", Subtle: true}, "Medium"))
}

// color is the name of that of the worst that fires.
func color(n *alert.Notification) string {
	switch {
	case n.Kind != alert.KindAlerts:
		return "Default"
	case !n.Fires():
		return "Good"
	case n.Severity() == alert.Critical:
		return "Attention"
	case n.Severity() == alert.Warning:
		return "Warning"
	}
	return "Accent"
}
