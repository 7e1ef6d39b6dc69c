package ruletest

import (
	"fmt"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// shownPolls is how many polls a failure shows.
const shownPolls = 6

// clockText writes a moment since the first poll: 0s, 5m30s, 1h.
func clockText(at time.Duration) string {
	text := at.String()
	if at >= time.Minute && strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if at >= time.Hour && strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// because says why the alert is what it is, or why there is none.
func (p *player) because(a *alert.Alert) string {
	if a != nil {
		text := a.Reason
		if a.Value.Known() {
			text += "; value " + units.Quantity(float64(a.Value), a.Unit)
		}
		if a.Threshold.Known() {
			text += ", threshold " + units.Quantity(float64(a.Threshold), a.Unit)
		}
		return text
	}
	switch {
	case p.last == nil:
		return "no sample yet"
	case p.last.Verdict.NoData:
		return "no data for " + units.Duration(p.last.Verdict.NoDataFor)
	}
	var parts []string
	for _, severity := range alert.Severities() {
		if c, ok := p.last.Rule.Condition(severity); ok {
			parts = append(parts, fmt.Sprintf("%s: %s is %s", severity, c.Expr, p.last.Verdict.Levels[severity-1]))
		}
	}
	if p.last.Verdict.Warming {
		parts = append([]string{"the source warms up"}, parts...)
	}
	if p.last.Verdict.Thin {
		parts = append([]string{"min_volume does not hold"}, parts...)
	}
	if len(parts) == 0 {
		return "the rule fires without data only"
	}
	return strings.Join(parts, ", ")
}

// samples shows the last polls of the series of an alert; without one, of the
// first that is meant.
func (p *player) samples(a *alert.Alert, at time.Duration) string {
	for _, f := range p.test.sources {
		for _, s := range f.series {
			judged := judgedLabels(p.test.Rule, s.labels)
			if s.metric.Name != p.test.Rule.Metric.Name || !p.test.Rule.Match.Matches(s.labels) || !p.meant(judged) {
				continue
			}
			if a != nil && a.Series != judged.Fingerprint() {
				continue
			}
			return "; last polls " + lastPolls(s, int(at/p.test.every)+1)
		}
	}
	return ""
}

// lastPolls writes the last of the first n polls of a series.
func lastPolls(s series, n int) string {
	var c cursor
	var shown []string
	for i := range n {
		value, action := c.next(s.runs)
		if i < n-shownPolls {
			continue
		}
		switch action {
		case gives:
			shown = append(shown, units.Quantity(value, s.metric.Unit))
		case misses:
			shown = append(shown, missWord)
		case fails:
			shown = append(shown, failWord)
		}
	}
	return strings.Join(shown, " ")
}
