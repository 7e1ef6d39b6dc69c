package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/internal/units"
)

// Options is what a condition is compiled with beside its text. The zero value
// is right for most.
type Options struct {
	// Zone is where times of day and weekdays are told; nil is UTC.
	Zone *time.Location
	// Margin makes the condition hold longer.
	Margin Margin
	// Derived compiles for a derived metric: there is no series of its own, and
	// metric("x") is the group's.
	Derived bool
}

// Margin widens a condition, so that an alert that fires does not resolve on
// the edge of its threshold: compile the condition a second time with it, and
// judge by that one while the alert fires. Each comparison of the rule's own
// series with a threshold T by <, <=, > or >= holds longer by m: x < T becomes
// x < T+m, and x > T becomes x > T-m; under `not` it is the other way round, for
// there the comparison must cease sooner. Untouched are == and !=, comparisons
// of other metrics, of labels and of the time, counts and rates, and what
// decides in a ? b : c.
type Margin struct {
	// Absolute is m in the metric's unit. It does not apply to a comparison in
	// another dimension, such as change_pct.
	Absolute float64
	// Relative makes m that share of |T|: 0.05 is five hundredths. It adds to
	// Absolute.
	Relative float64
}

// widened moves the threshold of a comparison by the margin. mirrored says that
// the threshold stands on the left.
func (c *compiler) widened(op string, left, right node) (node, node) {
	m := c.options.Margin
	if m == (Margin{}) || c.undirected > 0 {
		return left, right
	}
	of, threshold := &left, &right
	if leftIsThreshold(left, right) {
		of, threshold, op = &right, &left, mirrored(op)
	}
	sign := map[string]float64{"<": 1, "<=": 1, ">": -1, ">=": -1}[op]
	if of.from == originOther || sign == 0 {
		return left, right
	}
	if c.negated {
		sign = -sign
	}
	absolute, own := m.Absolute, unitOf(c.metric)
	if own.dim != of.unit.dim || of.unit.bare {
		absolute = 0
	} else {
		absolute *= own.factor / of.unit.factor
	}
	num := threshold.num
	threshold.num = func(f *frame) float64 {
		t := num(f)
		return t + sign*(absolute+m.Relative*max(t, -t))
	}
	if threshold.constant != nil {
		t := threshold.num(nil)
		threshold.constant = &t
	}
	return left, right
}

// leftIsThreshold says which side of a comparison is the threshold: what stands
// on the other side of the series.
func leftIsThreshold(left, right node) bool {
	return left.constant != nil || left.from == originOther && right.from != originOther
}

// name is the unit as metrics write theirs.
func (u unit) name() string {
	switch {
	case u.bare || u.dim == units.None:
		return ""
	case u.dim == units.Percent:
		return "%"
	case u.dim == units.Bytes && u.factor == 1:
		return "bytes"
	}
	for _, name := range units.SuffixNames() {
		if factor, dim, _ := units.Suffix(name); dim == u.dim && factor == u.factor {
			return name
		}
	}
	return ""
}
