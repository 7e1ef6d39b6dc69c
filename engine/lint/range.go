package lint

import (
	"math"
	"strings"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// possible returns the values that the operand of a comparison can have; everything where that is
// not known.
func (j *judgement) possible(o rule.Form) set {
	switch {
	case o.Func == "age" || o.Func == "abs" || o.Func == "count" || o.Func == "stddev" || o.Func == "spread":
		return atLeast(0)
	case o.Func == "" || !j.world.builtin[o.Metric.Name] || o.Own && len(j.rule.Spec.By) > 0:
		return everything()
	}
	metric := rangeOf(o.Metric)
	low, high := metric[0].low, metric[len(metric)-1].high
	switch {
	case o.Func == "value" || o.Func == "metric" || o.Func == "min" || o.Func == "max":
		return metric
	case isMean(o.Func) || o.Func == "baseline":
		return set{{low, high, math.IsInf(low, 0), math.IsInf(high, 0)}}
	case o.Func == "sum" && low >= 0, o.Func == "rate" && low >= 0:
		return atLeast(0)
	case o.Func == "change_pct" && low >= 0:
		return atLeast(-100)
	}
	return everything()
}

// isMean says whether a window function lies between the smallest and the
// largest sample.
func isMean(name string) bool {
	digits, percentile := strings.CutPrefix(name, "p")
	return name == "avg" || name == "median" || percentile && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// rangeOf returns the values that a metric of the catalog can have. What is said
// here holds for no other.
func rangeOf(m source.Metric) set {
	switch {
	case m.Kind == source.State:
		return between(0, 0).or(between(1, 1))
	case m.Name == "http.tls_expiry": // a certificate that has expired
		return everything()
	case m.Unit == "%" && !exceedsHundred(m.Name):
		return between(0, 100)
	}
	return atLeast(0)
}

// exceedsHundred names the percentages of something that can be more than the
// whole: several cores, or a limit that is only advice.
func exceedsHundred(metric string) bool {
	switch metric {
	case "process.cpu", "app.memory_usage", "redis.memory_usage", "redis.client_usage",
		"postgres.pool_usage", "postgres.connection_usage", "process.open_files_usage":
		return true
	}
	return false
}

// describe says which values a set of rangeOf has, in the metric's unit.
func (s set) describe(m source.Metric) string {
	first, last := s[0], s[len(s)-1]
	switch {
	case m.Kind == source.State && len(s) == 2:
		return "is 0 or 1"
	case math.IsInf(last.high, 1):
		return "is never below " + number(first.low, m.Unit)
	}
	return "is between " + number(first.low, "") + " and " + number(last.high, m.Unit)
}
