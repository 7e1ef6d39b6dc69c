package api

import (
	"cmp"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// cacheDoc is the document of GET /api/performance?action=cache.
type cacheDoc struct {
	Enabled          bool     `json:"enabled"`
	Healthy          *bool    `json:"healthy"`
	ConnectionStatus string   `json:"connectionStatus"`
	Stats            statsDoc `json:"stats"`
	// RedisInfo is absent when INFO is not permitted, CacheStrategies when the
	// application tells of none.
	RedisInfo       object[*string]     `json:"redisInfo,omitempty"`
	CacheStrategies object[strategyDoc] `json:"cacheStrategies,omitempty"`
}

// lookupDoc is the part of the statistics that the overview shows too.
type lookupDoc struct {
	Hits    *uint64      `json:"hits"`
	Misses  *uint64      `json:"misses"`
	Total   *uint64      `json:"total"`
	HitRate alert.Number `json:"hitRate"`
	Errors  *uint64      `json:"errors"`
	// Source is keyspace when these are not the application's own counters but
	// Redis' for all of its clients.
	Source string `json:"source,omitempty"`
}

type statsDoc struct {
	lookupDoc
	Operations operationsDoc `json:"operations"`
}

type operationsDoc struct {
	Get        *uint64 `json:"get"` // always stats.total
	Set        *uint64 `json:"set"`
	Delete     *uint64 `json:"delete"`
	Invalidate *uint64 `json:"invalidate"`
}

type strategyDoc struct {
	TTL     *int64       `json:"ttl"` // seconds
	Hits    uint64       `json:"hits"`
	Misses  uint64       `json:"misses"`
	HitRate alert.Number `json:"hitRate"`
}

// infoFields are the INFO fields that the guide shows, in its order.
func infoFields() [8]string {
	return [8]string{
		"redis_version", "used_memory_human", "used_memory_peak_human", "connected_clients",
		"total_commands_processed", "instantaneous_ops_per_sec", "keyspace_hits", "keyspace_misses",
	}
}

// cacheOf makes the document of the cache's own sources and of the
// application's counters, which any source may bring.
func cacheOf(caches, all []source.Status) cacheDoc {
	strategies := strategiesOf(all)
	d := cacheDoc{
		Enabled: len(caches) > 0 || len(strategies) > 0, Healthy: isHealthy(caches),
		ConnectionStatus: connectionStatus(caches, func(s source.Status) string {
			if s.Facts.Cache == nil {
				return ""
			}
			return s.Facts.Cache.Status
		}),
		RedisInfo: redisInfo(caches),
	}
	if len(strategies) > 0 {
		d.Stats, d.CacheStrategies = applicationStats(strategies)
	} else {
		d.Stats = keyspaceStats(caches)
	}
	return d
}

// strategiesOf returns the application's counters of each strategy, each from
// the sources that hear of it most directly.
func strategiesOf(all []source.Status) source.Strategies {
	merged := source.Strategies{}
	for _, s := range all {
		for name := range s.Facts.Strategies {
			if _, told := countersOf(s, name); told {
				merged[name] = strategyOf(all, name)
			}
		}
	}
	return merged
}

func strategyOf(all []source.Status, name string) source.Strategy {
	var total source.Strategy
	for _, one := range ofBestType(all, func(s source.Status) (source.Strategy, bool) { return countersOf(s, name) }) {
		total.Hits += one.Hits
		total.Misses += one.Misses
		total.Sets += one.Sets
		total.Deletes += one.Deletes
		total.Invalidations += one.Invalidations
		total.Errors += one.Errors
	}
	// The TTL stands in a configuration, which need not be that of the source
	// with the counters.
	for _, s := range all {
		total.TTL = max(total.TTL, s.Facts.Strategies[name].TTL)
	}
	return total
}

// countersOf returns what one source knows of a strategy. Redis tells nothing of
// a strategy that is configured and whose hash no one has written: that is not
// known, and not 0.
func countersOf(s source.Status, name string) (source.Strategy, bool) {
	one, ok := s.Facts.Strategies[name]
	if s.Type == "redis" && one == (source.Strategy{TTL: one.TTL}) {
		return one, false
	}
	return one, ok
}

// applicationStats sums the strategies up, so that their hits and misses give
// those of the whole. The busiest strategy stands first.
func applicationStats(strategies source.Strategies) (statsDoc, object[strategyDoc]) {
	var all source.Strategy
	rows := make(object[strategyDoc], 0, len(strategies))
	for name, s := range strategies {
		all.Hits += s.Hits
		all.Misses += s.Misses
		all.Sets += s.Sets
		all.Deletes += s.Deletes
		all.Invalidations += s.Invalidations
		all.Errors += s.Errors
		row := strategyDoc{Hits: s.Hits, Misses: s.Misses, HitRate: percent(float64(s.Hits), float64(s.Total()))}
		if s.TTL > 0 {
			seconds := int64(s.TTL / time.Second)
			row.TTL = &seconds
		}
		rows = append(rows, member[strategyDoc]{name, row})
	}
	slices.SortFunc(rows, func(a, b member[strategyDoc]) int {
		return cmp.Or(cmp.Compare(b.value.Hits+b.value.Misses, a.value.Hits+a.value.Misses), cmp.Compare(a.key, b.key))
	})
	d := lookups(all.Hits, all.Misses, all.Errors)
	d.Operations.Set, d.Operations.Delete, d.Operations.Invalidate = &all.Sets, &all.Deletes, &all.Invalidations
	return d, rows
}

// keyspaceStats is the fallback: Redis' own counters, of all its clients, and
// marked as such. An invalidation is the application's word; Redis knows none.
func keyspaceStats(caches []source.Status) statsDoc {
	var hits, misses, failed, sets, deletes uint64
	seen, commands := false, true
	for _, s := range caches {
		// Where INFO is not permitted the counters are not known, not 0.
		if c := s.Facts.Cache; c != nil && c.Info != nil {
			seen = true
			hits, misses, failed = hits+c.Hits, misses+c.Misses, failed+c.Errors
			sets, deletes = sets+c.Sets, deletes+c.Deletes
			commands = commands && c.HasCommands
		}
	}
	if !seen {
		return statsDoc{lookupDoc: lookupDoc{HitRate: alert.Unknown()}}
	}
	d := lookups(hits, misses, failed)
	d.Source = "keyspace"
	if commands {
		d.Operations.Set, d.Operations.Delete = &sets, &deletes
	}
	return d
}

func lookups(hits, misses, failed uint64) statsDoc {
	total := hits + misses
	return statsDoc{
		lookupDoc: lookupDoc{
			Hits: &hits, Misses: &misses, Total: &total,
			HitRate: percent(float64(hits), float64(total)), Errors: &failed,
		},
		Operations: operationsDoc{Get: &total},
	}
}

// redisInfo shows the first cache that can be read, or else the first that
// could be.
func redisInfo(caches []source.Status) object[*string] {
	var info map[string]string
	for _, s := range caches {
		if c := s.Facts.Cache; c != nil && c.Info != nil && (info == nil || s.Up) {
			info = c.Info
			if s.Up {
				break
			}
		}
	}
	if info == nil {
		return nil
	}
	o := make(object[*string], 0, 8)
	for _, name := range infoFields() {
		var value *string
		if v, ok := info[name]; ok {
			value = &v
		}
		o = append(o, member[*string]{name, value})
	}
	return o
}

// connectionStatus is the worst of the sources' own words. A source keeps what
// it knew when it cannot be read any more, so its connected is believed only
// while it is up.
func connectionStatus(sources []source.Status, word func(source.Status) string) string {
	worst := ""
	order := []string{"", "connected", "unknown", "loading", "busy", "exhausted", "disconnected"}
	for _, s := range sources {
		w := word(s)
		switch {
		case s.Up && w == "":
			w = "connected"
		case !s.Up && (w == "" || w == "connected"):
			w = "disconnected"
			if s.Blind || s.LastPoll.IsZero() {
				w = "unknown"
			}
		}
		if slices.Index(order, w) > slices.Index(order, worst) {
			worst = w
		}
	}
	return cmp.Or(worst, "unknown")
}
