package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/internal/redistest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// leastACL is the user of the package comment.
func leastACL(extra ...string) []any {
	rules := []any{"acl", "setuser", "tocsin", "reset", "on", ">secret", "-@all", "+ping", "+info", "+client|setname", "+hello", "+auth"}
	for _, rule := range extra {
		rules = append(rules, rule)
	}
	return rules
}

func do(t *testing.T, c *goredis.Client, args ...any) any {
	t.Helper()
	reply, err := c.Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

func infoNow(t *testing.T, c *goredis.Client, sections ...string) info {
	t.Helper()
	reply, err := c.Info(t.Context(), sections...).Result()
	if err != nil {
		t.Fatal(err)
	}
	return parseInfo(reply)
}

func TestTrafficBecomesRates(t *testing.T) {
	for _, program := range redistest.Programs() {
		t.Run(program, func(t *testing.T) {
			server := redistest.StartProgram(t, program)
			c := server.Client(t)
			s := open(t, at(server.Addr()))
			first := values(mustPoll(t, s))
			if _, ok := first["redis.ops_per_sec"]; ok || first["redis.up"] != 1 {
				t.Errorf("the first poll: %v", first)
			}
			p := c.Pipeline()
			p.Set(t.Context(), "here", "1", 0)
			for i := range 100 {
				p.Get(t.Context(), map[bool]string{true: "here", false: "nowhere"}[i%4 != 0])
			}
			p.Del(t.Context(), "nowhere")
			if _, err := p.Exec(t.Context()); err != nil && !errors.Is(err, goredis.Nil) {
				t.Fatal(err)
			}
			r := mustPoll(t, s)
			got := values(r)
			if got["redis.hit_rate"] != 75 || got["redis.ops_per_sec"] <= 0 || got["redis.keys"] != 1 {
				t.Errorf("after traffic: %v", got)
			}
			if c := r.Facts.Cache; !c.HasCommands || c.Gets != 100 || c.Sets != 1 || c.Deletes != 1 || c.Hits != 75 {
				t.Errorf("facts: %+v", c)
			}
			if since := time.Since(r.StartedAt); since < 0 || since > time.Minute {
				t.Errorf("started %s ago", since)
			}
			idle := values(mustPoll(t, s))
			if _, ok := idle["redis.hit_rate"]; ok {
				t.Error("no lookups, and a hit rate")
			}
		})
	}
}

func TestARestartAndAResetRebaseTheRates(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, at(server.Addr()))
	mustPoll(t, s)
	rates := func() bool {
		_, ok := values(mustPoll(t, s))["redis.ops_per_sec"]
		return ok
	}
	if !rates() {
		t.Error("two polls give no rate")
	}
	do(t, server.Client(t), "config", "resetstat")
	if rates() {
		t.Error("RESETSTAT gives a rate")
	}
	if !rates() {
		t.Error("no rate after RESETSTAT")
	}
	server.Restart(t)
	if rates() {
		t.Error("a restart gives a rate")
	}
	if !rates() {
		t.Error("no rate after the restart")
	}
}

func TestAKilledServerIsDownAtOnceAndComesBack(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, at(server.Addr()))
	mustPoll(t, s)
	server.Kill()
	for range 4 { // beyond the size of any pool that could answer from memory
		start := time.Now()
		r, err := poll(t, s)
		if source.KindOf(err) != source.Down || values(r)["redis.up"] != 0 || len(r.Samples) != 1 {
			t.Fatalf("%v: %v", err, r.Samples)
		}
		if !strings.Contains(err.Error(), "connection refused") || r.Facts.Cache.Status != "disconnected" {
			t.Errorf("%v: %+v", err, r.Facts.Cache)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %s to see", took)
		}
	}
	server.Restart(t)
	if got := values(mustPoll(t, s)); got["redis.up"] != 1 {
		t.Errorf("back again: %v", got)
	}
}

