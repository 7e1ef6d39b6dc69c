package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// setIntervals takes the route's times. They are the route's own, as in
// Alertmanager: a child does not inherit them, and the root has none.
func (r *Route) setIntervals(spec *Spec, path string, intervals []Interval, problems *problem.List) {
	r.Mute = named(spec.MuteTimeIntervals, intervals, problem.Join(path, "mute_time_intervals"), problems)
	r.Active = named(spec.ActiveTimeIntervals, intervals, problem.Join(path, "active_time_intervals"), problems)
}

// Muted says whether the route tells nothing at the moment, and why, in words
// such as: muted by the time interval nights.
func (r *Route) Muted(t time.Time) (reason string, muted bool) {
	for i := range r.Mute {
		if r.Mute[i].Contains(t) {
			return "muted by the time interval " + r.Mute[i].Name, true
		}
	}
	if len(r.Active) == 0 {
		return "", false
	}
	for i := range r.Active {
		if r.Active[i].Contains(t) {
			return "", false
		}
	}
	names := r.Active[0].Name
	for _, in := range r.Active[1:] {
		names += ", " + in.Name
	}
	return "muted outside the time interval " + names, true
}

// NextMute returns the first moment after t at which Muted says otherwise than
// at t, be it by another reason; zero when there is none within five years.
func (r *Route) NextMute(t time.Time) time.Time {
	was, _ := r.Muted(t)
	intervals := make([]*Interval, 0, len(r.Mute)+len(r.Active))
	for i := range r.Mute {
		intervals = append(intervals, &r.Mute[i])
	}
	for i := range r.Active {
		intervals = append(intervals, &r.Active[i])
	}
	return nextOf(intervals, t, func(at time.Time) bool {
		is, _ := r.Muted(at)
		return is != was
	})
}

// nextOf returns the first moment after t, of those at which an interval
// changes, that is different; zero when there is none within five years.
func nextOf(intervals []*Interval, t time.Time, different func(time.Time) bool) time.Time {
	return soonest(len(intervals), t, t.Add(horizon),
		func(i int, at time.Time) time.Time { return intervals[i].Next(at) }, different)
}
