package external

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Record is one alert as it is kept: its texts in one string, in which those that
// many alerts share are numbers, so that a hundred thousand of them stay small.
// It is a route.Body. All but its expiry is never changed.
type Record struct {
	symbols *symbols
	fp      alert.Fingerprint
	// text is the number of labels, their names and values, the number of
	// annotations, theirs, and the generator's URL.
	text string
	// Moments are nanoseconds since 1970; began is the id's, in milliseconds.
	began, startsAt, updatedAt int64
	endsAt                     int64 // 0 while it fires
	expires                    atomic.Int64
	noted                      int64 // the expiry that the agenda and the store know
	severity                   alert.Severity
	explicit                   bool // the sender gave the expiry
	reason                     reason
}

// reason is why an alert is in its state.
type reason uint8

const (
	justPosted reason = iota
	endGiven
	endForeseen
	endUnheard
)

func (r reason) String() string {
	return [...]string{
		"posted from outside", "resolved by its sender", "its end as given by its sender has come", "not posted again within resolve_timeout",
	}[r]
}

// pack writes the texts of what was posted. It shares no memory with it.
func (s *symbols) pack(p *alert.Posted) string {
	size := 4 + len(p.GeneratorURL)
	for _, set := range [...]alert.Labels{p.Labels, p.Annotations} {
		for i := range set {
			size += len(set[i].Value) + 8
		}
	}
	b := make([]byte, 0, size)
	for _, set := range [...]alert.Labels{p.Labels, p.Annotations} {
		b = binary.AppendUvarint(b, uint64(len(set)))
		for i := range set {
			b = s.append(b, set[i].Name)
			b = s.append(b, set[i].Value)
		}
	}
	return string(s.append(b, p.GeneratorURL))
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
			name, text = r.symbols.cut(text)
			value, text = r.symbols.cut(text)
			if name != set[i].Name || value != set[i].Value {
				return false
			}
		}
	}
	generator, _ := r.symbols.cut(text)
	return generator == p.GeneratorURL && (p.StartsAt.IsZero() || nanos(p.StartsAt) >= r.startsAt)
}

// set reads a set of labels off the text. The strings share its memory.
func (r *Record) set(text string) (alert.Labels, string) {
	n, text := cut(text)
	set := make(alert.Labels, n)
	for i := range set {
		set[i].Name, text = r.symbols.cut(text)
		set[i].Value, text = r.symbols.cut(text)
	}
	return set, text
}

// ID names the occurrence; see alert.Alert.
func (r *Record) ID() string { return alert.NewID(r.fp, time.UnixMilli(r.began)) }

// Rule is the alert's name.
func (r *Record) Rule() string { return r.Label(alert.LabelName) }

// StartsAt is when it began to fire, as its sender has it.
func (r *Record) StartsAt() time.Time { return moment(r.startsAt) }

// Fingerprint is that of the labels.
func (r *Record) Fingerprint() alert.Fingerprint { return r.fp }

// Labels returns the labels as they were posted.
func (r *Record) Labels() alert.Labels {
	labels, _ := r.set(r.text)
	return labels
}

// Label returns one of them; empty when there is none of that name.
func (r *Record) Label(name string) string {
	n, text := cut(r.text)
	for range n {
		var key, value string
		key, text = r.symbols.cut(text)
		value, text = r.symbols.cut(text)
		if key == name {
			return value
		}
	}
	return ""
}

// ExpiresAt is when it resolves unless it is posted again.
func (r *Record) ExpiresAt() time.Time { return moment(r.expires.Load()) }

// Alert returns the whole alert.
func (r *Record) Alert() alert.Alert {
	labels, rest := r.set(r.text)
	annotations, rest := r.set(rest)
	generator, _ := r.symbols.cut(rest)
	startsAt := moment(r.startsAt)
	a := alert.Alert{
		ID: r.ID(), Fingerprint: r.fp, Rule: labels.Get(alert.LabelName), Category: labels.Get(alert.LabelCategory), Labels: labels,
		State: alert.Firing, Severity: r.severity, Worst: r.severity,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		Message: message(annotations), Reason: r.reason.String(),
		PendingAt: startsAt, StartsAt: startsAt, UpdatedAt: moment(r.updatedAt), SeverityAt: startsAt,
		Outside: &alert.Outside{GeneratorURL: generator, ExpiresAt: r.ExpiresAt()},
	}
	if len(annotations) > 0 {
		a.Annotations = annotations.Map()
	}
	if r.endsAt != 0 {
		a.State, a.EndsAt = alert.Resolved, moment(r.endsAt)
	}
	return a
}

// nanos is a moment as a record keeps it; one that an int64 cannot hold becomes
// the nearest that it can.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func moment(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// message is the text that says most of the annotations that are usual.
func message(annotations alert.Labels) string {
	for _, name := range [...]string{"summary", "message", "description", "title"} {
		if text := annotations.Get(name); text != "" {
			return text
		}
	}
	return ""
}
