package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// model is what Series must come to, done the simplest way: a list of samples,
// and every window function computed from the list each time.
type model struct {
	keep   time.Duration
	points []point // the last one outside of thinning
}

func (m *model) append(p point) bool {
	n := len(m.points)
	if n > 0 && p.at <= m.points[n-1].at {
		return false
	}
	if n == 0 {
		m.points = []point{p}
		return true
	}
	last, older := m.points[n-1], slices.Clone(m.points[:n-1])
	oldest := p.at - int64(m.keep+slack(m.keep))
	older = slices.DeleteFunc(older, func(q point) bool { return q.at < oldest })
	slot := int64(m.keep / maxPoints)
	if len(older) == 0 || slot == 0 || older[len(older)-1].at/slot != last.at/slot {
		older = append(older, last)
	}
	m.points = append(older, p)
	return true
}

func (m *model) rewind(moment int64) {
	last := m.points[len(m.points)-1]
	if last.at <= moment {
		return
	}
	m.points = slices.DeleteFunc(m.points, func(p point) bool { return p.at > moment })
	if len(m.points) == 0 {
		m.points = []point{{moment - 1, last.value}}
	}
}

func (m *model) within(now int64, window time.Duration) (values []float64, points []point) {
	for _, p := range m.points {
		if p.at > now-int64(window) {
			values, points = append(values, p.value), append(points, p)
		}
	}
	return values, points
}

func naiveSum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// naive computes a window function over the model.
func (m *model) naive(name string, now int64, window time.Duration) float64 {
	values, points := m.within(now, window)
	n := len(values)
	last := m.points[len(m.points)-1].value
	switch name {
	case "count":
		return float64(n)
	case "change", "change_pct":
		before := m.points[:len(m.points)-n]
		if len(before) == 0 || now-int64(window)-before[len(before)-1].at > int64(window)/4 {
			return math.NaN()
		}
		then := before[len(before)-1].value
		if name == "change" {
			return last - then
		}
		return finite(100 * (last - then) / math.Abs(then))
	}
	if n == 0 {
		return math.NaN()
	}
	mean := naiveSum(values) / float64(n)
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	sorted := slices.Sorted(slices.Values(values))
	switch name {
	case "sum":
		return naiveSum(values)
	case "avg":
		return mean
	case "min":
		return sorted[0]
	case "max":
		return sorted[n-1]
	case "median":
		return naiveQuantile(sorted, 0.5)
	case "p90":
		return naiveQuantile(sorted, 0.9)
	case "p1":
		return naiveQuantile(sorted, 0.01)
	}
	if n < 2 {
		return math.NaN()
	}
	switch name {
	case "stddev":
		return math.Sqrt(squares / float64(n))
	case "rate":
		rise := 0.0
		for i := 1; i < n; i++ {
			if d := values[i] - values[i-1]; d >= 0 {
				rise += d
			} else {
				rise += values[i]
			}
		}
		return rise / (float64(points[n-1].at-points[0].at) / 1e9)
	case "forecast":
		if points[n-1].at-points[0].at < int64(window)/2 {
			return math.NaN()
		}
		meanT := 0.0
		for _, p := range points {
			meanT += float64(p.at-now) / 1e9 / float64(n)
		}
		top, bottom := 0.0, 0.0
		for _, p := range points {
			t := float64(p.at-now)/1e9 - meanT
			top += t * (p.value - mean)
			bottom += t * t
		}
		return mean + top/bottom*(naiveHorizon.Seconds()-meanT)
	}
	panic(name)
}

const naiveHorizon = 5 * time.Minute

func naiveQuantile(sorted []float64, q float64) float64 {
	rank := q * float64(len(sorted)-1)
	low := int(rank)
	if low+1 >= len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (rank-float64(low))*(sorted[low+1]-sorted[low])
}

func windowFuncs() map[string]windowFunc {
	return map[string]windowFunc{
		"avg": average, "sum": sum, "count": count, "min": minimum, "max": maximum, "stddev": deviation, "median": quantile(0.5), "p90": quantile(0.9),
		"p1": quantile(0.01), "rate": rate, "change": change, "change_pct": changePct, "forecast": forecast(naiveHorizon),
	}
}

// near allows for what the simple way rounds: scale is how large the numbers
// are that it adds up.
func near(got, want, scale float64) bool {
	if math.IsNaN(got) || math.IsNaN(want) {
		return math.IsNaN(got) == math.IsNaN(want)
	}
	return math.Abs(got-want) <= 1e-9*max(math.Abs(want), scale)
}

