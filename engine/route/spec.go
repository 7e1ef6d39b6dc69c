package route

import "time"

// Spec is one node of the routing tree as it is written. The times and
// GroupBy are inherited from the parent where they are left out; Receivers
// where they are empty.
type Spec struct {
	Match []string `yaml:"match"` // every matcher must hold; the root has none
	// Receivers are told, by name.
	Receivers []string `yaml:"receivers"`
	GroupBy   []string `yaml:"group_by"` // label names, or ['...'] for every label
	// GroupWait is how long a new group waits for more before it is told,
	// GroupInterval the time between two messages of a group with changes, and
	// RepeatInterval that between two without.
	GroupWait      *time.Duration `yaml:"group_wait"`
	GroupInterval  *time.Duration `yaml:"group_interval"`
	RepeatInterval *time.Duration `yaml:"repeat_interval"`
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
	Source []string `yaml:"source"`
	Target []string `yaml:"target"`
	// Equal are labels of which both alerts must have the same value.
	Equal []string `yaml:"equal"`
}