func TestAFrozenServerIsDownTheSecondTime(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, at(server.Addr()))
	mustPoll(t, s)
	server.Stop()
	const wait = 100 * time.Millisecond
	start := time.Now()
	r, err := pollWithin(t, s, wait)
	if err == nil || len(r.Samples) > 0 || r.Health != source.Degraded {
		t.Errorf("the first silence: %v, %v, %q", err, r.Samples, r.Health)
	}
	r, err = pollWithin(t, s, wait)
	if source.KindOf(err) != source.Down || values(r)["redis.up"] != 0 {
		t.Errorf("the second silence: %v, %v", err, r.Samples)
	}
	if took := time.Since(start); took > 20*wait {
		t.Errorf("two polls of %s took %s", wait, took)
	}
	server.Cont()
	if got := values(mustPoll(t, s)); got["redis.up"] != 1 {
		t.Errorf("awake again: %v", got)
	}
}

func TestAWrongPasswordBlindsTheMonitorAndIsNotTold(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	for name, u := range map[string]string{
		"wrong": "redis://:wr0ng@" + server.Addr(), "none": "redis://" + server.Addr(),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.URL = secret.NewURL(u)
			r, err := poll(t, open(t, cfg))
			if source.KindOf(err) != source.Blind || len(r.Samples) > 0 || r.Facts.Cache.Status != "unknown" {
				t.Errorf("%v, %v, %+v", err, r.Samples, r.Facts.Cache)
			}
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
	cfg := Default()
	cfg.URL, cfg.Password = secret.NewURL("redis://:wr0ng@"+server.Addr()), secret.New("right")
	mustPoll(t, open(t, cfg)) // the field wins over the URL
}

func TestAFullServerSaysSo(t *testing.T) {
	server := redistest.Start(t, "--maxclients", "1")
	other := server.Client(t).Conn()
	defer func() { _ = other.Close() }()
	if err := other.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "secret"} {
		cfg := at(server.Addr())
		cfg.Password = secret.New(password)
		r, err := poll(t, open(t, cfg))
		if got := values(r); source.KindOf(err) != source.Full || got["redis.client_usage"] != 100 || got["redis.up"] != 0 {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestPollingCausesNoErrorReplies(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	do(t, c, "hset", "cachestats:A", "hits", "1")
	for _, row := range []struct {
		name  string
		extra []string
		cfg   func(*Config)
	}{
		{"the least permissions", nil, func(*Config) {}},
		{"with strategies", []string{"+hmget", "~cachestats:*"}, func(cfg *Config) {
			cfg.Strategies = map[string]Strategy{"A": {}, "B": {}}
			cfg.StrategyStats.RedisHash = "cachestats:{strategy}"
		}},
		{"with a database", []string{"+select"}, func(cfg *Config) { cfg.DB = 3 }},
		{"with a listing", []string{"+scan", "+ttl", "+type", "+memory|usage", "+dbsize", "+exists", "~*"}, func(cfg *Config) {
			cfg.Keys.Enabled = true
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			do(t, c, leastACL(row.extra...)...)
			do(t, c, "config", "resetstat")
			cfg := at(server.Addr())
			cfg.Username, cfg.Password = "tocsin", secret.New("secret")
			row.cfg(&cfg)
			s := open(t, cfg)
			for range 3 {
				if r := mustPoll(t, s); len(r.Problems) > 0 {
					t.Errorf("problems: %v", r.Problems)
				}
			}
			if cfg.Keys.Enabled {
				for _, pattern := range []string{"*", "cachestats:A"} {
					if page, err := s.Keys(t.Context(), source.KeyQuery{Pattern: pattern, Details: true}); err != nil || len(page.Items) != 1 {
						t.Errorf("%v: %+v", err, page)
					}
				}
			}
			in := infoNow(t, c, "everything")
			if in["total_error_replies"] != "0" {
				t.Errorf("%s error replies", in["total_error_replies"])
				for field, value := range in {
					if strings.HasPrefix(field, "errorstat_") || strings.HasPrefix(field, "cmdstat_") {
						t.Log(field, value)
					}
				}
			}
			if list := do(t, c, "client", "list").(string); !strings.Contains(list, "name=tocsin ") {
				t.Errorf("the monitor does not show by its name: %s", list)
			}
		})
	}
}

func TestAUserWithoutInfo(t *testing.T) {
	server := redistest.Start(t)
	do(t, server.Client(t), leastACL("-info", "-client|setname")...)
	cfg := at(server.Addr())
	cfg.Username, cfg.Password = "tocsin", secret.New("secret")
	r := mustPoll(t, open(t, cfg))
	if values(r)["redis.up"] != 1 || len(r.Problems) != 1 || r.Facts.Cache.Info != nil {
		t.Errorf("%v, %v, %+v", r.Samples, r.Problems, r.Facts.Cache)
	}
}

func TestAUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	redistest.Start(t, "--unixsocket", socket)
	cfg := Default()
	cfg.URL = secret.NewURL("unix://" + socket + "?db=1")
	if got := values(mustPoll(t, open(t, cfg))); got["redis.up"] != 1 {
		t.Errorf("%v", got)
	}
}

func TestNewDoesNotConnectAndCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	listener := listen(t)
	defer func() { _ = listener.Close() }()
	accepted := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if conn, err := listener.Accept(); err == nil { // it takes the connection and says nothing
			close(accepted)
			defer func() { _ = conn.Close() }()
			_, _ = conn.Read(make([]byte, 1<<10))
			_, _ = conn.Read(make([]byte, 1))
		}
	})
	s, err := New(at(listener.Addr().String()), "cache", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-accepted:
		t.Fatal("New connects")
	default:
	}
	polled := make(chan error, 1)
	wg.Go(func() {
		_, err := s.Poll(context.Background())
		polled <- err
	})
	<-accepted
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-polled; err == nil { // Close ends a poll that hangs
		t.Error("a poll without answer succeeds")
	}
	_ = listener.Close()
	wg.Wait()
}

