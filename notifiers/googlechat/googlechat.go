// Package googlechat tells a space of Google Chat through its webhook: each
// notification is a message with a card, those of one group in one thread. It is
// called by the outbox and made in cmd/tocsin. It retries nothing but a message
// whose name Chat does not take, and never lets a text of an alert mention anyone.
package googlechat

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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

// Config is a receiver of type googlechat.
type Config struct {
	// WebhookURL is the space's webhook, with key and token; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Threads puts the news of a group into one thread, where the space has threads.
	Threads bool `yaml:"threads"`
	// Title is a template for the first line, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below in the place of the card, in Chat's
	// own markup (*bold*, _italic_, `code`, <https://example.com|link>). It cannot
	// mention anyone.
	Message notifiers.Text `yaml:"message"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Threads: true} }

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	u, err := httpx.ParseURL(c.WebhookURL, "http", "https")
	switch {
	case err != nil:
		ps.AddHint("webhook_url", "Chat shows it under Apps & integrations of the space", "%s", err)
	case u.Hostname() == "chat.googleapis.com" && (!u.Query().Has("key") || !u.Query().Has("token")):
		ps.AddHint("webhook_url", "copy it whole; in a shell it stands in quotes", "has no key and token behind the ?")
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("webhook_url", c.WebhookURL)...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"webhook_url": schema.URL("http", "https")}, "webhook_url")
}

// endpoint is the URL to post to. Chat makes no second message of one request id,
// so that a message whose answer was lost does not come twice.
// https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
func (c *Config) endpoint(n *alert.Notification, named bool) secret.URL {
	u, err := url.Parse(c.WebhookURL.Reveal())
	if err != nil {
		return c.WebhookURL // Validate has refused it
	}
	q := u.Query()
	if named {
		q.Set("requestId", n.ID)
	}
	if c.threaded(n) {
		q.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	}
	u.RawQuery = q.Encode()
	return secret.NewURL(u.String())
}

func (c *Config) threaded(n *alert.Notification) bool { return c.Threads && chat.AboutGroup(n) }

// Notifier tells one space. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("googlechat", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify posts n as one message.
func (g *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	m, note := g.render(&n)
	body, err := chat.JSON(m)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("googlechat: render: %w", err))
	}
	post := func(named bool) (notifiers.Receipt, error) {
		return notifiers.Post(ctx, g.base.Client, notifiers.Request{
			URL: g.cfg.endpoint(&n, named), ContentType: "application/json; charset=UTF-8", Body: body, Options: g.cfg.Options, UserAgent: g.base.Agent,
		})
	}
	receipt, err := post(true)
	if answer := chat.AnswerText(err); strings.Contains(answer, "requestId") || strings.Contains(answer, "request_id") {
		receipt, err = post(false)
	}
	receipt.Note = note
	if err != nil {
		return receipt, sortError(err)
	}
	receipt.Answer = "" // it repeats the message
	return receipt, nil
}

// Preview returns the message that Notify would post.
func (g *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(g.render(&n))
}

// sortError adds what an operator can do about what Chat answered. A space takes one
// message a second of all its webhooks; above that Chat answers 429 and says no time.
// https://developers.google.com/workspace/chat/limits
func sortError(err error) error {
	switch answer := chat.AnswerText(err); {
	case strings.Contains(answer, "API key not valid"), strings.Contains(answer, "Invalid thread or token"):
		return fmt.Errorf("googlechat: %w (copy the webhook's URL again)", err)
	case notifiers.StatusOf(err) == http.StatusNotFound:
		return fmt.Errorf("googlechat: %w (the webhook or the space was deleted: make a new one)", err)
	case notifiers.StatusOf(err) == http.StatusForbidden:
		return fmt.Errorf("googlechat: %w (a workspace admin does not let webhooks post)", err)
	}
	return fmt.Errorf("googlechat: %w", err)
}
