package postgres

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tocsin-dev/tocsin/internal/pgtest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// value finds a sample; labels are name, value, …
func value(t *testing.T, r source.Reading, metric string, labels ...string) float64 {
	t.Helper()
	v, ok := find(r, metric, labels...)
	if !ok {
		t.Fatalf("no sample %s %v among %v", metric, labels, r.Samples)
	}
	return v
}

func find(r source.Reading, metric string, labels ...string) (float64, bool) {
	for _, s := range r.Samples {
		match := s.Metric == metric
		for i := 0; i+1 < len(labels); i += 2 {
			match = match && s.Labels.Get(labels[i]) == labels[i+1]
		}
		if match {
			return s.Value, true
		}
	}
	return 0, false
}

func absent(t *testing.T, r source.Reading, metrics ...string) {
	t.Helper()
	for _, metric := range metrics {
		if v, ok := find(r, metric); ok {
			t.Errorf("%s = %v, want no value", metric, v)
		}
	}
}

// newSource makes a source that is closed with the test.
func newSource(t testing.TB, url string, change ...func(*Config)) *Source {
	t.Helper()
	cfg := Default()
	cfg.URL = secret.NewURL(url)
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg, "database", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func poll(t testing.TB, s *Source) source.Reading {
	t.Helper()
	r, err := tryPoll(t, s, 5*time.Second)
	if err != nil {
		t.Fatalf("poll: %v", err)
	}
	return r
}

func tryPoll(t testing.TB, s *Source, timeout time.Duration) (source.Reading, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return s.Poll(ctx)
}

// app connects as the application does.
func app(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// server starts PostgreSQL with a role for the application and one with
// pg_monitor for the source.
func server(t testing.TB, settings ...string) *pgtest.Server {
	t.Helper()
	s := pgtest.Start(t, settings...)
	s.Exec("postgres",
		"CREATE ROLE app LOGIN", "GRANT CREATE ON SCHEMA public TO app",
		"CREATE ROLE tocsin LOGIN CONNECTION LIMIT 3", "GRANT pg_monitor TO tocsin",
		"CREATE ROLE nosy LOGIN")
	if s.Statements {
		s.Exec("postgres", "CREATE EXTENSION pg_stat_statements")
	}
	return s
}

func noProblems(t testing.TB, r source.Reading) {
	t.Helper()
	for _, p := range r.Problems {
		t.Errorf("problem: %s: %v", p.Query, p.Err)
	}
}

func TestPollMeasuresTheApplicationsStatements(t *testing.T) {
	pg := server(t)
	a := app(t, pg.URL("app", "postgres"))
	exec(t, a, `CREATE TABLE "Users" (id int PRIMARY KEY, name text)`)
	exec(t, a, `INSERT INTO "Users" SELECT i, 'n' || i FROM generate_series(1, 1000) i`)
	exec(t, a, `ANALYZE "Users"`)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	first := poll(t, s)
	noProblems(t, first)
	absent(t, first, "postgres.avg_query_time", "postgres.queries_per_sec", "postgres.rollback_rate")
	for i := range 50 {
		exec(t, a, `SELECT name FROM "Users" WHERE id = $1`, i)
	}
	exec(t, a, "SELECT pg_sleep(0.15)")
	r := poll(t, s)
	noProblems(t, r)
	if up := value(t, r, "postgres.up"); up != 1 {
		t.Errorf("up = %v", up)
	}
	// 51 statements, of which one took 150 ms.
	if avg := value(t, r, "postgres.avg_query_time"); avg < 150.0/52 || avg > 20 {
		t.Errorf("average = %v ms", avg)
	}
	if slowest := value(t, r, "postgres.max_query_time"); slowest < 150 || slowest > 1000 {
		t.Errorf("slowest = %v ms", slowest)
	}
	if n := value(t, r, "postgres.slow_queries"); n != 1 {
		t.Errorf("slow queries = %v", n)
	}
	slow := r.Facts.Database.Slow
	if len(slow) != 1 || slow[0].Query != "SELECT pg_sleep($1)" || slow[0].Running {
		t.Errorf("slow = %+v", slow)
	}
	if rows := value(t, r, "postgres.table_rows", "table", "Users"); rows != 1000 {
		t.Errorf("rows = %v", rows)
	}
	if r.StartedAt.IsZero() || time.Since(r.StartedAt) > time.Minute {
		t.Errorf("started at %v", r.StartedAt)
	}
	next := poll(t, s)
	absent(t, next, "postgres.avg_query_time")
	if n := value(t, next, "postgres.slow_queries"); n != 0 {
		t.Errorf("slow queries = %v in a window without any", n)
	}
}

func TestCatalogHasEveryMetricThatIsYielded(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	catalog := source.NewCatalog(nil, false)
	for range 2 {
		for _, sample := range poll(t, s).Samples {
			m, ok := catalog.Lookup(sample.Metric)
			if !ok {
				t.Errorf("%s is not in the catalog", sample.Metric)
			}
			for _, label := range sample.Labels {
				if !slices.Contains(m.Labels, label.Name) {
					t.Errorf("%s: label %s is not in the catalog", sample.Metric, label.Name)
				}
			}
		}
	}
}
