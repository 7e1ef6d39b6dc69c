package rule

import (
	"math"
	"time"
)

// windowFunc computes over the samples in (now-window, now]; NaN is unknown. It
// costs the same for all lengths of window, and the like for percentiles. The
// sum of the samples must fit a float64: a window whose sum does not is unknown.
type windowFunc func(s *Series, now int64, window time.Duration) float64

// within says whether the window has samples: the last at least.
func (s *Series) within(now int64, window time.Duration) bool {
	return s.seen && s.last.at > now-int64(window)
}

func average(s *Series, now int64, window time.Duration) float64 {
	return sum(s, now, window) / count(s, now, window)
}

func sum(s *Series, now int64, window time.Duration) float64 {
	if !s.within(now, window) {
		return math.NaN()
	}
	v := s.slide(sumKind, now, window).aggregate.(*sums).v
	v.add(s.last.value)
	return v.value()
}

func count(s *Series, now int64, window time.Duration) float64 {
	if !s.within(now, window) {
		return 0
	}
	return float64(s.slide(sumKind, now, window).size() + 1)
}

func minimum(s *Series, now int64, window time.Duration) float64 {
	return extreme(s, now, window, minKind)
}

func maximum(s *Series, now int64, window time.Duration) float64 {
	return extreme(s, now, window, maxKind)
}

func extreme(s *Series, now int64, window time.Duration, kind aggregateKind) float64 {
	if !s.within(now, window) {
		return math.NaN()
	}
	found := s.slide(kind, now, window).aggregate.(*extremes)
	if found.first < found.end {
		if v := s.history.at(found.at(found.first)).value; found.beats(v, s.last.value) {
			return v
		}
	}
	return s.last.value
}

// deviation is the population's standard deviation; it wants two samples.
func deviation(s *Series, now int64, window time.Duration) float64 {
	_, spread := moments(s, now, window)
	return spread
}

// moments are mean and standard deviation; unknown of fewer than two samples.
func moments(s *Series, now int64, window time.Duration) (mean, deviation float64) {
	if !s.within(now, window) {
		return math.NaN(), math.NaN()
	}
	sl := s.slide(deviationKind, now, window)
	if sl.size() < 1 {
		return math.NaN(), math.NaN()
	}
	of, n := *sl.aggregate.(*squares), float64(sl.size()+1)
	of.put(s.last.value, 1)
	return of.v.value() / n, math.Sqrt(max(0, crossed(n, &of.vv, &of.v, &of.v))) / n
}

// deviationScore is how many standard deviations the last value is off the
// window's mean; unknown when all values are the same.
func deviationScore(s *Series, now int64, window time.Duration) float64 {
	mean, spread := moments(s, now, window)
	return finite((s.last.value - mean) / spread)
}

// quantile interpolates linearly between the two nearest ranks.
func quantile(q float64) windowFunc {
	return func(s *Series, now int64, window time.Duration) float64 {
		if !s.within(now, window) {
			return math.NaN()
		}
		values := s.slide(orderKind, now, window).aggregate.(*order)
		rank := q * float64(values.count)
		low := int(rank)
		v := values.at(low, s.last.value)
		if low >= values.count {
			return v
		}
		return v + (rank-float64(low))*(values.at(low+1, s.last.value)-v)
	}
}

// rate is a counter's rise a second; after a fall the counter began anew at
// zero. It wants two samples.
func rate(s *Series, now int64, window time.Duration) float64 {
	if !s.within(now, window) {
		return math.NaN()
	}
	sl := s.slide(riseKind, now, window)
	if sl.size() < 1 {
		return math.NaN()
	}
	total := sl.aggregate.(*rises).rise
	total.add(rise(s.history.at(sl.to-1), s.last))
	return total.value() / (float64(s.last.at-s.history.at(sl.from).at) / 1e9)
}

// baseValue is the value that stood a window ago: of the last sample before,
// unless that is older than the slack allows.
func baseValue(s *Series, now int64, window time.Duration) float64 {
	if !s.seen {
		return math.NaN()
	}
	moment, p := now-int64(window), s.last
	if p.at > moment {
		sl := s.slide(pastKind, now, window)
		if sl.from == s.history.first {
			return math.NaN()
		}
		p = s.history.at(sl.from - 1)
	}
	if moment-p.at > int64(slack(window)) {
		return math.NaN()
	}
	return p.value
}

func change(s *Series, now int64, window time.Duration) float64 {
	return s.last.value - baseValue(s, now, window)
}

// changePct is the change in hundredths of the value that stood a window ago;
// unknown when that is 0, for nothing can be said of it.
func changePct(s *Series, now int64, window time.Duration) float64 {
	then := baseValue(s, now, window)
	if then == 0 {
		return math.NaN()
	}
	return 100 * (s.last.value - then) / math.Abs(then)
}

// forecast is the value that the straight line of least squares through the
// window's samples has a horizon from now, as Prometheus' predict_linear. It is
// unknown until the samples span half of the window.
func forecast(horizon time.Duration) windowFunc {
	return func(s *Series, now int64, window time.Duration) float64 {
		if !s.within(now, window) {
			return math.NaN()
		}
		sl := s.slide(lineKind, now, window)
		if sl.size() < 1 || s.last.at-s.history.at(sl.from).at < int64(window)/2 {
			return math.NaN()
		}
		of, n := *sl.aggregate.(*line), float64(sl.size()+1)
		of.put(s.last, 1)
		slope := crossed(n, &of.tv, &of.t, &of.v) / crossed(n, &of.tt, &of.t, &of.t)
		var ahead total // n times how far the mean of t lies behind
		ahead.addProduct(n, float64(now+int64(horizon)-of.origin))
		t1, t2, t3 := of.t.parts()
		for _, part := range [...]float64{t1, t2, t3} {
			ahead.add(-part)
		}
		return finite((of.v.value() + slope*ahead.value()) / n)
	}
}
