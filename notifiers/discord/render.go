package discord

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Discord's limits of an embed, in characters; all of it at most 6,000. We count
// UTF-16 units, which are never fewer.
// https://docs.discord.com/developers/resources/message#embed-object-embed-limits
const (
	maxTitle       = 256
	maxDescription = 4096
	maxFooter      = 1000 // of 2,048: together they stay below 6,000
)

// suppressNotifications is the flag of a message that makes no sound.
// https://docs.discord.com/developers/resources/message#message-object-message-flags
const suppressNotifications = 1 << 12

// message is what a webhook takes, to post or to change.
// https://docs.discord.com/developers/resources/webhook#execute-webhook
type message struct {
	Username  string   `json:"username,omitempty"`
	AvatarURL string   `json:"avatar_url,omitempty"`
	Embeds    []embed  `json:"embeds"`
	Mentions  mentions `json:"allowed_mentions"`
	Flags     int      `json:"flags,omitempty"`
}

// mentions lets nothing be mentioned: an empty Parse is no kind of mention.
// https://docs.discord.com/developers/resources/message#allowed-mentions-object
type mentions struct {
	Parse []string `json:"parse"`
}

type embed struct {
	Title       string    `json:"title"`
	URL         string    `json:"url,omitempty"`
	Description string    `json:"description"`
	Color       int       `json:"color"`
	Footer      footer    `json:"footer"`
	Timestamp   time.Time `json:"timestamp"`
}

type footer struct {
	Text string `json:"text"`
}

// render makes the message. It is pure: a retry is the same.
func (d *Notifier) render(n *alert.Notification) (message, string) {
	f, plain := chat.Markdown(), chat.Plain(chat.UTF16)
	f.Date = chat.UnixDate
	texts := notifiers.TextsOf(n)
	title := chat.Text(texts, "title", &d.cfg.Title, func() string { return chat.Title(n) })
	description := chat.Text(texts, "message", &d.cfg.Message, func() string {
		return chat.Alerts(n, &f, maxDescription, chat.LinkLine(n, d.base.Links, &f))
	})
	m := message{
		Username: d.cfg.Username, AvatarURL: d.cfg.AvatarURL, Mentions: mentions{Parse: []string{}},
		Embeds: []embed{{
			Title: f.Inert(title, maxTitle), URL: chat.Page(n), Description: f.Clip(description, maxDescription), Color: chat.Color(n),
			Footer: footer{plain.Clip(chat.Footer(n, &plain), maxFooter)}, Timestamp: n.At.UTC(),
		}},
	}
	if chat.Silent(n) {
		m.Flags = suppressNotifications
	}
	return m, texts.Failed()
}
