package postgres

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	osexec "os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tocsin-dev/tocsin/internal/pgtest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// fault polls and wants a fault of the kind.
func fault(t *testing.T, s *Source, kind source.FaultKind) source.Reading {
	t.Helper()
	r, err := tryPoll(t, s, 2*time.Second)
	var f *source.Fault
	if !errors.As(err, &f) || f.Kind != kind {
		t.Fatalf("poll: %v (%s), want %s", err, source.KindOf(err), kind)
	}
	return r
}

// until asks the server itself until a condition holds, since a client cannot
// know when its statement has begun.
func until(t *testing.T, pg *pgtest.Server, condition string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var ok bool
		if err := conn.QueryRow(t.Context(), "SELECT "+condition).Scan(&ok); err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never true: %s", condition)
		}
	}
}

// begin runs a statement in the background; the returned function waits for it.
func begin(t *testing.T, url, sql string) (wait func()) {
	t.Helper()
	conn := app(t, url)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = conn.Exec(context.Background(), sql) // cancelled at the latest with the server
	}()
	return func() { <-done }
}

func TestASlowStatementIsSeenRunningThenFinished(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"), func(c *Config) { c.SlowQuery = 50 * time.Millisecond })
	poll(t, s)
	wait := begin(t, pg.URL("app", "postgres"), "SELECT pg_sleep(0.6), 'card 4111' AS secret /* of 4111 */")
	until(t, pg, `EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'app' AND state = 'active' AND clock_timestamp() - query_start > interval '60ms')`)
	r := poll(t, s)
	if n := value(t, r, "postgres.slow_queries"); n != 1 {
		t.Errorf("slow queries = %v", n)
	}
	slow := r.Facts.Database.Slow
	if len(slow) != 1 || !slow[0].Running || slow[0].Query != "SELECT pg_sleep(?), ? AS secret" {
		t.Fatalf("running: %+v", slow)
	}
	wait()
	r = poll(t, s)
	slow = r.Facts.Database.Slow
	if len(slow) != 1 || slow[0].Running || slow[0].DurationMs < 600 || slow[0].Query != "SELECT pg_sleep($1), $2 AS secret" {
		t.Fatalf("finished: %+v", slow)
	}
}

func TestAUtilityStatementShowsNoPassword(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"), func(c *Config) { c.SlowQuery = time.Nanosecond })
	poll(t, s)
	pg.Exec("postgres", "ALTER ROLE app PASSWORD 'hunter2'")
	r := poll(t, s)
	found := false
	for _, slow := range r.Facts.Database.Slow {
		found = found || strings.HasPrefix(slow.Query, "ALTER ROLE app PASSWORD")
		if strings.Contains(slow.Query, "hunter2") {
			t.Errorf("a password is shown: %s", slow.Query)
		}
	}
	if !found {
		t.Errorf("slow = %+v", r.Facts.Database.Slow)
	}
}

