package prometheus

import (
	"math"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// cache reads the application's cache counters by strategy: the lookups, and
// beside them, where the page has them, what was written, deleted,
// invalidated and what failed. An eviction counts as a delete where the page
// counts no deletes (Micrometer).
func (f *fill) cache(run string) {
	s := f.source
	strategies := source.Strategies{}
	each := func(metric string, take func(*source.Strategy, alert.Labels, uint64)) bool {
		for _, i := range f.snap.byName[metric] {
			p := &f.snap.points[i]
			name := strategyOf(p.labels)
			if name == "" || p.value < 0 || p.value > math.MaxInt64 {
				continue
			}
			strategy := strategies[name]
			strategy.TTL = s.cfg.Strategies[name].TTL
			take(&strategy, p.labels, uint64(p.value))
			strategies[name] = strategy
		}
		return len(f.snap.byName[metric]) > 0
	}
	each(s.cfg.CacheMetric, func(st *source.Strategy, ls alert.Labels, n uint64) {
		switch strings.ToLower(ls.Get("result")) {
		case "hit", "hits":
			st.Hits += n
		case "miss", "misses":
			st.Misses += n
		}
	})
	if len(strategies) == 0 {
		return
	}
	each("cache_puts_total", func(st *source.Strategy, _ alert.Labels, n uint64) { st.Sets += n })
	deletes := func(st *source.Strategy, _ alert.Labels, n uint64) { st.Deletes += n }
	if !each("cache_deletes_total", deletes) {
		each("cache_evictions_total", deletes)
	}
	each("cache_invalidations_total", func(st *source.Strategy, _ alert.Labels, n uint64) { st.Invalidations += n })
	each("cache_errors_total", func(st *source.Strategy, _ alert.Labels, n uint64) { st.Errors += n })

	s.strategies.Observe("", run, f.snap.now, strategies)
	f.reading.Samples = append(f.reading.Samples, s.strategies.Flush(f.snap.now)...)
	f.reading.Facts.Strategies = strategies
}

func strategyOf(ls alert.Labels) string {
	for _, name := range [...]string{"cache", "strategy", "name", "cache_name"} {
		if value := ls.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// poolNames are the gauges of one library's connection pool.
type poolNames struct{ active, idle, total, waiting, limit string }

// pool fills postgres.pool_* and the application's pool from the libraries
// that tell of theirs: Prisma, HikariCP and Go's database/sql.
func (f *fill) pool() {
	for _, names := range [...]poolNames{
		{"prisma_pool_connections_busy", "prisma_pool_connections_idle", "prisma_pool_connections_open", "prisma_client_queries_wait", ""},
		{"hikaricp_connections_active", "hikaricp_connections_idle", "hikaricp_connections", "hikaricp_connections_pending", "hikaricp_connections_max"},
		{"go_sql_in_use_connections", "go_sql_idle_connections", "go_sql_open_connections", "", "go_sql_max_open_connections"},
	} {
		active, ok := f.snap.sum(names.active, nil)
		if !ok {
			continue
		}
		idle, _ := f.snap.sum(names.idle, nil)
		total, ok := f.snap.sum(names.total, nil)
		if !ok {
			total = active + idle
		}
		pool := &source.Pool{Active: int(active), Idle: int(idle), Total: int(total), From: "application"}
		f.set("postgres.pool_active", active)
		f.set("postgres.pool_idle", idle)
		f.set("postgres.pool_total", total)
		if waiting, ok := f.snap.sum(names.waiting, nil); ok {
			n := int(waiting)
			pool.Waiting = &n
			f.set("postgres.pool_waiting", waiting)
		}
		if limit, ok := f.snap.sum(names.limit, nil); ok && limit > 0 {
			pool.Limit = int(limit)
			f.set("postgres.pool_limit", limit)
			f.set("postgres.pool_usage", 100*active/limit)
		}
		f.reading.Facts.App = &source.App{Pool: pool}
		return
	}
}
