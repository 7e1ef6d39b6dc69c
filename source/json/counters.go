package json

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tocsin-dev/tocsin/source"
)

// count notes a counter; its rate is known when all counters are read.
func (x *extraction) count(v *value, n float64, labels []string) {
	key := v.Metric + "\xff" + v.path.text + "\xff" + strings.Join(labels, "\xff")
	factor := 1.0
	if v.Unit == "/min" {
		factor = 60
	}
	x.counters[key] = n
	x.pending = append(x.pending, counter{key: key, metric: v.Metric, labels: labels, factor: factor})
}

// rates turns the counters into samples. When one of them fell, or the
// application started anew, none has a rate this time.
func (x *extraction) rates(run string) {
	if len(x.pending) == 0 {
		return
	}
	rates := &x.source.rates
	rates.Observe(run, x.now, x.counters)
	for _, c := range x.pending {
		if perSecond, ok := rates.PerSecond(c.key); ok {
			x.reading.Add(c.metric, perSecond*c.factor, c.labels...)
			if len(c.labels) == 0 {
				x.values[c.metric] = perSecond * c.factor
			}
		}
	}
}

// cacheStrategies reads the guide's cacheStrategies.
func (x *extraction) cacheStrategies(run string) {
	s := x.source
	if s.strategies == nil {
		return
	}
	at := s.strategies.in(x.doc)
	if !at.IsObject() {
		x.problem("strategies "+s.strategies.text, errors.New("no object stands there"))
		return
	}
	strategies := source.Strategies{}
	at.ForEach(func(name, counters gjson.Result) bool {
		strategy, err := strategyOf(counters)
		if err != nil {
			x.problem("strategies "+clip(name.String()), err)
			return true
		}
		strategy.TTL = s.cfg.Strategies.TTL[name.String()]
		strategies[name.String()] = strategy
		return len(strategies) < maxElements
	})
	s.tracker.Observe("", run, x.now, strategies)
	x.reading.Samples = append(x.reading.Samples, s.tracker.Flush(x.now)...)
	x.reading.Facts.Strategies = strategies
}

// strategyOf reads one strategy. hits and misses must be there: without them
// it is another document.
func strategyOf(counters gjson.Result) (source.Strategy, error) {
	var s source.Strategy
	for _, f := range [...]struct {
		name     string
		into     *uint64
		required bool
	}{
		{"hits", &s.Hits, true},
		{"misses", &s.Misses, true},
		{"sets", &s.Sets, false},
		{"deletes", &s.Deletes, false},
		{"invalidations", &s.Invalidations, false},
		{"errors", &s.Errors, false},
	} {
		v := counters.Get(f.name)
		if !v.Exists() {
			if f.required {
				return s, fmt.Errorf("has no %s", f.name)
			}
			continue
		}
		n, err := number(v, "")
		if err != nil || n < 0 || n > math.MaxInt64 {
			return s, fmt.Errorf("%s is not a count", f.name)
		}
		*f.into = uint64(n)
	}
	return s, nil
}

// facts tells the guide's documents what the samples tell the rules, and
// completes what follows from two of them.
func (x *extraction) facts() {
	get := func(metric string) *float64 {
		if v, ok := x.values[metric]; ok {
			return &v
		}
		return nil
	}
	app := source.App{StartedAt: x.reading.StartedAt, MemoryUsed: get("app.memory_used"), MemoryLimit: get("app.memory_limit")}
	if app.MemoryUsed != nil && app.MemoryLimit != nil && *app.MemoryLimit > 0 && !x.configured("app.memory_usage") {
		x.reading.Add("app.memory_usage", 100**app.MemoryUsed / *app.MemoryLimit)
	}
	app.AverageQueryMs = get("postgres.avg_query_time")
	app.Pool = x.pool(get)
	if !app.StartedAt.IsZero() || app.MemoryUsed != nil || app.MemoryLimit != nil || app.AverageQueryMs != nil || app.Pool != nil {
		x.reading.Facts.App = &app
	}
}

func (x *extraction) configured(metric string) bool {
	for i := range x.source.values {
		if x.source.values[i].Metric == metric {
			return true
		}
	}
	return false
}

// pool is the application's connection pool, where active and idle or total
// are configured.
func (x *extraction) pool(get func(string) *float64) *source.Pool {
	active, idle, total := get("postgres.pool_active"), get("postgres.pool_idle"), get("postgres.pool_total")
	if active == nil || idle == nil && total == nil {
		return nil
	}
	pool := &source.Pool{Active: int(*active), From: "application"}
	switch {
	case idle == nil:
		pool.Total = int(*total)
		pool.Idle = max(0, pool.Total-pool.Active)
	case total == nil:
		pool.Idle = int(*idle)
		pool.Total = pool.Active + pool.Idle
	default:
		pool.Idle, pool.Total = int(*idle), int(*total)
	}
	if waiting := get("postgres.pool_waiting"); waiting != nil {
		n := int(*waiting)
		pool.Waiting = &n
	}
	if limit := get("postgres.pool_limit"); limit != nil && *limit > 0 {
		pool.Limit = int(*limit)
		if !x.configured("postgres.pool_usage") {
			x.reading.Add("postgres.pool_usage", 100**active / *limit)
		}
	}
	return pool
}
