// Package rocketchat tells a channel of Rocket.Chat through an incoming webhook, with
// the attachments that Rocket.Chat shows: it does not show the blocks of Slack's. It
// is called by the outbox and made in cmd/tocsin. It retries nothing, and never lets
// a text of an alert mention anyone.
package rocketchat

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
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

// Config is a receiver of type rocketchat.
type Config struct {
	// WebhookURL is the incoming webhook's; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Channel is another channel than the webhook's, as in "#ops", or "@name" of a
	// user, where the integration may override its destination.
	Channel string `yaml:"channel"`
	// Alias and Emoji show another sender.
	Alias string `yaml:"alias"`
	Emoji string `yaml:"emoji"` // as in :bell:
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

const (
	channelPattern = `^$|^[#@]?[^#@\s/]+$`
	emojiPattern   = `^$|^:.+:$`
)

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.WebhookURL, "http", "https"); err != nil {
		ps.AddHint("webhook_url", "Rocket.Chat shows it under Administration, Integrations", "%s", err)
	}
	if c.Channel != "" && !regexp.MustCompile(channelPattern).MatchString(c.Channel) {
		ps.AddHint("channel", `write for example "#ops" or "@ada"`, "%q is not the name of a channel", c.Channel)
	}
	if !regexp.MustCompile(emojiPattern).MatchString(c.Emoji) {
		ps.AddHint("emoji", "write for example :bell:", "%q is not the name of an emoji", c.Emoji)
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("webhook_url", c.WebhookURL)...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"webhook_url": schema.URL("http", "https"), "channel": schema.Text(channelPattern, `for example "#ops" or "@ada"`),
		"emoji": schema.Text(emojiPattern, "the name of an emoji such as :bell:"),
	}, "webhook_url")
}

// A message has at most 5,000 characters where an admin has not changed that
// (Message_MaxAllowedSize); we leave room for the title.
// https://docs.rocket.chat/docs/message
const (
	maxTitle = 256
	maxText  = 4000
)

// message is what an incoming webhook takes.
// https://docs.rocket.chat/docs/integrations
type message struct {
	Channel     string       `json:"channel,omitempty"`
	Alias       string       `json:"alias,omitempty"`
	Emoji       string       `json:"emoji,omitempty"`
	Text        string       `json:"text"` // what notifications show
	ParseURLs   bool         `json:"parseUrls"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Color string `json:"color"`
	Text  string `json:"text"`
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
	base, err := chat.NewBase("rocketchat", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify posts n as one message.
func (r *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	msg, note := r.render(&n)
	body, err := chat.JSON(msg)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("rocketchat: render: %w", err))
	}
	receipt, err := notifiers.Post(ctx, r.base.Client, notifiers.Request{
		URL: r.cfg.WebhookURL, Body: body, Options: r.cfg.Options, UserAgent: r.base.Agent,
	})
	receipt.Note = note
	return receipt, sortError(err)
}

// Preview returns the message that Notify would post.
func (r *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(r.render(&n))
}

// markup is Rocket.Chat's own: its parser takes a backslash before few characters
// only, and one before a bracket for a formula, so that what would begin a link or a
// mention is parted from what follows.
// https://github.com/RocketChat/Rocket.Chat/blob/develop/packages/message-parser/src/grammar.pegjs
func markup() chat.Format {
	f := chat.Markdown()
	f.Bold = [2]string{"*", "*"}
	f.Escape = func(r rune) string {
		switch {
		case strings.ContainsRune("*_~`#", r):
			return `\` + string(r)
		case strings.ContainsRune("@<[]|\\", r):
			return string(r) + "\u200b"
		}
		return string(r)
	}
	return f
}

// render makes the message. It is pure: a retry is the same.
func (r *Notifier) render(n *alert.Notification) (message, string) {
	f := markup()
	texts := notifiers.TextsOf(n)
	title := chat.Text(texts, "title", &r.cfg.Title, func() string { return chat.Title(n) })
	text := chat.Text(texts, "message", &r.cfg.Message, func() string {
		tail := chat.Footer(n, &f)
		if links := chat.LinkLine(n, r.base.Links, &f); links != "" {
			tail = links + "\n" + tail
		}
		return chat.Alerts(n, &f, maxText, tail)
	})
	return message{
		Channel: r.cfg.Channel, Alias: r.cfg.Alias, Emoji: r.cfg.Emoji, Text: f.BoldText(title, maxTitle),
		Attachments: []attachment{{Color: fmt.Sprintf("#%06x", chat.Color(n)), Text: f.Clip(chat.Unmentioned(text), maxText)}},
	}, texts.Failed()
}

// sortError adds what an operator can do about what Rocket.Chat answered, and how
// long to wait: its rate limiter says it in words.
// https://developer.rocket.chat/apidocs/rate-limiter
func sortError(err error) error {
	if err == nil {
		return nil
	}
	answer := chat.AnswerText(err)
	if m := regexp.MustCompile(`must wait ([0-9]{1,6}) seconds`).FindStringSubmatch(answer); m != nil {
		if seconds, bad := strconv.Atoi(m[1]); bad == nil {
			err = chat.WaitSeconds(err, float64(seconds))
		}
	}
	for _, known := range [...]struct{ text, advice string }{
		{"Invalid integration id or token provided", "the integration was deleted or is disabled: copy its URL again"},
		{"invalid-channel", "there is no such channel, or the integration's user is not in it"},
		{"error-invalid-room", "there is no such channel, or the integration's user is not in it"},
		{"error-action-not-allowed", "the integration's user may not post to the channel"},
	} {
		if strings.Contains(answer, known.text) {
			return fmt.Errorf("rocketchat: %w (%s)", err, known.advice)
		}
	}
	return fmt.Errorf("rocketchat: %w", err)
}
