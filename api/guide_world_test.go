package api_test

import (
	"context"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

// guideApp is the application of the guide's overview.
func guideApp() *source.App {
	return &source.App{
		StartedAt:  tenOClock().Add(-123456 * time.Second),
		MemoryUsed: ptr(45.2 * mib), MemoryLimit: ptr(512.0 * mib),
	}
}

// overviewWorld gives the guide's example of the overview.
func overviewWorld() *world {
	return &world{sources: []source.Status{
		up("app", "push", source.Facts{App: guideApp(), Strategies: source.Strategies{
			"USER_PROFILE": {Hits: 1000, Misses: 100}, "USER_RUNS": {Hits: 248, Misses: 52},
		}}),
		up("cache", "redis", source.Facts{Cache: &source.Cache{Status: "connected"}}),
		up("database", "postgres", source.Facts{Database: &source.Database{
			Status: "connected", Pool: &source.Pool{Active: 2, Idle: 8, Total: 10, From: "pg_stat_activity"},
			Query: source.QueryStats{AverageMs: ptr(12.04)},
		}}),
	}}
}

// detailWorld gives the guide's examples of the cache and the database.
func detailWorld() *world {
	return &world{sources: []source.Status{
		up("app", "push", source.Facts{App: guideApp(), Strategies: source.Strategies{
			"USER_PROFILE": {TTL: 15 * time.Minute, Hits: 1245, Misses: 89, Sets: 425, Deletes: 89, Invalidations: 12},
			"USER_RUNS":    {TTL: 5 * time.Minute, Hits: 892, Misses: 156},
			"LEADERBOARD":  {TTL: 10 * time.Minute, Hits: 456, Misses: 67},
			"SOCIAL_FEED":  {TTL: 3 * time.Minute, Hits: 254, Misses: 44},
		}}),
		up("cache", "redis", source.Facts{Cache: guideRedis()}),
		up("database", "postgres", source.Facts{Database: guideDatabase()}),
		up("mcp", "http", source.Facts{Check: &source.Check{Up: true}}),
	}}
}

func guideRedis() *source.Cache {
	return &source.Cache{
		Status: "connected", Hits: 3000, Misses: 370, Errors: 2, Gets: 3300, Sets: 500, Deletes: 90, HasCommands: true,
		Info: map[string]string{
			"redis_version": "7.0.0", "used_memory_human": "2.1M", "used_memory_peak_human": "3.8M",
			"connected_clients": "3", "total_commands_processed": "15234", "instantaneous_ops_per_sec": "127",
			"keyspace_hits": "2847", "keyspace_misses": "356",
		},
	}
}

func guideDatabase() *source.Database {
	table := func(name string, rows int64, sizeMiB, hits float64) source.Table {
		return source.Table{Name: name, Rows: &rows, SizeBytes: ptr(int64(sizeMiB * mib)), IndexHitRate: &hits}
	}
	return &source.Database{
		Status: "connected",
		Pool:   &source.Pool{Active: 3, Idle: 7, Total: 10, Waiting: ptr(0), From: "pgbouncer"},
		Query:  source.QueryStats{AverageMs: ptr(8.31), SlowestMs: ptr(45.0), Total: ptr(uint64(15432)), PerSecond: ptr(12.38)},
		Tables: []source.Table{
			table("Users", 156, 2.1, 99.2), table("Runs", 3245, 12.8, 97.81), table("Shoes", 489, 1.2, 98.9),
		},
		Slow: []source.SlowQuery{{Query: `SELECT * FROM "Runs" WHERE ...`, DurationMs: 45, At: tenOClock()}},
	}
}

// guideAlerts are the guide's example alerts, out of order and among others
// that do not fire.
func guideAlerts() []alert.Alert {
	warning := fired("cache-hit-rate", "cache", "cache.hit_rate", "%", alert.Warning, tenOClock().Add(-15*time.Minute), "strategy", "USER_RUNS")
	warning.Value, warning.Threshold = 82.30000001, 85
	warning.Message = "Cache hit rate below 85% for USER_RUNS strategy"
	info := fired("query-time-rise", "database", "postgres.avg_query_time", "ms", alert.Info, tenOClock().Add(-30*time.Minute))
	info.Value, info.Threshold = 15.2, 10
	info.Message = "Average query time increased to 15ms"
	pending := fired("slow-queries", "database", "postgres.slow_queries", "", alert.Warning, tenOClock())
	pending.State, pending.StartsAt, pending.Worst = alert.Pending, time.Time{}, alert.OK
	return []alert.Alert{info, pending, warning}
}

// fired makes an alert that has fired since at.
func fired(rule, category, metric, unit string, s alert.Severity, at time.Time, labels ...string) alert.Alert {
	ls := alert.LabelsOf(append(labels, alert.LabelName, rule, alert.LabelCategory, category)...)
	return alert.Alert{
		ID: alert.NewID(ls.Fingerprint(), at), Fingerprint: ls.Fingerprint(),
		Rule: rule, Category: category, Metric: metric, Unit: unit, Labels: ls,
		State: alert.Firing, Severity: s, Worst: s, Value: 1, Threshold: 2, Peak: 1,
		Message: rule + " fires", Reason: "its condition holds",
		PendingAt: at.Add(-time.Minute), StartsAt: at, SeverityAt: at, UpdatedAt: at,
	}
}

// keyList answers every query with two keys, or fails.
type keyList struct {
	err   error
	asked source.KeyQuery
}

func (k *keyList) Keys(_ context.Context, q source.KeyQuery) (source.KeyPage, error) {
	k.asked = q
	page := source.KeyPage{Keys: []string{"user:1", "user:2"}, Total: 40, Filtered: 2, Pattern: q.Pattern, Cursor: "17", Complete: false}
	if q.Details {
		page.Items = []source.KeyItem{{Key: "user:1", Type: ptr("string"), TTL: ptr(int64(900)), Bytes: ptr(int64(72))}, {Key: "user:2"}}
	}
	return page, k.err
}

var _ api.KeyScanner = (*keyList)(nil)
