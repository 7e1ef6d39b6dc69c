package imports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tocsin-dev/tocsin/alert"
)

// selector reads a metric: a value, or a window such as avg(5m) over it. after
// is what is put behind the whole.
func (s *speaker) selector(vs *parser.VectorSelector, window, after string) string {
	switch {
	case vs.OriginalOffset != 0 || vs.Offset != 0:
		stop(vs, "offset; change(1h) and baseline look back here")
	case vs.Timestamp != nil || vs.StartOrEnd != 0:
		stop(vs, "@ looks at another time")
	case s.aggregated && !s.joining:
		stop(vs, "single series beside an aggregation")
	}
	name := metricName(vs)
	switch {
	case s.deriving && window != "":
		return fmt.Sprintf("metric(%q).%s%s", name, window, after)
	case s.deriving:
		if !s.aggregated {
			for _, m := range vs.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					s.matchers = append(s.matchers, m)
				}
			}
		}
		return fmt.Sprintf("metric(%q)%s", name, after)
	case s.own == nil || sameSelector(s.own, vs):
		s.own = vs
		if window == "" {
			window = "value"
		}
		return window + after
	case !narrower(s.own, vs):
		stop(vs, "a second metric with matchers of its own")
	case window != "":
		return fmt.Sprintf("metric(%q).%s%s", name, window, after)
	}
	return fmt.Sprintf("metric(%q)%s", name, after)
}

// metricName is what the metric is called here: what Prometheus says of a target
// is what Tocsin says of a source.
func metricName(vs *parser.VectorSelector) string {
	name := vs.Name
	for _, m := range vs.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			if m.Type != labels.MatchEqual {
				stop(vs, "metrics by a regular expression on their names")
			}
			name = m.Value
		}
	}
	if name == "" {
		stop(vs, "series of no one metric")
	}
	if name == "up" {
		return "source.up"
	}
	return name
}

func sameSelector(a, b *parser.VectorSelector) bool {
	return metricName(a) == metricName(b) && narrower(a, b) && narrower(b, a)
}

// narrower says whether a asks for all that b does: series of the same labels
// then satisfy b whenever they satisfy a.
func narrower(a, b *parser.VectorSelector) bool {
	for _, m := range b.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.ContainsFunc(a.LabelMatchers, func(o *labels.Matcher) bool { return o.String() == m.String() }) {
			return false
		}
	}
	return true
}

// match writes the matchers of a rule.
func (s *speaker) match(all []*labels.Matcher) []string {
	var out []string
	for _, m := range all {
		if m.Name == model.MetricNameLabel {
			continue
		}
		ours, err := alert.NewMatcher(m.Name, alert.MatchOp(m.Type.String()), m.Value)
		if err != nil {
			continue // Prometheus has compiled it
		}
		if text := ours.String(); !slices.Contains(out, text) {
			out = append(out, text)
		}
		if m.Name == "job" && m.Type == labels.MatchEqual {
			s.out.jobs = append(s.out.jobs, m.Value)
		}
	}
	return out
}

// call turns a function.
func (s *speaker) call(n *parser.Call) string {
	arg := lastArg(n)
	if ms, ok := arg.(*parser.MatrixSelector); ok {
		return s.overTime(n, ms)
	}
	switch n.Func.Name {
	case "abs", "ceil", "floor", "sqrt":
		return n.Func.Name + "(" + s.number(n.Args[0], 0) + ")"
	case "round":
		if len(n.Args) == 1 {
			return "round(" + s.number(n.Args[0], 0) + ")"
		}
	case "time":
		if s.deriving {
			stop(n, "the time in a derived metric")
		}
		return "now()"
	case "scalar", "vector":
		if constant(n.Args[0]) {
			return s.number(n.Args[0], 0)
		}
	case "histogram_quantile":
		return s.quantile(n)
	}
	if n.Func.Name == "vector" {
		stop(n, "it looks at no metric; that the daemon is alive is told by its own dead-man ping")
	}
	stop(n, "the function %s is not known here", n.Func.Name)
	return ""
}

