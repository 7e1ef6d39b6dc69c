package rule

import (
	"cmp"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// compiling is what the conditions of one rule are compiled with.
type compiling struct {
	rule     *Rule
	catalog  source.Catalog
	known    bool // the rule's metric is
	zone     *time.Location
	problems *problem.List
}

func (r *Rule) setLevels(spec Spec, catalog source.Catalog, metricKnown bool, problems *problem.List) {
	c := &compiling{rule: r, catalog: catalog, known: metricKnown, problems: problems}
	c.setZone(spec.Timezone)
	margin := c.margin(spec.ClearMargin)
	any := false
	for _, severity := range alert.Severities() {
		when := spec.level(severity)
		if !when.given() {
			continue
		}
		any = true
		path := severity.String()
		if !when.bare() {
			path += ".when"
		}
		lv := level{hold: spec.For, keep: spec.KeepFiringFor, polls: when.Polls}
		replace(&lv.hold, when.For)
		replace(&lv.keep, when.KeepFiringFor)
		lv.when = c.condition(path, when.When)
		lv.stays = lv.when
		if margin != (Margin{}) && lv.when != nil {
			lv.stays, _ = CompileCondition(when.When, r.Metric, catalog, Options{Zone: c.zone, Margin: margin})
		}
		r.levels[severity-1] = lv
	}
	if !any && spec.NoData != alert.Critical.String() && spec.NoData != alert.Warning.String() && spec.NoData != alert.Info.String() {
		problems.AddHint("", "add for example `critical: value < 70`", "rule %q has no condition", spec.ID).As(problem.NoCondition)
	}
	if spec.Clear != "" {
		r.clear = c.condition("clear", spec.Clear)
	}
	if spec.MinVolume != "" {
		r.minVolume = c.condition("min_volume", spec.MinVolume)
	}
	for i := range r.levels {
		r.usesAge = r.usesAge || r.levels[i].when != nil && r.levels[i].when.usesAge
	}
}

// condition compiles one of the rule's conditions, and keeps quiet about units
// and names when the rule's metric itself is unknown: that mistake is reported
// already.
func (c *compiling) condition(path, text string) *Condition {
	compiled, mistakes := CompileCondition(text, c.rule.Metric, c.catalog, Options{Zone: c.zone})
	for _, p := range mistakes {
		if !c.known && p.Code == problem.UnitMismatch {
			continue
		}
		p.Path, p.Code = path, cmp.Or(p.Code, problem.BadCondition)
		*c.problems = append(*c.problems, p)
	}
	return compiled
}

func (c *compiling) setZone(name string) {
	if name == "" {
		return
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // which depends on the machine
		c.problems.AddHint("timezone", "write a name such as Europe/Berlin", "%q is not a time zone", name)
		return
	}
	c.zone = zone
}

// margin brings a margin as it is written to the metric's unit.
func (c *compiling) margin(m MarginSpec) Margin {
	dim, factor := units.Of(c.rule.Metric.Unit)
	switch {
	case (m.Dim == units.Percent || dim == units.Percent && m.Dim == units.None) && m.Value >= 100:
		c.problems.AddHint("clear_margin", "write for example 2, 10ms, 16MB or 5%", "with a margin of %s it would never end", m.Text)
	case m.Dim == units.None, m.Dim == units.Percent && dim == units.Percent:
		return Margin{Absolute: m.Value}
	case m.Dim == units.Percent:
		return Margin{Relative: m.Value / 100}
	case m.Dim == dim:
		return Margin{Absolute: m.Value / factor}
	case c.known && c.rule.Metric.Unit != source.UnitUnknown:
		c.problems.Add("clear_margin", "%s is in %s, which does not go with %q", c.rule.Metric.Name, unitName(c.rule.Metric.Unit), m.Text)
	}
	return Margin{}
}
