// Package slack tells a Slack channel through an incoming webhook: one
// notification is one message in Block Kit. It is called by the outbox and
// made in cmd/tocsin. It retries nothing, never splits a notification (two
// messages could not be told from a retry of one), and never lets a text of
// an alert mention anyone.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type slack.
type Config struct {
	// WebhookURL is the incoming webhook's; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Channel, Username and IconEmoji are heeded by legacy webhooks, and by
	// Mattermost and Rocket.Chat; a webhook of a Slack app has its own.
	Channel   string `yaml:"channel"`
	Username  string `yaml:"username"`
	IconEmoji string `yaml:"icon_emoji"` // as in :bell:

	httpx.Options `yaml:",inline"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{} }

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.WebhookURL, "http", "https"); err != nil {
		ps.AddHint("webhook_url", "Slack shows it under Incoming Webhooks of your app", "%s", err)
	}
	if e := c.IconEmoji; e != "" && (len(e) < 3 || e[0] != ':' || e[len(e)-1] != ':') {
		ps.AddHint("icon_emoji", "write for example :bell:", "%q is not the name of an emoji", e)
	}
	ps = append(ps, c.Options.Validate()...)
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"webhook_url": schema.URL("http", "https"), "icon_emoji": schema.Text(`^$|^:.+:$`, "the name of an emoji such as :bell:"),
	}, "webhook_url")
}

// Notifier posts to one webhook. It is safe for concurrent use.
type Notifier struct {
	cfg    Config
	client *http.Client
	agent  string
}

// New makes a notifier. A nil client is made of the configuration's proxy and
// TLS options; one that is given keeps its own.
func New(cfg Config, client *http.Client) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	if client == nil {
		made, err := cfg.Client(0) // the context of each call has the deadline
		if err != nil {
			return nil, fmt.Errorf("slack: %w", err)
		}
		client = made
	}
	return &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent()}, nil
}

// Notify posts n as one message. It retries nothing: the outbox does.
func (s *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	msg := render(n)
	msg.Channel, msg.Username, msg.IconEmoji = s.cfg.Channel, s.cfg.Username, s.cfg.IconEmoji
	body, err := json.Marshal(msg)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("slack: render: %w", err))
	}
	receipt, err := notifiers.Post(ctx, s.client, notifiers.Request{
		URL:       s.cfg.WebhookURL,
		Body:      body,
		Options:   s.cfg.Options,
		UserAgent: s.agent,
	})
	if err != nil {
		return receipt, explain(err)
	}
	return receipt, nil
}

// explain adds to what Slack answered what an operator can do about it. These
// answers last, whatever their status.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
// lists the answers.
func explain(err error) error {
	var answer *notifiers.AnswerError
	if errors.As(err, &answer) {
		for _, known := range [...]struct{ code, advice string }{
			{"action_prohibited", "a workspace admin has forbidden it"},
			{"channel_not_found", "the channel does not exist or the webhook may not see it"},
			{"channel_is_archived", "unarchive the channel, or make a webhook for another"},
			{"posting_to_general_channel_denied", "make a webhook for another channel"},
			{"no_active_hooks", "the webhook is disabled: enable it or make a new one"},
			{"no_service", "the webhook was removed or its URL is wrong: make a new one"},
			{"no_team", "the workspace is gone or the URL is wrong"},
			{"team_disabled", "the workspace is disabled"},
			{"user_not_found", "the person who made the webhook is gone: make a new one"},
			{"invalid_token", "the URL is wrong or expired: make a new webhook"},
		} {
			if strings.Contains(answer.Text, known.code) {
				return notifiers.Permanent(fmt.Errorf("slack: %w (%s)", err, known.advice))
			}
		}
	}
	return fmt.Errorf("slack: %w", err)
}
