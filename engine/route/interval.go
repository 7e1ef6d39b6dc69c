package route

import (
	"slices"
	"time"
)

// Interval is a compiled time interval: times of the day, the week and the year
// in a time zone. It is immutable. The zero value never holds.
type Interval struct {
	Name  string
	spans []span
}

// span is a part of an interval: a moment lies in it that lies in each of the
// lists that are not empty.
type span struct {
	times                         []dayRange // minutes of the day, the end left out
	weekdays, days, months, years []dayRange // both ends included
	zone                          *time.Location
}

// dayRange is a range of what a list counts. In weekdays and months it may go
// past the end, as in saturday:monday.
type dayRange struct{ from, to int }

// horizon is how far Next looks ahead: the 29th of February comes within it.
const horizon = 5 * 366 * 24 * time.Hour

// Contains says whether the moment lies in the interval. As in Alertmanager the
// clock on the wall decides: an hour that comes twice lies in it twice, one that
// is left out not at all.
func (in *Interval) Contains(t time.Time) bool {
	return slices.ContainsFunc(in.spans, func(s span) bool { return s.contains(t) })
}

// Next returns the first moment after t at which Contains answers otherwise than
// at t; zero when there is none within five years.
func (in *Interval) Next(t time.Time) time.Time {
	now, until := in.Contains(t), t.Add(horizon)
	return soonest(len(in.spans), t, until,
		func(i int, at time.Time) time.Time { return in.spans[i].next(at, until) },
		func(at time.Time) bool { return in.Contains(at) != now })
}

// soonest returns the first moment after t, and not after until, at which one of
// n changes and which is different; zero when there is none. next is the next
// change of one after a moment, zero for none.
func soonest(n int, t, until time.Time, next func(i int, at time.Time) time.Time, different func(time.Time) bool) time.Time {
	due := make([]time.Time, n)
	for i := range due {
		due[i] = next(i, t)
	}
	for {
		var first time.Time
		for _, d := range due {
			if !d.IsZero() && (first.IsZero() || d.Before(first)) {
				first = d
			}
		}
		switch {
		case first.IsZero() || first.After(until):
			return time.Time{}
		case different(first):
			return first
		}
		for i, d := range due {
			if d.Equal(first) {
				due[i] = next(i, first)
			}
		}
	}
}

func (s *span) contains(t time.Time) bool {
	t = t.In(s.zone)
	return s.containsDay(t) && s.containsMinute(t.Hour()*60+t.Minute())
}

func (s *span) containsMinute(minute int) bool {
	return len(s.times) == 0 || slices.ContainsFunc(s.times, func(r dayRange) bool { return minute >= r.from && minute < r.to })
}

// containsDay looks at the date alone; t is in the span's zone.
func (s *span) containsDay(t time.Time) bool {
	year, month, day := t.Date()
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return among(s.years, func(r dayRange) bool { return year >= r.from && year <= r.to }) &&
		among(s.months, func(r dayRange) bool { return r.around(int(month)) }) &&
		among(s.weekdays, func(r dayRange) bool { return r.around(int(t.Weekday())) }) &&
		among(s.days, func(r dayRange) bool { return r.ofMonth(day, last) })
}

// among says whether a list that is not empty has a range that fits.
func among(list []dayRange, fits func(dayRange) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, fits)
}

// around is for ranges that may go past the end of the week or the year.
func (r dayRange) around(n int) bool {
	if r.from <= r.to {
		return n >= r.from && n <= r.to
	}
	return n >= r.from || n <= r.to
}

// ofMonth is for days that may count from the month's end. Of a range the part
// counts that the month has: 29:31 is empty in a February of 28 days, and 1:31
// the whole of it.
func (r dayRange) ofMonth(day, last int) bool {
	from, to := r.from, r.to
	if from < 0 {
		from += last + 1
	}
	if to < 0 {
		to += last + 1
	}
	return day >= from && day <= to
}

// next is Interval.Next for one span, up to a moment.
func (s *span) next(t, until time.Time) time.Time {
	now := s.contains(t)
	for at := s.step(t); !at.After(until); at = s.step(at) {
		if s.contains(at) != now {
			return at
		}
	}
	return time.Time{}
}

// step returns the next moment after t at which the answer may change: where
// one of the day's times begins or ends, at the day's end, or where the clocks
// are changed. Until they are, the wall clock goes on evenly.
func (s *span) step(t time.Time) time.Time {
	local := t.In(s.zone)
	_, offset := local.Zone()
	_, changed := local.ZoneBounds()
	// What the wall clock shows, as if it were UTC.
	wall := t.UTC().Add(time.Duration(offset) * time.Second)
	midnight := wall.Truncate(24 * time.Hour)
	next := midnight.Add(24 * time.Hour)
	if s.containsDay(local) {
		for _, r := range s.times {
			for _, minute := range [...]int{r.from, r.to} {
				if at := midnight.Add(time.Duration(minute) * time.Minute); at.After(wall) && at.Before(next) {
					next = at
				}
			}
		}
	}
	next = next.Add(-time.Duration(offset) * time.Second)
	if !changed.IsZero() && changed.Before(next) {
		next = changed.UTC()
	}
	return next
}
