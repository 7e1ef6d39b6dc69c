package api_test

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

func TestTheMostDirectSourceOfANumberWins(t *testing.T) {
	pool := func(from string, active int) *source.Pool {
		return &source.Pool{Active: active, Idle: 1, Total: active + 1, From: from}
	}
	database := func(from string, active int) source.Facts {
		return source.Facts{Database: &source.Database{Status: "connected", Pool: pool(from, active)}}
	}
	app := func(active int) source.Facts {
		return source.Facts{App: &source.App{Pool: pool("application", active)}}
	}
	strategy := func(hits uint64) source.Facts {
		return source.Facts{Strategies: source.Strategies{"A": {Hits: hits}}}
	}
	memory := func(used, limit float64) source.Facts {
		return source.Facts{App: &source.App{MemoryUsed: &used, MemoryLimit: &limit}}
	}
	for _, tt := range []struct {
		name    string
		sources []source.Status
		path    string
		want    string
	}{
		{
			"PgBouncer's pool beats pg_stat_activity",
			[]source.Status{up("a", "postgres", database("pg_stat_activity", 5)), up("b", "postgres", database("pgbouncer", 3))},
			"/api/performance?action=database", `"pool":{"active":3,"idle":1,"total":4,"waiting":null}`,
		},
		{
			"the application's pool beats PgBouncer's",
			[]source.Status{up("a", "postgres", database("pgbouncer", 5)), up("b", "prometheus", app(2))},
			"/api/performance?action=database", `"pool":{"active":2,"idle":1,"total":3,"waiting":null}`,
		},
		{
			"the pools of two databases add up",
			[]source.Status{up("a", "postgres", database("pgbouncer", 5)), up("b", "postgres", database("pgbouncer", 4))},
			"/api/performance", `"connectionPool":{"active":9,"idle":2,"total":11}`,
		},
		{
			"pushed counters beat scraped ones, which beat the redis hash",
			[]source.Status{up("h", "redis", strategy(1)), up("p", "prometheus", strategy(20)), up("q", "push", strategy(300))},
			"/api/performance", `"hits":300,`,
		},
		{
			"two scraped instances add up",
			[]source.Status{up("h", "redis", strategy(1)), up("p", "prometheus", strategy(20)), up("q", "prometheus", strategy(3))},
			"/api/performance", `"hits":23,`,
		},
		{
			"the application's counters beat the keyspace's",
			[]source.Status{
				up("c", "redis", source.Facts{Cache: guideRedis()}),
				up("j", "json", strategy(8)),
			},
			"/api/performance?action=cache", `"stats":{"hits":8,"misses":0,"total":8,"hitRate":100,"errors":0,"operations":{"get":8,`,
		},
		{
			"a strategy that is only configured is not known",
			[]source.Status{
				up("c", "redis", source.Facts{Cache: guideRedis(), Strategies: source.Strategies{"A": {TTL: time.Minute}}}),
			},
			"/api/performance?action=cache", `"hits":3000,"misses":370,"total":3370,"hitRate":89,"errors":2,"source":"keyspace"`,
		},
		{
			"its TTL joins the counters of another source",
			[]source.Status{
				up("c", "redis", source.Facts{Strategies: source.Strategies{"A": {TTL: time.Minute}}}), up("p", "prometheus", strategy(20)),
			},
			"/api/performance?action=cache", `"cacheStrategies":{"A":{"ttl":60,"hits":20,"misses":0,"hitRate":100}}`,
		},
		{
			"the memory of two instances, over both limits",
			[]source.Status{up("p", "prometheus", memory(100*mib, 400*mib)), up("q", "prometheus", memory(50*mib, 200*mib))},
			"/api/performance", `"memory":{"used":"150 MB","total":"600 MB","percentage":25}`,
		},
		{
			"the average of two databases is weighted by their rates",
			[]source.Status{
				up("a", "postgres", source.Facts{Database: &source.Database{Query: source.QueryStats{AverageMs: ptr(10.0), PerSecond: ptr(9.0)}}}),
				up("b", "postgres", source.Facts{Database: &source.Database{Query: source.QueryStats{AverageMs: ptr(110.0), PerSecond: ptr(1.0)}}}),
			},
			"/api/performance", `"averageQueryTime":"20ms","performance":{"averageQueryTime":"20ms","slowestQuery":null,"totalQueries":null,"queriesPerSecond":10}`,
		},
		{
			"the application's histogram where PostgreSQL tells nothing",
			[]source.Status{up("a", "postgres", source.Facts{}), up("b", "push", source.Facts{App: &source.App{AverageQueryMs: ptr(7.25)}})},
			"/api/performance", `"averageQueryTime":"7.3ms"`,
		},
		{
			"slow queries of both, newest first",
			[]source.Status{
				up("a", "postgres", source.Facts{Database: &source.Database{Slow: []source.SlowQuery{{Query: "old", DurationMs: 200, At: tenOClock()}}}}),
				up("b", "push", source.Facts{App: &source.App{Slow: []source.SlowQuery{{Query: "new", DurationMs: 150.2, At: tenOClock().Add(time.Second)}}}}),
			},
			"/api/performance?action=database",
			`"recentSlowQueries":[{"query":"new","duration":"150.2ms","timestamp":"2024-01-15T10:00:01.000Z"},{"query":"old",`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBody(t, get(t, (&world{sources: tt.sources}).handler(), tt.path), 200, tt.want)
		})
	}
}

func TestASourceThatCannotBeReadIsNotShownConnected(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*source.Status)
		want   string
	}{
		{"down", func(s *source.Status) { s.Up, s.Health = false, source.Unhealthy }, `"healthy":false,"connectionStatus":"disconnected"`},
		{"blind", func(s *source.Status) { s.Up, s.Blind, s.Health = false, true, source.Degraded }, `"healthy":false,"connectionStatus":"unknown"`},
		{"not read yet", func(s *source.Status) { *s = source.Status{Name: s.Name, Type: s.Type, Health: source.Unknown} }, `"healthy":null,"connectionStatus":"unknown"`},
		{"loading", func(s *source.Status) {
			s.Up, s.Health = false, source.Degraded
			s.Facts.Cache = &source.Cache{Status: "loading"}
		}, `"healthy":false,"connectionStatus":"loading"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cache := up("cache", "redis", source.Facts{Cache: guideRedis()})
			tt.change(&cache)
			wantBody(t, get(t, (&world{sources: []source.Status{cache}}).handler(), "/api/performance?action=cache"), 200, `"enabled":true,`+tt.want)
		})
	}
}

func TestTheUptimeOfAnApplicationThatCannotBeReadIsNotKnown(t *testing.T) {
	w := overviewWorld()
	w.sources[0].Up = false
	wantBody(t, get(t, w.handler(), "/api/performance"), 200, `"uptime":null,"memory":{"used":"45.2 MB"`)
}
