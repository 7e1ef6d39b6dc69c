// Package teams tells a channel or a chat of Microsoft Teams through a workflow of
// Power Automate that waits for a webhook: each notification is an Adaptive Card. It
// is called by the outbox and made in cmd/tocsin. It retries nothing, never learns
// what the workflow makes of a card, and lets no text of an alert be markup.
package teams

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

// Config is a receiver of type teams.
type Config struct {
	// WebhookURL is the workflow's, with its signature; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Title is a template for the first line, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below, in the Markdown of Adaptive Cards.
	// It cannot mention anyone.
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
	const where = "in Teams: Workflows, \"Send webhook alerts to a channel\""
	switch u, err := httpx.ParseURL(c.WebhookURL, "http", "https"); {
	case err != nil:
		ps.AddHint("webhook_url", where, "%s", err)
	case strings.HasSuffix(u.Hostname(), ".webhook.office.com") || u.Hostname() == "outlook.office.com":
		ps.AddHint("webhook_url", where, "is an Office 365 connector's, which Microsoft has retired")
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

// Notifier tells one channel. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("teams", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify hands n to the workflow. 202 says that it began: what comes of the card is
// seen in the workflow's own run history only.
func (t *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	body, note, err := t.body(&n)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("teams: render: %w", err))
	}
	receipt, err := notifiers.Post(ctx, t.base.Client, notifiers.Request{
		URL: t.cfg.WebhookURL, Body: body, Options: t.cfg.Options, UserAgent: t.base.Agent,
	})
	receipt.Note = note
	return receipt, sortError(err)
}

// Preview returns the message that Notify would post.
func (t *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	body, note, err := t.body(&n)
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: note}, err
}

// sortError adds what an operator can do about what Power Automate answered.
// https://learn.microsoft.com/azure/logic-apps/logic-apps-workflow-actions-triggers#request-trigger
func sortError(err error) error {
	if err == nil {
		return nil
	}
	switch answer := chat.AnswerText(err); {
	case strings.Contains(answer, "WorkflowTriggerIsNotEnabled"), strings.Contains(answer, "WorkflowDisabled"):
		return fmt.Errorf("teams: %w (the workflow is turned off: turn it on)", err)
	case strings.Contains(answer, "DirectApiAuthorizationRequired"), strings.Contains(answer, "OAuthAuthorization"):
		return fmt.Errorf("teams: %w (let anyone trigger the flow, or copy the URL with its sig)", err)
	case strings.Contains(answer, "WorkflowNotFound"), notifiers.StatusOf(err) == http.StatusNotFound:
		return fmt.Errorf("teams: %w (the workflow is gone: make a new one)", err)
	case notifiers.StatusOf(err) == http.StatusUnauthorized, notifiers.StatusOf(err) == http.StatusForbidden:
		return fmt.Errorf("teams: %w (copy the workflow's URL again)", err)
	}
	return fmt.Errorf("teams: %w", err)
}
