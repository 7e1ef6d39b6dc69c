package redis

import (
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// addSamples adds the redis.* samples of servers that all serve. A number that
// one of them does not tell is left out for all.
func addSamples(r *source.Reading, views []view, memoryLimit float64) {
	r.StartedAt = newest(views)
	r.Add("redis.up", 1)
	if slowest, ok := slowestPing(views); ok {
		r.Add("redis.ping", float64(slowest)/float64(time.Millisecond))
	}
	loading := false
	for _, v := range views {
		if v.info == nil {
			return // the user may not INFO
		}
		loading = loading || isLoading(v)
	}
	r.Add("redis.loading", b01(loading))
	addLink(r, views)
	addGauges(r, views, memoryLimit)
	addRates(r, views)
}

func addGauges(r *source.Reading, views []view, memoryLimit float64) {
	if up, ok := lowest(views, "uptime_in_seconds"); ok {
		r.Add("redis.uptime", up)
	}
	used, hasUsed := sum(views, "used_memory")
	if hasUsed {
		r.Add("redis.memory_used", used)
	}
	if limit, ok := limitOf(views, memoryLimit); ok && hasUsed {
		r.Add("redis.memory_usage", 100*used/limit)
	}
	clients, hasClients := sum(views, "connected_clients")
	if hasClients {
		r.Add("redis.clients", clients)
	}
	if most, ok := sum(views, "maxclients"); ok && hasClients && most > 0 {
		r.Add("redis.client_usage", 100*clients/most)
	}
	// A Sentinel keeps no keys, and no memory of them.
	if hasUsed {
		var keys uint64
		for _, v := range views {
			keys += v.info.keys()
		}
		r.Add("redis.keys", float64(keys))
	}
}

// addRates observes the counters of every server, each in its own rates, and
// adds the sums of the changes. A server that started or was reset since the
// last poll gives no change, and then there is no sum either.
func addRates(r *source.Reading, views []view) {
	for _, v := range views {
		v.node.rates.Observe(v.node.runID, v.at, v.info.counters())
	}
	for _, m := range [...]struct{ metric, counter string }{
		{"redis.ops_per_sec", "total_commands_processed"},
		{"redis.evictions_per_sec", "evicted_keys"},
		{"redis.expirations_per_sec", "expired_keys"},
		{"redis.errors_per_sec", "total_error_replies"},
		{"redis.rejected_per_sec", "rejected_connections"},
	} {
		if rate, ok := total(views, func(v view) (float64, bool) { return v.node.rates.PerSecond(m.counter) }); ok {
			r.Add(m.metric, rate)
		}
	}
	hits, ok1 := total(views, func(v view) (float64, bool) { return v.node.rates.Delta("keyspace_hits") })
	misses, ok2 := total(views, func(v view) (float64, bool) { return v.node.rates.Delta("keyspace_misses") })
	if ok1 && ok2 && hits+misses > 0 {
		r.Add("redis.hit_rate", 100*hits/(hits+misses))
	}
}

// addLink adds the state of the link to the master, on replicas only.
func addLink(r *source.Reading, views []view) {
	replicas, up := 0, true
	for _, v := range views {
		if status, ok := v.info["master_link_status"]; ok {
			replicas++
			up = up && status == "up"
		}
	}
	if replicas > 0 {
		r.Add("redis.replica_link_up", b01(up))
	}
}

func slowestPing(views []view) (time.Duration, bool) {
	var slowest time.Duration
	for _, v := range views {
		if v.ping < 0 {
			return 0, false
		}
		slowest = max(slowest, v.ping)
	}
	return slowest, true
}

// limitOf returns the memory that the servers may use together: the configured
// limit for each, or what each one says.
func limitOf(views []view, configured float64) (float64, bool) {
	return total(views, func(v view) (float64, bool) {
		if configured > 0 {
			return configured, true
		}
		return v.info.memoryLimit()
	})
}

func sum(views []view, field string) (float64, bool) {
	return total(views, func(v view) (float64, bool) { return v.info.number(field) })
}

// total adds up a number of every view; false when one view has none.
func total(views []view, number func(view) (float64, bool)) (float64, bool) {
	t := 0.0
	for _, v := range views {
		n, ok := number(v)
		if !ok {
			return 0, false
		}
		t += n
	}
	return t, true
}

func lowest(views []view, field string) (float64, bool) {
	low, found := 0.0, false
	for _, v := range views {
		n, ok := v.info.number(field)
		if !ok {
			return 0, false
		}
		if !found || n < low {
			low, found = n, true
		}
	}
	return low, found
}
