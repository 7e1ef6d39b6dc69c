package demo

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// Incident plays the script. Its sources may be polled from several
// goroutines.
type Incident struct {
	started time.Time

	mu       sync.Mutex
	at       time.Time // the counters below are of this moment
	counters source.Strategies
	calls    float64
	fraction map[string]float64 // of a lookup that is not whole yet
}

// New makes an incident that begins now, with an application that has run for
// a day.
func New(now time.Time) *Incident {
	i := &Incident{started: now, at: now, counters: source.Strategies{}, calls: 1_543_200, fraction: map[string]float64{}}
	for name, st := range strategies() {
		total := st.perSecond * 600
		hits := math.Round(total * st.good / 100)
		i.counters[name] = source.Strategy{TTL: st.ttl, Hits: uint64(hits), Misses: uint64(total - hits), Sets: uint64(total - hits)}
	}
	return i
}

// advance lets the traffic of the time since the last call happen.
func (i *Incident) advance(now time.Time) scene {
	s := at(now.Sub(i.started))
	elapsed := now.Sub(i.at).Seconds()
	if elapsed <= 0 {
		return s
	}
	i.at = now
	for name, st := range strategies() {
		c := i.counters[name]
		hits := i.whole(name+"/hits", st.perSecond*elapsed*s.hitRate[name]/100)
		misses := i.whole(name+"/misses", st.perSecond*elapsed*(1-s.hitRate[name]/100))
		if s.cacheDown {
			hits, misses = 0, 0
			c.Errors += uint64(st.perSecond * elapsed)
		}
		c.Hits, c.Misses, c.Sets = c.Hits+hits, c.Misses+misses, c.Sets+misses
		i.counters[name] = c
	}
	i.calls += 180 * elapsed
	return s
}

// whole gives the whole part and keeps the rest for the next time.
func (i *Incident) whole(key string, v float64) uint64 {
	v += i.fraction[key]
	n := math.Floor(v)
	i.fraction[key] = v - n
	return uint64(n)
}

func (i *Incident) dayBefore() time.Time { return i.started.Add(-24 * time.Hour) }

// Cache is the Redis of the incident.
func (i *Incident) Cache() source.Source { return &cache{incident: i} }

// Database is its PostgreSQL.
func (i *Incident) Database() source.Source { return &database{incident: i} }

// App is its application.
func (i *Incident) App() source.Source { return &app{incident: i} }

type cache struct {
	incident *Incident
	tracker  source.StrategyTracker
}

var errRefused = errors.New("dial tcp 127.0.0.1:6379: connect: connection refused")

// Poll reads the script.
func (c *cache) Poll(context.Context) (source.Reading, error) {
	i := c.incident
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	s := i.advance(now)
	var r source.Reading
	if s.cacheDown {
		r.Add("redis.up", 0)
		r.Facts.Cache = &source.Cache{Status: "disconnected"}
		return r, &source.Fault{Kind: source.Down, Err: errRefused}
	}
	counters := source.Strategies{}
	var hits, misses uint64
	for name, st := range i.counters {
		counters[name] = st
		hits, misses = hits+st.Hits, misses+st.Misses
	}
	c.tracker.Observe("demo", "1", now, counters)
	r.Samples = c.tracker.Flush(now)
	r.Facts.Strategies = c.tracker.Totals()
	r.Add("redis.up", 1)
	r.Add("redis.ping", 0.4)
	r.Add("redis.ops_per_sec", 2850)
	r.Add("redis.memory_used", 2.1*(1<<20))
	r.Facts.Cache = &source.Cache{
		Status: "connected", Hits: hits, Misses: misses,
		Info: map[string]string{
			"redis_version": "7.0.0", "used_memory_human": "2.10M", "used_memory_peak_human": "3.80M", "connected_clients": "3",
			"total_commands_processed": strconv.FormatUint(hits+misses, 10), "instantaneous_ops_per_sec": "2850",
			"keyspace_hits": strconv.FormatUint(hits, 10), "keyspace_misses": strconv.FormatUint(misses, 10),
		},
	}
	r.StartedAt = i.dayBefore()
	return r, nil
}

// Close has nothing to close.
func (c *cache) Close() error { return nil }

type database struct {
	incident *Incident
	slow     []source.SlowQuery
}

// Poll reads the script.
func (d *database) Poll(context.Context) (source.Reading, error) {
	i := d.incident
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	s := i.advance(now)
	usage := 100 * float64(s.active) / poolLimit
	var r source.Reading
	r.Add("postgres.up", 1)
	r.Add("postgres.avg_query_time", s.queryMs)
	r.Add("postgres.queries_per_sec", 180)
	r.Add("postgres.pool_active", float64(s.active))
	r.Add("postgres.pool_idle", float64(poolLimit-s.active))
	r.Add("postgres.pool_waiting", float64(s.waiting))
	r.Add("postgres.pool_usage", usage)
	slow := 0.0
	if s.slow {
		slow = 1
		d.slow = append([]source.SlowQuery{{Query: `SELECT * FROM "Runs" WHERE "userId" = $1 ORDER BY "date" DESC`, DurationMs: math.Round(3 * s.queryMs), At: now}}, d.slow...)
		d.slow = d.slow[:min(len(d.slow), 5)]
	}
	r.Add("postgres.slow_queries", slow)
	average, slowest, perSecond, total := s.queryMs, 3*s.queryMs, 180.0, uint64(i.calls)
	r.Facts.Database = &source.Database{
		Status: "connected",
		Pool:   &source.Pool{Active: s.active, Idle: poolLimit - s.active, Total: poolLimit, Waiting: &s.waiting, Limit: poolLimit, From: "application"},
		Query:  source.QueryStats{AverageMs: &average, SlowestMs: &slowest, PerSecond: &perSecond, Total: &total},
		Tables: []source.Table{table("Users", 156, 2.1, 99.2), table("Runs", 3245, 12.8, 97.8), table("Shoes", 489, 1.2, 98.9)},
		Slow:   d.slow,
	}
	r.StartedAt = i.dayBefore()
	return r, nil
}

func table(name string, rows int64, megabytes, hitRate float64) source.Table {
	size := int64(megabytes * (1 << 20))
	return source.Table{Name: name, Rows: &rows, SizeBytes: &size, IndexHitRate: &hitRate}
}

// Close has nothing to close.
func (d *database) Close() error { return nil }

type app struct{ incident *Incident }

// Poll reads the script.
func (a *app) Poll(context.Context) (source.Reading, error) {
	i := a.incident
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.advance(time.Now())
	used, limit := s.memoryMB*(1<<20), 1024.0*(1<<20)
	var r source.Reading
	r.Add("app.memory_used", used)
	r.Add("app.memory_limit", limit)
	r.Add("app.memory_usage", 100*used/limit)
	r.Add("app.requests_per_sec", 140)
	r.Add("app.response_time_p95", s.apiMs)
	r.Add("app.error_rate", 0.02)
	r.Facts.App = &source.App{StartedAt: i.dayBefore(), MemoryUsed: &used, MemoryLimit: &limit}
	r.StartedAt = i.dayBefore()
	return r, nil
}

// Close has nothing to close.
func (a *app) Close() error { return nil }
