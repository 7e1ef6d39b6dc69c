package outbox

import (
	"time"

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

// referenceOf is what the group's message is called; empty for nothing. What is
// sent again is a message of its own. mu is held.
func (l *lane) referenceOf(row *row) string {
	n := &row.d.Notification
	if row.again {
		return ""
	}
	r, ok := l.references[n.GroupKey]
	if ok && !r.opened.Equal(n.Opened) {
		delete(l.references, n.GroupKey)
		return ""
	}
	return r.value
}

// keepReference notes what the group's message is called now; false when the
// row's message is not the group's.
func (l *lane) keepReference(row *row, value string) bool {
	if value == "" {
		return true
	}
	n := &row.d.Notification
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.references[n.GroupKey]; known && row.again {
		return false
	}
	l.references[n.GroupKey] = reference{opened: n.Opened, value: value}
	return true
}
