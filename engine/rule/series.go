package rule

import (
	"math"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// point is one sample of a series: nanoseconds since 1970 and a value.
type point struct {
	at    int64
	value float64
}

// Series is one metric with one label set: its last sample and, while a window
// over it is wanted, its history. There are very many of them, and most have no
// window: what only a window needs stands behind history. It is not safe for
// concurrent use.
type Series struct {
	Labels  alert.Labels
	last    point
	history *history // nil while no window is wanted
	seen    bool
}

// Append takes the next sample. One that is not newer than the last, or is no
// finite number, is dropped, and Append reports false.
func (s *Series) Append(at time.Time, value float64) bool {
	p := point{at: at.UnixNano(), value: value}
	if s.seen && p.at <= s.last.at || value-value != 0 {
		return false
	}
	if s.seen && s.history != nil {
		s.history.take(s.last, p.at)
	}
	s.last, s.seen = p, true
	return true
}

// rewind forgets the samples after a moment: the clock was set back, and they
// lie in a future that would shut out the present.
func (s *Series) rewind(moment int64) {
	if s.last.at <= moment {
		return
	}
	if s.history != nil {
		if p, ok := s.history.rewind(moment); ok {
			s.last = p
			return
		}
	}
	s.last.at = moment - 1
}

// Last returns the newest sample; false when there is none.
func (s *Series) Last() (at time.Time, value float64, ok bool) {
	if !s.seen {
		return time.Time{}, 0, false
	}
	return time.Unix(0, s.last.at).UTC(), s.last.value, true
}

// Keep makes the series hold at least this long a window from now on.
func (s *Series) Keep(window time.Duration) {
	if window <= 0 {
		return
	}
	if s.history == nil {
		s.history = &history{}
	}
	s.history.keep = max(s.history.keep, window)
}

// size, at and from number the samples of the history and the last one, oldest
// first, from 0.
func (s *Series) size() int {
	if s.history == nil {
		return 0
	}
	return int(s.history.end-s.history.first) + 1
}

func (s *Series) at(i int) point {
	if i == s.size()-1 {
		return s.last
	}
	return s.history.at(s.history.first + uint64(i))
}

func (s *Series) from(moment int64) int {
	if s.history == nil {
		return 0
	}
	if s.last.at <= moment {
		return s.size()
	}
	return int(s.history.after(moment) - s.history.first)
}

// before returns the last sample at or before the moment, unless it is older
// than the slack allows.
func (s *Series) before(moment int64, window time.Duration) (point, bool) {
	i := s.from(moment) - 1
	if i < 0 {
		return point{}, false
	}
	p := s.at(i)
	return p, moment-p.at <= int64(slack(window))
}

// windowFunc computes over the samples in (now-window, now]; NaN is unknown.
type windowFunc func(s *Series, now int64, window time.Duration) float64

func average(s *Series, now int64, window time.Duration) float64 {
	i, sum := s.from(now-int64(window)), 0.0
	n := s.size() - i
	for ; i < s.size(); i++ {
		sum += s.at(i).value
	}
	if n <= 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func sum(s *Series, now int64, window time.Duration) float64 {
	i := s.from(now - int64(window))
	if i >= s.size() {
		return math.NaN()
	}
	total := 0.0
	for ; i < s.size(); i++ {
		total += s.at(i).value
	}
	return total
}

func count(s *Series, now int64, window time.Duration) float64 {
	return float64(s.size() - s.from(now-int64(window)))
}

func minimum(s *Series, now int64, window time.Duration) float64 {
	return extreme(s, now, window, math.Min)
}

func maximum(s *Series, now int64, window time.Duration) float64 {
	return extreme(s, now, window, math.Max)
}

func extreme(s *Series, now int64, window time.Duration, pick func(a, b float64) float64) float64 {
	i := s.from(now - int64(window))
	if i >= s.size() {
		return math.NaN()
	}
	best := s.at(i).value
	for i++; i < s.size(); i++ {
		best = pick(best, s.at(i).value)
	}
	return best
}

// deviation is the population's standard deviation; it wants two samples.
func deviation(s *Series, now int64, window time.Duration) float64 {
	first := s.from(now - int64(window))
	n, mean, squares := 0.0, 0.0, 0.0
	for i := first; i < s.size(); i++ { // Welford
		n++
		d := s.at(i).value - mean
		mean += d / n
		squares += d * (s.at(i).value - mean)
	}
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(squares / n)
}

// quantile interpolates linearly between the two nearest ranks.
func quantile(q float64) windowFunc {
	return func(s *Series, now int64, window time.Duration) float64 {
		first := s.from(now - int64(window))
		if first >= s.size() {
			return math.NaN()
		}
		values := make([]float64, 0, s.size()-first)
		for i := first; i < s.size(); i++ {
			values = append(values, s.at(i).value)
		}
		slices.Sort(values)
		rank := q * float64(len(values)-1)
		low := int(rank)
		if low+1 >= len(values) {
			return values[low]
		}
		return values[low] + (rank-float64(low))*(values[low+1]-values[low])
	}
}

// rate is a counter's rise a second; after a fall the counter began anew at
// zero. It wants two samples.
func rate(s *Series, now int64, window time.Duration) float64 {
	first := s.from(now - int64(window))
	if s.size()-first < 2 {
		return math.NaN()
	}
	rise := 0.0
	for i := first + 1; i < s.size(); i++ {
		d := s.at(i).value - s.at(i-1).value
		if d < 0 {
			d = s.at(i).value
		}
		rise += d
	}
	return rise / (float64(s.at(s.size()-1).at-s.at(first).at) / 1e9)
}

// baseline is the value that stood a window ago.
func baseline(s *Series, now int64, window time.Duration) float64 {
	p, ok := s.before(now-int64(window), window)
	if !ok {
		return math.NaN()
	}
	return p.value
}

func change(s *Series, now int64, window time.Duration) float64 {
	return s.last.value - baseline(s, now, window)
}

// changePct is the change in hundredths of the baseline; unknown when that is
// 0, for nothing can be said of it.
func changePct(s *Series, now int64, window time.Duration) float64 {
	then := baseline(s, now, window)
	if then == 0 {
		return math.NaN()
	}
	return 100 * (s.last.value - then) / math.Abs(then)
}
