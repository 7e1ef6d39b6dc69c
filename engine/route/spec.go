package route

import "time"

// Spec is one node of the routing tree as it is written. The times and
// GroupBy are inherited from the parent where they are nil; Receivers where
// they are empty.
type Spec struct {
	Match          []string       `yaml:"match"` // every matcher must hold; the root has none
	Receivers      []string       `yaml:"receivers"`
	GroupBy        []string       `yaml:"group_by"` // label names, or ['...'] for every label
	GroupWait      *time.Duration `yaml:"group_wait"`
	GroupInterval  *time.Duration `yaml:"group_interval"`
	RepeatInterval *time.Duration `yaml:"repeat_interval"`
	// Continue lets the siblings after this route see the alert too.
	Continue bool   `yaml:"continue"`
	Routes   []Spec `yaml:"routes"`
}

// InhibitSpec holds back target alerts while a source alert fires that has the
// same values of the labels in Equal.
type InhibitSpec struct {
	Source []string `yaml:"source"`
	Target []string `yaml:"target"`
	Equal  []string `yaml:"equal"`
}
