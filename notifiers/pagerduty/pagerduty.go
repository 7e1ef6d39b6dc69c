// Package pagerduty opens, acknowledges and resolves PagerDuty's incidents by its
// Events API v2: one incident a group, whose key is the group's, so that a retry
// or news of the group never makes a second one. It is called by the outbox and
// made in cmd/tocsin. It retries nothing and keeps nothing.
// https://developer.pagerduty.com/docs/events-api-v2-overview
package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier sends to one integration. It is safe for concurrent use.
type Notifier struct {
	cfg    Config
	client *http.Client
	agent  string
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own.
func New(cfg Config, client *http.Client) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	if client == nil {
		made, err := cfg.Client(0) // the context of each call has the deadline
		if err != nil {
			return nil, fmt.Errorf("pagerduty: %w", err)
		}
		client = made
	}
	return &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent()}, nil
}

// Notify sends n as one event; the reference is the incident's key. Where there is
// no event for what n tells, nothing is sent and the receipt's note says so.
func (p *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	e, note := p.event(&n)
	if e == nil {
		return notifiers.Receipt{Reference: n.Reference, Note: note}, nil
	}
	body, err := fit(e, p.cfg.RoutingKey.Reveal())
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("pagerduty: %w", err))
	}
	receipt, answer, err := notifiers.Exchange(ctx, p.client, notifiers.Request{
		URL: p.cfg.url(), Body: body, Options: p.cfg.Options, Secrets: []secret.String{p.cfg.RoutingKey}, UserAgent: p.agent,
	})
	receipt.Note = note
	if err != nil {
		return receipt, fmt.Errorf("pagerduty: %w", mendable(err))
	}
	receipt.Reference = e.DedupKey
	var accepted struct {
		DedupKey string `json:"dedup_key"`
	}
	// A body that is none changes nothing: the status was the answer.
	if json.Unmarshal(answer, &accepted) == nil && accepted.DedupKey != "" {
		receipt.Reference = notifiers.Clip(notifiers.Plain(accepted.DedupKey), maxKey)
	}
	return receipt, nil
}

// mendable lets a refusal pass that an operator mends: PagerDuty answers 400 where
// others answer 401 when an integration was deleted or its key mistyped.
func mendable(err error) error {
	var answer *notifiers.AnswerError
	if errors.As(err, &answer) && answer.Status == http.StatusBadRequest &&
		strings.Contains(strings.NewReplacer("_", " ", "'", "").Replace(strings.ToLower(answer.Text)), "routing key") {
		return answer
	}
	return err
}

// Preview returns the event that Notify would send, its key masked.
func (p *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	e, note := p.event(&n)
	if e == nil {
		return notifiers.Preview{ContentType: "text/plain; charset=utf-8", Note: note}, nil
	}
	body, err := fit(e, p.cfg.RoutingKey.String())
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: note}, err
}
