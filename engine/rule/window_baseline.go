package rule

import (
	"math"
	"slices"
	"time"
)

// Need is what a baseline compares with: Width of time around this time of day,
// on each of the days of Period before.
type Need struct{ Width, Period time.Duration }

// Limits of a baseline. The narrowest bounds the memory: 35 days of it are
// 60,480 slots of 8 bytes.
const (
	minBaselineWidth  = 10 * time.Minute
	maxBaselineWidth  = 12 * time.Hour
	maxBaselinePeriod = 35 * day
	slotsPerWidth     = 12
	day               = 24 * time.Hour
)

// slot is the grain in which a baseline remembers the past.
func (n Need) slot() int64 { return int64(n.Width / slotsPerWidth) }

// lookback is how far back samples matter: to the beginning of the first slot
// of the earliest day. A day may be an hour longer than 24, where summer time
// ends.
func (n Need) lookback() time.Duration { return n.Period + n.Width + time.Hour }

// days is how many days the baseline looks at.
func (n Need) days() int { return int(n.Period / day) }

// coarse is the long memory of a series for one Need: the mean of each slot of
// Unix time, so that the samples of weeks need not stay in memory. It is filled
// by every sample, whether anything is judged or not.
type coarse struct {
	Need
	// means[slot mod len] are the slots after newest-len up to newest; NaN
	// where no sample was. It grows to what lookback asks for.
	means  []float64
	newest int64
	// The newest slot's samples, in their order.
	sum   float64
	count int

	cached usual
	next   *coarse
}

// usual is what a baseline says in one slot of time.
type usual struct {
	slot           int64
	zone           *time.Location
	median, spread float64 // NaN is unknown
	days           int     // with samples
}

// KeepCoarse makes the series remember what these baselines need from now on,
// and forget what others needed. What is new begins with the samples at hand.
// Call it before samples are preloaded, and again when the rules change.
func (s *Series) KeepCoarse(needs []Need) {
	if len(needs) == 0 {
		if s.history != nil {
			s.history.coarse = nil
		}
		return
	}
	var kept *coarse
	for _, need := range needs {
		c := s.coarse(need)
		if c == nil {
			c = s.newCoarse(need)
		}
		if find(kept, need) == nil {
			one := *c
			one.next, kept = kept, &one
		}
	}
	s.history.coarse = kept
}

func find(c *coarse, need Need) *coarse {
	for ; c != nil; c = c.next {
		if c.Need == need {
			return c
		}
	}
	return nil
}

func (s *Series) coarse(need Need) *coarse {
	if s.history == nil {
		return nil
	}
	return find(s.history.coarse, need)
}

// newCoarse makes the memory of what the history still has.
func (s *Series) newCoarse(need Need) *coarse {
	if s.history == nil {
		s.history = &history{}
	}
	c := &coarse{Need: need}
	for n := s.history.first; n < s.history.end; n++ {
		c.take(s.history.at(n))
	}
	if s.seen {
		c.take(s.last)
	}
	return c
}

// take adds a sample; it is newer than all before.
func (c *coarse) take(p point) {
	slot := floorDiv(p.at, c.slot())
	if slot < c.cached.slot { // a backlog: it may lie in the cached days
		c.cached = usual{}
	}
	if len(c.means) == 0 || slot > c.newest {
		c.open(slot)
	}
	c.sum += p.value
	c.count++
	c.means[c.index(slot)] = c.sum / float64(c.count)
}

// open moves on to a new slot; those passed over had no sample.
func (c *coarse) open(slot int64) {
	most := int64(c.lookback())/c.slot() + 2
	if n := int64(len(c.means)); n < most && (n == 0 || slot-c.newest < most) {
		c.grow(min(most, max(16, 2*n, n+slot-c.newest)))
	}
	for passed := max(c.newest+1, slot-int64(len(c.means))+1); passed <= slot; passed++ {
		c.means[c.index(passed)] = math.NaN()
	}
	c.newest, c.sum, c.count = slot, 0, 0
}

func (c *coarse) grow(n int64) {
	if len(c.means) == 0 {
		n = 16
	}
	grown := make([]float64, n)
	for i := range grown {
		grown[i] = math.NaN()
	}
	for slot := c.newest - int64(len(c.means)) + 1; slot <= c.newest && len(c.means) > 0; slot++ {
		grown[floorMod(slot, n)] = c.means[c.index(slot)]
	}
	c.means = grown
}

func (c *coarse) index(slot int64) int64 { return floorMod(slot, int64(len(c.means))) }

// rewind forgets the slot of the moment and those after it.
func (c *coarse) rewind(moment int64) {
	c.cached = usual{}
	slot := floorDiv(moment, c.slot())
	if slot > c.newest || len(c.means) == 0 {
		return
	}
	if slot <= c.newest-int64(len(c.means)) {
		c.means = nil
		return
	}
	for later := slot; later <= c.newest; later++ {
		c.means[c.index(later)] = math.NaN()
	}
	c.newest, c.sum, c.count = slot, 0, 0
}

// usual returns median and spread of the days before, at this time of day in
// the zone. It changes with the slot only, and is computed once in each.
func (c *coarse) usual(now int64, zone *time.Location) *usual {
	slot := floorDiv(now, c.slot())
	if c.cached.slot == slot && c.cached.zone != nil && (c.cached.zone == zone || c.cached.zone.String() == zone.String()) {
		return &c.cached
	}
	c.cached = usual{slot: slot, zone: zone}
	var room [slotsPerWidth * int(maxBaselinePeriod/day)]float64
	values := room[:0]
	today := time.Unix(0, slot*c.slot()).In(zone)
	for back := 1; back <= c.days(); back++ {
		then := today.AddDate(0, 0, -back) // the same wall clock
		before := len(values)
		middle := floorDiv(then.UnixNano(), c.slot())
		for i := middle - slotsPerWidth/2; i < middle+slotsPerWidth/2; i++ {
			if v := c.mean(i); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) > before {
			c.cached.days++
		}
	}
	c.cached.median, c.cached.spread = math.NaN(), math.NaN()
	if c.cached.days >= min(3, c.days()) {
		c.cached.median = medianOf(values)
		for i := range values {
			values[i] = math.Abs(values[i] - c.cached.median)
		}
		c.cached.spread = madToDeviation * medianOf(values)
	}
	return &c.cached
}

// madToDeviation makes the median absolute deviation an estimate of the
// standard deviation: 1/Φ⁻¹(3/4), as for a normal distribution.
const madToDeviation = 1.4826

func (c *coarse) mean(slot int64) float64 {
	if slot > c.newest || slot <= c.newest-int64(len(c.means)) {
		return math.NaN()
	}
	return c.means[c.index(slot)]
}

// medianOf sorts the values.
func medianOf(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return values[(n-1)/2] + (values[n/2]-values[(n-1)/2])/2
}

// baselineOf returns what is usual for the series at this time of day.
func baselineOf(s *Series, now int64, need Need, zone *time.Location) *usual {
	c := s.coarse(need)
	if c == nil {
		c = s.newCoarse(need)
		c.next, s.history.coarse = s.history.coarse, c
	}
	return c.usual(now, zone)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
