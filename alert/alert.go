// Package alert is the vocabulary that every room of Tocsin shares: labels,
// samples, severities, alerts, events, notifications and deliveries. It is
// called by everyone, imports the standard library only, and never performs
// I/O, reads a clock or starts a goroutine.
package alert

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Names of the labels that every alert carries.
const (
	LabelName     = "alertname" // the rule's id
	LabelCategory = "category"
	LabelSeverity = "severity" // never part of the identity
	LabelSource   = "source"
)

// Sample is one value of one series at one moment. Value is in the metric's
// own unit (see source.Catalog) and is never NaN: a value that is not known is
// a sample that is not there.
type Sample struct {
	Metric string
	Labels Labels
	Value  float64
	At     time.Time
}

// Severity orders what a rule can say of a series. The zero value is OK.
type Severity uint8

// The severities, mildest first.
const (
	OK Severity = iota
	Info
	Warning
	Critical
)

// Severities returns the three severities an alert can have, worst first.
func Severities() [3]Severity { return [3]Severity{Critical, Warning, Info} }

// String returns ok, info, warning or critical.
func (s Severity) String() string {
	switch s {
	case OK:
		return "ok"
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Critical:
		return "critical"
	}
	return "severity(" + strconv.Itoa(int(s)) + ")"
}

// ParseSeverity reads what String wrote.
func ParseSeverity(s string) (Severity, error) {
	for _, sev := range [...]Severity{OK, Info, Warning, Critical} {
		if sev.String() == s {
			return sev, nil
		}
	}
	return OK, fmt.Errorf("severity %q: want critical, warning or info", s)
}

// MarshalText writes the severity as String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	got, err := ParseSeverity(string(text))
	*s = got
	return err
}

// State is where an alert stands in its life cycle.
type State string

// The states. An alert that never reached pending does not exist.
const (
	Inactive State = "inactive" // was pending, and its condition ended before its `for`
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Number is a float64 that JSON shows as null when it is not known (NaN or
// infinite): unknown is null, never 0.
type Number float64

// Unknown is the Number that is not known.
func Unknown() Number { return Number(math.NaN()) }

// Known says whether n is a finite number.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads a number or null.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = Unknown()
		return nil
	}
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("number: %w", err)
	}
	*n = Number(f)
	return nil
}

// Alert is one rule's verdict on one label set, from the moment its condition
// first held until it ended. It is a value: the life cycle makes a new one of
// an old one. Times that have not come are zero.
type Alert struct {
	// ID names this occurrence for ever: the fingerprint and the moment it
	// began, so that it is the same after a restart.
	ID string `json:"id"`
	// Fingerprint is that of Labels; the next occurrence has the same one.
	Fingerprint Fingerprint `json:"fingerprint"`
	// Series is the fingerprint of the series' own labels, by which a restart
	// finds the series again when the rule's labels were changed meanwhile.
	Series Fingerprint `json:"series,omitempty"`

	Rule     string `json:"rule"`
	Category string `json:"category"`
	Metric   string `json:"metric"`
	Unit     string `json:"unit"` // of Value, Threshold and Peak: "%", "ms", "bytes", …
	// Labels are the series' own, the rule's, alertname and category: the
	// identity. AllLabels adds severity.
	Labels Labels `json:"labels"`

	State    State    `json:"state"`
	Severity Severity `json:"severity"` // of a resolved alert: the last it had
	Worst    Severity `json:"worst"`    // the highest it has fired with; OK while pending

	Value     Number `json:"value"`     // the last sample's
	Threshold Number `json:"threshold"` // what the condition compares with; for a change, the baseline
	Verb      string `json:"verb"`      // "below", "above", "increased to", …
	Peak      Number `json:"peak"`      // the worst value while firing

	Message     string            `json:"message"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Reason      string            `json:"reason"` // why it is in this state, in words

	PendingAt time.Time `json:"pending_at"` // its condition first held
	StartsAt  time.Time `json:"starts_at"`  // it fired
	EndsAt    time.Time `json:"ends_at"`    // it resolved, or went inactive
	UpdatedAt time.Time `json:"updated_at"` // its last transition
	// SeverityAt is when it took its present severity.
	SeverityAt time.Time `json:"severity_at"`

	// Samples are the last samples of its series up to its last transition,
	// oldest first, MaxSamples at most: what led to it.
	Samples []Point `json:"samples,omitempty"`
	// Flap is what is remembered of its changes; nil where nothing is. It is
	// never changed in place.
	Flap *Flap `json:"flap,omitempty"`

	// Levels are the timers of its severities, for a restart to go on from.
	Levels [3]Level `json:"levels"`

	// Outside is what is known beside of an alert that was posted from outside;
	// nil for one of our own rules. It is never changed in place.
	Outside *Outside `json:"outside,omitempty"`
}

// Outside is what an alert has that was posted from outside. Its Labels hold
// what was posted, severity included, and its Rule is the alertname.
type Outside struct {
	GeneratorURL string `json:"generator_url,omitempty"`
	// ExpiresAt is when it resolves unless it is posted again.
	ExpiresAt time.Time `json:"expires_at"`
}

// MaxSamples is how many samples travel with an alert.
const MaxSamples = 12

// Point is one sample of an alert's series.
type Point struct {
	At    time.Time `json:"at"`
	Value Number    `json:"value"`
}

// Flap is the memory of an alert that changes too often.
type Flap struct {
	// Changes are the moments of late at which it fired, moved or resolved,
	// over all occurrences, oldest first.
	Changes []time.Time `json:"changes"`
	// Since is when it was found to flap; zero while it does not. From then on
	// it is kept firing until it settles.
	Since time.Time `json:"since,omitzero"`
	// State and Severity are what it would be if it were not kept.
	State    State    `json:"state,omitempty"`
	Severity Severity `json:"severity,omitempty"`
}

// Level is the timer of one severity's condition. Index a [3]Level with
// Severity-1.
type Level struct {
	Since time.Time `json:"since"` // the condition has held since; zero when it does not hold
	// Lost is when the condition ended of a severity that is kept firing for a
	// while; zero when it holds.
	Lost time.Time `json:"lost,omitzero"`
	// Polls are the outcomes of the last polls, the newest in the lowest bit,
	// for a condition that must hold on some of them.
	Polls uint64 `json:"polls,omitempty"`
}

// NewID makes an alert's id of its fingerprint and the moment it began.
func NewID(fp Fingerprint, began time.Time) string {
	return fp.String() + "-" + strconv.FormatInt(began.UnixMilli(), 36)
}

// Began is the moment that its ID names; the zero time where the ID is none of
// NewID's.
func (a *Alert) Began() time.Time {
	_, text, _ := strings.Cut(a.ID, "-")
	ms, err := strconv.ParseInt(text, 36, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// AllLabels returns the identity's labels and severity.
func (a *Alert) AllLabels() Labels {
	if a.Outside != nil {
		return a.Labels
	}
	return a.Labels.With(LabelSeverity, a.Severity.String())
}

// Flapping says whether the alert is kept firing because it changes too often.
func (a *Alert) Flapping() bool { return a.Flap != nil && !a.Flap.Since.IsZero() }

// Active says whether the alert is firing.
func (a *Alert) Active() bool { return a.State == Firing }

// Count is how many of the remembered polls held.
func (l *Level) Count() int { return bits.OnesCount64(l.Polls) }