// TestWindowsAreWhatTheirDefinitionsSay: over any samples, gaps and clocks set
// back, every window function gives what the definition gives.
func TestWindowsAreWhatTheirDefinitionsSay(t *testing.T) {
	names := []string{"avg", "sum", "count", "min", "max", "stddev", "median", "p90", "p1", "rate", "change", "change_pct", "forecast"}
	functions := windowFuncs()
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Hour}).Draw(t, "unit")
		s, m := &Series{}, &model{}
		now := epoch.UnixNano()
		windows := []time.Duration{5 * unit, 20 * unit, 150 * unit}
		m.keep = windows[rapid.IntRange(0, 2).Draw(t, "keep")]
		s.Keep(m.keep)
		stride := 2 * unit
		if rapid.Bool().Draw(t, "thinned") {
			stride = 3 * m.keep / maxPoints
		}
		seed := rapid.Uint64().Draw(t, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		steps := rapid.IntRange(1, 400).Draw(t, "steps")
		scale := rapid.SampledFrom([]float64{1, 1e6, 1e-6, 1e15}).Draw(t, "scale")
		offset := rapid.SampledFrom([]float64{0, 0, 100, 1e6}).Draw(t, "offset")
		whole := rapid.Bool().Draw(t, "whole")
		largest := 0.0
		for range steps {
			switch k := random.IntN(40); {
			case k == 0: // a gap
				now += int64(unit) * random.Int64N(60)
			case k == 1 && len(m.points) > 0: // the clock is set back
				now -= int64(unit) * random.Int64N(30)
				s.rewind(now)
				m.rewind(now)
			default:
				now += random.Int64N(int64(stride))
			}
			v := (random.Float64() + offset) * scale
			if whole {
				v = float64(random.IntN(5))
			}
			if random.IntN(50) == 0 {
				v *= 1e6 // a spike
			}
			largest = max(largest, math.Abs(v))
			if random.IntN(5) > 0 {
				if got, want := s.Append(time.Unix(0, now), v), m.append(point{now, v}); got != want {
					t.Fatalf("Append says %v, want %v", got, want)
				}
			}
			if len(m.points) == 0 || random.IntN(3) == 0 {
				continue
			}
			at := now
			if random.IntN(20) == 0 { // judged at an earlier moment for once
				at -= random.Int64N(int64(unit))
			}
			for _, name := range names {
				for _, w := range windows {
					if w > m.keep || random.IntN(4) == 0 {
						continue
					}
					got, want := functions[name](s, at, w), m.naive(name, at, w)
					bound := largest
					switch name {
					case "sum", "rate":
						bound *= float64(len(m.points))
					case "forecast": // steep lines reach far
						bound *= 1e3
					case "change_pct":
						bound = 0
					case "stddev":
						bound *= 1e-6
					}
					if !near(got, want, bound) {
						t.Fatalf("%s(%s) is %v, want %v (%d samples)", name, w, got, want, len(m.points))
					}
					if again := functions[name](s, at, w); again != got && !math.IsNaN(got) {
						t.Fatalf("%s(%s) is %v, and then %v", name, w, got, again)
					}
				}
			}
		}
	})
}

// TestWindowsDependOnTheirSamplesAlone: what has been through a window leaves
// no trace, to the last bit; a restart gives the same.
func TestWindowsDependOnTheirSamplesAlone(t *testing.T) {
	functions := windowFuncs()
	random := rand.New(rand.NewPCG(1, 2))
	const window = time.Hour
	old := &Series{}
	old.Keep(window)
	var samples []point
	now := epoch.UnixNano()
	for i := range 5000 {
		now += 5e9 + random.Int64N(1e9)
		v := math.Round(random.Float64()*1e5) / 1e3
		if i == 2000 {
			v = 1e300 // must not be felt after it has left
		}
		samples = append(samples, point{now, v})
		old.Append(time.Unix(0, now), v)
		for name := range functions {
			functions[name](old, now, window)
		}
		if i%250 != 249 {
			continue
		}
		young := &Series{}
		young.Keep(window)
		for _, p := range samples[max(0, len(samples)-1000):] {
			young.Append(time.Unix(0, p.at), p.value)
		}
		for name, compute := range functions {
			a, b := compute(old, now, window), compute(young, now, window)
			if a != b && !(math.IsNaN(a) && math.IsNaN(b)) {
				t.Errorf("after %d samples %s is %v, after a restart %v", i+1, name, a, b)
			}
		}
	}
}

func TestASteadyWindowHasNoDeviation(t *testing.T) {
	s := &Series{}
	s.Keep(time.Minute)
	now := epoch
	for i := range 100 {
		v := 0.1
		if i < 50 {
			v = 1e7 / 3
		}
		now = now.Add(time.Second)
		s.Append(now, v)
		deviation(s, now.UnixNano(), 20*time.Second)
	}
	if got := deviation(s, now.UnixNano(), 20*time.Second); got != 0 {
		t.Errorf("the deviation of a constant is %v", got)
	}
}

// BenchmarkWindow is one sample in, and the function once, over windows that
// hold so many samples.
func BenchmarkWindow(b *testing.B) {
	functions := windowFuncs()
	for _, name := range []string{"avg", "sum", "count", "stddev", "min", "max", "median", "p90", "rate", "change", "change_pct", "forecast"} {
		for _, n := range []int{10, 100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				window := time.Duration(n) * 5 * time.Second
				s := &Series{}
				s.Keep(window)
				random := rand.New(rand.NewPCG(1, 2))
				values := make([]float64, 4096)
				for i := range values {
					values[i] = math.Round(random.Float64()*1e4) / 100
				}
				now, i := epoch, 0
				step := func() {
					now, i = now.Add(5*time.Second), i+1
					s.Append(now, values[i&4095])
					functions[name](s, now.UnixNano(), window)
				}
				for range 2*n + 100 {
					step()
				}
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
	}
}

func TestASeriesWithoutWindowsIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Series{}); n > 56 {
		t.Errorf("a series takes %d bytes", n)
	}
	s := &Series{}
	s.Keep(0)
	for i := range 100 {
		s.Append(epoch.Add(time.Duration(i)*time.Second), 1)
	}
	if s.history != nil {
		t.Error("a series without windows has a history")
	}
}

func TestDroppedAggregatesComeBack(t *testing.T) {
	s := &Series{}
	s.Keep(time.Minute)
	for i := range 100 {
		s.Append(epoch.Add(time.Duration(i)*time.Second), float64(i))
		average(s, s.last.at, 10*time.Second)
	}
	was := average(s, s.last.at, 10*time.Second)
	s.DropAggregates()
	if len(s.history.slides) != 0 {
		t.Error("aggregates are kept")
	}
	if got := average(s, s.last.at, 10*time.Second); got != was {
		t.Errorf("the average was %v and is %v", was, got)
	}
}
