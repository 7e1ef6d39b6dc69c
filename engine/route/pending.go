package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// Interval is a time interval by name.
type Interval struct{ Name string }

func (*Interval) Contains(time.Time) bool  { return false }
func (*Interval) Next(time.Time) time.Time { return time.Time{} }

type Step struct {
	After     time.Duration
	Receivers []string
}

func (r *Route) RepeatOf(alert.Severity) time.Duration { return r.RepeatInterval }

type Maintenance struct {
	Name  string
	Match alert.Matchers
}

func (*Maintenance) Active(time.Time) bool    { return false }
func (*Maintenance) Next(time.Time) time.Time { return time.Time{} }
