package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// maxReplyBytes is how much of an answer of the Web API is read: it repeats
// the message, and a page of history holds two hundred.
const maxReplyBytes = 4 << 20

// message is what chat.postMessage and chat.update take. Blocks and
// Attachments are always sent: an update keeps the old ones otherwise.
// https://docs.slack.dev/reference/methods/chat.postMessage
type message struct {
	Channel        string               `json:"channel"`
	TS             string               `json:"ts,omitempty"` // of chat.update
	ThreadTS       string               `json:"thread_ts,omitempty"`
	ReplyBroadcast bool                 `json:"reply_broadcast,omitempty"`
	Text           string               `json:"text"`
	Blocks         []slack.Block        `json:"blocks"`
	Attachments    []slack.Attachment   `json:"attachments"`
	Parse          string               `json:"parse"`
	UnfurlLinks    bool                 `json:"unfurl_links"`
	UnfurlMedia    bool                 `json:"unfurl_media"`
	Metadata       *slack.SlackMetadata `json:"metadata,omitempty"`
	Username       string               `json:"username,omitempty"`
	IconEmoji      string               `json:"icon_emoji,omitempty"`
}

// answer is the part of the Web API's answers that is read here.
type answer struct {
	OK       bool      `json:"ok"`
	Error    string    `json:"error"`
	Needed   string    `json:"needed"` // a scope
	Channel  string    `json:"channel"`
	TS       string    `json:"ts"`
	Messages []posted  `json:"messages"`
	Next     nextPages `json:"response_metadata"`
}

type nextPages struct {
	Cursor string `json:"next_cursor"`
}

// posted is a message of a channel's history.
type posted struct {
	TS       string              `json:"ts"`
	ThreadTS string              `json:"thread_ts"`
	Metadata slack.SlackMetadata `json:"metadata"`
}

// apiError is a method's answer that is not ok.
type apiError struct {
	method, code, needed string
}

// Error says what Slack calls it, and what a person can do about it.
func (e *apiError) Error() string {
	s := "slack: " + e.method + " answered " + e.code
	advice := fateOf(e.code).advice
	if e.code == "missing_scope" && e.needed != "" {
		advice = "give the app the scope " + e.needed + " and install it again"
	}
	if advice != "" {
		s += " (" + advice + ")"
	}
	return s
}

// isCode says whether err is one of the Web API's errors.
func isCode(err error, codes ...string) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.code == code {
			return true
		}
	}
	return false
}

// call asks one method with a JSON body. Beside what notifiers.Post says of
// errors, what Slack answers with ok: false is an *apiError, Permanent when no
// retry and no person can mend it.
func (b *bot) call(ctx context.Context, method string, body any) (notifiers.Receipt, answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return notifiers.Receipt{}, answer{}, notifiers.Permanent(fmt.Errorf("slack: %s: %w", method, err))
	}
	return b.exchange(ctx, method, "application/json; charset=utf-8", encoded)
}

// ask asks one of the methods that take no JSON.
func (b *bot) ask(ctx context.Context, method string, form url.Values) (answer, error) {
	_, got, err := b.exchange(ctx, method, "application/x-www-form-urlencoded", []byte(form.Encode()))
	return got, err
}

func (b *bot) exchange(ctx context.Context, method, contentType string, body []byte) (notifiers.Receipt, answer, error) {
	receipt, raw, err := notifiers.Exchange(ctx, b.client, notifiers.Request{
		URL:            b.cfg.method(method),
		ContentType:    contentType,
		Body:           body,
		Options:        b.cfg.Options,
		Header:         http.Header{"Authorization": {"Bearer " + b.cfg.Token.Reveal()}},
		Secrets:        []secret.String{b.cfg.Token, b.cfg.SigningSecret},
		UserAgent:      b.agent,
		MaxAnswerBytes: maxReplyBytes,
	})
	if err != nil {
		return receipt, answer{}, fmt.Errorf("slack: %s: %w", method, err)
	}
	var got answer
	if err := json.Unmarshal(raw, &got); err != nil {
		return receipt, answer{}, fmt.Errorf("slack: %s: %w", method, errNoAnswer)
	}
	if got.OK {
		return receipt, got, nil
	}
	failed := &apiError{method: method, code: word(got.Error), needed: word(got.Needed)}
	if fateOf(failed.code).fate == fatePermanent {
		return receipt, got, notifiers.Permanent(failed)
	}
	return receipt, got, failed
}

// errNoAnswer hides the decoder's error, which quotes the answer.
var errNoAnswer = errors.New("the answer is not that of Slack's API, or broke off")

// word is a code of Slack's, or what stands for a text that is none: an error
// must hold nothing that the other side made up.
func word(code string) string {
	if len(code) > 100 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_0123456789:,.") != "" {
		return "an error without a name"
	}
	return code
}

// unanswered says whether a call that ended with err may have been done all
// the same: an answer that says no was one.
func unanswered(err error) bool {
	if err == nil {
		return false
	}
	var refused *apiError
	var status *notifiers.AnswerError
	switch {
	case errors.As(err, &refused), errors.Is(err, syscall.ECONNREFUSED):
		return false
	case errors.As(err, &status):
		return status.Status >= http.StatusInternalServerError
	}
	return true
}

func hasFate(err error, f fate) bool {
	var e *apiError
	return errors.As(err, &e) && fateOf(e.code).fate == f
}
