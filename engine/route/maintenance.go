package route

import (
	"cmp"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// MaintenanceSpec is planned work as it is written: while it goes on, the alerts
// that it matches are held back as by a silence.
type MaintenanceSpec struct {
	// Name is the reason that the history tells.
	Name string `yaml:"name"`
	// Match are matchers; every one must hold.
	Match MatchSpec `yaml:"match"`
	// From and To are the work's beginning and end: 2026-12-01T22:00:00Z, or
	// 2026-12-01 22:00 in the time zone of Location.
	From string `yaml:"from"`
	To   string `yaml:"to"`
	// TimeIntervals are names of time intervals, or intervals themselves, for
	// work that comes again. With From or To they count between these.
	TimeIntervals []WindowSpec `yaml:"time_intervals"`
	// Location is the time zone of what names none, as in Europe/Berlin; left
	// out it is UTC.
	Location string `yaml:"location"`
}

// WindowSpec is the name of a time interval, or one itself.
type WindowSpec struct {
	SpanSpec `yaml:",inline"`

	name string
}

// FromScalar takes the name of a time interval.
func (w *WindowSpec) FromScalar(text string) error {
	w.name = text
	return nil
}

// Maintenance is compiled planned work. It is immutable.
type Maintenance struct {
	Name  string
	Match alert.Matchers
	// from and to bound it; zero is no bound.
	from, to  time.Time
	intervals []Interval // none: all the time between from and to
}

// CompileMaintenance makes windows of their written form. Problems have paths as
// [0].time_intervals[1].weekdays[0].
func CompileMaintenance(specs []MaintenanceSpec, intervals []Interval) ([]Maintenance, problem.List) {
	var problems problem.List
	out := make([]Maintenance, 0, len(specs))
	names := map[string]int{}
	for i := range specs {
		at := fmt.Sprintf("[%d]", i)
		if before, taken := names[specs[i].Name]; taken && specs[i].Name != "" {
			problems.Add(at+".name", "the name %q is taken by maintenance[%d]", specs[i].Name, before).As(problem.DuplicateName)
		} else {
			names[specs[i].Name] = i
		}
		out = append(out, compileMaintenance(&specs[i], at, intervals, &problems))
	}
	return out, problems
}

func compileMaintenance(spec *MaintenanceSpec, path string, intervals []Interval, problems *problem.List) Maintenance {
	m := Maintenance{Name: spec.Name, Match: matchers(spec.Match, problem.Join(path, "match"), problems)}
	if spec.Name == "" {
		problems.AddHint(problem.Join(path, "name"), "write for example database-upgrade", "missing: the history tells it as the reason")
	}
	if len(spec.Match) == 0 {
		problems.AddHint(problem.Join(path, "match"), "write for example ['category = database']; for every alert ['alertname != \"\"']",
			"missing: which alerts the work excuses")
	}
	zone := zoneOf(spec.Location, problem.Join(path, "location"), problems)
	m.from = momentOf(spec.From, zone, problem.Join(path, "from"), problems)
	m.to = momentOf(spec.To, zone, problem.Join(path, "to"), problems)
	switch {
	case spec.To == "" && len(spec.TimeIntervals) == 0:
		problems.AddHint(problem.Join(path, "to"), "write when it ends, or time_intervals for work that comes again", "missing: it would never end")
	case !m.from.IsZero() && !m.to.IsZero() && !m.from.Before(m.to):
		problems.Add(problem.Join(path, "to"), "not after %s, when it begins", spec.From)
	}
	for i := range spec.TimeIntervals {
		at := problem.Join(path, fmt.Sprintf("time_intervals[%d]", i))
		w := &spec.TimeIntervals[i]
		if w.name != "" {
			if in, ok := intervalCalled(w.name, intervals, at, problems); ok {
				m.intervals = append(m.intervals, in)
			}
			continue
		}
		own := w.SpanSpec
		own.Location = cmp.Or(own.Location, spec.Location)
		m.intervals = append(m.intervals, Interval{spans: []span{compileSpan(&own, at, problems)}})
	}
	return m
}

// momentOf reads a moment; the empty text is none.
func momentOf(text string, zone *time.Location, path string, problems *problem.List) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := ParseMoment(text, zone)
	if err != nil {
		problems.AddHint(path, "write for example 2026-12-01T22:00:00Z, or 2026-12-01 22:00 with a location", "%v", err)
	}
	return t
}

// ParseMoment reads 2026-12-01T22:00:00Z or, in the zone, 2026-12-01 22:00 and
// 2026-12-01.
func ParseMoment(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range [...]string{
		time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a moment", text)
}

// Active says whether the work goes on at the moment.
func (m *Maintenance) Active(t time.Time) bool {
	if t.Before(m.from) || !m.to.IsZero() && !t.Before(m.to) {
		return false
	}
	for i := range m.intervals {
		if m.intervals[i].Contains(t) {
			return true
		}
	}
	return len(m.intervals) == 0
}

// Next returns the first moment after t at which Active answers otherwise than
// at t; zero when there is none within five years.
func (m *Maintenance) Next(t time.Time) time.Time {
	now := m.Active(t)
	switch {
	case !m.to.IsZero() && !t.Before(m.to):
		return time.Time{}
	case t.Before(m.from) && m.Active(m.from):
		return m.from
	case t.Before(m.from):
		t = m.from
	}
	intervals := make([]*Interval, len(m.intervals))
	for i := range m.intervals {
		intervals[i] = &m.intervals[i]
	}
	next := nextOf(intervals, t, func(at time.Time) bool { return m.Active(at) != now })
	switch {
	case !m.to.IsZero() && now && (next.IsZero() || next.After(m.to)):
		return m.to
	case !m.to.IsZero() && !next.Before(m.to):
		return time.Time{}
	}
	return next
}
