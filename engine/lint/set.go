package lint

import (
	"cmp"
	"math"
	"slices"
)

// set is a set of numbers: disjoint spans in order, with no two that touch.
type set []span

// span is the numbers between two bounds. An infinite bound is open.
type span struct {
	low, high         float64
	lowOpen, highOpen bool
}

func everything() set { return set{{math.Inf(-1), math.Inf(1), true, true}} }

func atLeast(v float64) set { return set{{v, math.Inf(1), false, true}} }

func between(low, high float64) set { return set{{low, high, false, false}} }

// compared returns the numbers for which a comparison with v holds.
func compared(op string, v float64) set {
	switch op {
	case "<":
		return set{{math.Inf(-1), v, true, true}}
	case "<=":
		return set{{math.Inf(-1), v, true, false}}
	case ">":
		return set{{v, math.Inf(1), true, true}}
	case ">=":
		return atLeast(v)
	case "==":
		return between(v, v)
	}
	return set{{math.Inf(-1), v, true, true}, {v, math.Inf(1), true, true}}
}

func (s span) empty() bool {
	return s.low > s.high || s.low == s.high && (s.lowOpen || s.highOpen)
}

func (s span) and(t span) span {
	switch {
	case t.low > s.low:
		s.low, s.lowOpen = t.low, t.lowOpen
	case t.low == s.low:
		s.lowOpen = s.lowOpen || t.lowOpen
	}
	switch {
	case t.high < s.high:
		s.high, s.highOpen = t.high, t.highOpen
	case t.high == s.high:
		s.highOpen = s.highOpen || t.highOpen
	}
	return s
}

func (s set) and(t set) set {
	var out set
	for _, a := range s {
		for _, b := range t {
			if c := a.and(b); !c.empty() {
				out = append(out, c)
			}
		}
	}
	return out
}

func (s set) or(t set) set {
	all := append(slices.Clone(s), t...)
	slices.SortFunc(all, func(a, b span) int {
		if c := cmp.Compare(a.low, b.low); c != 0 || a.lowOpen == b.lowOpen {
			return c
		}
		if a.lowOpen {
			return 1
		}
		return -1
	})
	var out set
	for _, next := range all {
		if n := len(out); n > 0 && out[n-1].meets(next) {
			out[n-1] = out[n-1].join(next)
			continue
		}
		out = append(out, next)
	}
	return out
}

// meets says whether no number lies between s and t, which begins no earlier.
func (s span) meets(t span) bool {
	return t.low < s.high || t.low == s.high && (!s.highOpen || !t.lowOpen)
}

func (s span) join(t span) span {
	switch {
	case t.high > s.high:
		s.high, s.highOpen = t.high, t.highOpen
	case t.high == s.high:
		s.highOpen = s.highOpen && t.highOpen
	}
	return s
}

func (s set) empty() bool { return len(s) == 0 }

// within says whether every number of s is in t.
func (s set) within(t set) bool { return slices.Equal(s.and(t), s) }
