package external

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Record is one alert as it is kept: its texts in one string, so that a hundred
// thousand of them stay small. It is a route.Body. All but its expiry is never
// changed.
type Record struct {
	id string
	fp alert.Fingerprint
	// text is the number of labels, their names and values, the number of
	// annotations, theirs, and the generator's URL; each with its length before
	// it.
	text      string
	severity  alert.Severity
	explicit  bool // the sender gave the expiry
	startsAt  time.Time
	updatedAt time.Time
	endsAt    time.Time // zero while it fires
	reason    string
	expires   atomic.Int64 // nanoseconds since 1970
	// noted is the expiry that the store knows.
	noted int64
}

// pack writes the texts of what was posted. It shares no memory with it.
func pack(p *alert.Posted) string {
	size := 3 + len(p.GeneratorURL)
	for _, set := range [...]alert.Labels{p.Labels, p.Annotations} {
		for i := range set {
			size += len(set[i].Name) + len(set[i].Value) + 4
		}
	}
	b := make([]byte, 0, size)
	for _, set := range [...]alert.Labels{p.Labels, p.Annotations} {
		b = binary.AppendUvarint(b, uint64(len(set)))
		for i := range set {
			b = appendText(b, set[i].Name)
			b = appendText(b, set[i].Value)
		}
	}
	return string(append(b, p.GeneratorURL...))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cut takes a number off the text.
func cut(text string) (n int, rest string) {
	shift := 0
	for i := range len(text) {
		n |= int(text[i]&0x7f) << shift
		if text[i] < 0x80 {
			return n, text[i+1:]
		}
		shift += 7
	}
	return 0, ""
}

func cutText(text string) (s, rest string) {
	n, rest := cut(text)
	return rest[:n], rest[n:]
}

// same says whether what was posted tells nothing new.
func (r *Record) same(p *alert.Posted) bool {
	text := r.text
	for _, set := range [...]alert.Labels{p.Labels, p.Annotations} {
		var n int
		n, text = cut(text)
		if n != len(set) {
			return false
		}
		for i := range set {
			var name, value string
			name, text = cutText(text)
			value, text = cutText(text)
			if name != set[i].Name || value != set[i].Value {
				return false
			}
		}
	}
	return text == p.GeneratorURL && (p.StartsAt.IsZero() || !p.StartsAt.Before(r.startsAt))
}

// cutSet reads a set of labels off the text. The strings share its memory.
func cutSet(text string) (alert.Labels, string) {
	n, text := cut(text)
	set := make(alert.Labels, n)
	for i := range set {
		set[i].Name, text = cutText(text)
		set[i].Value, text = cutText(text)
	}
	return set, text
}

// ID names the occurrence; see alert.Alert.
func (r *Record) ID() string { return r.id }

// Fingerprint is that of the labels.
func (r *Record) Fingerprint() alert.Fingerprint { return r.fp }

// Labels returns the labels as they were posted.
func (r *Record) Labels() alert.Labels {
	labels, _ := cutSet(r.text)
	return labels
}

// Label returns one of them; empty when there is none of that name.
func (r *Record) Label(name string) string {
	n, text := cut(r.text)
	for range n {
		var key, value string
		key, text = cutText(text)
		value, text = cutText(text)
		if key == name {
			return value
		}
	}
	return ""
}

// ExpiresAt is when it resolves unless it is posted again.
func (r *Record) ExpiresAt() time.Time { return time.Unix(0, r.expires.Load()).UTC() }

// Alert returns the whole alert.
func (r *Record) Alert() alert.Alert {
	labels, rest := cutSet(r.text)
	annotations, generator := cutSet(rest)
	a := alert.Alert{
		ID: r.id, Fingerprint: r.fp, Rule: labels.Get(alert.LabelName), Category: labels.Get(alert.LabelCategory), Labels: labels,
		State: alert.Firing, Severity: r.severity, Worst: r.severity,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		Message: message(annotations), Reason: r.reason,
		PendingAt: r.startsAt, StartsAt: r.startsAt, UpdatedAt: r.updatedAt, SeverityAt: r.startsAt,
		Outside: &alert.Outside{GeneratorURL: generator, ExpiresAt: r.ExpiresAt()},
	}
	if len(annotations) > 0 {
		a.Annotations = annotations.Map()
	}
	if !r.endsAt.IsZero() {
		a.State, a.EndsAt = alert.Resolved, r.endsAt
	}
	return a
}

// message is the text that says most of the annotations that are usual.
func message(annotations alert.Labels) string {
	for _, name := range [...]string{"summary", "message", "description", "title"} {
		if text := annotations.Get(name); text != "" {
			return text
		}
	}
	return ""
}
