package alert

import (
	"encoding/json"
	"fmt"
	"time"
)

// Silence holds back what is told of the alerts that it matches while it is
// active: an end that a receiver waits for is told all the same.
type Silence struct {
	ID       string   `json:"id"`
	Matchers Matchers `json:"matchers"` // at least one, one of which does not match the empty string
	// It is active in [StartsAt, EndsAt).
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	// UpdatedAt is its last change.
	UpdatedAt time.Time `json:"updated_at"`
	CreatedBy string    `json:"created_by"`
	Comment   string    `json:"comment"`
	// WarnedFor is the EndsAt that was warned of; zero for none.
	WarnedFor time.Time `json:"warned_for,omitzero"`
}

// SilenceState is how a silence stands.
type SilenceState string

// The states of a silence.
const (
	SilencePending SilenceState = "pending" // it has not begun
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// State is how the silence stands at a moment.
func (s *Silence) State(now time.Time) SilenceState {
	switch {
	case !now.Before(s.EndsAt):
		return SilenceExpired
	case now.Before(s.StartsAt):
		return SilencePending
	}
	return SilenceActive
}

// Ack says that somebody has taken an alert up, or wants to hear nothing of it
// for a while. There is one an alert at most: the later takes the place of the
// earlier. It ends with its alert, and when the alert's severity rises.
type Ack struct {
	AlertID string    `json:"alert_id"`
	By      string    `json:"by"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
	// Severity is the alert's when it was acknowledged.
	Severity Severity `json:"severity"`
	// Until ends a snooze: before it nothing is told of the alert, and then it
	// is told again. Zero for an acknowledgement, which stops repeats and
	// escalation and nothing else.
	Until time.Time `json:"until,omitzero"`
}

// Snooze tells a snooze from an acknowledgement.
func (a *Ack) Snooze() bool { return !a.Until.IsZero() }

// MarshalText writes the matcher as String does.
func (m Matcher) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMatcher does.
func (m *Matcher) UnmarshalText(text []byte) error {
	got, err := ParseMatcher(string(text))
	if err != nil {
		return err
	}
	*m = got
	return nil
}

// UnmarshalJSON reads an array of matchers as texts.
func (ms *Matchers) UnmarshalJSON(data []byte) error {
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("matchers: %w", err)
	}
	*ms = make(Matchers, len(texts))
	for i, text := range texts {
		if err := (*ms)[i].UnmarshalText([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}
