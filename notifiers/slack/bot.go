package slack

import (
	"context"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// bot posts as a Slack app. A group's life is one message: the first
// notification posts it, the later ones change it to show how the group stands
// and add their news to its thread.
type bot struct {
	cfg    Config
	client *http.Client
	agent  string
	links  *notifiers.Links
	memory *memory
	roster roster
}

// metadataType names our messages among an app's others.
const metadataType = "tocsin_notification"

// notify tells n: as a change of the group's message where there is one that
// can be changed, else as a message of its own.
func (b *bot) notify(ctx context.Context, n *alert.Notification) (notifiers.Receipt, error) {
	if !aboutGroup(n) {
		return b.post(ctx, n, nil)
	}
	others := b.roster.others(n)
	receipt, err := b.tell(ctx, n, others)
	if err == nil {
		b.roster.told(receipt.Reference, n)
	}
	return receipt, err
}

// tell changes the message of n's group, or posts one. others are what n only
// counts as still firing; nil when they are not known.
func (b *bot) tell(ctx context.Context, n *alert.Notification, others []alert.Alert) (notifiers.Receipt, error) {
	if channel, ts, ok := strings.Cut(n.Reference, ":"); ok {
		receipt, err := b.update(ctx, n, others, channel, ts)
		if !lost(err) {
			return receipt, err
		}
	}
	if n.Quiet { // without a message to change there is nobody to tell
		return notifiers.Receipt{Answer: "there is no message of this group to change"}, nil
	}
	return b.post(ctx, n, others)
}

// aboutGroup says whether n is news of one group and no other. What is told
// otherwise must not take the place of a group's message.
func aboutGroup(n *alert.Notification) bool { return n.Kind == alert.KindAlerts && n.Digest == nil }

// post makes the group's message, unless an attempt before did.
func (b *bot) post(ctx context.Context, n *alert.Notification, others []alert.Alert) (notifiers.Receipt, error) {
	if b.memory.doubtful(n.ID, n.At) {
		ts, err := b.findMessage(ctx, n)
		if err != nil {
			return notifiers.Receipt{}, err
		}
		if ts != "" {
			b.memory.forget(n.ID)
			return notifiers.Receipt{Reference: reference(n, b.memory.knownChannel(), ts), Status: http.StatusOK}, nil
		}
	}
	c := b.content(n, others)
	receipt, got, err := b.say(ctx, "chat.postMessage", n, b.message(n, c))
	receipt.Note = c.note
	if err != nil {
		b.failed(n, err)
		return receipt, err
	}
	b.memory.forget(n.ID)
	if got.Channel != "" {
		b.memory.learnChannel(got.Channel)
	}
	receipt.Reference = reference(n, got.Channel, got.TS)
	return receipt, nil
}

// reference names a message for Notification.Reference. A message that is not
// a group's has none: nothing may ever change it.
func reference(n *alert.Notification, channel, ts string) string {
	if !aboutGroup(n) || channel == "" || ts == "" {
		return ""
	}
	return channel + ":" + ts
}

// update changes the group's message, which may be done twice without harm,
// and then adds the news to its thread, which may not. What an attempt before
// has done is not done again.
func (b *bot) update(ctx context.Context, n *alert.Notification, others []alert.Alert, channel, ts string) (notifiers.Receipt, error) {
	note := ""
	if !b.memory.progress(n.ID).updated {
		c := b.content(n, others)
		m := b.message(n, c)
		note = c.note
		m.Channel, m.TS, m.Metadata = channel, ts, nil // without metadata the first ones stay
		if receipt, _, err := b.say(ctx, "chat.update", n, m); err != nil {
			return receipt, err
		}
		b.memory.note(n.ID, func(p *progress) { p.updated = true })
	}
	receipt, err := b.reply(ctx, n, channel, ts)
	receipt.Note = note
	if err != nil {
		b.failed(n, err)
		return receipt, err
	}
	b.memory.forget(n.ID)
	receipt.Reference = n.Reference
	return receipt, nil
}

// reply adds the news to the thread, unless an attempt before did.
func (b *bot) reply(ctx context.Context, n *alert.Notification, channel, ts string) (notifiers.Receipt, error) {
	if b.memory.doubtful(n.ID, n.At) {
		there, err := b.findReply(ctx, n, channel, ts)
		if err != nil {
			return notifiers.Receipt{}, err
		}
		if there {
			return notifiers.Receipt{Status: http.StatusOK}, nil
		}
	}
	m := b.message(n, newsOf(n))
	m.Channel, m.ThreadTS, m.ReplyBroadcast = channel, ts, b.broadcast(n)
	receipt, _, err := b.say(ctx, "chat.postMessage", n, m)
	return receipt, err
}

// broadcast says whether the news are shown in the channel beside the thread:
// a change of a message disturbs nobody, and some news should.
func (b *bot) broadcast(n *alert.Notification) bool {
	switch {
	case n.Quiet, b.cfg.Broadcast == BroadcastNone:
		return false
	case b.cfg.Broadcast == BroadcastFiring:
		return n.Fires()
	}
	return n.Fires() && n.Severity() == alert.Critical
}

// failed remembers that a post may be there though its answer was lost.
func (b *bot) failed(n *alert.Notification, err error) {
	if unanswered(err) {
		b.memory.note(n.ID, func(p *progress) { p.unanswered = true })
	}
}

// say sends a message, and a plainer one at once where Slack does not take it:
// an alert must not go unsaid for its looks.
func (b *bot) say(ctx context.Context, method string, n *alert.Notification, m message) (notifiers.Receipt, answer, error) {
	receipt, got, err := b.call(ctx, method, m)
	if !hasFate(err, fateShorten) {
		return receipt, got, err
	}
	m.Text, m.Blocks, m.Attachments = plainText(n), []slack.Block{}, []slack.Attachment{}
	if isCode(err, "invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app", "metadata_too_large") {
		m.Metadata = nil
	}
	receipt, got, err = b.call(ctx, method, m)
	if hasFate(err, fateShorten) {
		err = notifiers.Permanent(err)
	}
	return receipt, got, err
}

func (b *bot) message(n *alert.Notification, c content) message {
	return message{
		Channel: b.cfg.Channel, Username: b.cfg.Username, IconEmoji: b.cfg.IconEmoji, Parse: "none",
		Text: c.text, Blocks: c.blocks, Attachments: c.attachments,
		Metadata: &slack.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"id": n.ID}},
	}
}

// content is how the group's message looks now: with buttons where a press is
// believed, else with links.
func (b *bot) content(n *alert.Notification, others []alert.Alert) content {
	actions := buttonsOf(n)
	if b.cfg.SigningSecret.Empty() {
		actions = linksOf(n, b.links)
	}
	return compose(n, actions, b.cfg.words(n), others...)
}