func TestALockThatIsWaitedForIsCounted(t *testing.T) {
	pg := server(t)
	holder := app(t, pg.URL("app", "postgres"))
	simple(t, holder, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
	simple(t, holder, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
	wait := begin(t, pg.URL("app", "postgres"), "SELECT * FROM t")
	until(t, pg, `EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')`)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	r := poll(t, s)
	noProblems(t, r)
	if n := value(t, r, "postgres.lock_waiting"); n != 1 {
		t.Errorf("lock_waiting = %v", n)
	}
	if age := value(t, r, "postgres.oldest_transaction"); age <= 0 || age > 60 {
		t.Errorf("oldest_transaction = %v", age)
	}
	if _, ok := find(r, "postgres.table_size", "table", "t"); ok {
		t.Error("a locked table has a size")
	}
	if n := value(t, r, "postgres.pool_active"); n != 2 {
		t.Errorf("pool_active = %v, want the holder and the one that waits", n)
	}
	simple(t, holder, "COMMIT")
	wait()
}

// simple runs statements by the simple protocol.
func simple(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// fill takes connections until the server has none left.
func fill(t *testing.T, url string) {
	t.Helper()
	for {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
}

func TestAnExhaustedServerIsAFullPoolNotADeadServer(t *testing.T) {
	pg := server(t, "max_connections=8")
	late := newSource(t, pg.URL("tocsin", "postgres"))
	early := newSource(t, pg.URL("tocsin", "postgres"), func(c *Config) { c.Pool = PoolConfig{User: "app", Limit: 20} })
	if usage := value(t, poll(t, early), "postgres.pool_usage"); usage != 0 {
		t.Errorf("usage before = %v", usage)
	}
	fill(t, pg.URL("app", "postgres"))

	r := fault(t, late, source.Full) // it has no connection and gets none: 53300
	for metric, want := range map[string]float64{"postgres.up": 1, "postgres.pool_usage": 100, "postgres.connection_usage": 100} {
		if got := value(t, r, metric); got != want {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if r.Facts.Database.Status != "exhausted" {
		t.Errorf("status = %q", r.Facts.Database.Status)
	}

	r = poll(t, early) // it has one, and sees the same
	for metric, want := range map[string]float64{"postgres.up": 1, "postgres.pool_usage": 100, "postgres.connection_usage": 100, "postgres.pool_limit": 20} {
		if got := value(t, r, metric); got != want {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if r.Facts.Database.Status != "exhausted" || r.Health != source.Unhealthy {
		t.Errorf("status = %q, health = %q", r.Facts.Database.Status, r.Health)
	}
}

func TestTheMonitorsOwnConnectionLimitIsNotThePools(t *testing.T) {
	pg := server(t)
	fill(t, pg.URL("tocsin", "postgres")) // CONNECTION LIMIT 3
	r := fault(t, newSource(t, pg.URL("tocsin", "postgres")), source.Blind)
	absent(t, r, "postgres.up", "postgres.pool_usage")
}

func TestAnUnprivilegedRoleSaysSoOnceAndCarriesOn(t *testing.T) {
	pg := server(t)
	a := app(t, pg.URL("app", "postgres"))
	exec(t, a, "SELECT 1")
	var log bytes.Buffer
	cfg := Default()
	cfg.URL = secret.NewURL(pg.URL("nosy", "postgres"))
	s, err := New(cfg, "database", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	poll(t, s)
	for range 20 {
		exec(t, a, "SELECT pg_sleep(0.002)")
	}
	r := poll(t, s)
	if len(r.Problems) != 1 || r.Problems[0].Query != "pg_monitor" {
		t.Errorf("problems = %v", r.Problems)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines of log:\n%s", n, log.String())
	}
	if avg := value(t, r, "postgres.avg_query_time"); avg < 2 || avg > 50 {
		t.Errorf("average of the hidden statements = %v", avg)
	}
	absent(t, r, "postgres.pool_active", "postgres.lock_waiting", "postgres.oldest_transaction")
}

func TestWithoutTheExtensionTransactionsAreCounted(t *testing.T) {
	pg := server(t, "shared_preload_libraries=")
	pg.Exec("postgres", "DROP EXTENSION pg_stat_statements")
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	a := app(t, pg.URL("app", "postgres"))
	for range 30 {
		exec(t, a, "SELECT 1")
	}
	_ = a.Close(t.Context()) // a backend that ends reports its counts
	until(t, pg, `NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'app')`)
	r := poll(t, s)
	q := r.Facts.Database.Query
	if !q.Transactions || q.AverageMs != nil || q.Total == nil || q.PerSecond == nil || *q.PerSecond <= 0 {
		t.Errorf("query = %+v", q)
	}
	absent(t, r, "postgres.avg_query_time")
	if value(t, r, "postgres.queries_per_sec") <= 0 {
		t.Error("no transactions a second")
	}
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Err.Error(), "CREATE EXTENSION") {
		t.Errorf("problems = %v", r.Problems)
	}
}

func TestALibraryThatIsNotPreloadedIsAProblem(t *testing.T) {
	pg := server(t, "shared_preload_libraries=")
	s := newSource(t, pg.URL("tocsin", "postgres"))
	r := poll(t, s)
	if !r.Facts.Database.Query.Transactions || len(r.Problems) == 0 {
		t.Errorf("query = %+v, problems = %v", r.Facts.Database.Query, r.Problems)
	}
}

func TestTheApplicationsOwnRoleIsWatchedToo(t *testing.T) {
	pg := server(t)
	a := app(t, pg.URL("app", "postgres"))
	s := newSource(t, pg.URL("app", "postgres"))
	poll(t, s)
	s.own.next = time.Time{}
	poll(t, s)
	s.own.next = time.Time{} // a minute later
	poll(t, s)
	for range 10 {
		exec(t, a, "SELECT pg_sleep(0.005)")
	}
	s.own.next = time.Time{}
	r := poll(t, s)
	// Ten statements of 5 ms, and none of the monitor's among them.
	if avg := value(t, r, "postgres.avg_query_time"); avg < 4.9 {
		t.Errorf("average = %v: the monitor's own statements are in it", avg)
	}
}

func TestStatisticsResetInBetween(t *testing.T) {
	pg := server(t)
	a := app(t, pg.URL("app", "postgres"))
	for range 100 {
		exec(t, a, "SELECT 1 AS n")
	}
	s := newSource(t, pg.URL("tocsin", "postgres"))
	before := *poll(t, s).Facts.Database.Query.Total
	pg.Exec("postgres", "SELECT pg_stat_statements_reset()", "SELECT pg_stat_reset()")
	for range 10 {
		exec(t, a, "SELECT 1 AS n")
	}
	r := poll(t, s)
	if qps := value(t, r, "postgres.queries_per_sec"); qps <= 0 {
		t.Errorf("queries a second = %v", qps)
	}
	if total := *r.Facts.Database.Query.Total; total < before+10 || total > before+15 {
		t.Errorf("total = %d after %d and ten more", total, before)
	}
	absent(t, r, "postgres.rollback_rate")
	if r.Facts.Database.Query.Transactions {
		t.Error("marked as transactions")
	}
}

func TestAServerThatIsKilledIsDownUntilItIsBack(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	pg.Kill()
	r := fault(t, s, source.Down)
	if up := value(t, r, "postgres.up"); up != 0 {
		t.Errorf("up = %v", up)
	}
	if r.Facts.Database.Status != "disconnected" {
		t.Errorf("status = %q", r.Facts.Database.Status)
	}
	fault(t, s, source.Down)
	pg.Restart()
	r = poll(t, s)
	if up := value(t, r, "postgres.up"); up != 1 {
		t.Errorf("up = %v", up)
	}
	absent(t, r, "postgres.queries_per_sec") // a first look again
}

func TestARestartBetweenTwoPollsFailsNone(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	pg.Restart()
	poll(t, s)
}

func TestABackendKilledTakesTheStatisticsAlong(t *testing.T) {
	pg := server(t, "restart_after_crash=on")
	a := app(t, pg.URL("app", "postgres"))
	for range 200 {
		exec(t, a, "SELECT 1 AS n")
	}
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	if err := syscall.Kill(int(a.PgConn().PID()), syscall.SIGKILL); err != nil {
		t.Skip("not permitted to signal the server:", err)
	}
	// The postmaster restarts its backends; that takes a moment, in which there
	// is no saying what a poll finds.
	deadline := time.Now().Add(10 * time.Second)
	var r source.Reading
	for {
		var err error
		if r, err = tryPoll(t, s, 2*time.Second); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if rate, ok := find(r, "postgres.queries_per_sec"); ok && rate < 0 {
		t.Errorf("queries a second = %v", rate)
	}
	for _, sample := range r.Samples {
		if sample.Value < 0 {
			t.Errorf("%s = %v", sample.Metric, sample.Value)
		}
	}
}

func TestATimeoutIsDownTheSecondTime(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	pg.Stop()
	r := fault(t, s, source.Down)
	absent(t, r, "postgres.up")
	if r.Health != source.Degraded {
		t.Errorf("health = %q", r.Health)
	}
	r = fault(t, s, source.Down)
	if up := value(t, r, "postgres.up"); up != 0 {
		t.Errorf("up = %v", up)
	}
	pg.Cont()
	poll(t, s)
}

func TestWrongCredentialsAreBlindAndNeverShown(t *testing.T) {
	pg := server(t)
	pg.Exec("postgres", "ALTER ROLE tocsin PASSWORD 'right'")
	pg.Authenticate("host all all 127.0.0.1/32 scram-sha-256")
	for name, url := range map[string]string{
		"password": pg.URL("tocsin:wr0ng-s3cret", "postgres"),
		"role":     pg.URL("nobody:wr0ng-s3cret", "postgres"),
		"database": pg.URL("tocsin:right", "nosuch"),
	} {
		s := newSource(t, url)
		r, err := tryPoll(t, s, 2*time.Second)
		if source.KindOf(err) != source.Blind {
			t.Errorf("%s: %v (%s)", name, err, source.KindOf(err))
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "right") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
		absent(t, r, "postgres.up")
	}
	s := newSource(t, pg.URL("tocsin:wrong", "postgres"), func(c *Config) { c.Password = secret.New("right") })
	poll(t, s)
}

func TestNothingListensIsDownAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := newSource(t, "postgres://tocsin:s3cret@"+address+"/app?sslmode=disable")
	r, err := tryPoll(t, s, 2*time.Second)
	if source.KindOf(err) != source.Down || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	if up := value(t, r, "postgres.up"); up != 0 {
		t.Errorf("up = %v", up)
	}
}

func TestCloseFreesAPollThatHangs(t *testing.T) {
	pg := server(t)
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s)
	pg.Stop()
	defer pg.Cont()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Poll(context.Background())
		ended <- err
	}()
	for !s.busy() {
	}
	_ = s.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the poll succeeded")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the poll hangs on")
	}
	if _, err := s.Poll(t.Context()); err == nil {
		t.Error("a closed source polls")
	}
}

func (s *Source) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancel != nil
}

func TestThroughTransactionPooling(t *testing.T) {
	pg := server(t)
	pg.Exec("postgres", "ALTER ROLE tocsin CONNECTION LIMIT -1")
	b := pgtest.StartPgBouncer(t, pg, 2, "transaction")
	// The monitor's role is the application's: it must leave nothing behind on
	// the connections that they share.
	a := app(t, b.URL("app", "postgres"))
	simple(t, a, "CREATE TABLE t (n int)")
	s := newSource(t, b.URL("app", "postgres")+"&statement_timeout=1000&schema=public")
	first := poll(t, s)
	if !s.session.pooled {
		t.Fatal("the pooler was not noticed")
	}
	for _, p := range first.Problems {
		if p.Query != "pg_monitor" {
			t.Errorf("problem: %v", p)
		}
	}
	simple(t, a, "SELECT pg_sleep(0.15)")
	r := poll(t, s)
	if n := value(t, r, "postgres.slow_queries"); n < 1 {
		t.Errorf("slow queries = %v", n)
	}
	for range 4 {
		simple(t, a, "INSERT INTO t VALUES (1)") // would fail on a read-only connection
	}
	for _, setting := range []string{"default_transaction_read_only", "statement_timeout", "lock_timeout"} {
		results, err := a.PgConn().Exec(t.Context(), "SHOW "+setting).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(results[0].Rows[0][0]); got != "off" && got != "0" {
			t.Errorf("%s = %s was left behind", setting, got)
		}
	}
	pg.Halt()
	fault(t, s, source.Down) // PgBouncer may let clients wait: a timeout
	r = fault(t, s, source.Down)
	if up := value(t, r, "postgres.up"); up != 0 {
		t.Errorf("up = %v", up)
	}
}

func TestThePoolIsCountedByPgBouncersConsole(t *testing.T) {
	pg := server(t)
	b := pgtest.StartPgBouncer(t, pg, 2, "transaction")
	s := newSource(t, pg.URL("tocsin", "postgres"), func(c *Config) { c.PgBouncerURL = secret.NewURL(b.AdminURL()) })
	for range 2 {
		simple(t, app(t, b.URL("app", "postgres")), "BEGIN")
	}
	begin(t, b.URL("app", "postgres"), "SELECT 1")
	deadline := time.Now().Add(10 * time.Second)
	r := poll(t, s)
	for ; value(t, r, "postgres.pool_waiting") != 1; r = poll(t, s) {
		if time.Now().After(deadline) {
			t.Fatalf("nobody waits: %v", r.Samples)
		}
	}
	noProblems(t, r)
	for metric, want := range map[string]float64{"postgres.pool_active": 2, "postgres.pool_total": 2, "postgres.pool_limit": 2, "postgres.pool_usage": 100} {
		if got := value(t, r, metric); got != want {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if p := r.Facts.Database.Pool; p.From != "pgbouncer" || *p.Waiting != 1 {
		t.Errorf("pool = %+v", p)
	}
	b.Kill()
	r = poll(t, s)
	absent(t, r, "postgres.pool_active", "postgres.pool_usage")
	if len(r.Problems) != 1 || r.Problems[0].Query != "pgbouncer" {
		t.Errorf("problems = %v", r.Problems)
	}
}

func TestTheRoleThatWeShip(t *testing.T) {
	psql, err := osexec.LookPath("psql")
	if err != nil {
		pgtest.Missing(t, "psql")
	}
	pg := pgtest.Start(t)
	for range 2 { // it may be run again
		cmd := osexec.CommandContext(t.Context(), psql, "-q", "-d", pg.URL("postgres", "postgres"),
			"-v", "password=pass'word", "-f", "../../configs/postgres-role.sql")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 && !bytes.Contains(out, []byte("already exists")) {
			t.Fatalf("psql: %v: %s", err, out)
		}
	}
	pg.Authenticate("host all all 127.0.0.1/32 scram-sha-256")
	s := newSource(t, pg.URL("tocsin:pass'word", "postgres"))
	noProblems(t, poll(t, s))
	if s.session.conn.PgConn().ParameterStatus("application_name") != "tocsin" {
		t.Error("the connection does not say whose it is")
	}
	if err := s.session.run(t.Context(), "CREATE TABLE t (n int)"); err == nil {
		t.Error("the role can write")
	}
}
