// Package mattermost tells a channel of Mattermost through an incoming webhook, with
// the attachments that Mattermost shows: it does not show Slack's blocks. It is
// called by the outbox and made in cmd/tocsin. It retries nothing, and never lets a
// text of an alert mention anyone.
package mattermost

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Config is a receiver of type mattermost.
type Config struct {
	// WebhookURL is the incoming webhook's; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Channel is the name of another channel than the webhook's, as in its URL, or
	// @name of a user; a webhook that is locked to its channel refuses it.
	Channel string `yaml:"channel"`
	// Username and IconURL show another sender, where the server lets webhooks
	// override them.
	Username string `yaml:"username"`
	IconURL  string `yaml:"icon_url"`
	// Title is a template for the title, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below, in Markdown. It cannot mention
	// anyone.
	Message notifiers.Text `yaml:"message"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{} }

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.WebhookURL, "http", "https"); err != nil {
		ps.AddHint("webhook_url", "Mattermost shows it under Integrations, Incoming Webhooks", "%s", err)
	}
	if strings.HasPrefix(c.Channel, "#") || strings.ContainsAny(c.Channel, " \t\r\n/") {
		ps.AddHint("channel", "take what stands in the channel's URL, as in town-square", "%q is not the name of a channel", c.Channel)
	}
	if c.IconURL != "" && chat.WebURL(c.IconURL) == "" {
		ps.Add("icon_url", "%q is not the URL of a picture", c.IconURL)
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("webhook_url", c.WebhookURL)...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"webhook_url": schema.URL("http", "https"), "channel": schema.Text(`^[^#\s/]?[^\s/]*$`, "the name in the channel's URL"),
	}, "webhook_url")
}

// A post has at most 16,383 characters; attachments may have more, which nobody
// reads. https://docs.mattermost.com/developers/integrate/reference/message-attachments
const (
	maxTitle    = 256
	maxText     = 6000
	maxFallback = 600
)

// message is what an incoming webhook takes.
// https://docs.mattermost.com/developers/integrate/webhooks/incoming
type message struct {
	Channel     string       `json:"channel,omitempty"`
	Username    string       `json:"username,omitempty"`
	IconURL     string       `json:"icon_url,omitempty"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Fallback  string `json:"fallback"` // what notifications show
	Color     string `json:"color"`
	Title     string `json:"title"`
	TitleLink string `json:"title_link,omitempty"`
	Text      string `json:"text"`
	Footer    string `json:"footer"`
}

// Notifier tells one channel. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("mattermost", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify posts n as one message.
func (m *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	msg, note := m.render(&n)
	body, err := chat.JSON(msg)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("mattermost: render: %w", err))
	}
	receipt, err := notifiers.Post(ctx, m.base.Client, notifiers.Request{
		URL: m.cfg.WebhookURL, Body: body, Options: m.cfg.Options, UserAgent: m.base.Agent,
	})
	receipt.Note = note
	return receipt, sortError(err)
}

// Preview returns the message that Notify would post.
func (m *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(m.render(&n))
}

// render makes the message. It is pure: a retry is the same.
func (m *Notifier) render(n *alert.Notification) (message, string) {
	f, plain := chat.Markdown(), chat.Plain(chat.Runes)
	texts := notifiers.TextsOf(n)
	title := chat.Text(texts, "title", &m.cfg.Title, func() string { return chat.Title(n) })
	text := chat.Text(texts, "message", &m.cfg.Message, func() string { return chat.Alerts(n, &f, maxText, chat.LinkLine(n, m.base.Links, &f)) })
	return message{
		Channel: m.cfg.Channel, Username: m.cfg.Username, IconURL: m.cfg.IconURL,
		Attachments: []attachment{{
			Fallback: chat.Unmentioned(plain.Inert(chat.Summary(title, n), maxFallback)), Color: fmt.Sprintf("#%06x", chat.Color(n)),
			Title: f.Inert(title, maxTitle), TitleLink: chat.Page(n), Text: f.Clip(chat.Unmentioned(text), maxText), Footer: chat.Unmentioned(chat.Footer(n, &plain)),
		}},
	}, texts.Failed()
}

// sortError adds what an operator can do about what Mattermost answered: the ids are
// those of its own messages (server/i18n/en.json, web.incoming_webhook).
func sortError(err error) error {
	if err == nil {
		return nil
	}
	answer := chat.AnswerText(err)
	for _, known := range [...]struct{ id, advice string }{
		{"web.incoming_webhook.invalid", "the webhook was deleted: make a new one"},
		{"web.incoming_webhook.disabled", "a system admin has turned incoming webhooks off"},
		{"web.incoming_webhook.channel_locked", "the webhook is locked to its own channel: take channel away"},
		{"web.incoming_webhook.channel", "there is no such channel in the webhook's team"},
		{"web.incoming_webhook.user", "the user is gone: name another channel, or make a new webhook"},
		{"web.incoming_webhook.permissions", "the webhook's maker may not post to the channel"},
	} {
		if strings.Contains(answer, known.id) {
			return fmt.Errorf("mattermost: %w (%s)", err, known.advice)
		}
	}
	return fmt.Errorf("mattermost: %w", err)
}
