package googlechat

import (
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Chat takes messages of 32,000 bytes, text and cards together; of a text we send
// at most 4,096 characters, and leave room for the card's frame and its buttons.
// https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
const (
	maxText  = 4096
	maxTitle = 300
	maxCard  = 20_000 // bytes of all paragraphs, as JSON
)

// message is what a webhook takes.
// https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages#Message
type message struct {
	Text   string  `json:"text"`
	Thread *thread `json:"thread,omitempty"`
	Cards  []card  `json:"cardsV2,omitempty"`
}

type thread struct {
	Key string `json:"threadKey"`
}

type card struct {
	ID   string   `json:"cardId"`
	Card sections `json:"card"`
}

type sections struct {
	Sections []section `json:"sections"`
}

type section struct {
	Widgets []widget `json:"widgets"`
}

type widget struct {
	Text    *paragraph `json:"textParagraph,omitempty"`
	Buttons *buttons   `json:"buttonList,omitempty"`
}

type paragraph struct {
	Text string `json:"text"`
}

type buttons struct {
	Buttons []button `json:"buttons"`
}

type button struct {
	Text    string  `json:"text"`
	OnClick onClick `json:"onClick"`
}

type onClick struct {
	OpenLink openLink `json:"openLink"`
}

type openLink struct {
	URL string `json:"url"`
}

// markup is that of a message's text, where nothing is escaped: what would begin a
// mention, a link or bold text is parted from what follows.
// https://developers.google.com/workspace/chat/format-messages
func markup() chat.Format {
	return chat.Format{
		Escape: func(r rune) string {
			if strings.ContainsRune("<*_~`@", r) {
				return string(r) + "\u200b"
			}
			return string(r)
		},
		Bold: [2]string{"*", "*"}, Size: chat.UTF16,
	}
}

// render makes the message. It is pure: a retry is the same.
func (g *Notifier) render(n *alert.Notification) (message, string) {
	f, html := markup(), chat.HTML()
	html.Size = chat.JSONBytes
	texts := notifiers.TextsOf(n)
	m := message{Text: f.BoldText(chat.Text(texts, "title", &g.cfg.Title, func() string { return chat.Title(n) }), maxTitle)}
	var body []section
	text := chat.Text(texts, "message", &g.cfg.Message, func() string {
		blocks, left := chat.Blocks(n, &html, maxCard)
		for _, block := range append(blocks, strings.TrimPrefix(left+"<br>"+chat.Footer(n, &html), "<br>")) {
			body = append(body, section{[]widget{{Text: &paragraph{strings.ReplaceAll(block, "\n", "<br>")}}}})
		}
		return ""
	})
	if text != "" { // <users/all> mentions everyone
		m.Text += "\n" + f.Clip(strings.ReplaceAll(text, "<users/", "<\u200busers/"), maxText-f.Size(m.Text)-1)
	}
	if b := g.buttons(n); len(b) > 0 {
		body = append(body, section{[]widget{{Buttons: &buttons{b}}}})
	}
	if len(body) > 0 {
		m.Cards = []card{{ID: "tocsin", Card: sections{body}}}
	}
	if g.cfg.threaded(n) { // a group that begins anew has a thread of its own
		m.Thread = &thread{notifiers.GroupID(n.GroupKey + " " + n.Opened.UTC().String())}
	}
	return m, texts.Failed()
}

func (g *Notifier) buttons(n *alert.Notification) (out []button) {
	for _, l := range chat.Links(n, g.base.Links) {
		out = append(out, button{l.Text, onClick{openLink{l.URL}}})
	}
	return out
}
