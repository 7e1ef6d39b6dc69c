//go:build unix

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/internal/pgtest"
	"github.com/tocsin-dev/tocsin/internal/redistest"
)

const watchGuide = `
server: {external_url: "http://tocsin.test"}
rules: [rules.yaml]
sources:
  - name: cache
    type: redis
    url: ${REDIS_URL}
    interval: 500ms
    service: cache
    strategies: {USER_PROFILE: {ttl: 15m}, USER_RUNS: {ttl: 5m}, LEADERBOARD: {ttl: 10m}, SOCIAL_FEED: {ttl: 3m}}
    strategy_stats: {redis_hash: "cachestats:{strategy}"}
    keys: {enabled: true, prefix: "", redact: ["session:*"]}
  - {name: database, type: postgres, url: "${DATABASE_URL}", slow_query: 100ms, interval: 500ms, service: database}
  - name: web
    type: prometheus
    url: ${APP_METRICS_URL}
    interval: 500ms
    map: {app.memory_used: process_resident_memory_bytes}
    memory_limit: 512MB
  - {name: app, type: push, interval: 500ms, stale_after: 5m}
receivers:
  - {name: console, type: console}
route: {receivers: [console]}
`

const guideRules = `rules:
  - id: cache-hit-rate
    category: cache
    metric: cache.hit_rate
    match: ['strategy = USER_RUNS']
    warning: value < 85
    message: 'Cache hit rate {{ .Verb }} {{ .Threshold }}% for {{ .Labels.strategy }} strategy'
  - id: memory-usage
    category: memory
    metric: app.memory_usage
    critical: value > 90
    message: 'Memory usage {{ .Verb }} {{ .Threshold }}%'
`

// TestGuideCommandsAsWritten runs every curl line of the guide against the
// daemon: only the port is ours.
func TestGuideCommandsAsWritten(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "jq"} {
		redistest.Require(t, tool)
	}
	d := guideDaemon(t)
	strategies := `{"ttl":900,"hits":1,"misses":1,"hitRate":1}`
	stats := `{"hits":1,"misses":1,"total":1,"hitRate":1,"errors":1`
	memory := `{"used":"","total":"","percentage":1}`
	queries := `{"averageQueryTime":"","slowestQuery":"","totalQueries":1,"queriesPerSecond":1}`
	alert := func(kind, category string) string {
		return fmt.Sprintf(`{"type":%q,"category":%q,"message":"","metric":"","value":1,"threshold":1,"timestamp":""}`, kind, category)
	}
	full := stats + `,"operations":{"get":1,"set":1,"delete":1,"invalidate":1}}`
	want := []string{ // shapes, in the guide's order; a text that is not empty must be met
		memory + queries + stats + "}",
		full,
		queries,
		alert("critical", "memory") + alert("warning", "cache"),
		`["",""]`,
		fmt.Sprintf(`{"USER_PROFILE":%[1]s,"USER_RUNS":%[1]s,"LEADERBOARD":%[1]s,"SOCIAL_FEED":%[1]s}`, strategies),
		`""`,
		`[{"query":"","duration":"","timestamp":""}]`,
		`{"active":1,"idle":1,"total":1,"waiting":1}`,
		memory,
		alert("critical", "memory"),
	}
	lines := guideCommands(t)
	if len(lines) != len(want) {
		t.Fatalf("the guide has %d curl lines, this test knows %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	for i, line := range lines {
		t.Run(line, func(t *testing.T) {
			// A command may fall between two polls of which one saw nothing.
			var problem string
			await(t, "what the guide says of "+line, func() bool {
				problem = runGuideCommand(t, d, line, want[i], problem)
				return problem == ""
			})
		})
	}
	d.stop()
}

// runGuideCommand returns what is wrong with a command's output, and logs it
// when that is news.
func runGuideCommand(t *testing.T, d *daemon, line, want, before string) string {
	t.Helper()
	line = strings.ReplaceAll(line, "http://localhost:3000", d.base)
	out, err := exec.CommandContext(t.Context(), "bash", "-c", "set -o pipefail; "+line).Output()
	problem := ""
	if err != nil {
		problem = err.Error()
	} else if p := differ("", decodeAll(t, out), decodeAll(t, []byte(want))); p != "" {
		problem = p
	}
	if problem != "" && problem != before {
		t.Logf("%s: %s\n%s", line, problem, out)
	}
	return problem
}

