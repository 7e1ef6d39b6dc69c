// Package slack tells a Slack channel: through an app's bot token, where a
// group is one message that is updated in place, has a thread and buttons; or
// through an incoming webhook, where each notification is a message with links.
// It is called by the outbox, and by the API with what Slack says of a pressed
// button, and made in cmd/tocsin. It retries nothing, never splits a
// notification (two messages could not be told from a retry of one), and never
// lets a text of an alert mention anyone.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier tells one channel. It is safe for concurrent use.
type Notifier struct {
	cfg    Config
	client *http.Client
	agent  string
	links  *notifiers.Links
	bot    *bot // nil for a webhook
}

// New makes a notifier. A nil client is made of the configuration's proxy and
// TLS options; one that is given keeps its own. With nil links messages have
// none that take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
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
	s := &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent(), links: links}
	if !cfg.Token.Empty() {
		s.bot = &bot{cfg: cfg, client: client, agent: s.agent, links: links, memory: newMemory(cfg.Channel)}
	}
	return s, nil
}

// Notify tells n. It retries nothing but the looks of a message that Slack
// does not take: the outbox does.
func (s *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	if s.bot != nil {
		return s.bot.notify(ctx, &n)
	}
	return s.postWebhook(ctx, &n)
}

// Preview returns the message that Notify would post, whether by webhook or by
// bot; what a bot adds to it, as the channel and the thread, is not in it.
func (s *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	c := compose(&n, linksOf(&n, s.links), s.cfg.words(&n))
	body, err := json.Marshal(webhookMessage(c))
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: c.note}, err
}

func (s *Notifier) postWebhook(ctx context.Context, n *alert.Notification) (notifiers.Receipt, error) {
	c := compose(n, linksOf(n, s.links), s.cfg.words(n))
	msg := webhookMessage(c)
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
	receipt.Note = c.note
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