// By the server's own account: the time within commands, which is the clock's
// and counts whatever else a busy machine did meanwhile, and the CPU time.
func BenchmarkPoll(b *testing.B) {
	server := redistest.Start(b)
	usec, cpu := pollCost(b, server, max(b.N, 300))
	b.ReportMetric(usec/1000, "command-ms/poll")
	b.ReportMetric(cpu/1000, "server-ms/poll")
}

// pollCost polls a server that holds 10,000 keys and four strategies.
func pollCost(t testing.TB, server *redistest.Server, polls int) (commandsMicros, cpuMicros float64) {
	t.Helper()
	ctx := context.Background()
	c := server.Client(t)
	p := c.Pipeline()
	for i := range 10_000 {
		p.Set(ctx, "user:profile:"+strconv.Itoa(i), strings.Repeat("x", 100), time.Hour)
	}
	cfg := at(server.Addr())
	cfg.Strategies = map[string]Strategy{}
	cfg.StrategyStats.RedisHash = "cachestats:{strategy}"
	for _, name := range []string{"USER_PROFILE", "USER_RUNS", "LEADERBOARD", "SOCIAL_FEED"} {
		cfg.Strategies[name] = Strategy{}
		p.HSet(ctx, "cachestats:"+name, "hits", 100, "misses", 10)
	}
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, "cache", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Poll(ctx); err != nil { // connects
		t.Fatal(err)
	}
	if err := c.ConfigResetStat(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	before := cpuOf(t, c)
	for range polls {
		if _, err := s.Poll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	after := cpuOf(t, c)
	stats, err := c.Info(ctx, "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	in := parseInfo(stats)
	var usec uint64
	for _, command := range []string{"ping", "info", "hmget"} {
		usec += attribute(in["cmdstat_"+command], "usec")
	}
	return float64(usec) / float64(polls), 1e6 * (after - before) / float64(polls)
}

func cpuOf(t testing.TB, c *goredis.Client) float64 {
	t.Helper()
	reply, err := c.Info(context.Background(), "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	in := parseInfo(reply)
	user, _ := in.number("used_cpu_user")
	sys, _ := in.number("used_cpu_sys")
	return user + sys
}

func TestSlotsAreRedisOwn(t *testing.T) {
	c := redistest.Start(t, "--cluster-enabled", "yes").Client(t)
	for _, key := range []string{"foo", "{a}b", "x{}y", "{", "}{", "a{b}{c}", "cachestats:USER_PROFILE", "ä"} {
		if want := do(t, c, "cluster", "keyslot", key); fmt.Sprint(want) != strconv.Itoa(slotOf(key)) {
			t.Errorf("slot of %q is %d, want %v", key, slotOf(key), want)
		}
	}
}
