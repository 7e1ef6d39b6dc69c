package prometheus

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// deltas turns the page's counters into changes since the last poll. When one
// of them fell, or the process started anew, all of them begin again.
type deltas struct {
	rates    source.Rates
	identity string
	at       time.Time
	elapsed  time.Duration
	valid    bool
	// known holds every counter of this run of the process. One that appears
	// for the first time counts from zero: a page is always whole, and the
	// first error after a start must not go unseen. One that vanished and came
	// back does not, and without a start time nothing tells the two apart.
	known map[string]struct{}
	born  map[string]struct{} // in the last poll
	last  map[string]float64
}

// observe takes the page's counters, and returns those that fell while the
// process, by its start time, ran on.
func (d *deltas) observe(identity string, at time.Time, counters map[string]float64) (fell []string) {
	sameRun := identity == d.identity && d.last != nil
	if sameRun && identity != "" {
		for key, before := range d.last {
			if now, ok := counters[key]; ok && now < before {
				fell = append(fell, key)
			}
		}
	}
	d.elapsed = at.Sub(d.at)
	d.valid = d.rates.Observe(identity, at, counters)
	if !sameRun {
		d.known = map[string]struct{}{}
	}
	d.born = map[string]struct{}{}
	for key := range counters {
		if _, ok := d.known[key]; !ok {
			d.known[key] = struct{}{}
			d.born[key] = struct{}{}
		}
	}
	d.identity, d.at, d.last = identity, at, counters
	slices.Sort(fell)
	return fell
}

// of returns how much a counter of the page rose since the last poll.
func (d *deltas) of(key string) (float64, bool) {
	if rise, ok := d.rates.Delta(key); ok {
		return rise, true
	}
	if _, born := d.born[key]; born && d.valid && d.identity != "" {
		return d.last[key], true
	}
	return 0, false
}

// perSecond returns a rise over the time between the polls.
func (d *deltas) perSecond(rise float64) float64 { return rise / d.elapsed.Seconds() }

// counters lists everything on the page that only rises.
func (s *snapshot) counters() map[string]float64 {
	all := make(map[string]float64, len(s.points))
	for i := range s.points {
		if p := &s.points[i]; p.counter {
			all[p.key()] = p.value
		}
	}
	for _, family := range s.histograms {
		for i := range family {
			for _, b := range family[i].buckets {
				all[family[i].key(b.bound)] = b.count
			}
		}
	}
	return all
}

// fellProblem reports counters that fell.
func fellProblem(fell []string) source.Problem {
	return source.Problem{Query: "counters", Err: fmt.Errorf(
		"%d counters fell though the process runs on, for example %s; all rates begin again", len(fell), fell[0])}
}

// rises returns a histogram's buckets as observations since the last poll,
// cumulative, or false when they cannot be known.
func (d *deltas) rises(h *histogram) ([]bucket, bool) {
	out := make([]bucket, 0, len(h.buckets))
	for _, b := range h.buckets {
		rise, ok := d.of(h.key(b.bound))
		if !ok {
			return nil, false
		}
		out = append(out, bucket{b.bound, rise})
	}
	return out, true
}

// merge sums the rises of several histograms by bound. Histograms of one
// family have the same bounds.
func (d *deltas) merge(hs []histogram) []bucket {
	sums := map[float64]float64{}
	for i := range hs {
		rises, ok := d.rises(&hs[i])
		if !ok {
			continue
		}
		for _, b := range rises {
			sums[b.bound] += b.count
		}
	}
	out := make([]bucket, 0, len(sums))
	for bound, count := range sums {
		out = append(out, bucket{bound, count})
	}
	return out
}

// quantile is Prometheus' histogram_quantile (promql/quantile.go): linear
// interpolation within the bucket, which begins at 0 when its bound is
// positive; the highest finite bound for what lies beyond it. It is false
// without observations.
func quantile(q float64, buckets []bucket) (float64, bool) {
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	if len(buckets) < 2 || !math.IsInf(buckets[len(buckets)-1].bound, 1) {
		return 0, false
	}
	highest := 0.0 // counts read while the exporter writes may not be monotonic
	for i := range buckets {
		highest = max(highest, buckets[i].count)
		buckets[i].count = highest
	}
	last := len(buckets) - 1
	if buckets[last].count <= 0 {
		return 0, false
	}
	rank := q * buckets[last].count
	i := slices.IndexFunc(buckets, func(b bucket) bool { return b.count >= rank })
	switch {
	case i == last:
		return buckets[last-1].bound, true
	case i == 0 && buckets[0].bound <= 0:
		return buckets[0].bound, true
	}
	begin, below := 0.0, 0.0
	if i > 0 {
		begin, below = buckets[i-1].bound, buckets[i-1].count
	}
	within := buckets[i].count - below
	return begin + (buckets[i].bound-begin)*(rank-below)/within, true
}

// The quantiles that a histogram yields, as suffixes of its name.
func quantiles() [3]struct {
	suffix string
	q      float64
} {
	return [3]struct {
		suffix string
		q      float64
	}{{":p50", 0.5}, {":p95", 0.95}, {":p99", 0.99}}
}

// derive adds the rates and quantiles to the page's points.
func (d *deltas) derive(s *snapshot) {
	for i := range len(s.points) {
		p := s.points[i]
		if !p.counter {
			continue
		}
		if rise, ok := d.of(p.key()); ok {
			p.name += ":rate"
			s.add(p, d.perSecond(rise), false)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.histograms)) {
		for i := range s.histograms[name] {
			d.deriveQuantiles(s, name, s.histograms[name][i])
		}
	}
}

func (d *deltas) deriveQuantiles(s *snapshot, name string, h histogram) {
	rises, ok := d.rises(&h)
	if !ok {
		return
	}
	for _, x := range quantiles() {
		if v, ok := quantile(x.q, rises); ok {
			s.add(point{family: name, name: name + x.suffix, labels: h.labels}, v, false)
		}
	}
}

// sumRises adds up the rises of counters; false when none is known.
func (d *deltas) sumRises(s *snapshot, name string, accept func(alert.Labels) bool) (float64, bool) {
	total, any := 0.0, false
	for _, i := range s.byName[name] {
		p := &s.points[i]
		if accept != nil && !accept(p.labels) {
			continue
		}
		if rise, ok := d.of(p.key()); ok {
			total, any = total+rise, true
		}
	}
	return total, any
}
