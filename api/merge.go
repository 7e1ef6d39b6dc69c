package api

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// applicationTypes orders the types of source by how directly they hear of the
// application itself.
func applicationTypes() []string {
	return []string{"push", "json", "prometheus", "redis"}
}

// ofBestType returns what the sources of one type know, and of the best type
// that knows anything. Sources of one type are instances of the application,
// whose numbers add up; sources of two types see the same numbers twice.
func ofBestType[T any](all []source.Status, get func(source.Status) (T, bool)) []T {
	byType := map[string][]T{}
	for _, s := range all {
		if value, ok := get(s); ok {
			byType[s.Type] = append(byType[s.Type], value)
		}
	}
	for _, kind := range applicationTypes() {
		if len(byType[kind]) > 0 {
			return byType[kind]
		}
	}
	others := make([]string, 0, len(byType))
	for kind := range byType {
		others = append(others, kind)
	}
	if len(others) == 0 {
		return nil
	}
	return byType[slices.Min(others)]
}

// application is what the sources know of the watched application. Nil, and
// the zero time, are what nobody knows.
type application struct {
	started                 time.Time // the longest-lived instance's
	memoryUsed, memoryLimit *float64  // bytes
	pool                    *source.Pool
	averageQueryMs          *float64
	slow                    []source.SlowQuery
}

func applicationOf(all []source.Status) application {
	var app application
	for _, started := range ofBestType(all, startOf) {
		if app.started.IsZero() || started.Before(app.started) {
			app.started = started
		}
	}
	app.memoryUsed = sum(known(all, func(a *source.App) *float64 { return a.MemoryUsed }))
	app.memoryLimit = sum(known(all, func(a *source.App) *float64 { return a.MemoryLimit }))
	app.pool = sumPools(known(all, func(a *source.App) *source.Pool { return a.Pool }))
	app.averageQueryMs = mean(known(all, func(a *source.App) *float64 { return a.AverageQueryMs }))
	for _, s := range all {
		if s.Facts.App != nil {
			app.slow = append(app.slow, s.Facts.App.Slow...)
		}
	}
	return app
}

// startOf does not believe a source that cannot be read: an application that
// died would seem to run on.
func startOf(s source.Status) (time.Time, bool) {
	if s.Facts.App == nil || !s.Up || s.Facts.App.StartedAt.IsZero() {
		return time.Time{}, false
	}
	return s.Facts.App.StartedAt, true
}

// known returns the field of the applications that know it, of the best type.
func known[T any](all []source.Status, field func(*source.App) *T) []*T {
	return ofBestType(all, func(s source.Status) (*T, bool) {
		if s.Facts.App == nil {
			return nil, false
		}
		value := field(s.Facts.App)
		return value, value != nil
	})
}

func sum(values []*float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	total := 0.0
	for _, v := range values {
		total += *v
	}
	return &total
}

func mean(values []*float64) *float64 {
	total := sum(values)
	if total != nil {
		*total /= float64(len(values))
	}
	return total
}

// sumPools adds up pools; what one of them does not know the sum does not know
// either. A negative number is one that the source does not know.
func sumPools(pools []*source.Pool) *source.Pool {
	if len(pools) == 0 {
		return nil
	}
	total := *pools[0]
	for _, p := range pools[1:] {
		total.Active = add(total.Active, p.Active)
		total.Idle = add(total.Idle, p.Idle)
		total.Total = add(total.Total, p.Total)
		if total.Waiting != nil && p.Waiting != nil {
			waiting := *total.Waiting + *p.Waiting
			total.Waiting = &waiting
		} else {
			total.Waiting = nil
		}
	}
	return &total
}

func add(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

// count shows what sumPools knows.
func count(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}
