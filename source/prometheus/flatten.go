package prometheus

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// How far a page's own timestamps may lie from now. Five minutes is
// Prometheus' lookback: an older sample is one that the exporter has stopped
// to refresh.
const (
	oldest = 5 * time.Minute
	newest = 10 * time.Minute
)

// point is one sample of the page.
type point struct {
	family  string
	name    string
	labels  alert.Labels
	value   float64
	at      time.Time // zero where the page gives none
	counter bool
}

func (p *point) key() string { return p.name + p.labels.String() }

// histogram is one classic histogram: cumulative counts by upper bound.
type histogram struct {
	name    string
	labels  alert.Labels
	buckets []bucket
	count   float64
	sum     float64
}

type bucket struct{ bound, count float64 }

func (h *histogram) key(bound float64) string {
	return h.name + h.labels.String() + "/" + formatFloat(bound)
}

// snapshot is a page, flattened.
type snapshot struct {
	points     []point
	byName     map[string][]int // into points
	histograms map[string][]histogram
	summaries  map[string]bool // names of families

	seen map[string]struct{}
	left remarks
	now  time.Time
}

// remarks counts what was left out of a page, with one example of each.
type remarks struct {
	notFinite, duplicate, stale, future tally
}

type tally struct {
	count   int
	example string
}

func (t *tally) add(example string) {
	if t.count == 0 {
		t.example = example
	}
	t.count++
}

// problems reports the remarks, one problem a kind.
func (r *remarks) problems() []source.Problem {
	var ps []source.Problem
	for _, kind := range [...]struct {
		tally
		what string
	}{
		{r.notFinite, "samples are NaN or infinite and have no value"},
		{r.duplicate, "series stand on the page twice; the first was taken"},
		{r.stale, "samples are older than 5m by their own timestamp and were left out"},
		{r.future, "samples are from the future by their own timestamp and were left out"},
	} {
		if kind.count > 0 {
			ps = append(ps, source.Problem{Query: "page", Err: fmt.Errorf("%d %s, for example %s", kind.count, kind.what, kind.example)})
		}
	}
	return ps
}

// flatten makes points and histograms of families.
func flatten(families []*dto.MetricFamily, now time.Time) *snapshot {
	s := &snapshot{
		byName: map[string][]int{}, histograms: map[string][]histogram{}, summaries: map[string]bool{},
		seen: map[string]struct{}{}, now: now,
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			s.metric(family, m)
		}
	}
	return s
}

func (s *snapshot) metric(family *dto.MetricFamily, m *dto.Metric) {
	name, ls := legacy(family.GetName()), labels(m)
	at, ok := s.timestamp(name, ls, m)
	if !ok {
		return
	}
	p := point{family: name, name: name, labels: ls, at: at}
	switch family.GetType() {
	case dto.MetricType_COUNTER:
		s.add(p, m.GetCounter().GetValue(), true)
	case dto.MetricType_GAUGE:
		s.add(p, m.GetGauge().GetValue(), false)
	case dto.MetricType_UNTYPED:
		// A page without TYPE lines: the suffix is all there is to go by.
		s.add(p, m.GetUntyped().GetValue(), strings.HasSuffix(name, "_total"))
	case dto.MetricType_SUMMARY:
		s.summary(p, m.GetSummary())
	case dto.MetricType_HISTOGRAM:
		s.histogram(p, m.GetHistogram())
	case dto.MetricType_GAUGE_HISTOGRAM:
		count, sum := p, p
		count.name, sum.name = name+"_gcount", name+"_gsum"
		s.add(count, sampleCount(m.GetHistogram()), false)
		s.add(sum, m.GetHistogram().GetSampleSum(), false)
	}
}

// timestamp judges the page's own time of a sample.
func (s *snapshot) timestamp(name string, ls alert.Labels, m *dto.Metric) (time.Time, bool) {
	if m.TimestampMs == nil {
		return time.Time{}, true
	}
	at := time.UnixMilli(m.GetTimestampMs())
	switch {
	case at.Before(s.now.Add(-oldest)):
		s.left.stale.add(name + ls.String())
		return at, false
	case at.After(s.now.Add(newest)):
		s.left.future.add(name + ls.String())
		return at, false
	}
	return at, true
}

// add takes one sample, unless it is no number or stands there already.
func (s *snapshot) add(p point, value float64, counter bool) bool {
	key := p.key()
	if _, twice := s.seen[key]; twice {
		s.left.duplicate.add(key)
		return false
	}
	s.seen[key] = struct{}{}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		s.left.notFinite.add(key)
		return false
	}
	p.value, p.counter = value, counter
	s.byName[p.name] = append(s.byName[p.name], len(s.points))
	s.points = append(s.points, p)
	return true
}

func (s *snapshot) summary(p point, m *dto.Summary) {
	s.summaries[p.family] = true
	for _, q := range m.GetQuantile() {
		if math.IsNaN(q.GetValue()) {
			continue // what a summary says when it has observed nothing
		}
		quantile := p
		quantile.labels = p.labels.With("quantile", formatFloat(q.GetQuantile()))
		s.add(quantile, q.GetValue(), false)
	}
	s.countAndSum(p, float64(m.GetSampleCount()), m.GetSampleSum())
}

func (s *snapshot) histogram(p point, m *dto.Histogram) {
	h := histogram{name: p.family, labels: p.labels, count: sampleCount(m), sum: m.GetSampleSum()}
	for _, b := range m.GetBucket() {
		count := b.GetCumulativeCountFloat()
		if count == 0 {
			count = float64(b.GetCumulativeCount())
		}
		if !math.IsInf(b.GetUpperBound(), 1) && !math.IsNaN(b.GetUpperBound()) {
			h.buckets = append(h.buckets, bucket{b.GetUpperBound(), count})
		}
	}
	if !s.countAndSum(p, h.count, h.sum) {
		return
	}
	// The last bucket holds everything, whether the page says so or not.
	h.buckets = append(h.buckets, bucket{math.Inf(1), h.count})
	s.histograms[h.name] = append(s.histograms[h.name], h)
}

func (s *snapshot) countAndSum(p point, count, sum float64) bool {
	c, total := p, p
	c.name, total.name = p.family+"_count", p.family+"_sum"
	first := s.add(c, count, true)
	// A sum of negative observations falls: no counter.
	return s.add(total, sum, false) && first
}

func sampleCount(h *dto.Histogram) float64 {
	if f := h.GetSampleCountFloat(); f != 0 {
		return f
	}
	return float64(h.GetSampleCount())
}

func labels(m *dto.Metric) alert.Labels {
	if len(m.GetLabel()) == 0 {
		return nil
	}
	set := make(map[string]string, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		set[legacy(l.GetName())] = strings.ToValidUTF8(l.GetValue(), "\uFFFD")
	}
	return alert.FromMap(set)
}

// legacy writes a name with the characters that Prometheus always knew: rules
// take a name with a dot for one of the catalog.
func legacy(name string) string {
	if metricName.MatchString(name) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || r == ':' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, "_"+name)[leading(name):]
}

// leading is 1 where a name needs no underscore before it, which a digit does.
func leading(name string) int {
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return 0
	}
	return 1
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
