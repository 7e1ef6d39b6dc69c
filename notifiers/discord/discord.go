// Package discord tells a channel of Discord through its webhook: news are
// messages, and the last one of a group shows at the end that it is over. It is
// called by the outbox and made in cmd/tocsin. It retries nothing, and no message of
// it can mention anyone.
package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Notifier tells one channel. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	base chat.Base
}

// New makes a notifier. A nil client is made of the configuration's proxy and TLS
// options; one that is given keeps its own. With nil links messages have none that
// take an alert up.
func New(cfg Config, client *http.Client, links *notifiers.Links) (*Notifier, error) {
	base, err := chat.NewBase("discord", &cfg, client, links)
	if err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, base: base}, nil
}

// Notify tells n: as a change of the group's message, as a message, or as both.
func (d *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	if !d.cfg.Update || !isNumber(n.Reference) { // the receiver may have been of another type
		n.Reference = ""
	}
	edit, send := chat.Steps(&n)
	receipt, lost := notifiers.Receipt{Answer: "there is no message of this group to change"}, ""
	if edit {
		told, err := d.say(ctx, http.MethodPatch, n.Reference, &n)
		switch {
		case err == nil:
			receipt = told
		case !notifiers.IsPermanent(err):
			return told, err
		default: // it was deleted: the news are told all the same
			lost, send = "the group's message could not be changed: "+err.Error(), !n.Quiet
		}
	}
	reference := n.Reference
	if send {
		told, err := d.say(ctx, http.MethodPost, "", &n)
		if err != nil {
			return told, err
		}
		receipt = told
		if reference == "" || n.Fires() && !n.Quiet {
			reference = told.Reference // the newest that fires is the one to change
		}
	}
	if receipt.Reference = ""; chat.AboutGroup(&n) {
		receipt.Reference = reference
	}
	receipt.Note = strings.Trim(lost+"; "+receipt.Note, "; ")
	return receipt, nil
}

// say posts a message, or changes one.
func (d *Notifier) say(ctx context.Context, method, message string, n *alert.Notification) (notifiers.Receipt, error) {
	p, note := d.render(n)
	if message != "" { // who sends it and how loudly is no matter of a change
		p.Username, p.AvatarURL, p.Flags = "", "", 0
	}
	body, err := chat.JSON(p)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("discord: render: %w", err))
	}
	receipt, answer, err := notifiers.Exchange(ctx, d.base.Client, notifiers.Request{
		Method: method, URL: d.cfg.endpoint(message), Body: body, Options: d.cfg.Options, UserAgent: d.base.Agent, MaxAnswerBytes: chat.MaxAnswerBytes,
	})
	receipt.Note = note
	if err != nil {
		return receipt, sortError(err)
	}
	var told struct {
		ID string `json:"id"`
	}
	// An answer that broke off is a message without a reference, and a success.
	if json.Unmarshal(answer, &told) == nil && isNumber(told.ID) {
		receipt.Reference = told.ID
		receipt.Answer = "" // it repeats the message
	}
	return receipt, nil
}

// isNumber keeps what is no number of Discord's out of a URL.
func isNumber(id string) bool { return id != "" && strings.Trim(id, "0123456789") == "" }

// Preview returns the message that Notify would post.
func (d *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	return chat.Preview(d.render(&n))
}

// sortError adds to what Discord answered what an operator can do about it, and how
// long to wait. A webhook that is gone must not be asked again, or Discord restricts
// the address that does.
// https://docs.discord.com/developers/topics/rate-limits#exceeding-a-rate-limit
// https://docs.discord.com/developers/topics/opcodes-and-status-codes#json-json-error-codes
func sortError(err error) error {
	answer := chat.AnswerText(err)
	if seconds, ok := chat.Number(answer, "retry_after"); ok {
		err = chat.WaitSeconds(err, seconds)
	}
	code, _ := chat.Number(answer, "code")
	for _, known := range [...]struct {
		code   float64
		advice string
	}{
		{10003, "the channel or the thread is gone"},
		{10008, "the message is gone"},
		{10015, "the webhook was deleted: make a new one"},
		{50027, "the webhook's token is wrong: copy its URL again"},
		{50035, "Discord does not take a part of the message"},
		{220001, "this is a forum: name a thread_id"},
	} {
		if code == known.code {
			return notifiers.Permanent(fmt.Errorf("discord: %w (%s)", err, known.advice))
		}
	}
	return fmt.Errorf("discord: %w", err)
}
