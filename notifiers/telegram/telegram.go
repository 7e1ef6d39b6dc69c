// Package telegram tells a chat of Telegram as a bot: a group's news are replies to
// its first message, which shows at the end that it is over. It is called by the
// outbox and made in cmd/tocsin. It retries nothing but a message whose looks
// Telegram does not take, and never lets a text of an alert mention anyone.
package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Notifier tells one chat. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("telegram", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify tells n: as a change of the group's message, as a message, or as both.
func (t *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	first, known := t.messageOf(n.Reference)
	if !known || !t.cfg.Update {
		n.Reference = ""
	}
	edit, send := chat.Steps(&n)
	receipt := notifiers.Receipt{Answer: "there is no message of this group to change"}
	var notes []string
	if edit {
		told, err := t.say(ctx, "editMessageText", &n, func(m *message) {
			m.MessageID, m.MessageThreadID, m.DisableNotification = first, 0, false // an edit has no sound
		})
		switch {
		case err == nil || strings.Contains(chat.AnswerText(err), "message is not modified"):
			receipt = told
		case !notifiers.IsPermanent(err):
			return told, err
		default: // it was deleted, or is too old to be changed: the news are told all the same
			notes, send = append(notes, "the group's message could not be changed: "+err.Error()), !n.Quiet
		}
	}
	if send {
		told, err := t.say(ctx, "sendMessage", &n, func(m *message) { m.ReplyTo = replyTo(first, n.Reference != "") })
		if err != nil {
			return told, err
		}
		receipt = told
	}
	switch {
	case n.Reference != "":
		receipt.Reference = n.Reference // replies keep to the group's first message
	case !chat.AboutGroup(&n):
		receipt.Reference = ""
	}
	receipt.Note = joined(append(notes, receipt.Note))
	return receipt, nil
}

// say calls a method. What Telegram does not take of a message's looks, or of where
// it goes, is left out or changed, and the message is tried once more.
func (t *Notifier) say(ctx context.Context, method string, n *alert.Notification, change func(*message)) (notifiers.Receipt, error) {
	m, note := t.render(n, true)
	change(&m)
	notes := []string{note}
	receipt, err := t.call(ctx, method, m)
	for range maxRemedies {
		if err == nil {
			break
		}
		cure, why := t.remedy(n, &m, chat.AnswerText(err))
		if cure == nil {
			break
		}
		cure()
		notes = append(notes, why)
		receipt, err = t.call(ctx, method, m)
	}
	receipt.Note = joined(notes)
	return receipt, sortError(err)
}

// maxRemedies is how many there are.
const maxRemedies = 3

// remedy says what can be done about a message that Telegram refused; nil for
// nothing.
func (t *Notifier) remedy(n *alert.Notification, m *message, answer string) (cure func(), why string) {
	if moved, ok := chat.Number(answer, "migrate_to_chat_id"); ok {
		to := strconv.FormatInt(int64(moved), 10)
		return func() { m.ChatID = to }, `the group is a supergroup now: write chat_id: "` + to + `"`
	}
	switch {
	case strings.Contains(answer, "can't parse entities") && !t.cfg.Message.Empty():
		return func() { plain, _ := t.render(n, false); m.Text = plain.Text },
			"Telegram does not take the HTML of the template message and the default was sent: " + answer
	// Telegram takes no link to a host that only the operator's network knows.
	case m.Keyboard != nil && (strings.Contains(answer, "BUTTON_URL_INVALID") || strings.Contains(answer, "inline keyboard button URL")):
		return func() { m.Keyboard = nil }, "Telegram does not take the buttons, because server.external_url is no public host: " + answer
	}
	return nil, ""
}

func (t *Notifier) call(ctx context.Context, method string, m message) (notifiers.Receipt, error) {
	body, err := chat.JSON(m)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("render: %w", err))
	}
	receipt, answer, err := notifiers.Exchange(ctx, t.base.Client, notifiers.Request{
		URL: t.cfg.method(method), Body: body, Options: t.cfg.Options, UserAgent: t.base.Agent,
		Secrets: t.secrets(), MaxAnswerBytes: chat.MaxAnswerBytes,
	})
	var told struct {
		Result struct {
			MessageID int64 `json:"message_id"`
		} `json:"result"`
	}
	// An answer that broke off is a message without a reference, and a success.
	if err == nil && json.Unmarshal(answer, &told) == nil && told.Result.MessageID > 0 {
		receipt.Reference = t.cfg.ChatID + ":" + strconv.FormatInt(told.Result.MessageID, 10)
		receipt.Answer = "" // it repeats the message
	}
	return receipt, err
}

// secrets are the token, and what of it follows the bot's public number.
func (t *Notifier) secrets() []secret.String {
	_, key, _ := strings.Cut(t.cfg.BotToken.Reveal(), ":")
	return []secret.String{t.cfg.BotToken, secret.New(key)}
}

// Preview returns the message that Notify would send to a group that was not told
// of anything yet.
func (t *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(t.render(&n, true))
}

// messageOf reads a reference: the chat and the message's number in it. One of
// another chat is none, because chat_id was changed.
func (t *Notifier) messageOf(reference string) (id int64, ok bool) {
	in, number, _ := strings.Cut(reference, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	return id, err == nil && in == t.cfg.ChatID
}

// sortError adds to what Telegram answered what an operator can do about it, and
// how long to wait. What a person mends is retried, as notifiers.Post does 401, 403
// and 404; a chat that does not exist is not, for a wrong number stays wrong.
// https://core.telegram.org/bots/api#making-requests
// https://core.telegram.org/bots/api#responseparameters
func sortError(err error) error {
	if err == nil {
		return nil
	}
	answer := chat.AnswerText(err)
	if seconds, ok := chat.Number(answer, "retry_after"); ok {
		err = chat.WaitSeconds(err, seconds)
	}
	for _, known := range [...]struct{ text, advice string }{
		{"chat not found", "chat_id is wrong, or the bot was never added to the chat"},
		{"message thread not found", "message_thread_id is wrong, or the topic was deleted"},
		{"TOPIC_CLOSED", "the topic is closed: open it again"},
		{"bot was blocked", "unblock the bot in its chat"},
		{"bot was kicked", "add the bot to the chat again"},
		{"bot is not a member", "add the bot to the channel as an administrator"},
		{"need administrator rights", "let the bot post messages in the channel's settings"},
		{"not enough rights", "let the bot send messages in the chat's settings"},
		{"user is deactivated", "the account is gone: name another chat"},
		{"Unauthorized", "bot_token was revoked: take the new one of @BotFather"},
	} {
		if strings.Contains(answer, known.text) {
			return fmt.Errorf("telegram: %w (%s)", err, known.advice)
		}
	}
	if notifiers.StatusOf(err) == http.StatusNotFound {
		return fmt.Errorf("telegram: %w (bot_token is wrong, or api_url is)", err)
	}
	return fmt.Errorf("telegram: %w", err)
}

func joined(notes []string) string {
	var out []string
	for _, note := range notes {
		if note != "" {
			out = append(out, note)
		}
	}
	return strings.Join(out, "; ")
}