// guideCommands returns the guide's curl lines, without watch.
func guideCommands(t *testing.T) []string {
	t.Helper()
	guide, err := os.ReadFile("../../testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	watch := regexp.MustCompile(`^watch -n \d+ '(.*)'$`)
	for line := range strings.Lines(string(guide)) {
		line = strings.TrimSpace(line)
		if m := watch.FindStringSubmatch(line); m != nil {
			line = m[1]
		}
		if strings.HasPrefix(line, "curl ") {
			all = append(all, line)
		}
	}
	return all
}

// differ says where got lacks the shape of want: its keys, its types, as many
// values at the top; nothing null.
func differ(at string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return fmt.Sprintf("%s: %v, want the keys of %v", at, got, want)
		}
		for key, w := range want {
			if p := differ(at+"."+key, g[key], w); p != "" {
				return p
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(want) {
			return fmt.Sprintf("%s: %v, want %v", at, got, want)
		}
		for i, w := range want {
			if p := differ(fmt.Sprintf("%s[%d]", at, i), g[i], w); p != "" {
				return p
			}
		}
	case float64:
		if _, ok := got.(float64); !ok {
			return fmt.Sprintf("%s: %v, want a number", at, got)
		}
	case string:
		if g, ok := got.(string); !ok || g == "" || want != "" && g != want {
			return fmt.Sprintf("%s: %v, want a text such as %q", at, got, want)
		}
	default:
		return fmt.Sprintf("%s: %v: this test knows no %T", at, got, want)
	}
	return ""
}

func decodeAll(t *testing.T, stream []byte) []any {
	t.Helper()
	all := []any{}
	for dec := json.NewDecoder(bytes.NewReader(stream)); dec.More(); {
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%v in %s", err, stream)
		}
		all = append(all, v)
	}
	return all
}

// guideDaemon watches what the guide's team has: an application that works,
// badly, on its Redis and its PostgreSQL.
func guideDaemon(t *testing.T) *daemon {
	t.Helper()
	cache, database, web, w := redistest.Start(t), newDatabase(t), newPage(t), newWorld(t)
	if !database.Statements {
		pgtest.Missing(t, "pg_stat_statements")
	}
	w.env["REDIS_URL"], w.env["DATABASE_URL"], w.env["APP_METRICS_URL"] = cache.URL(), database.URL("tocsin:not-to-be-shown", "app"), web.URL
	w.write("tocsin.yaml", watchGuide)
	w.write("rules.yaml", guideRules)
	web.more = fmt.Sprintf("process_resident_memory_bytes %d\nprocess_start_time_seconds %d\n", 500<<20, time.Now().Add(-time.Hour).Unix())
	client := cache.Client(t)
	if err := client.MSet(t.Context(), "user:1", "a", "user:2", "b", "session:1", "c").Err(); err != nil {
		t.Fatal(err)
	}
	d := w.start()
	startGuideApplication(t, d, client, database)
	await(t, "the guide's alerts", func() bool { return len(d.firing("")) == 2 })
	return d
}

// startGuideApplication works until the test ends: it counts its lookups in
// Redis, queries PostgreSQL, now and then slowly, and pushes how its pool is.
func startGuideApplication(t *testing.T, d *daemon, client *redis.Client, database *pgtest.Server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	conn, err := connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		defer func() { _ = conn.Close(context.Background()) }()
		for n := 0; ctx.Err() == nil; n++ {
			pipe := client.TxPipeline()
			for _, strategy := range []string{"USER_PROFILE", "USER_RUNS", "LEADERBOARD", "SOCIAL_FEED"} {
				for field, count := range map[string]int64{"hits": 80, "misses": 20, "sets": 20, "deletes": 2, "invalidations": 1} {
					pipe.HIncrBy(ctx, "cachestats:"+strategy, field, count)
				}
			}
			_, _ = pipe.Exec(ctx) // the test's end cancels it
			nap := 5
			if n%50 == 0 {
				nap = 150
				push := fmt.Sprintf(`{"instance":"web-1","seq":%d,"pool":{"active":2,"idle":8,"total":10,"waiting":0,"limit":10}}`, n+1)
				_, _, _ = d.do("POST", "/api/v1/ingest", push)
			}
			_, _ = conn.Exec(ctx, "SELECT pg_sleep($1::float8 / 1000)", nap)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}
