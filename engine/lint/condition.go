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
	understood := true // what is wrong with a comparison explains the whole
	comparisons(p.Formula, func(c rule.Compare) {
		if j.comparison(p, c) {
			understood = false
		}
	})
	if !understood {
		return
	}
	j.never(p, p.Formula)
	if ways, ok := j.alternatives(p.Formula, false); ok && len(ways) == 0 {
		j.warn(problem.AlwaysTrue, 0, "", "this always holds", p.Path)
	}
}

func comparisons(f rule.Formula, visit func(rule.Compare)) {
	switch f := f.(type) {
	case rule.All:
		for _, part := range f {
			comparisons(part, visit)
		}
	case rule.Any:
		for _, part := range f {
			comparisons(part, visit)
		}
	case rule.Not:
		comparisons(f.Part, visit)
	case rule.Compare:
		visit(f)
	case rule.Fixed, rule.Opaque:
	}
}

// comparison judges one comparison by what its operand can be; true when it
// warned that the comparison decides nothing.
func (j *judgement) comparison(p *rule.Part, c rule.Compare) bool {
	j.fraction(p, c)
	can := j.possible(c.Left)
	if same(can, everything()) {
		return false
	}
	holds := compared(c.Op, c.Threshold).and(can)
	what := c.Left.Text
	if c.Left.Func == "value" {
		what = j.rule.Metric.Name
	}
	m := c.Left.Metric
	switch {
	case c.Left.Func == "age" || c.Left.Func == "abs" || c.Left.Func == "count" || c.Left.Func == "change_pct":
		m.Unit = ""
	case c.Left.Func != "value" && c.Left.Func != "metric":
		what = c.Left.Func + " of " + m.Name
	case c.Left.Func == "metric":
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
func (j *judgement) fraction(p *rule.Part, c rule.Compare) {
	if c.Percent || c.Threshold <= 0 || c.Threshold >= 1 || c.Left.Metric.Unit != "%" {
		return
	}
	if f := c.Left.Func; f != "value" && f != "metric" && f != "min" && f != "max" && !isMean(f) {
		return
	}
	below := strings.HasPrefix(c.Op, "<")
	above := strings.HasPrefix(c.Op, ">") && usedOfLimit(c.Left.Metric.Name)
	if !below && !above {
		return
	}
	hint := fmt.Sprintf("write %s, or %s%% where that is meant", number(100*c.Threshold, ""), number(c.Threshold, ""))
	j.warn(problem.Fraction, c.Offset, hint, fmt.Sprintf("%s is in percent, and this is less than one of them", c.Left.Metric.Name), p.Path)
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
func (j *judgement) never(p *rule.Part, f rule.Formula) {
	if any, ok := f.(rule.Any); ok {
		for _, part := range any {
			j.never(p, part)
		}
		return
	}
	ways, ok := j.alternatives(f, true)
	if !ok || len(ways) > 0 {
		return
	}
	offset := math.MaxInt
	comparisons(f, func(c rule.Compare) { offset = min(offset, c.Offset) })
	if _, all := f.(rule.All); all && offset < math.MaxInt {
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
