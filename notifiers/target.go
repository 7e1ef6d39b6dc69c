package notifiers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Action is what a button or a link of a message does.
type Action string

// The actions.
const (
	ActAcknowledge Action = "ack"
	ActSnooze      Action = "snooze"  // for a while
	ActSilence     Action = "silence" // for a while
)

// Target says which alerts a button or a link is about: those that are named,
// or all that fire in a group. The zero value is about none.
type Target struct {
	Receiver string   `json:"r,omitempty"` // that was told
	Alerts   []string `json:"a,omitempty"` // ids
	Group    string   `json:"g,omitempty"` // GroupID of its key
}

// TargetOf is about everything of which n says that it fires: named alert by
// alert where those are all and no more than most, else by their group. A
// notification that is no news of one group has no target.
func TargetOf(n *alert.Notification, most int) Target {
	if n.Kind != alert.KindAlerts || n.Digest != nil || n.Status != alert.Firing {
		return Target{}
	}
	firing := n.Firing()
	if n.StillFiring > 0 || n.Truncated > 0 || len(firing) > most {
		return Target{Receiver: n.Receiver, Group: GroupID(n.GroupKey)}
	}
	t := Target{Receiver: n.Receiver}
	for i := range firing {
		t.Alerts = append(t.Alerts, firing[i].ID)
	}
	return t
}

// Empty says whether it is about nothing.
func (t *Target) Empty() bool { return t.Group == "" && len(t.Alerts) == 0 }

// GroupID is short and always of one length, where a group's key may be longer
// than a button or a link can carry: half of its SHA-256 in hexadecimal.
func GroupID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:sha256.Size/2])
}

// Press is a button that somebody pressed, or a link that somebody confirmed.
type Press struct {
	Action Action // empty for a button that does nothing here
	Target Target
	For    time.Duration // of ActSnooze and ActSilence
	By     string        // who, for the record
	// Key names this press: what comes twice with the same one was pressed once.
	Key string
	// Answer tells whoever pressed it what came of it; ctx has the deadline.
	Answer func(ctx context.Context, o Outcome) error
}

// Outcome is what came of a press.
type Outcome struct {
	Text   string // one line
	Failed bool
}

// ErrNotSigned is returned for a press that its receiver did not sign.
var ErrNotSigned = errors.New("the signature is not right")
