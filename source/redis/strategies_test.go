package redis

import (
	"math"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/redistest"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestStrategiesAreCountedFromTheirHashes(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	cfg := at(server.Addr())
	cfg.Strategies = map[string]Strategy{
		"USER_PROFILE": {TTL: 15 * time.Minute}, "USER_RUNS": {TTL: 5 * time.Minute}, "LEADERBOARD": {},
	}
	cfg.StrategyStats.RedisHash = "cachestats:{strategy}"
	s := open(t, cfg)
	r := mustPoll(t, s)
	if r.Facts.Strategies != nil || len(r.Problems) != 1 || !r.Facts.Cache.HasCommands {
		t.Errorf("without hashes: %v, %v, %+v", r.Facts.Strategies, r.Problems, r.Facts.Cache)
	}
	add := func(strategy, field string, by int) {
		t.Helper()
		do(t, c, "hincrby", "cachestats:"+strategy, field, by)
	}
	add("USER_PROFILE", "hits", 1000)
	add("USER_PROFILE", "misses", 500)
	add("USER_RUNS", "hits", 10)
	r = mustPoll(t, s)
	if got := r.Facts.Strategies["USER_PROFILE"]; got.Hits != 1000 || got.Misses != 500 || got.TTL != 15*time.Minute {
		t.Errorf("facts: %+v", got)
	}
	if _, ok := r.Facts.Strategies["LEADERBOARD"]; ok {
		t.Error("a strategy without hash has numbers")
	}
	if _, ok := values(r)[`cache.hit_rate`]; ok || r.Facts.Cache.HasCommands {
		t.Error("a first snapshot has no rate, and the application's counters make commandstats needless")
	}
	add("USER_PROFILE", "hits", 90)
	add("USER_PROFILE", "misses", 10)
	add("USER_RUNS", "misses", 100)
	add("USER_RUNS", "errors", 1)
	got := values(mustPoll(t, s))
	for name, want := range map[string]float64{
		`cache.hit_rate{strategy="USER_PROFILE"}`: 90, `cache.hit_rate{strategy="USER_RUNS"}`: 0, "cache.hit_rate": 45,
	} {
		if value, ok := got[name]; !ok || math.Abs(value-want) > 1e-9 {
			t.Errorf("%s is %v, want %v, of %v", name, value, want, got)
		}
	}
	// An evicted hash is a reset of its own strategy and of no other.
	do(t, c, "del", "cachestats:USER_PROFILE")
	add("USER_RUNS", "hits", 4)
	got = values(mustPoll(t, s))
	if _, ok := got[`cache.hit_rate{strategy="USER_PROFILE"}`]; ok || got[`cache.hit_rate{strategy="USER_RUNS"}`] != 100 {
		t.Errorf("after an eviction: %v", got)
	}
	add("USER_PROFILE", "hits", 3)
	add("USER_PROFILE", "misses", 1)
	if got = values(mustPoll(t, s)); got[`cache.hit_rate{strategy="USER_PROFILE"}`] != 75 {
		t.Errorf("after its return: %v", got)
	}
	// A broken hash hides neither the others nor INFO.
	do(t, c, "set", "cachestats:LEADERBOARD", "x")
	do(t, c, "hset", "cachestats:USER_RUNS", "hits", "many")
	r = mustPoll(t, s)
	if len(r.Problems) != 2 || values(r)["redis.up"] != 1 || r.Facts.Strategies["USER_PROFILE"].Hits != 3 {
		t.Errorf("%v, %v", r.Problems, r.Facts.Strategies)
	}
}

func TestHashesThatMayNotBeReadHideNothing(t *testing.T) {
	server := redistest.Start(t)
	do(t, server.Client(t), leastACL()...)
	cfg := at(server.Addr())
	cfg.Username, cfg.Password = "tocsin", secret.New("secret")
	cfg.Strategies, cfg.StrategyStats.RedisHash = map[string]Strategy{"A": {}}, "stats:{strategy}"
	r := mustPoll(t, open(t, cfg))
	if len(r.Problems) != 1 || r.Problems[0].Query != "HMGET stats:A" || values(r)["redis.keys"] != 0 || r.Facts.Cache.Info == nil {
		t.Errorf("%v, %v", r.Problems, r.Samples)
	}
}
