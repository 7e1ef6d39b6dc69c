// Package webhook tells any program that takes HTTP: in the format of
// Alertmanager's webhook receiver, in that of the Standard Webhooks
// specification, as a CloudEvent, or in one that the operator writes as a
// template. It is
// called by the outbox and made in cmd/tocsin. It retries nothing, and a
// retry carries the same webhook-id and the same body.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier posts to one URL. It is safe for concurrent use.
type Notifier struct {
	cfg     Config
	signers []*standardwebhooks.Webhook // the present secret's first
	client  *http.Client
	agent   string
}

// New makes a notifier. A nil client is made of the configuration's proxy and
// TLS options; one that is given keeps its own.
func New(cfg Config, client *http.Client) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	w := &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent()}
	for _, s := range [...]func() error{w.makeClient, w.makeSigners} {
		if err := s(); err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
	}
	return w, nil
}

func (w *Notifier) makeClient() (err error) {
	if w.client == nil {
		w.client, err = w.cfg.Client(0) // the context of each call has the deadline
	}
	return err
}

func (w *Notifier) makeSigners() error {
	for _, text := range w.cfg.signing() {
		s, err := signer(text)
		if err != nil {
			return err
		}
		w.signers = append(w.signers, s)
	}
	return nil
}

// Notify sends n as one message.
func (w *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	m, err := w.render(limit(n, w.cfg.MaxAlerts))
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("webhook: body: %w", err))
	}
	header, err := w.sign(n.ID, time.Now(), m.body)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("webhook: %w", err))
	}
	maps.Copy(header, m.header)
	receipt, err := notifiers.Post(ctx, w.client, notifiers.Request{
		Method:      w.cfg.Method,
		URL:         w.cfg.URL,
		ContentType: m.contentType,
		Body:        m.body,
		Options:     w.cfg.Options,
		Header:      header,
		Secrets:     w.cfg.signing(),
		UserAgent:   w.agent,
	})
	receipt.Note = m.note
	if err != nil {
		return receipt, fmt.Errorf("webhook: %w", err)
	}
	return receipt, nil
}

// Preview returns the body that Notify would send.
func (w *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	m, err := w.render(limit(n, w.cfg.MaxAlerts))
	return notifiers.Preview{ContentType: m.contentType, Body: m.body, Note: m.note}, err
}

// limit returns n with at most limit alerts, the rest counted; 0 is all.
func limit(n alert.Notification, limit int) alert.Notification {
	if limit > 0 && len(n.Alerts) > limit {
		n.Truncated += len(n.Alerts) - limit
		n.Alerts = n.Alerts[:limit]
	}
	return n
}

// sign makes the headers of the Standard Webhooks specification. The id is the
// notification's, the same over retries; the time is the attempt's, because
// receivers refuse what is older than a few minutes.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func (w *Notifier) sign(id string, at time.Time, body []byte) (http.Header, error) {
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	signatures := make([]string, len(w.signers))
	for i, s := range w.signers {
		signature, err := s.Sign(id, at, body)
		if err != nil {
			return nil, errors.New("cannot sign the message")
		}
		signatures[i] = signature
	}
	if len(signatures) > 0 {
		header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return header, nil
}
