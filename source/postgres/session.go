package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockTimeout bounds how long the monitor waits for somebody's lock, and with
// it how long somebody may queue behind the monitor.
const lockTimeout = 250 * time.Millisecond

// session is one connection, set so that it can do no harm: read-only, with
// timeouts. It is for one goroutine.
type session struct {
	conn *pgx.Conn
	// pooled says that a pooler stands between, which may run each transaction
	// on another connection. A plain SET would then stay behind on one of the
	// application's connections and make it read-only, so the settings live
	// within a transaction.
	pooled           bool
	statementTimeout time.Duration
	ran              int // transactions since the connection began
}

// open connects and sets the session up.
func open(ctx context.Context, config *pgx.ConnConfig, statementTimeout time.Duration) (*session, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, statementTimeout: statementTimeout}
	if err := s.setUp(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) setUp(ctx context.Context) error {
	pid, err := s.backendPID(ctx)
	if err != nil {
		return err
	}
	// A pooler makes up the process id that it gives its clients for cancelling.
	if s.pooled = pid != s.conn.PgConn().PID(); s.pooled {
		return nil
	}
	if err := s.run(ctx, s.timeouts("SET")+"; SET default_transaction_read_only = on"); err != nil {
		return fmt.Errorf("session settings: %w", err)
	}
	// Others must be granted it, which configs/postgres-role.sql does, and a
	// refusal would be an error in the server's log at every connection. Where the
	// library is not loaded the setting means nothing and harms nothing.
	if s.conn.PgConn().ParameterStatus("is_superuser") == "on" {
		return s.run(ctx, "SET pg_stat_statements.track = 'none'")
	}
	return nil
}

// timeouts writes the settings that bound a statement. It is SQL, for startup
// parameters of these names are fatal behind PgBouncer.
func (s *session) timeouts(set string) string {
	return fmt.Sprintf("%s /*tocsin*/ statement_timeout = %d; %s /*tocsin*/ lock_timeout = %d",
		set, s.statementTimeout.Milliseconds(), set, lockTimeout.Milliseconds())
}

func (s *session) backendPID(ctx context.Context) (uint32, error) {
	results, err := s.conn.PgConn().Exec(ctx, "SELECT /*tocsin*/ pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return 0, errors.New("pg_backend_pid(): no answer")
	}
	pid, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(pid), err
}

// run executes statements without parameters by the simple protocol.
func (s *session) run(ctx context.Context, sql string) error {
	_, err := s.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// ping is one round trip without work.
func (s *session) ping(ctx context.Context) error {
	s.ran++
	return s.conn.Ping(ctx)
}

// read runs one statement in a transaction of its own, so that its failure is
// its own.
func (s *session) read(ctx context.Context, take func(pgx.Rows) error, sql string, args ...any) error {
	s.ran++
	if !s.pooled {
		return s.query(ctx, take, sql, args)
	}
	err := s.run(ctx, "BEGIN /*tocsin*/ READ ONLY; "+s.timeouts("SET LOCAL"))
	if err == nil {
		err = s.query(ctx, take, sql, args)
	}
	if s.conn.IsClosed() {
		return err
	}
	// COMMIT of a failed transaction is a rollback.
	return errors.Join(err, s.run(ctx, "COMMIT /*tocsin*/"))
}

func (s *session) query(ctx context.Context, take func(pgx.Rows) error, sql string, args []any) error {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return take(rows)
}

func (s *session) closed() bool { return s.conn.IsClosed() }

// close says goodbye, for at most a second.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // the connection is given up either way
}
