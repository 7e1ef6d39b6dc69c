package outbox

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// reference is what the receiver called its last message of a group, in one of
// the group's lives: a group that ended and begins anew begins a new message.
type reference struct {
	opened time.Time
	value  string
}

func (l *lane) restoreReference(r store.Reference) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.references[r.Group] = reference{opened: r.Opened, value: r.Value}
}

// referenceOf is what the notification's group is called; empty for nothing. mu
// is held.
func (l *lane) referenceOf(n *alert.Notification) string {
	r, ok := l.references[n.GroupKey]
	if ok && !r.opened.Equal(n.Opened) {
		delete(l.references, n.GroupKey)
		return ""
	}
	return r.value
}
