package telegram

import (
	"fmt"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// maxText is Telegram's limit of a message, in characters after its entities are
// parsed. We count UTF-16 units, as Telegram counts where entities are, and the
// tags too: that is never fewer.
// https://core.telegram.org/bots/api#sendmessage
const (
	maxText  = 4096
	maxTitle = 256
)

// message is what sendMessage and editMessageText take.
// https://core.telegram.org/bots/api#editmessagetext
type message struct {
	ChatID              string      `json:"chat_id"`
	MessageID           int64       `json:"message_id,omitempty"` // to change
	MessageThreadID     int64       `json:"message_thread_id,omitempty"`
	Text                string      `json:"text"`
	ParseMode           string      `json:"parse_mode"`
	LinkPreview         linkPreview `json:"link_preview_options"`
	DisableNotification bool        `json:"disable_notification,omitempty"`
	ReplyTo             *reply      `json:"reply_parameters,omitempty"`
	Keyboard            *keyboard   `json:"reply_markup,omitempty"`
}

type linkPreview struct {
	Disabled bool `json:"is_disabled"`
}

type reply struct {
	MessageID int64 `json:"message_id"`
	// Anyway sends it though the message was deleted.
	Anyway bool `json:"allow_sending_without_reply"`
}

// keyboard is rows of buttons below a message.
type keyboard struct {
	Rows [][]button `json:"inline_keyboard"`
}

type button struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

func replyTo(id int64, known bool) *reply {
	if !known {
		return nil
	}
	return &reply{MessageID: id, Anyway: true}
}

// render makes the message; with templates false it is the default's. It is pure:
// a retry is the same.
func (t *Notifier) render(n *alert.Notification, templates bool) (m message, note string) {
	f := chat.HTML()
	texts := notifiers.TextsOf(n)
	title := f.BoldText(chat.Text(texts, "title", &t.cfg.Title, func() string { return chat.Title(n) }), maxTitle)
	room := maxText - f.Size(title) - 2
	body := func() string { return chat.Body(n, &f, room) }
	var text string
	if templates {
		text = unmentioned(chat.Text(texts, "message", &t.cfg.Message.Text, body))
	} else {
		text = body()
	}
	note = texts.Failed()
	if f.Size(text) > room { // HTML cannot be cut: a tag would stay open
		text = body()
		note = joined([]string{note, fmt.Sprintf("what the template message writes is longer than the %d characters of a message and the default was sent", maxText)})
	}
	return message{
		ChatID: t.cfg.ChatID, MessageThreadID: t.cfg.MessageThreadID, Text: title + "\n\n" + text, ParseMode: "HTML",
		LinkPreview: linkPreview{Disabled: true}, DisableNotification: t.cfg.Silent || chat.Silent(n),
		Keyboard: t.buttons(n),
	}, note
}

// buttons are links: a bot that only posts hears of no other press.
// https://core.telegram.org/bots/api#inlinekeyboardbutton
func (t *Notifier) buttons(n *alert.Notification) *keyboard {
	var first, second []button
	for _, l := range chat.Links(n, t.base.Links) {
		if l.Text == "Runbook" || l.Text == "Open" {
			second = append(second, button(l))
			continue
		}
		first = append(first, button(l))
	}
	k := keyboard{}
	for _, row := range [][]button{first, second} {
		if len(row) > 0 {
			k.Rows = append(k.Rows, row)
		}
	}
	if len(k.Rows) == 0 {
		return nil
	}
	return &k
}

// unmentioned parts every @name outside of tags: what a template is given may hold
// one. A template mentions somebody by <a href="tg://user?id=…">.
func unmentioned(html string) string {
	var b strings.Builder
	for html != "" {
		text, rest, _ := strings.Cut(html, "<")
		b.WriteString(chat.Unmentioned(text))
		if len(text) == len(html) {
			break
		}
		tag, after, closed := strings.Cut(rest, ">")
		b.WriteString("<" + tag)
		if closed {
			b.WriteString(">")
		}
		html = after
	}
	return b.String()
}
