package route

import "time"

// Spec is one node of the routing tree as it is written. The times,
// GroupBy, Escalate and Fallback are inherited from the parent where they are
// left out; Receivers where they are empty.
type Spec struct {
	Match MatchSpec `yaml:"match"` // every matcher must hold; the root has none
	// Receivers are told, by name.
	Receivers []string `yaml:"receivers"`
	GroupBy   []string `yaml:"group_by"` // label names, or ['...'] for every label
	// GroupWait is how long a new group waits for more before it is told, and
	// GroupInterval the time between two messages of a group with changes.
	GroupWait     *time.Duration `yaml:"group_wait"`
	GroupInterval *time.Duration `yaml:"group_interval"`
	// RepeatInterval is the time until what still fires is told again, for all
	// alerts or by severity.
	RepeatInterval *RepeatSpec `yaml:"repeat_interval"`
	// MuteTimeIntervals are names of time intervals in which the route tells
	// nothing; what fires then is told when they end. Children do not inherit
	// them, and the root has none.
	MuteTimeIntervals []string `yaml:"mute_time_intervals"`
	// ActiveTimeIntervals are names of time intervals outside of which the route
	// tells nothing. Children do not inherit them, and the root has none.
	ActiveTimeIntervals []string `yaml:"active_time_intervals"`
	// Escalate tells others when nobody acknowledges, step by step.
	Escalate []StepSpec `yaml:"escalate"`
	// Fallback are receivers that are told when none of Receivers can be.
	Fallback []string `yaml:"fallback"`
	// Continue lets the siblings after this route see the alert too.
	Continue bool `yaml:"continue"`
	// Routes are tried in order: the first that matches takes the alert.
	Routes []Spec `yaml:"routes"`
}

// InhibitSpec holds back target alerts while a source alert fires that has the
// same values of the labels in Equal.
type InhibitSpec struct {
	// Source are matchers of the alerts that hold others back, Target of those
	// that are held back.
	Source MatchSpec `yaml:"source"`
	Target MatchSpec `yaml:"target"`
	// Equal are labels of which both alerts must have the same value.
	Equal []string `yaml:"equal"`
}
