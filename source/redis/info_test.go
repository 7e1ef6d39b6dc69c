package redis

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/source"
)

const fixtures = "../../testdata/fixtures/redis"

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// viewOf is what a poll sees of a server that answers with a recorded INFO.
func viewOf(reply string, at time.Time) view {
	v := view{node: &node{addr: "fixture"}, at: at, info: parseInfo(reply)}
	v.node.recognise(v.info, at)
	return v
}

func TestEveryRecordedInfoIsRead(t *testing.T) {
	for _, row := range []struct {
		file, product, version, mode string
		keys, clients, maxclients    float64
		limit                        string // the field that bounds the memory
	}{
		{"info_all_redis-6.2.16.txt", "redis", "6.2.16", "standalone", 4901, 1, 10000, "total_system_memory"},
		{"info_all_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 4912, 3, 10000, "maxmemory"},
		{"info_all_redis-7.4.1.txt", "redis", "7.4.1", "standalone", 864, 1, 10000, "total_system_memory"},
		{"info_all_redis-8.0-m01.txt", "redis", "7.9.224", "standalone", 4909, 1, 10000, "total_system_memory"},
		{"info_all_valkey-8.0.1.txt", "valkey", "8.0.1", "standalone", 4902, 1, 10000, "total_system_memory"},
		{"info_default_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 4912, 3, 10000, "maxmemory"},
		{"info_evicting_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 28931, 1, 60, "maxmemory"},
		{"info_oom_rejected_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 24, 1, 30, "maxmemory"},
		{"info_loading_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 9930, 1, 10000, "total_system_memory"},
		{"info_replica_up_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 4912, 4, 10000, "total_system_memory"},
		{"info_replica_linkdown_redis-7.0.15.txt", "redis", "7.0.15", "standalone", 0, 1, 10000, "total_system_memory"},
		{"info_cluster_node_redis-7.0.15.txt", "redis", "7.0.15", "cluster", 16, 1, 10000, "total_system_memory"},
	} {
		t.Run(row.file, func(t *testing.T) {
			v := viewOf(fixture(t, row.file), time.Now())
			product, version := v.info.product()
			if product != row.product || version != row.version || v.info.mode() != row.mode {
				t.Errorf("it is %s %s, %s", product, version, v.info.mode())
			}
			var r source.Reading
			addSamples(&r, []view{v}, 0)
			got := values(r)
			used, _ := v.info.number("used_memory")
			limit, _ := v.info.number(row.limit)
			want := map[string]float64{
				"redis.up": 1, "redis.keys": row.keys, "redis.clients": row.clients,
				"redis.client_usage": 100 * row.clients / row.maxclients, "redis.memory_usage": 100 * used / limit,
			}
			for metric, value := range want {
				if got[metric] != value {
					t.Errorf("%s is %v, want %v", metric, got[metric], value)
				}
			}
			facts := cacheFacts([]view{v}, nil, 0)
			if len(facts.Info) != 8 || facts.Info["redis_version"] != v.info["redis_version"] {
				t.Errorf("facts: %v", facts.Info)
			}
			if r.StartedAt.IsZero() {
				t.Error("the start is not known")
			}
		})
	}
}

func TestEveryMetricIsInTheCatalogAndEveryCatalogMetricIsGiven(t *testing.T) {
	first := viewOf(fixture(t, "info_replica_up_redis-7.0.15.txt"), time.Now().Add(-time.Second))
	second := viewOf(fixture(t, "info_replica_up_redis-7.0.15.txt"), time.Now())
	second.node = first.node
	second.info["keyspace_hits"] = "1000000000"
	var r source.Reading
	addRates(&r, []view{first})
	addSamples(&r, []view{second}, 0)
	got := values(r)
	for _, m := range source.Builtin() {
		if _, ok := got[m.Name]; strings.HasPrefix(m.Name, "redis.") && !ok {
			t.Errorf("%s is never given", m.Name)
		}
		delete(got, m.Name)
	}
	if len(got) > 0 {
		t.Errorf("not in the catalog: %v", got)
	}
}

func TestWhatAServerDoesNotTellIsLeftOut(t *testing.T) {
	v := viewOf(fixture(t, "info_sentinel_redis-7.0.15.txt"), time.Now())
	var r source.Reading
	addSamples(&r, []view{v}, 0)
	for _, metric := range []string{"redis.keys", "redis.memory_used", "redis.memory_usage", "redis.replica_link_up"} {
		if value, ok := values(r)[metric]; ok {
			t.Errorf("a Sentinel has %s %v", metric, value)
		}
	}
}

func TestReplicaLinkAndLoadingAreRead(t *testing.T) {
	for _, row := range []struct {
		file, metric string
		want         float64
	}{
		{"info_replica_up_redis-7.0.15.txt", "redis.replica_link_up", 1},
		{"info_replica_linkdown_redis-7.0.15.txt", "redis.replica_link_up", 0},
		{"info_loading_redis-7.0.15.txt", "redis.loading", 1},
		{"info_replica_up_redis-7.0.15.txt", "redis.loading", 0},
	} {
		var r source.Reading
		addSamples(&r, []view{viewOf(fixture(t, row.file), time.Now())}, 0)
		if got, ok := values(r)[row.metric]; !ok || got != row.want {
			t.Errorf("%s: %s is %v, want %v", row.file, row.metric, got, row.want)
		}
	}
}

func TestTheConfiguredMemoryLimitWins(t *testing.T) {
	v := viewOf("used_memory:50\r\nmaxmemory:1000\r\n", time.Now())
	var r source.Reading
	addSamples(&r, []view{v}, 200)
	if got := values(r)["redis.memory_usage"]; got != 25 {
		t.Errorf("memory usage is %v, want 25", got)
	}
}

// The recorded sequence: start, traffic, an idle interval, CONFIG RESETSTAT
// with traffic, a restart.
func TestRatesOfTheRecordedSequence(t *testing.T) {
	var sequence struct {
		Polls []struct {
			Label string
			At    float64
			Info  string
		}
	}
	if err := json.Unmarshal([]byte(fixture(t, "info_sequence_redis-7.0.15.json")), &sequence); err != nil {
		t.Fatal(err)
	}
	const none = -1
	want := []struct{ opsPerPoll, hitRate float64 }{
		{none, none}, // the first sample has no rate
		{26005, 100 * 17209.0 / (17209.0 + 2791.0)}, // traffic
		{1, none},    // 0/0 is no value
		{none, none}, // RESETSTAT: the run goes on, the counters fell
		{none, none}, // another run
	}
	var n node
	base := time.Now()
	for i, p := range sequence.Polls {
		v := view{node: &n, at: base.Add(time.Duration(p.At * 1e9)), info: parseInfo(p.Info)}
		n.recognise(v.info, v.at)
		var r source.Reading
		addRates(&r, []view{v})
		got := values(r)
		ops, hasOps := got["redis.ops_per_sec"]
		if hasOps != (want[i].opsPerPoll != none) {
			t.Errorf("%s: ops_per_sec given: %v", p.Label, hasOps)
		}
		if hasOps {
			seconds := p.At - sequence.Polls[i-1].At
			if math.Abs(ops*seconds-want[i].opsPerPoll) > 0.01 {
				t.Errorf("%s: %v operations, want %v", p.Label, ops*seconds, want[i].opsPerPoll)
			}
		}
		rate, hasRate := got["redis.hit_rate"]
		if hasRate != (want[i].hitRate != none) || hasRate && math.Abs(rate-want[i].hitRate) > 1e-9 {
			t.Errorf("%s: hit rate %v (%v), want %v", p.Label, rate, hasRate, want[i].hitRate)
		}
		if !hasOps && len(got) > 0 {
			t.Errorf("%s: a rebase gives rates: %v", p.Label, got)
		}
	}
}

func TestAClusterIsTheSumOfItsPrimaries(t *testing.T) {
	now := time.Now()
	a := viewOf("redis_version:7.0.15\nused_memory:1024\nused_memory_human:1.00K\nmaxmemory:4096\nkeyspace_hits:3\nuptime_in_seconds:100\ndb0:keys=2,expires=0\n", now)
	b := viewOf("redis_version:7.0.15\nused_memory:2048\nused_memory_human:2.00K\nmaxmemory:4096\nkeyspace_hits:4\nuptime_in_seconds:10\ndb0:keys=5,expires=0\n", now)
	var r source.Reading
	addSamples(&r, []view{a, b}, 0)
	got := values(r)
	want := map[string]float64{
		"redis.up": 1, "redis.ping": 0, "redis.loading": 0, "redis.uptime": 10,
		"redis.memory_used": 3072, "redis.memory_usage": 37.5, "redis.keys": 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !r.StartedAt.Equal(now.Add(-10 * time.Second)) {
		t.Errorf("started at %v: a cluster is as cold as its coldest primary", r.StartedAt)
	}
	info := cacheFacts([]view{a, b}, nil, 0).Info
	if info["used_memory_human"] != "3.00K" || info["keyspace_hits"] != "7" || info["redis_version"] != "7.0.15" {
		t.Errorf("facts: %v", info)
	}
}

func TestCommandStatsAreSortedIntoOperations(t *testing.T) {
	in := parseInfo(fixture(t, "info_all_redis-7.0.15.txt"))
	c := cacheFacts([]view{viewOf("redis_version:7", time.Now())}, []info{in}, 0)
	if !c.HasCommands || c.Gets != in.calls("get") || c.Gets == 0 || c.Sets == 0 {
		t.Errorf("gets %d sets %d deletes %d", c.Gets, c.Sets, c.Deletes)
	}
}
