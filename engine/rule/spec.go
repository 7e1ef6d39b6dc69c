package rule

import "time"

// File is a rule file as it is written.
type File struct {
	Rules []Spec     `yaml:"rules"`
	Tests []TestSpec `yaml:"tests"`
}

// Spec is a rule as it is written. Compile checks it and makes a Rule of it.
type Spec struct {
	ID       string `yaml:"id"`
	Category string `yaml:"category"`
	// Metric names the series that the rule judges: one alert per label set.
	Metric string `yaml:"metric"`
	// Match limits the rule to label sets that satisfy every matcher.
	Match []string `yaml:"match"`

	Critical When `yaml:"critical"`
	Warning  When `yaml:"warning"`
	Info     When `yaml:"info"`
	// Clear must hold before an alert that fires may resolve.
	Clear string `yaml:"clear"`
	// For is the severities' `for` where they give none of their own.
	For time.Duration `yaml:"for"`

	// NoData is keep, ok, info, warning or critical; empty is keep.
	NoData string `yaml:"no_data"`
	// NoDataAfter is how old the last sample may grow; zero is three intervals
	// of its source.
	NoDataAfter time.Duration `yaml:"no_data_after"`
	// WarmUp holds the judgement of a source whose process has just started.
	WarmUp time.Duration `yaml:"warm_up"`

	// Message is a text/template; see Message in the manual for its fields.
	Message     string            `yaml:"message"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
	Disabled    bool              `yaml:"disabled"`
}

// When is one severity's condition: a bare expression, or a mapping with its
// own `for`.
type When struct {
	When string         `yaml:"when"`
	For  *time.Duration `yaml:"for"` // nil: the rule's For
}

// FromScalar takes the short form, `critical: value < 70`.
func (w *When) FromScalar(text string) error {
	w.When = text
	return nil
}
