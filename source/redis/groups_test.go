package redis

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/redistest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

func TestACluster(t *testing.T) {
	servers := redistest.StartCluster(t, 3)
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("user:%03d", i))
	}
	nodeOf := func(key string) *redistest.Server { return servers.Nodes[slotOf(key)*3/slotCount] }
	for _, key := range keys {
		do(t, nodeOf(key).Client(t), "set", key, "v")
	}
	cfg := Default()
	cfg.Addrs = servers.Addrs()[:1]
	cfg.Keys = Keys{Enabled: true}
	cfg.Strategies = map[string]Strategy{}
	cfg.StrategyStats.RedisHash = "cachestats:{strategy}"
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		cfg.Strategies[name] = Strategy{}
		key := "cachestats:" + name
		do(t, nodeOf(key).Client(t), "hset", key, "hits", "1")
	}
	cfg.Username, cfg.Password = "tocsin", secret.New("secret")
	for _, node := range servers.Nodes {
		do(t, node.Client(t), leastACL("+cluster|slots", "+cluster|info", "+hmget", "~cachestats:*",
			"+scan", "+exists", "+dbsize", "+ttl", "+type", "+memory|usage", "~user:*")...)
		do(t, node.Client(t), "config", "resetstat")
	}
	s := open(t, cfg)

	t.Run("is summed", func(t *testing.T) {
		mustPoll(t, s)
		r := mustPoll(t, s)
		got := values(r)
		if got["redis.keys"] != 305 || got["redis.up"] != 1 || len(r.Facts.Strategies) != 5 || len(r.Problems) > 0 {
			t.Errorf("%v, %v, %v", got, r.Facts.Strategies, r.Problems)
		}
		if _, ok := got["redis.ops_per_sec"]; !ok {
			t.Error("no rates")
		}
		if r.Facts.Cache.Info["redis_version"] == "" || len(r.Facts.Cache.Info) != 8 {
			t.Errorf("facts %v", r.Facts.Cache.Info)
		}
	})
	t.Run("is listed node by node", func(t *testing.T) {
		seen := collect(t, s, source.KeyQuery{Pattern: "user:*", Limit: 40, Details: true}, nil)
		if len(seen) != len(keys) {
			t.Errorf("%d keys, want %d", len(seen), len(keys))
		}
		for _, key := range keys[:20] {
			if page := mustList(t, s, source.KeyQuery{Pattern: key}); !slices.Equal(page.Keys, []string{key}) || page.Total != 305 {
				t.Fatalf("%s: %+v", key, page)
			}
		}
	})
	t.Run("causes no error replies", func(t *testing.T) {
		for _, node := range servers.Nodes {
			if n := infoNow(t, node.Client(t))["total_error_replies"]; n != "0" {
				t.Errorf("%s: %s", node.Addr(), n)
			}
		}
	})
	t.Run("is degraded while a primary is gone, and down when it fails for it", func(t *testing.T) {
		servers.Nodes[2].Kill()
		r, err := poll(t, s)
		if err == nil {
			got := values(r)
			if r.Health != source.Degraded || got["redis.up"] != 1 || len(r.Problems) == 0 {
				t.Errorf("%q, %v, %v", r.Health, got, r.Problems)
			}
			if _, ok := got["redis.keys"]; ok {
				t.Error("a sum over a part of the cluster")
			}
		}
		eventually(t, "the cluster to fail", func() bool {
			r, err := poll(t, s)
			return source.KindOf(err) == source.Down && err != nil && values(r)["redis.up"] == 0 &&
				strings.Contains(err.Error(), "cluster_state:fail")
		})
		servers.Nodes[0].Kill()
		servers.Nodes[1].Kill()
		if r, err := poll(t, s); err == nil || values(r)["redis.up"] != 0 {
			t.Errorf("all gone: %v, %v", r.Samples, err)
		}
	})
}

func TestSentinelLeadsToTheMasterThroughAFailover(t *testing.T) {
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	watcher := redistest.StartSentinel(t, master)
	dead := listen(t)
	_ = dead.Close()
	cfg := Default()
	cfg.MasterName = redistest.MasterName
	cfg.Addrs = []string{dead.Addr().String(), watcher.Addr()} // one Sentinel of two is gone
	cfg.Keys.Enabled = true
	s := open(t, cfg)
	port := func() string {
		r, err := poll(t, s)
		if err != nil || values(r)["redis.up"] != 1 {
			return ""
		}
		servers, _, _ := s.top.layout(t.Context())
		_, port, _ := net.SplitHostPort(servers[0].addr)
		return port
	}
	if got := port(); got != strconv.Itoa(master.Port()) {
		t.Fatalf("the master is at %q, want %d", got, master.Port())
	}
	master.Kill()
	if r, err := poll(t, s); source.KindOf(err) != source.Down || values(r)["redis.up"] != 0 {
		t.Errorf("a dead master: %v, %v", r.Samples, err)
	}
	eventually(t, "the failover", func() bool { return port() == strconv.Itoa(replica.Port()) })
	do(t, replica.Client(t), "set", "k", "v")
	if page := mustList(t, s, source.KeyQuery{}); len(page.Keys) != 1 {
		t.Errorf("%+v", page)
	}
	// Without any Sentinel the last master stays, and is still watched.
	watcher.Kill()
	r := mustPoll(t, s)
	if values(r)["redis.up"] != 1 || len(r.Problems) == 0 {
		t.Errorf("%v, %v", r.Samples, r.Problems)
	}
}

func TestWithoutSentinelNothingIsSaidOfTheMaster(t *testing.T) {
	watcher := redistest.StartSentinel(t, redistest.Start(t))
	for name, cfg := range map[string]Config{
		"no such master": {Addrs: []string{watcher.Addr()}, MasterName: "other"},
		"no Sentinel":    {Addrs: []string{"127.0.0.1:1"}, MasterName: redistest.MasterName},
	} {
		r, err := poll(t, open(t, cfg))
		if source.KindOf(err) != source.Blind || len(r.Samples) > 0 {
			t.Errorf("%s: %v, %v", name, err, r.Samples)
		}
	}
	r := mustPoll(t, open(t, at(watcher.Addr())))
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Err.Error(), "mode: sentinel") {
		t.Errorf("a Sentinel watched as a Redis: %v", r.Problems)
	}
}

func TestAReplicaThatLostItsMaster(t *testing.T) {
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master, "--replica-serve-stale-data", "no")
	s := open(t, at(replica.Addr()))
	if got := values(mustPoll(t, s)); got["redis.replica_link_up"] != 1 {
		t.Errorf("%v", got)
	}
	master.Kill()
	eventually(t, "the link to break", func() bool {
		r, err := poll(t, s)
		got, given := values(r)["redis.replica_link_up"]
		return err != nil && source.KindOf(err) == source.Starting && given && got == 0
	})
	do(t, replica.Client(t), "config", "set", "replica-serve-stale-data", "yes")
	r := mustPoll(t, s)
	if r.Health != source.Degraded || values(r)["redis.replica_link_up"] != 0 {
		t.Errorf("%q, %v", r.Health, r.Samples)
	}
}

// eventually asks what a server decides in its own time.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
