package lint

import (
	"maps"
	"math"

	"github.com/tocsin-dev/tocsin/engine/rule"
)

// A condition is brought into alternatives, each of which asks some operands to
// lie in sets, and some parts that are not understood to hold or not to. It is
// true, and not merely unknown, only where all that one alternative asks for is
// known and so.

// alternative is one way for a condition to hold.
type alternative struct {
	sets   map[string]set  // by the operand's text
	opaque map[string]bool // by text: it holds, or does not
}

// maxAlternatives bounds the work; a condition with more is not understood.
const maxAlternatives = 64

// alternatives returns the ways in which a condition can hold, or with holds
// false can fail. Ways that contradict themselves are left out. ok is false when
// there are too many.
func (j *judgement) alternatives(f rule.Form, holds bool) (ways []alternative, ok bool) {
	switch f.Kind {
	case rule.FormAnd:
		return j.combine(f.Parts, holds, holds)
	case rule.FormOr:
		return j.combine(f.Parts, holds, !holds)
	case rule.FormNot:
		return j.alternatives(f.Parts[0], !holds)
	case rule.FormFixed:
		if f.Holds != holds {
			return nil, true
		}
		return []alternative{{}}, true
	case rule.FormCompare, rule.FormOther:
	}
	if !understood(f) {
		return []alternative{{opaque: map[string]bool{f.Text: holds}}}, true
	}
	op := f.Comparison.Op
	if !holds {
		op = opposite(op)
	}
	s := compared(op, f.Comparison.Threshold).and(j.possible(f))
	if s.empty() {
		return nil, true
	}
	return []alternative{{sets: map[string]set{f.Comparison.Left: s}}}, true
}

// understood says whether a part is a comparison with a constant.
func understood(f rule.Form) bool {
	return f.Kind == rule.FormCompare && !math.IsNaN(f.Comparison.Threshold)
}

func opposite(op string) string {
	return map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}[op]
}

// combine returns the alternatives of parts of which all must hold, or any.
func (j *judgement) combine(parts []rule.Form, holds, all bool) ([]alternative, bool) {
	var ways []alternative
	if all {
		ways = []alternative{{}}
	}
	for _, part := range parts {
		more, ok := j.alternatives(part, holds)
		if !ok {
			return nil, false
		}
		if all {
			ways = product(ways, more)
		} else {
			ways = append(ways, more...)
		}
		if len(ways) > maxAlternatives {
			return nil, false
		}
	}
	return merged(ways), true
}

func product(a, b []alternative) []alternative {
	var out []alternative
	for _, x := range a {
		for _, y := range b {
			if both, possible := x.and(y); possible {
				out = append(out, both)
			}
		}
	}
	return out
}

// and returns the way that is both; false when they contradict each other.
func (a alternative) and(b alternative) (alternative, bool) {
	out := alternative{maps.Clone(a.sets), maps.Clone(a.opaque)}
	if out.sets == nil {
		out.sets = map[string]set{}
	}
	if out.opaque == nil {
		out.opaque = map[string]bool{}
	}
	for operand, s := range b.sets {
		if own, ok := out.sets[operand]; ok {
			s = own.and(s)
		}
		if s.empty() {
			return alternative{}, false
		}
		out.sets[operand] = s
	}
	for text, holds := range b.opaque {
		if own, ok := out.opaque[text]; ok && own != holds {
			return alternative{}, false
		}
		out.opaque[text] = holds
	}
	return out, true
}

// merged joins the ways that differ in the set of one operand only:
// value < 10 or value < 20 is one way.
func merged(ways []alternative) []alternative {
	for i := 0; i < len(ways); i++ {
		for k := i + 1; k < len(ways); k++ {
			if both, ok := ways[i].or(ways[k]); ok {
				ways[i] = both
				ways = append(ways[:k], ways[k+1:]...)
				k = i // it may join with those before, too
			}
		}
	}
	return ways
}

// or returns the one way that is either, if there is one.
func (a alternative) or(b alternative) (alternative, bool) {
	if len(a.sets) != len(b.sets) || !maps.Equal(a.opaque, b.opaque) {
		return alternative{}, false
	}
	differs := ""
	for operand, s := range a.sets {
		t, ok := b.sets[operand]
		switch {
		case !ok || differs != "" && !same(s, t):
			return alternative{}, false
		case !same(s, t):
			differs = operand
		}
	}
	out := alternative{maps.Clone(a.sets), a.opaque}
	if differs != "" {
		out.sets[differs] = a.sets[differs].or(b.sets[differs])
	}
	return out, true
}

func same(s, t set) bool { return s.within(t) && t.within(s) }

// implies says that b holds whenever a does. What b asks for must be known
// where a holds, so that neither is unknown there.
func (a alternative) implies(b alternative) bool {
	for operand, wanted := range b.sets {
		if s, ok := a.sets[operand]; !ok || !s.within(wanted) {
			return false
		}
	}
	for text, wanted := range b.opaque {
		if holds, ok := a.opaque[text]; !ok || holds != wanted {
			return false
		}
	}
	return true
}

// implied says that one of the ways holds whenever a does.
func implied(a alternative, ways []alternative) bool {
	for _, way := range ways {
		if a.implies(way) {
			return true
		}
	}
	return false
}

// allImplied says that one of the second ways holds whenever one of the first
// does.
func allImplied(ways, others []alternative) bool {
	for _, way := range ways {
		if !implied(way, others) {
			return false
		}
	}
	return true
}

// operands adds what a formula looks at, operands and opaque parts, to a set.
func operands(f rule.Form, into map[string]bool) {
	switch {
	case understood(f):
		into[f.Comparison.Left] = true
	case f.Kind == rule.FormCompare || f.Kind == rule.FormOther:
		into["opaque "+f.Text] = true
	}
	for _, part := range f.Parts {
		operands(part, into)
	}
}
