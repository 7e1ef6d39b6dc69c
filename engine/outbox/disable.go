package outbox

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/store"
)

// disabled is why nothing is sent to a receiver that answered 410 Gone: its
// owner took it away, and asking on is of no use. It is a mark in the store.
type disabled struct {
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Settings string    `json:"settings"` // by which it was asked
}

const markPrefix, markSuffix = "receiver/", "/disabled"

func markName(receiver string) string { return markPrefix + receiver + markSuffix }

// readDisabled reads a mark; ok is false for a mark of somebody else.
func readDisabled(m store.Mark) (receiver string, d *disabled, ok bool) {
	name, begins := strings.CutPrefix(m.Name, markPrefix)
	name, ends := strings.CutSuffix(name, markSuffix)
	if !begins || !ends || m.Value == "" {
		return "", nil, false
	}
	d = &disabled{}
	if json.Unmarshal([]byte(m.Value), d) != nil {
		return "", nil, false // of another version; the receiver says it again
	}
	return name, d, true
}

// disable stops the lane until somebody changes or enables the receiver, unless
// its settings were changed while it was asked. mu is held; what is returned is
// called without it.
func (l *lane) disable(reason string, asked *Receiver, now time.Time) (say func()) {
	if l.disabled != nil || l.receiver == nil || l.receiver.Settings != asked.Settings {
		return nil
	}
	l.disabled = &disabled{At: now, Reason: reason, Settings: asked.Settings}
	l.breaker.reset()
	value, err := json.Marshal(l.disabled)
	if err != nil {
		return nil // texts and a time always can be
	}
	l.settler.mark(store.Mark{Name: markName(l.name), Value: string(value)})
	return func() {
		l.log.Error("the receiver is gone and is disabled; change its settings or enable it", "error", reason)
	}
}

// restoreDisabled takes what a process before has found, unless the settings
// were changed since.
func (l *lane) restoreDisabled(d *disabled) {
	l.mu.Lock()
	defer l.nudge()
	defer l.mu.Unlock()
	if l.receiver == nil || l.receiver.Settings != d.Settings {
		l.settler.mark(store.Mark{Name: markName(l.name)})
		return
	}
	l.disabled = d
	l.status.LastError, l.status.LastFailure = d.Reason, d.At
}

func (l *lane) enable(why string) {
	l.mu.Lock()
	l.revive(why)
	l.mu.Unlock()
	l.nudge()
}

// revive lets everything be tried at once. mu is held.
func (l *lane) revive(why string) {
	if l.disabled != nil {
		l.disabled = nil
		l.settler.mark(store.Mark{Name: markName(l.name)})
		l.log.Info("the receiver is enabled", "reason", why)
	}
	l.breaker.reset()
	l.buried, l.pausedUntil = "", time.Time{}
	l.line.hurry(time.Now())
}
