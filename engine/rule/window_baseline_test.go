package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var hourOfWeek = Need{Width: time.Hour, Period: 7 * day} // for tests

// fill appends a sample a minute, from and before these moments.
func fill(s *Series, from, until time.Time, value func(time.Time) float64) {
	for at := from; at.Before(until); at = at.Add(time.Minute) {
		s.Append(at, value(at))
	}
}

func TestBaselineIsWhatTheSameHourWasLike(t *testing.T) {
	s := &Series{}
	s.KeepCoarse([]Need{hourOfWeek})
	// Every day the same curve, but one bad day that the median passes over.
	daily := func(at time.Time) float64 {
		if at.Day() == 10 {
			return 0
		}
		return float64(at.Hour()*100) + float64(at.Day())
	}
	fill(s, epoch.Add(-8*day), epoch.Add(time.Minute), daily)
	u := baselineOf(s, epoch.UnixNano(), hourOfWeek, time.UTC)
	// At 10:00 on the 15th: half of each hour lies before 10, half after it.
	// The slots' means of the 8th to the 14th, less the 10th's zeros.
	var values []float64
	for _, d := range []float64{8, 9, 11, 12, 13, 14} {
		values = append(values, slices.Repeat([]float64{900 + d, 1000 + d}, 6)...)
	}
	values = append(values, make([]float64, 12)...)
	slices.Sort(values)
	want := (values[41] + values[42]) / 2
	if u.median != want || u.days != 7 {
		t.Errorf("baseline is %v over %d days, want %v over 7", u.median, u.days, want)
	}
	for i := range values {
		values[i] = math.Abs(values[i] - want)
	}
	slices.Sort(values)
	if want := 1.4826 * (values[41] + values[42]) / 2; u.spread != want {
		t.Errorf("spread is %v, want %v", u.spread, want)
	}
	if s.history.end != s.history.first {
		t.Error("a baseline alone keeps samples")
	}
	if n := len(s.history.coarse.means); n > 2200 {
		t.Errorf("%d slots are kept", n)
	}
}

func TestBaselineWantsThreeDays(t *testing.T) {
	for days, known := range map[int]bool{1: false, 2: false, 3: true} {
		s := &Series{}
		s.KeepCoarse([]Need{hourOfWeek})
		fill(s, epoch.Add(-time.Duration(days)*day), epoch, func(time.Time) float64 { return 5 })
		if got := baselineOf(s, epoch.UnixNano(), hourOfWeek, time.UTC).median; math.IsNaN(got) == known {
			t.Errorf("after %d days the baseline is %v", days, got)
		}
	}
	short := Need{Width: time.Hour, Period: day}
	s := &Series{}
	s.KeepCoarse([]Need{short})
	fill(s, epoch.Add(-day), epoch, func(time.Time) float64 { return 5 })
	if got := baselineOf(s, epoch.UnixNano(), short, time.UTC).median; got != 5 {
		t.Errorf("of one day, one day suffices; got %v", got)
	}
}

// TestBaselineGoesByTheWallClock: where summer time begins, the same time of
// day is 23 hours ago.
func TestBaselineGoesByTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 9, 30, 0, 0, berlin) // it began on the 29th
	office := func(at time.Time) float64 {
		if h := at.In(berlin).Hour(); h == 9 {
			return 100
		}
		return 1
	}
	for zone, want := range map[*time.Location]float64{berlin: 100, time.UTC: 1} {
		s := &Series{}
		s.KeepCoarse([]Need{hourOfWeek})
		fill(s, now.Add(-8*day), now, office)
		if got := baselineOf(s, now.UnixNano(), hourOfWeek, zone).median; got != want {
			t.Errorf("in %s the baseline is %v, want %v", zone, got, want)
		}
	}
}

