package external

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Record is one alert as it is kept: its texts and moments in one string, in
// which texts that many alerts share are numbers, so that a hundred thousand of
// them stay small. It is a route.Body. All but its expiry is never changed.
type Record struct {
	symbols *symbols
	fp      alert.Fingerprint
	// packed is the moments, then the number of labels, their names and values,
	// the number of annotations, theirs, and the generator's URL.
	packed  string
	expires atomic.Int64 // in nanoseconds since 1970
	// slot is the record's in the agenda, which has the expiry that the store
	// knows. It is the registry's alone.
	slot     int32
	severity alert.Severity
	explicit bool // the sender gave the expiry
	reason   reason
}

// moments are in nanoseconds since 1970.
type moments struct {
	updatedAt, startsAt int64
	began               int64 // the id's, in milliseconds
	endsAt              int64 // 0 while it fires
}

// append writes the moments, as how far they are from the last.
func (m *moments) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(m.updatedAt)) //nolint:gosec // its bits
	b = binary.AppendVarint(b, m.updatedAt-m.startsAt)           // it may overflow, and does so back
	b = binary.AppendVarint(b, m.updatedAt/int64(time.Millisecond)-m.began)
	if m.endsAt == 0 {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), m.updatedAt-m.endsAt)
}

// cutMoments takes them off the text.
func cutMoments(text string) (m moments, rest string) {
	for i := range 8 {
		m.updatedAt |= int64(text[i]) << (8 * i)
	}
	text = text[8:]
	ago, text := cutSigned(text)
	m.startsAt = m.updatedAt - ago
	ago, text = cutSigned(text)
	m.began = m.updatedAt/int64(time.Millisecond) - ago
	over, text := cut(text)
	if over == 1 {
		ago, text = cutSigned(text)
		m.endsAt = m.updatedAt - ago
	}
	return m, text
}

// moments are the record's, texts what follows them.
func (r *Record) moments() moments {
	m, _ := cutMoments(r.packed)
	return m
}

func (r *Record) texts() string {
	_, texts := cutMoments(r.packed)
	return texts
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

// ID names the occurrence; see alert.Alert.
func (r *Record) ID() string { return alert.NewID(r.fp, time.UnixMilli(r.moments().began)) }

// Rule is the alert's name.
func (r *Record) Rule() string { return r.Label(alert.LabelName) }

// StartsAt is when it began to fire, as its sender has it.
func (r *Record) StartsAt() time.Time { return moment(r.moments().startsAt) }

// Fingerprint is that of the labels.
func (r *Record) Fingerprint() alert.Fingerprint { return r.fp }

// Labels returns the labels as they were posted.
func (r *Record) Labels() alert.Labels {
	labels, _ := r.symbols.set(r.texts(), nil)
	return labels
}

// Label returns one of them; empty when there is none of that name.
func (r *Record) Label(name string) string {
	n, text := cut(r.texts())
	for range n {
		var key, value string
		key, text = r.symbols.cut(text, nil)
		value, text = r.symbols.cut(text, nil)
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
	m, rest := cutMoments(r.packed)
	labels, rest := r.symbols.set(rest, nil)
	annotations, rest := r.symbols.set(rest, labels)
	generator, _ := r.symbols.cut(rest, labels)
	startsAt := moment(m.startsAt)
	a := alert.Alert{
		ID: alert.NewID(r.fp, time.UnixMilli(m.began)), Fingerprint: r.fp, Rule: labels.Get(alert.LabelName), Category: labels.Get(alert.LabelCategory), Labels: labels,
		State: alert.Firing, Severity: r.severity, Worst: r.severity,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		Message: message(annotations), Reason: r.reason.String(),
		PendingAt: startsAt, StartsAt: startsAt, UpdatedAt: moment(m.updatedAt), SeverityAt: startsAt,
		Outside: &alert.Outside{GeneratorURL: generator, ExpiresAt: r.ExpiresAt()},
	}
	if len(annotations) > 0 {
		a.Annotations = annotations.Map()
	}
	if m.endsAt != 0 {
		a.State, a.EndsAt = alert.Resolved, moment(m.endsAt)
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
