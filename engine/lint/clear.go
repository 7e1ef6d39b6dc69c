package lint

import (
	"slices"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// clear warns of a clear that keeps every alert for ever, and of one that keeps
// none: an alert ends when no condition holds, and clear does.
func (j *judgement) clear() {
	clear, levels := j.part("clear"), j.levels()
	if clear == nil || len(levels) == 0 {
		return
	}
	for _, level := range levels {
		if level.Polls.Of > 0 {
			return // that it is over does not say that its condition does not hold
		}
	}
	ways, ok := j.ways(clear, true)
	if !ok || len(ways) == 0 {
		return // told of it by itself
	}
	paths := []string{"clear"}
	for _, level := range levels {
		paths = append(paths, level.Path)
	}
	switch {
	case j.neverClears(ways, levels):
		j.warn(problem.ClearNever, 0, "it must hold where they do not: on the good side of the threshold",
			"this holds only while a condition does: the alert would stay for ever", paths...)
	case j.rule.Spec.ClearMargin.Value == 0 && !kept(levels) && j.clearsAtOnce(ways, levels):
		hint := "write it with a threshold that lies beyond theirs, on the good side"
		if j.rule.Metric.Kind == source.State {
			hint = "leave it out; keep_firing_for keeps the alert for a while"
		}
		j.warn(problem.ClearUseless, 0, hint,
			"this holds as soon as no condition does: the alert comes and goes with every change", paths...)
	}
}

// kept says whether every severity goes on for a while when its condition ends,
// which is what clear is for.
func kept(levels []*rule.Part) bool {
	return !slices.ContainsFunc(levels, func(l *rule.Part) bool { return l.Keep == 0 })
}

// neverClears says that clear holds in no way in which the conditions fail. A
// condition counts only where it is known whenever clear is, or where every one
// by itself contradicts clear.
func (j *judgement) neverClears(ways []alternative, levels []*rule.Part) bool {
	for _, way := range ways {
		known, each := []alternative{way}, true
		for _, level := range levels {
			fails, ok := j.ways(level, false)
			if !ok {
				return false
			}
			each = each && len(product([]alternative{way}, fails)) == 0
			if way.knows(level.Form) {
				known = product(known, fails)
			}
		}
		if !each && len(known) > 0 {
			return false
		}
	}
	return true
}

// knows says whether nothing that a formula looks at is unknown where a holds.
func (a alternative) knows(f rule.Form) bool {
	looked := map[string]bool{}
	operands(f, looked)
	for operand := range a.sets {
		delete(looked, operand)
	}
	for text := range a.opaque {
		delete(looked, "opaque "+text)
	}
	return len(looked) == 0
}

// clearsAtOnce says that clear holds in every way in which the conditions fail:
// each by itself, or all together where they look at the same.
func (j *judgement) clearsAtOnce(ways []alternative, levels []*rule.Part) bool {
	together, each := []alternative{{}}, true
	alike := true
	for _, level := range levels {
		fails, ok := j.ways(level, false)
		if !ok || len(fails) == 0 {
			return false
		}
		each = each && allImplied(fails, ways)
		alike = alike && lookAlike(level.Form, levels[0].Form)
		together = product(together, fails)
	}
	return each || alike && len(together) > 0 && allImplied(together, ways)
}

func lookAlike(a, b rule.Form) bool {
	x, y := map[string]bool{}, map[string]bool{}
	operands(a, x)
	operands(b, y)
	for operand := range x {
		if !y[operand] {
			return false
		}
	}
	return len(x) == len(y)
}
