// Package ntfy tells the phones that subscribe to a topic of an ntfy server: the
// news of a group are one notification on a phone, which is brought up to date. It
// is called by the outbox and made in cmd/tocsin. It retries nothing.
package ntfy

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// ntfy makes a file of a message of more than 4,096 bytes, and refuses a request of
// more than twice that. Of actions a notification has at most three.
// https://docs.ntfy.sh/publish/#limitations
// https://docs.ntfy.sh/publish/#action-buttons
const (
	maxMessage = 4000
	maxTitle   = 250
	maxActions = 3
	mask       = "***"
)

// message is a request to publish.
// https://docs.ntfy.sh/publish/#publish-as-json
type message struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Priority int      `json:"priority"`
	Tags     []string `json:"tags,omitempty"`
	Click    string   `json:"click,omitempty"`
	Actions  []action `json:"actions,omitempty"`
	// SequenceID names the notification that this one takes the place of. Servers
	// before 2.16 leave it out.
	// https://docs.ntfy.sh/publish/#updating-deleting-notifications
	SequenceID string `json:"sequence_id,omitempty"`
}

// action is a button that opens a URL.
type action struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// Notifier tells one topic. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("ntfy", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify publishes n as one message.
func (t *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	m, note := t.render(&n)
	m.Topic = t.cfg.Topic.Reveal()
	body, err := chat.JSON(m)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("ntfy: render: %w", err))
	}
	receipt, err := notifiers.Post(ctx, t.base.Client, notifiers.Request{
		URL: t.cfg.URL, Body: body, Options: t.cfg.Options, UserAgent: t.base.Agent, Secrets: []secret.String{t.cfg.Topic},
	})
	receipt.Note = note
	if err != nil {
		return receipt, sortError(err)
	}
	receipt.Answer = "" // it repeats the message
	return receipt, nil
}

// Preview returns the request that Notify would make, without the topic.
func (t *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(t.render(&n))
}

// render makes the message, but for its topic. It is pure: a retry is the same.
func (t *Notifier) render(n *alert.Notification) (message, string) {
	f := chat.Plain(chat.JSONBytes)
	f.Brief = true
	texts := notifiers.TextsOf(n)
	m := message{
		Topic: mask, Priority: t.cfg.Priority.of(n), Tags: append([]string{tag(n)}, t.cfg.Tags...), Click: chat.Page(n),
		Title: f.Inert(chat.Text(texts, "title", &t.cfg.Title, func() string { return chat.PlainTitle(n) }), maxTitle),
	}
	m.Message = f.Clip(chat.Text(texts, "message", &t.cfg.Message, func() string { return chat.Body(n, &f, maxMessage) }), maxMessage)
	m.Actions = actionsOf(chat.Links(n, t.base.Links))
	switch {
	case !t.cfg.Update:
	case chat.AboutGroup(n): // a group that begins anew is another notification
		m.SequenceID = notifiers.GroupID(n.GroupKey + " " + n.Opened.UTC().String())
	default: // a retry takes the place of what may have arrived
		m.SequenceID = notifiers.GroupID(n.ID)
	}
	return m, texts.Failed()
}

// actionsOf are the buttons, as many as ntfy takes: a runbook helps more than a second
// snooze, and a tap on the notification opens what Open would.
func actionsOf(links []chat.Link) []action {
	var out []action
	for _, l := range links {
		if l.Text != "Open" {
			out = append(out, action{"view", l.Text, l.URL})
		}
	}
	if len(out) > maxActions {
		out = slices.DeleteFunc(out, func(a action) bool { return a.Label == "Snooze 8h" })
	}
	return out[:min(len(out), maxActions)]
}

// tag is the short code of the emoji before the title.
// https://docs.ntfy.sh/emojis/
func tag(n *alert.Notification) string {
	switch {
	case n.Kind == alert.KindTest:
		return "wrench"
	case n.Kind == alert.KindCanary:
		return "hatching_chick"
	case n.Kind == alert.KindWarning:
		return "hourglass_flowing_sand"
	case n.Digest != nil:
		return "ocean"
	case chat.OthersFire(n) && !n.Fires():
		return "bell"
	case !n.Fires():
		return "white_check_mark"
	case n.Severity() == alert.Critical:
		return "rotating_light"
	case n.Severity() == alert.Warning:
		return "warning"
	}
	return "information_source"
}

// sortError adds what an operator can do about what ntfy answered. Too many messages
// of a day are tried again late, for the day must pass.
// https://docs.ntfy.sh/publish/#limitations
func sortError(err error) error {
	code, _ := chat.Number(chat.AnswerText(err), "code")
	switch status := notifiers.StatusOf(err); {
	case code == 42908:
		return fmt.Errorf("ntfy: %w (the day's messages are used up)", chat.WaitSeconds(err, notifiers.MaxRetryAfter.Seconds()))
	case status == http.StatusUnauthorized:
		return fmt.Errorf("ntfy: %w (give bearer_token or basic_auth)", err)
	case status == http.StatusForbidden:
		return fmt.Errorf("ntfy: %w (the account may not write to the topic)", err)
	case status == http.StatusNotFound:
		return fmt.Errorf("ntfy: %w (url is not an ntfy server's)", err)
	}
	return fmt.Errorf("ntfy: %w", err)
}