// TestBaselineDoesNotDependOnARestart: preloading what lookback asks for gives
// the same as having been there, at any moment and with any gaps.
func TestBaselineDoesNotDependOnARestart(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		need := Need{
			Width:  rapid.SampledFrom([]time.Duration{10 * time.Minute, 70 * time.Minute, 12 * time.Hour}).Draw(t, "width"),
			Period: rapid.SampledFrom([]time.Duration{day, 3 * day, 5 * day}).Draw(t, "period"),
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		judged := rapid.Bool().Draw(t, "judged")
		s := &Series{}
		s.KeepCoarse([]Need{need})
		now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC) // over the 8th, when the clocks change
		var samples []point
		for i := range 2500 {
			now = now.Add(time.Duration(random.Int64N(int64(8 * time.Minute))))
			if random.IntN(500) == 0 {
				now = now.Add(time.Duration(random.Int64N(int64(2 * day))))
			}
			p := point{now.UnixNano(), random.Float64()}
			samples = append(samples, p)
			s.Append(now, p.value)
			if judged {
				baselineOf(s, p.at, need, zone)
			}
			if i%500 != 499 {
				continue
			}
			young := &Series{}
			young.KeepCoarse([]Need{need})
			for _, p := range samples {
				if p.at >= now.Add(-need.lookback()).UnixNano() {
					young.Append(time.Unix(0, p.at), p.value)
				}
			}
			for _, later := range []time.Duration{0, time.Hour} {
				at := now.Add(later).UnixNano()
				was, is := *baselineOf(s, at, need, zone), *baselineOf(young, at, need, zone)
				if fmt.Sprint(was) != fmt.Sprint(is) {
					t.Fatalf("%+v: without a restart %+v, with one %+v", need, was, is)
				}
			}
		}
	})
}

func TestBaselinesAreKeptWhileWanted(t *testing.T) {
	other := Need{Width: 2 * time.Hour, Period: 3 * day}
	s := &Series{}
	s.Keep(4 * day)
	fill(s, epoch.Add(-4*day), epoch, func(time.Time) float64 { return 5 })
	s.KeepCoarse([]Need{hourOfWeek, other})
	for _, need := range []Need{hourOfWeek, other} { // from the window's samples
		if got := baselineOf(s, epoch.UnixNano(), need, time.UTC).median; got != 5 {
			t.Errorf("the baseline of %+v is %v", need, got)
		}
	}
	s.KeepCoarse([]Need{other})
	if s.coarse(hourOfWeek) != nil || s.coarse(other) == nil {
		t.Error("the wrong baseline is kept")
	}
	s.rewind(epoch.Add(-2 * day).UnixNano())
	if got := baselineOf(s, epoch.Add(-2*day).UnixNano(), other, time.UTC).days; got != 1 { // it reached three days back
		t.Errorf("after the clock was set back the baseline looks at %d days", got)
	}
	s.KeepCoarse(nil)
	if s.history.coarse != nil {
		t.Error("a baseline is kept that nobody wants")
	}
}

func TestBaselineConditions(t *testing.T) {
	c := compiled(t, "cache.hit_rate", "value < baseline(1h, 7d) * 0.7 and zscore(1h, 7d) < -3", Options{})
	need := c.Baselines()["cache.hit_rate"]
	if !slices.Equal(need, []Need{hourOfWeek}) || c.Windows()["cache.hit_rate"] != 0 || c.Lookback()["cache.hit_rate"] != 7*day+2*time.Hour {
		t.Errorf("needs %v, windows %v, lookback %v", need, c.Windows(), c.Lookback())
	}
	s := &Series{}
	s.KeepCoarse(need)
	fill(s, epoch.Add(-7*day), epoch, func(at time.Time) float64 { return 80 + float64(at.Day()%3) })
	s.Append(epoch, 50)
	f := &frame{now: epoch.UnixNano(), series: s}
	if got := c.eval(f); got != True {
		t.Fatalf("50 against about 81 is %v", got)
	}
	usual := 81.0
	if found := c.explain(f, true); found.value != 50 || found.threshold != usual*0.7 || found.verb != "below" {
		t.Errorf("the message would say %+v", found)
	}
	steady := compiled(t, "cache.hit_rate", "zscore(1h, 7d) < -3", Options{})
	s = &Series{}
	s.KeepCoarse(need)
	fill(s, epoch.Add(-7*day), epoch, func(time.Time) float64 { return 80 })
	s.Append(epoch, 50)
	if got := steady.eval(&frame{now: epoch.UnixNano(), series: s}); got != Unknown {
		t.Errorf("a deviation from what never varied is %v", got)
	}
}

func BenchmarkBaseline(b *testing.B) {
	s := &Series{}
	s.KeepCoarse([]Need{hourOfWeek})
	now := epoch
	for range 8 * 24 * 720 {
		now = now.Add(5 * time.Second)
		s.Append(now, 90)
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(5 * time.Second)
		s.Append(now, 90)
		baselineOf(s, now.UnixNano(), hourOfWeek, time.UTC)
	}
}
