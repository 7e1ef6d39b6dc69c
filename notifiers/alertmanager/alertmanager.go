// Package alertmanager hands alerts on to Prometheus's Alertmanager, or to what
// speaks like it, by POST /api/v2/alerts: one that fires, with an end far ahead, and
// one that is over, with its end. It is called by the outbox and made in cmd/tocsin.
// It retries nothing and keeps nothing.
// https://prometheus.io/docs/alerting/latest/alerts_api/
package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier posts to the Alertmanagers of one cluster. It is safe for concurrent use.
type Notifier struct {
	cfg    Config
	client *http.Client
	agent  string
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own.
func New(cfg Config, client *http.Client) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	if client == nil {
		made, err := cfg.Client(0) // the context of each call has the deadline
		if err != nil {
			return nil, fmt.Errorf("alertmanager: %w", err)
		}
		client = made
	}
	return &Notifier{cfg: cfg, client: client, agent: notifiers.UserAgent()}, nil
}

// Notify posts n's alerts to all Alertmanagers at a time. It was told when one of
// them took it, as Prometheus has it: those of a cluster tell each other what was
// sent, and the others get what they missed with the next news or repeat. Who did
// not take it stands in the receipt's note.
func (a *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	posted, note := a.alerts(&n)
	if len(posted) == 0 {
		return notifiers.Receipt{Note: note}, nil
	}
	if err := a.isItself(&n); err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("alertmanager: %w", err))
	}
	body, err := json.Marshal(posted)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("alertmanager: %w", err))
	}
	receipt, err := a.postAll(ctx, n.ID, body)
	receipt.Note = joinNotes(note, receipt.Note)
	if err != nil {
		return receipt, fmt.Errorf("alertmanager: %w", err)
	}
	return receipt, nil
}

// grace is how long the others are waited for once one has taken the alerts: one
// that hangs must not hold up every message until its deadline.
const grace = 2 * time.Second

type outcome struct {
	receipt notifiers.Receipt
	err     error
}

// postAll returns the receipt of one that took the alerts, or the error to act on.
func (a *Notifier) postAll(ctx context.Context, id string, body []byte) (notifiers.Receipt, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var once sync.Once
	var timer *time.Timer
	outcomes := make([]outcome, len(a.cfg.URLs))
	header := http.Header{}
	header.Set("X-Tocsin-Id", id)
	for i, to := range a.cfg.URLs {
		wg.Go(func() {
			o := &outcomes[i]
			o.receipt, o.err = notifiers.Post(ctx, a.client, notifiers.Request{
				URL: endpoint(to), Body: body, Options: a.cfg.Options, Header: header, UserAgent: a.agent,
			})
			if o.err == nil {
				once.Do(func() { timer = time.AfterFunc(grace, cancel) })
			}
		})
	}
	wg.Wait()
	if timer != nil {
		timer.Stop()
	}
	return decide(outcomes)
}

// decide is a success where there is one. Of failures that which may pass counts, and
// of those the one that says how long to wait.
func decide(outcomes []outcome) (notifiers.Receipt, error) {
	var took, failed *outcome
	var why []string
	for i := range outcomes {
		o := &outcomes[i]
		if o.err == nil {
			if took == nil {
				took = o
			}
			continue
		}
		why = append(why, o.err.Error())
		if failed == nil || notifiers.IsPermanent(failed.err) && !notifiers.IsPermanent(o.err) || asksToWait(o.err) && !asksToWait(failed.err) && !notifiers.IsPermanent(o.err) {
			failed = o
		}
	}
	if took != nil {
		if len(why) > 0 {
			took.receipt.Note = "not taken by all: " + strings.Join(why, "; ")
		}
		return took.receipt, nil
	}
	return failed.receipt, failed.err
}

func asksToWait(err error) bool {
	_, asks := notifiers.WaitOf(err)
	return asks
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

var errItself = errors.New("the URL is Tocsin's own: its alerts would come back to it as others'")

// isItself finds an Alertmanager that is this Tocsin, by the URL that it is known by.
func (a *Notifier) isItself(n *alert.Notification) error {
	own, err := url.Parse(n.ExternalURL)
	if err != nil || own.Host == "" {
		return nil //nolint:nilerr // without a URL of its own nothing can be said
	}
	for _, to := range a.cfg.URLs {
		if u, err := url.Parse(to.Reveal()); err == nil && strings.EqualFold(u.Host, own.Host) && u.Scheme == own.Scheme {
			return errItself
		}
	}
	return nil
}

// Preview returns what Notify would post.
func (a *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	posted, note := a.alerts(&n)
	body, err := json.Marshal(posted)
	return notifiers.Preview{ContentType: "application/json", Body: body, Note: note}, err
}
