package slack

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

const (
	// lookBack is how much earlier than the notification the search begins:
	// Slack's clock is not ours.
	lookBack = 5 * time.Minute
	// maxPages of two hundred messages each are searched, newest first.
	maxPages = 5
	// maxLookups is how often a search may fail before the message is posted
	// without: told twice is better than not told.
	maxLookups = 2
)

// findMessage looks for a message that an attempt before posted and whose
// answer was lost; empty when there is none. Slack has no key by which it would
// know a message again, so that ours carry the delivery's id as metadata.
func (b *bot) findMessage(ctx context.Context, n *alert.Notification) (ts string, err error) {
	found, err := b.find(ctx, n, "conversations.history", url.Values{"channel": {b.memory.knownChannel()}}, func(m *posted) bool {
		return m.ThreadTS == "" || m.ThreadTS == m.TS
	})
	return found, err
}

// findReply looks for a reply in a thread.
func (b *bot) findReply(ctx context.Context, n *alert.Notification, channel, ts string) (bool, error) {
	found, err := b.find(ctx, n, "conversations.replies", url.Values{"channel": {channel}, "ts": {ts}}, func(m *posted) bool {
		return m.TS != ts
	})
	return found != "", err
}

// find returns the ts of the message with n's id among those that fit. An
// error is one that may pass; when looking fails for good, or often, nothing
// is found.
func (b *bot) find(ctx context.Context, n *alert.Notification, method string, form url.Values, fits func(*posted) bool) (string, error) {
	form.Set("include_all_metadata", "true")
	form.Set("limit", "200")
	form.Set("oldest", fmt.Sprintf("%d.000000", n.At.Add(-lookBack).Unix()))
	for range maxPages {
		got, err := b.ask(ctx, method, form)
		if err != nil {
			return "", b.cannotLook(n, err)
		}
		for i := range got.Messages {
			m := &got.Messages[i]
			if m.Metadata.EventType == metadataType && m.Metadata.EventPayload["id"] == n.ID && fits(m) {
				return m.TS, nil
			}
		}
		if got.Next.Cursor == "" {
			return "", nil
		}
		form.Set("cursor", got.Next.Cursor)
	}
	return "", nil
}

// cannotLook decides whether a failed search is tried again before anything is
// posted. Only one that this process has a reason for is.
func (b *bot) cannotLook(n *alert.Notification, err error) error {
	if isCode(err, "missing_scope", "no_permission", "not_allowed_token_type", "access_denied", "method_not_supported_for_channel_type") {
		b.memory.cannotRead()
		return nil
	}
	p := b.memory.progress(n.ID)
	if !p.unanswered || p.lookups >= maxLookups || !passes(err) {
		return nil
	}
	b.memory.note(n.ID, func(p *progress) { p.lookups++ })
	return err
}

// passes says whether err may be gone the next time.
func passes(err error) bool {
	return unanswered(err) || isCode(err, "ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
}