// overTime turns a function over a range.
func (s *speaker) overTime(n *parser.Call, ms *parser.MatrixSelector) string {
	vs, ok := ms.VectorSelector.(*parser.VectorSelector)
	if !ok {
		stop(ms, "%s cannot be said", ms)
	}
	w := durationText(ms.Range)
	switch n.Func.Name {
	case "avg_over_time":
		return s.selector(vs, "avg("+w+")", "")
	case "min_over_time":
		return s.selector(vs, "min("+w+")", "")
	case "max_over_time":
		return s.selector(vs, "max("+w+")", "")
	case "sum_over_time":
		return s.selector(vs, "sum("+w+")", "")
	case "count_over_time":
		return s.selector(vs, "count("+w+")", "")
	case "stddev_over_time":
		return s.selector(vs, "stddev("+w+")", "")
	case "last_over_time":
		return s.selector(vs, "", "")
	case "rate":
		return s.selector(vs, "rate("+w+")", "")
	case "increase":
		if s.aggregated {
			stop(n, "an increase that is joined; write rate, and the threshold for a second")
		}
		return s.selector(vs, "rate("+w+")", " * "+strconv.FormatFloat(ms.Range.Seconds(), 'f', -1, 64))
	case "delta":
		return s.selector(vs, "change("+w+")", "")
	case "quantile_over_time":
		return s.selector(vs, percentile(n)+"("+w+")", "")
	case "predict_linear":
		ahead, ok := constantValue(n.Args[1])
		if !ok || ahead <= 0 {
			stop(n, "a forecast wants a number of seconds")
		}
		return s.selector(vs, "forecast("+durationText(time.Duration(ahead*float64(time.Second)))+", "+w+")", "")
	}
	stop(n, "the function %s is not known here", n.Func.Name)
	return ""
}

// percentile is p95 of the first argument 0.95.
func percentile(n *parser.Call) string {
	share, ok := constantValue(n.Args[0])
	if !ok {
		stop(n, "a quantile wants a number")
	}
	pct := math.Round(share * 100)
	if math.Abs(pct-share*100) > 1e-9 || pct < 1 || pct > 99 {
		stop(n, "the quantile %v; p1 to p99 are known", share)
	}
	return fmt.Sprintf("p%d", int(pct))
}

// quantile reads the percentile that the source makes of a histogram itself.
func (s *speaker) quantile(n *parser.Call) string {
	p := percentile(n)
	rate, ok := unwrap(n.Args[1]).(*parser.Call)
	var ms *parser.MatrixSelector
	if ok && (rate.Func.Name == "rate" || rate.Func.Name == "increase") {
		ms, _ = lastArg(rate).(*parser.MatrixSelector)
	}
	if ms == nil {
		stop(n, "a quantile of joined series; of each source there is a metric NAME:p95")
	}
	vs, ok := ms.VectorSelector.(*parser.VectorSelector)
	const bucket = "_bucket"
	name := metricName(vs)
	if !ok || len(name) <= len(bucket) || name[len(name)-len(bucket):] != bucket || !slices.Contains([]string{"p50", "p95", "p99"}, p) {
		stop(n, "a quantile other than 0.5, 0.95 and 0.99 of a histogram")
	}
	over := *vs
	over.Name = name[:len(name)-len(bucket)] + ":" + p
	over.LabelMatchers = nil
	for _, m := range vs.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			over.LabelMatchers = append(over.LabelMatchers, m)
		}
	}
	s.out.remarks = append(s.out.remarks, fmt.Sprintf("the quantile is the mean of %s over %s, which the source makes of each poll", over.Name, durationText(ms.Range)))
	return s.selector(&over, "avg("+durationText(ms.Range)+")", "")
}

// absent is a rule that fires without data.
func (s *speaker) absent(n *parser.Call) {
	arg := unwrap(n.Args[0])
	vs, ok := arg.(*parser.VectorSelector)
	if ms, isRange := arg.(*parser.MatrixSelector); isRange {
		vs, ok = ms.VectorSelector.(*parser.VectorSelector)
		s.out.absentFor = ms.Range
	}
	if !ok {
		stop(n, "%s of more than one metric", n.Func.Name)
	}
	s.selector(vs, "", "")
	s.out.metric, s.out.match, s.out.absent = metricName(vs), s.match(vs.LabelMatchers), true
	s.out.remarks = append(s.out.remarks, "no_data: only a series that was seen once can go missing; a source that was never read is source-down")
}
