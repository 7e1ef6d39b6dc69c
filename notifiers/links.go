package notifiers

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/signed"
)

const (
	// linkLife is how long a link works: longer than any shift, and short
	// enough that an old message is not a key for ever.
	linkLife = 7 * 24 * time.Hour
	// linkAlerts is how many alerts a link names; beyond that it names their
	// group, so that no link is longer than receivers take.
	linkAlerts = 5
)

// Links makes the links by which a message's readers take up what it tells of:
// whoever has one can use it, so that it is signed and expires. A nil Links
// makes none. It is safe for concurrent use.
type Links struct{ key []byte }

// NewLinks makes links that ReadLink takes with the same key; without a key
// there are none.
func NewLinks(key []byte) *Links {
	if len(key) == 0 {
		return nil
	}
	return &Links{key}
}

// Acknowledge returns the link that acknowledges what n says fires; empty
// where there is nothing to acknowledge or Tocsin does not know its own URL.
func (l *Links) Acknowledge(n *alert.Notification) string {
	return l.make(n, Link{Action: ActAcknowledge})
}

// Snooze returns the link that lets nothing be told of it for a while, or "".
func (l *Links) Snooze(n *alert.Notification, d time.Duration) string {
	return l.make(n, Link{Action: ActSnooze, Minutes: int(d / time.Minute)})
}

// make is pure: a retry carries the same link.
func (l *Links) make(n *alert.Notification, link Link) string {
	link.Target = TargetOf(n, linkAlerts)
	if l == nil || n.ExternalURL == "" || link.Empty() {
		return ""
	}
	payload, err := json.Marshal(link)
	if err != nil {
		return "" // texts and a number always encode
	}
	return n.ExternalURL + "/l/" + signed.Sign(l.key, payload, n.At.Add(linkLife))
}

// Link is what a link does once it is confirmed.
type Link struct {
	Target
	Action  Action `json:"do"`
	Minutes int    `json:"m,omitempty"` // of a snooze
}

// ReadLink opens the last part of a link's path. The errors are those of
// package signed.
func ReadLink(key []byte, token string, now time.Time) (Link, error) {
	payload, err := signed.Open(key, token, now)
	if err != nil {
		return Link{}, err
	}
	var link Link
	if err := json.Unmarshal(payload, &link); err != nil {
		return Link{}, fmt.Errorf("%w: its payload is none of ours", signed.ErrForged)
	}
	if link.Action != ActAcknowledge && (link.Action != ActSnooze || link.Minutes <= 0) {
		return Link{}, fmt.Errorf("%w: it does nothing that is known", signed.ErrForged)
	}
	return link, nil
}
