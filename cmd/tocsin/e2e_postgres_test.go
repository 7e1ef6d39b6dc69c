//go:build unix

package main_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin-dev/tocsin/internal/pgtest"
)

const watchDatabase = `
server: {external_url: "http://tocsin.test"}
rules: [rules.yaml]
sources:
  - {name: database, type: postgres, url: "${DATABASE_URL}", slow_query: 200ms, interval: 1s}
receivers:
  - {name: ops, type: slack, webhook_url: "${SLACK_URL}"}
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
route:
  receivers: [ops, hooks]
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 200ms
`

// downRule must stay silent: a database in trouble is not one that is gone.
const downRule = `
  - id: postgres-down
    category: database
    metric: postgres.up
    critical: {when: value == 0, for: 10s}
    message: 'Database connection failed'
`

const slots = 12 // connections of the server for others than superusers

// newDatabase starts PostgreSQL with the roles app and tocsin, the latter as
// the manual makes it.
func newDatabase(t *testing.T) *pgtest.Server {
	t.Helper()
	server := pgtest.Start(t, fmt.Sprintf("max_connections=%d", slots+3), "superuser_reserved_connections=3")
	server.Exec("postgres",
		"CREATE ROLE app LOGIN", "CREATE ROLE tocsin LOGIN IN ROLE pg_monitor", "CREATE DATABASE app OWNER app")
	if server.Statements {
		server.Exec("app", "CREATE EXTENSION pg_stat_statements")
	}
	return server
}

func newDatabaseWorld(t *testing.T, server *pgtest.Server, rules string) (w *world, slack, hook *inbox) {
	t.Helper()
	w, slack, hook = newWorld(t), newSlack(t), newHook(t)
	w.env["DATABASE_URL"] = server.URL("tocsin:not-to-be-shown", "app")
	w.env["SLACK_URL"], w.env["HOOK_URL"], w.env["HOOK_SECRET"] = slack.URL, hook.URL, hookSecret
	w.write("tocsin.yaml", watchDatabase)
	w.write("rules.yaml", "rules:"+rules+downRule)
	return w, slack, hook
}

// connect opens one connection of the application's.
func connect(ctx context.Context, server *pgtest.Server) (*pgx.Conn, error) {
	return pgx.Connect(ctx, server.URL("app", "app"))
}

// exhaust opens connections until at least n are held and the server refuses
// the next one with 53300.
func exhaust(t *testing.T, server *pgtest.Server, n int) (release func()) {
	t.Helper()
	ctx := t.Context()
	var held []*pgx.Conn
	await(t, "53300", func() bool {
		conn, err := connect(ctx, server)
		if err == nil {
			held = append(held, conn)
			return false
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "53300" {
			t.Fatal(err)
		}
		return len(held) >= n
	})
	return func() {
		for _, conn := range held {
			_ = conn.Close(ctx)
		}
	}
}

func TestDatabaseTrouble(t *testing.T) {
	t.Parallel()
	server := newDatabase(t)
	t.Run("slow queries", func(t *testing.T) { slowQueries(t, server) })
	t.Run("exhausted pool", func(t *testing.T) { exhaustedPool(t, server) })
	t.Run("query time rises", func(t *testing.T) { queryTimeRises(t, server) })
}

// awaitBegan waits until the receiver was told this of a rule, and perhaps more
// by now: what ends by itself may have ended when a busy machine looks.
func (in *inbox) awaitBegan(rule string, want ...string) {
	in.t.Helper()
	await(in.t, fmt.Sprintf("%s to be told of %s: %q", in.name, rule, want), func() bool {
		told := in.told(rule)
		return len(told) >= len(want) && slices.Equal(told[:len(want)], want)
	})
}

func slowQueries(t *testing.T, server *pgtest.Server) {
	w, slack, hook := newDatabaseWorld(t, server, `
  - id: slow-queries
    category: database
    metric: postgres.slow_queries
    warning: sum(5s) >= 1
    clear: sum(5s) == 0
    message: 'Slow queries detected'
`)
	d := w.start()
	d.awaitPolls("database", 2)
	conn, err := connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(3) /* a report */"); err != nil {
		t.Fatal(err)
	}
	for _, in := range []*inbox{slack, hook} {
		in.awaitBegan("slow-queries", "warning firing")
	}
	wantText(t, d.get("/api/performance?action=database", nil), `pg_sleep`, `"recentSlowQueries":[{"query":"`)
	for _, in := range []*inbox{slack, hook} {
		in.awaitBegan("slow-queries", "warning firing", "warning resolved")
		in.awaitTold("postgres-down")
	}
	d.stop()
}

func exhaustedPool(t *testing.T, server *pgtest.Server) {
	w, slack, hook := newDatabaseWorld(t, server, `
  - id: pool
    category: database
    metric: postgres.pool_usage
    critical: value > 95
    clear: value < 75
    message: 'Database connection pool exhausted'
`)
	both := func(told ...string) {
		t.Helper()
		slack.awaitTold("pool", told...)
		hook.awaitTold("pool", told...)
	}
	d := w.start()
	d.awaitPolls("database", 2) // it holds its connection
	release := exhaust(t, server, slots-1)
	both("critical firing")
	release()
	both("critical firing", "critical resolved")

	// What a kill finds sent and not noted yet is sent again.
	await(t, "the deliveries to be settled", func() bool {
		return strings.Contains(d.get("/api/v1/deliveries?state=pending", nil), `"deliveries":[]`)
	})
	d.kill() // and so has none
	release = exhaust(t, server, slots)
	d = w.start()
	both("critical firing", "critical resolved", "critical firing")
	release()
	both("critical firing", "critical resolved", "critical firing", "critical resolved")
	slack.awaitTold("postgres-down")
	hook.awaitTold("postgres-down")
	d.stop()
}

func queryTimeRises(t *testing.T, server *pgtest.Server) {
	if !server.Statements {
		pgtest.Missing(t, "pg_stat_statements")
	}
	w, slack, hook := newDatabaseWorld(t, server, `
  - id: query-time-change
    category: database
    metric: postgres.avg_query_time
    info: {when: change_pct(5s) > 50 and value >= 50ms, for: 500ms}
    message: 'Average query time {{ .Verb }} {{ round .Value }}ms'
`)
	d := w.start()
	var ms atomic.Int64
	ms.Store(2)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // the application's queries
		defer close(done)
		conn, err := connect(ctx, server)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for ctx.Err() == nil {
			_, _ = conn.Exec(ctx, "SELECT pg_sleep($1::float8 / 1000)", ms.Load())
			time.Sleep(time.Millisecond) // its users' pace
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	d.awaitPolls("database", 7)
	ms.Store(120)
	for _, in := range []*inbox{slack, hook} { // in the end the new time has become the usual one
		in.awaitBegan("query-time-change", "info firing", "info resolved")
		in.wantMessage("Average query time increased to ")
		in.awaitTold("postgres-down")
	}
	wantText(t, d.get("/api/performance/alerts/history?limit=50", nil), `"type":"info"`, `"metric":"avg_query_time"`)
	d.stop()
}

// wantMessage looks for a text in all that came.
func (in *inbox) wantMessage(text string) {
	in.t.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, body := range in.bodies {
		if strings.Contains(body, text) {
			return
		}
	}
	in.t.Errorf("%s got no message with %q", in.name, text)
}
