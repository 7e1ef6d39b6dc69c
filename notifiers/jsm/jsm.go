// Package jsm opens, acknowledges and closes alerts of Jira Service Management by
// the API that it has from Opsgenie, and Opsgenie's own while it lasts: one alert a
// group, whose alias is made of the group's key, so that a retry never makes a
// second one. It is called by the outbox and made in cmd/tocsin. It retries nothing
// and keeps nothing.
// https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/
// https://docs.opsgenie.com/docs/alert-api
package jsm

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
		return nil, fmt.Errorf("jsm: %w", err)
	}
	if client == nil {
		made, err := cfg.Client(0) // the context of each call has the deadline
		if err != nil {
			return nil, fmt.Errorf("jsm: %w", err)
		}
		client = made
	}
	return &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent()}, nil
}

// Notify sends n as one request; the reference is the alert's alias. Where there is
// no request for what n tells, nothing is sent and the receipt's note says so.
func (j *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	r, note := j.request(&n)
	if r == nil {
		return notifiers.Receipt{Reference: n.Reference, Note: note}, nil
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("jsm: %w", err))
	}
	header := http.Header{}
	header.Set("Authorization", "GenieKey "+j.cfg.APIKey.Reveal())
	receipt, err := notifiers.Post(ctx, j.client, notifiers.Request{
		URL: j.cfg.endpoint(r.alias, r.action), Body: body, Header: header, Options: j.cfg.Options,
		Secrets: []secret.String{j.cfg.APIKey}, UserAgent: j.agent,
	})
	receipt.Note = note
	if err != nil {
		return receipt, fmt.Errorf("jsm: %w", mendable(err))
	}
	receipt.Reference = aliasOf(&n)
	return receipt, nil
}

// mendable lets a refusal pass that an operator mends: a key of another form is
// answered with 422, where others answer 401.
func mendable(err error) error {
	var answer *notifiers.AnswerError
	if errors.As(err, &answer) && answer.Status == http.StatusUnprocessableEntity && strings.Contains(strings.ToLower(answer.Text), "key") {
		return answer
	}
	return err
}

// Preview returns the body of the request that Notify would send.
func (j *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	r, note := j.request(&n)
	if r == nil {
		return notifiers.Preview{ContentType: "text/plain; charset=utf-8", Note: note}, nil
	}
	body, err := json.Marshal(r.body)
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: note}, err
}
