package rule

import (
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// What follows is a rule taken apart, for those who reason about what it can
// and cannot do.

// Part is one condition of a rule, and how it counts.
type Part struct {
	// Path is where it is written below the rule: critical, warning.when, clear.
	Path string
	// Severity is OK for clear and min_volume.
	Severity  alert.Severity
	Condition *Condition
	Form      Form
	For       time.Duration
	Keep      time.Duration // keep_firing_for
	Polls     Polls
}

// Window is one call of a function of one window in a condition.
type Window struct {
	Func   string
	Metric string
	Length time.Duration
	// Offset is where the call begins in the condition, in bytes.
	Offset int
}

// WindowCalls returns the calls of functions of one window, in their order.
func (c *Condition) WindowCalls() []Window { return c.calls }

// Parts returns the rule's conditions, gravest first, then clear and min_volume.
// Its overrides are rules of their own: see Overridden.
func (r *Rule) Parts() []Part {
	var parts []Part
	add := func(p Part, c *Condition) {
		if c != nil {
			p.Condition, p.Form = c, c.Form()
			parts = append(parts, p)
		}
	}
	for _, severity := range alert.Severities() {
		lv, when, path := &r.levels[severity-1], r.Spec.level(severity), severity.String()
		if when != (When{When: when.When}) {
			path += ".when"
		}
		add(Part{Path: path, Severity: severity, For: lv.hold, Keep: lv.keep, Polls: lv.polls}, lv.when)
	}
	add(Part{Path: "clear"}, r.clear)
	add(Part{Path: "min_volume"}, r.minVolume)
	return parts
}

// Changed is a rule as an override makes it; Path is overrides[0] and so on.
type Changed struct {
	Path  string
	Match alert.Matchers
	Rule  *Rule // nil where the rule is off
	// Wrote says whether the override has the field at a path itself.
	Wrote func(path string) bool
}

// Overridden returns what the overrides make of the rule, in their order.
func (r *Rule) Overridden() []Changed {
	all := make([]Changed, 0, len(r.variants))
	for i, v := range r.variants {
		o := &r.Spec.Overrides[i]
		all = append(all, Changed{Path: fmt.Sprintf("overrides[%d]", i), Match: v.match, Rule: v.rule, Wrote: o.wrote})
	}
	return all
}
