// Package pushover tells the devices of a user or a group of Pushover. An emergency
// comes again until somebody acknowledges it there, or takes it up here, or it is
// resolved. It is called by the outbox and made in cmd/tocsin. It retries nothing.
package pushover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Pushover's limits, in characters. https://pushover.net/api#limits
const (
	maxMessage  = 1024
	maxTitle    = 250
	maxURL      = 512
	maxURLTitle = 100
	mask        = "***"
)

// message is what messages.json takes. https://pushover.net/api#messages
type message struct {
	Token     string `json:"token"`
	User      string `json:"user"`
	Device    string `json:"device,omitempty"`
	Title     string `json:"title"`
	Message   string `json:"message"`
	Priority  int    `json:"priority"`
	Timestamp int64  `json:"timestamp"`
	Sound     string `json:"sound,omitempty"`
	URL       string `json:"url,omitempty"`
	URLTitle  string `json:"url_title,omitempty"`
	// Of an emergency: seconds, and the name by which it is cancelled.
	Retry  int    `json:"retry,omitempty"`
	Expire int    `json:"expire,omitempty"`
	Tags   string `json:"tags,omitempty"`
}

// Notifier tells one user or group. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("pushover", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// referred is what the receipt of an emergency begins with as a reference: the tag
// by which all of the group's are cancelled follows.
const referred = "emergency:"

// Notify tells n. Where the group's emergency is over, or somebody took all of it
// up, it is cancelled first.
func (p *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	receipt, note := notifiers.Receipt{Answer: "there is no emergency of this group to cancel", Reference: n.Reference}, ""
	if tag, ok := strings.CutPrefix(n.Reference, referred); ok && over(&n) {
		told, err := p.cancel(ctx, tag)
		if err != nil && !notifiers.IsPermanent(err) {
			return told, err
		}
		if err != nil {
			note = "the emergency could not be cancelled: " + err.Error()
		}
		receipt = told
		n.Reference = ""
	}
	if n.Quiet {
		receipt.Note = note
		return receipt, nil
	}
	m, failed := p.render(&n)
	m.Token, m.User = p.cfg.Token.Reveal(), p.cfg.UserKey.Reveal()
	receipt, err := p.call(ctx, m, "messages.json")
	receipt.Note = strings.Trim(note+"; "+failed, "; ")
	switch {
	case err != nil:
	case m.Priority == emergency && chat.AboutGroup(&n):
		receipt.Reference = referred + m.Tags
	case chat.AboutGroup(&n):
		receipt.Reference = n.Reference // an emergency from before goes on
	}
	return receipt, err
}

// over says whether nothing of the group needs anybody any more.
func over(n *alert.Notification) bool {
	if n.Status == alert.Resolved {
		return true
	}
	taken := 0
	for i := range n.Acks {
		if !n.Acks[i].Snooze() {
			taken++
		}
	}
	return n.Quiet && taken > 0 && taken >= len(n.Firing())+n.StillFiring+n.Truncated
}

// cancel ends every emergency of a tag, and does no harm where there is none.
// https://pushover.net/api/receipts#cancel
func (p *Notifier) cancel(ctx context.Context, tag string) (notifiers.Receipt, error) {
	return p.call(ctx, struct {
		Token string `json:"token"`
	}{p.cfg.Token.Reveal()}, "receipts", "cancel_by_tag", tag+".json")
}

func (p *Notifier) call(ctx context.Context, what any, path ...string) (notifiers.Receipt, error) {
	body, err := chat.JSON(what)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("pushover: render: %w", err))
	}
	receipt, answer, err := notifiers.Exchange(ctx, p.base.Client, notifiers.Request{
		URL: p.cfg.method(path...), Body: body, Options: p.cfg.Options, UserAgent: p.base.Agent, Secrets: []secret.String{p.cfg.Token, p.cfg.UserKey},
	})
	if err != nil {
		return receipt, sortError(err)
	}
	var told struct {
		Status *int `json:"status"`
	}
	if json.Unmarshal(answer, &told) == nil && told.Status != nil && *told.Status != 1 {
		return receipt, notifiers.Permanent(errors.New("pushover: it did not take the message: " + receipt.Answer))
	}
	return receipt, nil
}

// Preview returns the message that Notify would send, without the keys.
func (p *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(p.render(&n))
}

// render makes the message, but for its keys. It is pure: a retry is the same.
func (p *Notifier) render(n *alert.Notification) (message, string) {
	f := chat.Plain(chat.Runes)
	f.Brief = true
	texts := notifiers.TextsOf(n)
	m := message{
		Token: mask, User: mask, Device: p.cfg.Device, Sound: p.cfg.Sound, Priority: p.cfg.Priority.of(n), Timestamp: n.At.Unix(),
		Title: f.Inert(chat.Text(texts, "title", &p.cfg.Title, func() string { return chat.PlainTitle(n) }), maxTitle),
	}
	m.Message = f.Clip(chat.Text(texts, "message", &p.cfg.Message, func() string { return chat.Body(n, &f, maxMessage) }), maxMessage)
	for _, l := range chat.Links(n, p.base.Links) { // a message has one: the first that fits
		if len(l.URL) <= maxURL {
			m.URL, m.URLTitle = l.URL, f.Clip(l.Text, maxURLTitle)
			break
		}
	}
	if m.Priority == emergency {
		m.Retry, m.Expire = int(p.cfg.Retry/time.Second), int(p.cfg.Expire/time.Second)
		m.Tags = "tocsin-" + notifiers.GroupID(n.GroupKey)
	}
	return m, texts.Failed()
}

// sortError adds what an operator can do about what Pushover answered. It refuses
// with 4xx what no retry can mend; 429 is a month's messages that are used up.
// https://pushover.net/api#friendly
func sortError(err error) error {
	answer := chat.AnswerText(err)
	for _, known := range [...]struct{ text, advice string }{
		{"application token is invalid", "token is wrong"},
		{"user identifier is not a valid user", "user_key is wrong, or the user has no device"},
		{"user key is invalid", "user_key is wrong"},
		{"device name is not valid", "device is wrong"},
	} {
		if strings.Contains(answer, known.text) {
			return fmt.Errorf("pushover: %w (%s)", err, known.advice)
		}
	}
	if notifiers.StatusOf(err) == http.StatusTooManyRequests && strings.Contains(answer, "limit") {
		return fmt.Errorf("pushover: %w (the month's messages are used up)", chat.WaitSeconds(err, notifiers.MaxRetryAfter.Seconds()))
	}
	return fmt.Errorf("pushover: %w", err)
}
