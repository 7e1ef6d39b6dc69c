package lint

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// condition judges one condition by itself.
func (j *judgement) condition(p *rule.Part) {
	decided := true // what is wrong with a comparison explains the whole
	comparisons(p.Form, func(c rule.Form) {
		if j.comparison(p, c) {
			decided = false
		}
	})
	if !decided {
		return
	}
	j.never(p, p.Form)
	if ways, ok := j.ways(p, false); ok && len(ways) == 0 {
		j.warn(problem.AlwaysTrue, 0, "", "this always holds", p.Path)
	}
}

// comparisons visits the comparisons with constants, however they are joined.
func comparisons(f rule.Form, visit func(rule.Form)) {
	if understood(f) {
		visit(f)
	}
	for _, part := range f.Parts {
		comparisons(part, visit)
	}
}

// comparison judges one comparison by what its operand can be; true when it
// warned that the comparison decides nothing.
func (j *judgement) comparison(p *rule.Part, c rule.Form) bool {
	j.fraction(p, c)
	can := j.possible(c)
	if same(can, everything()) {
		return false
	}
	holds := compared(c.Comparison.Op, c.Comparison.Threshold).and(can)
	what := c.Comparison.Left
	if c.Func == "value" {
		what = j.rule.Metric.Name
	}
	m := c.Metric
	switch {
	case c.Func == "age" || c.Func == "abs" || c.Func == "count" || c.Func == "change_pct":
		m.Unit = ""
	case c.Func != "value" && c.Func != "metric":
		what = c.Func + " of " + m.Name
	case c.Func == "metric":
		what = m.Name
	}
	switch {
	case holds.empty():
		j.warn(problem.OutOfRange, c.Offset, "", fmt.Sprintf("this never holds: %s %s", what, can.describe(m)), p.Path)
	case same(holds, can):
		j.warn(problem.AlwaysTrue, c.Offset, "", fmt.Sprintf("this always holds: %s %s", what, can.describe(m)), p.Path)
	default:
		return false
	}
	return true
}

// fraction warns of value < 0.75 for a metric in percent. Small percentages are
// meant where little is too much, as of errors; with the sign they are said to
// be meant.
func (j *judgement) fraction(p *rule.Part, c rule.Form) {
	if c.Percent || c.Comparison.Threshold <= 0 || c.Comparison.Threshold >= 1 || c.Metric.Unit != "%" {
		return
	}
	if f := c.Func; f != "value" && f != "metric" && f != "min" && f != "max" && !isMean(f) {
		return
	}
	below := strings.HasPrefix(c.Comparison.Op, "<")
	above := strings.HasPrefix(c.Comparison.Op, ">") && usedOfLimit(c.Metric.Name)
	if !below && !above {
		return
	}
	hint := fmt.Sprintf("write %s, or %s%% where that is meant", number(100*c.Comparison.Threshold, ""), number(c.Comparison.Threshold, ""))
	j.warn(problem.Fraction, c.Offset, hint, fmt.Sprintf("%s is in percent, and this is less than one of them", c.Metric.Name), p.Path)
}

// usedOfLimit names the percentages that are worth a word near the whole only.
func usedOfLimit(metric string) bool {
	for _, suffix := range [...]string{"usage", "hit_rate", "cpu"} {
		if strings.HasSuffix(metric, suffix) {
			return true
		}
	}
	return false
}

// never warns of a condition that contradicts itself, or of a part of it that is
// joined to the rest by or.
func (j *judgement) never(p *rule.Part, f rule.Form) {
	if f.Kind == rule.FormCompare || f.Kind == rule.FormOther {
		return // what it can be is told by comparison
	}
	if f.Kind == rule.FormOr {
		for _, part := range f.Parts {
			j.never(p, part)
		}
		return
	}
	ways, ok := j.alternatives(f, true)
	if !ok || len(ways) > 0 {
		return
	}
	offset := math.MaxInt
	comparisons(f, func(c rule.Form) { offset = min(offset, c.Offset) })
	if f.Kind == rule.FormAnd && offset < math.MaxInt {
		j.warn(problem.NeverFires, offset, "join them with or where either is meant", "this can never hold: its parts contradict each other", p.Path)
		return
	}
	j.warn(problem.NeverFires, 0, "", "this can never hold", p.Path)
}

// number writes a number with the unit as conditions have it.
func number(v float64, unit string) string {
	if unit == "bytes" {
		unit = "B"
	}
	if strings.Contains(unit, "/") {
		unit = "" // no condition can have it
	}
	return strconv.FormatFloat(v, 'g', 12, 64) + unit
}
