package route

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// IntervalSpec is a time interval by name, as routes refer to it: some times of
// the week and the year. The format is Alertmanager's.
type IntervalSpec struct {
	// Name is what routes call it.
	Name string `yaml:"name"`
	// TimeIntervals are what it consists of: it holds while any of them does.
	TimeIntervals []SpanSpec `yaml:"time_intervals"`
}

// SpanSpec is some times: a moment belongs to it that lies in each of the lists
// that are given, which is when any of the list's ranges has it.
type SpanSpec struct {
	// Times are times of the day, as in 09:00-17:00.
	Times []TimesSpec `yaml:"times"`
	// Weekdays are days or ranges such as monday:friday, both ends included.
	Weekdays []string `yaml:"weekdays"`
	// DaysOfMonth are days or ranges such as 1:5; negative ones count from the
	// month's end: -1 is its last day.
	DaysOfMonth []string `yaml:"days_of_month"`
	// Months are names, numbers or ranges such as january:march.
	Months []string `yaml:"months"`
	// Years are years or ranges such as 2026:2027.
	Years []string `yaml:"years"`
	// Location is the time zone, as in Europe/Berlin; left out it is UTC.
	Location string `yaml:"location"`
}

// TimesSpec is a range of the day's times, the end left out: 09:00-17:00, or a
// mapping.
type TimesSpec struct {
	// StartTime is when it begins, HH:MM.
	StartTime string `yaml:"start_time"`
	// EndTime is when it ends, HH:MM; 24:00 is the day's end.
	EndTime string `yaml:"end_time"`
}

// FromScalar reads 09:00-17:00.
func (t *TimesSpec) FromScalar(text string) error {
	from, to, ok := strings.Cut(text, "-")
	if !ok {
		return errors.New("want two times of the day; write for example 09:00-17:00")
	}
	t.StartTime, t.EndTime = strings.TrimSpace(from), strings.TrimSpace(to)
	return nil
}

// CompileIntervals makes intervals of their written form. Problems have paths as
// [0].time_intervals[1].weekdays[0].
func CompileIntervals(specs []IntervalSpec) ([]Interval, problem.List) {
	var problems problem.List
	out := make([]Interval, 0, len(specs))
	first := map[string]int{}
	for i, spec := range specs {
		at := fmt.Sprintf("[%d]", i)
		before, taken := first[spec.Name]
		switch {
		case spec.Name == "":
			problems.AddHint(at+".name", "write for example nights", "missing: routes refer to it by its name")
		case taken:
			problems.Add(at+".name", "the name %q is taken by time_intervals[%d]", spec.Name, before).As(problem.DuplicateName)
		default:
			first[spec.Name] = i
		}
		if len(spec.TimeIntervals) == 0 {
			problems.AddHint(at+".time_intervals", "write for example [{weekdays: ['saturday', 'sunday']}]", "missing: an interval of no times never holds")
		}
		interval := Interval{Name: spec.Name}
		for j := range spec.TimeIntervals {
			interval.spans = append(interval.spans, compileSpan(&spec.TimeIntervals[j], fmt.Sprintf("%s.time_intervals[%d]", at, j), &problems))
		}
		out = append(out, interval)
	}
	return out, problems
}

// compileSpan makes a span; what cannot be read is left out and reported.
func compileSpan(spec *SpanSpec, path string, problems *problem.List) span {
	s := span{zone: zoneOf(spec.Location, problem.Join(path, "location"), problems)}
	for i, t := range spec.Times {
		at := fmt.Sprintf("%s[%d]", problem.Join(path, "times"), i)
		if r, ok := timesOf(t, at, problems); ok {
			s.times = append(s.times, r)
		}
	}
	for _, list := range [...]struct {
		name  string
		texts []string
		read  func(string) (dayRange, error)
		into  *[]dayRange
	}{
		{"weekdays", spec.Weekdays, weekdaysOf, &s.weekdays},
		{"days_of_month", spec.DaysOfMonth, daysOf, &s.days},
		{"months", spec.Months, monthsOf, &s.months},
		{"years", spec.Years, yearsOf, &s.years},
	} {
		for i, text := range list.texts {
			r, err := list.read(text)
			if err != nil {
				message, hint, _ := strings.Cut(err.Error(), "; ")
				problems.AddHint(fmt.Sprintf("%s[%d]", problem.Join(path, list.name), i), hint, "%s", message)
				continue
			}
			*list.into = append(*list.into, r)
		}
	}
	return s
}

func timesOf(t TimesSpec, path string, problems *problem.List) (r dayRange, ok bool) {
	if t.StartTime == "" || t.EndTime == "" {
		problems.AddHint(path, "write for example {start_time: '09:00', end_time: '17:00'}, or 09:00-17:00", "missing: both start_time and end_time")
		return r, false
	}
	for _, one := range [...]struct {
		name, text string
		into       *int
	}{{"start_time", t.StartTime, &r.from}, {"end_time", t.EndTime, &r.to}} {
		minute, good := minuteOf(one.text)
		if !good {
			problems.AddHint(problem.Join(path, one.name), "write HH:MM, from 00:00 to 24:00", "%q is not a time of the day", one.text)
			return r, false
		}
		*one.into = minute
	}
	if r.from >= r.to {
		problems.AddHint(path, fmt.Sprintf("for times past midnight write two: %s-24:00 and 00:00-%s", t.StartTime, t.EndTime),
			"%s is not before %s", t.StartTime, t.EndTime)
		return r, false
	}
	return r, true
}

// named finds the intervals that a route refers to.
func named(names []string, intervals []Interval, path string, problems *problem.List) []Interval {
	var out []Interval
	for i, name := range names {
		if in, ok := intervalCalled(name, intervals, fmt.Sprintf("%s[%d]", path, i), problems); ok {
			out = append(out, in)
		}
	}
	return out
}

func intervalCalled(name string, intervals []Interval, path string, problems *problem.List) (Interval, bool) {
	known := make([]string, len(intervals))
	for i := range intervals {
		if intervals[i].Name == name {
			return intervals[i], true
		}
		known[i] = intervals[i].Name
	}
	hint := cmp.Or(problem.DidYouMean(name, known), "define it under time_intervals")
	problems.AddHint(path, hint, "no time interval is called %q", name).As(problem.UnknownName)
	return Interval{}, false
}
