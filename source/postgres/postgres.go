// Package postgres is the source that watches one PostgreSQL database, 13 or
// later: its statements by pg_stat_statements, its sessions, locks, tables and
// replication, and the application's connection pool, by PgBouncer's console
// where there is one. cmd/tocsin makes it, the poll loop calls it. It needs the
// role of configs/postgres-role.sql and does with less; it never writes, never
// waits long for a lock, and never shows a literal of a statement.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tocsin-dev/tocsin/source"
)

// Connection states that the facts show.
const (
	statusConnected    = "connected"
	statusDisconnected = "disconnected"
	statusExhausted    = "exhausted"
	statusUnknown      = "unknown"
)

// Source watches one database by one connection, which it opens at the first
// poll and again whenever it is lost. Poll is for one goroutine; Close may come
// from another.
type Source struct {
	cfg    Config
	config *pgx.ConnConfig
	pooler *pooler // nil without pgbouncer_url
	log    *slog.Logger

	mu      sync.Mutex         // guards the next three
	session *session           // nil while there is none
	cancel  context.CancelFunc // ends the poll at work; nil while there is none
	closed  bool

	timeouts int             // polls in a row that got no answer in time
	told     map[string]bool // troubles that were logged and still last
	known    source.Database // what the last good poll found
	history
}

// New prepares the source; it does not connect. The error says what of the
// configuration cannot be used, and holds no secret.
func New(cfg Config, name string, log *slog.Logger) (*Source, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("source %q: %w", name, err)
	}
	config, err := cfg.connConfig()
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", name, err)
	}
	s := &Source{cfg: cfg, config: config, log: log.With("source", name), told: map[string]bool{}}
	s.tables.cheap = cheapTables
	if !cfg.PgBouncerURL.Empty() {
		console, err := parseURL(cfg.PgBouncerURL)
		if err != nil {
			return nil, fmt.Errorf("source %q: pgbouncer_url: %w", name, err)
		}
		harden(console)
		s.pooler = newPooler(console)
	}
	return s, nil
}

var errClosed = errors.New("the source is closed")

// Poll reads the database once. Each query fails alone, as a Problem; the poll
// fails with a *source.Fault only when there is no session to be had or the
// server does not say who it is:
//
//   - Down, with postgres.up 0: nothing listens, or the connection breaks, or no
//     answer came in time twice in a row (the first time gives no postgres.up)
//   - Starting, with postgres.up 0: it starts up, recovers or shuts down
//   - Full, with postgres.up 1, pool_usage 100 and connection_usage 100: it
//     runs, and has no connection left (SQLSTATE 53300). It is the pool's rule
//     that speaks then, not the one for a dead server.
//   - Blind, without postgres.up: wrong password, role, database or certificate
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !s.enter(cancel) {
		return source.Reading{}, &source.Fault{Kind: source.Down, Err: errClosed}
	}
	defer s.leave()
	at := time.Now()
	sess, err := s.connected(ctx)
	if err != nil {
		return s.unreachable(ctx, fmt.Errorf("connect: %w", err))
	}
	reading, err := s.read(ctx, sess, at, time.Since(at))
	s.ranBefore, s.ranMark = sess.ran-s.ranMark, sess.ran
	if sess.closed() {
		s.drop()
	}
	if err != nil {
		return s.unreachable(ctx, err)
	}
	s.timeouts = 0
	return reading, nil
}

// connected returns a session that has just answered.
func (s *Source) connected(ctx context.Context) (*session, error) {
	if s.session != nil {
		err := s.session.ping(ctx)
		if err == nil {
			return s.session, nil
		}
		s.drop()
		if ctx.Err() != nil {
			return nil, err
		}
		// The server may have been restarted since: try a new one at once.
	}
	sess, err := open(ctx, s.config, s.cfg.StatementTimeout)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.session = sess
	s.mu.Unlock()
	s.ranMark = 0
	// Behind a pooler nobody can see whose sessions are whose.
	s.own.shared = s.own.shared || sess.pooled
	return sess, nil
}

// unreachable makes the reading and the fault of a poll that found nobody. What
// was known stays, under another status.
func (s *Source) unreachable(ctx context.Context, err error) (source.Reading, error) {
	kind := kindOf(err)
	r := source.Reading{}
	known := s.known
	known.Status = statusUnknown
	late := timedOut(err)
	if !late {
		s.timeouts = 0
	}
	switch {
	case late:
		kind = source.Down
		if s.timeouts++; s.timeouts < 2 {
			r.Health = source.Degraded // once may be a hiccup of the network
			break
		}
		known.Status = statusDisconnected
		r.Add("postgres.up", 0)
	case kind == source.Full:
		known.Status = statusExhausted
		r.Add("postgres.up", 1)
		r.Add("postgres.connection_usage", 100)
		known.Pool = s.consolePool(ctx, &r)
		addPool(&r, known.Pool, true)
	case kind == source.Down, kind == source.Starting, kind == source.Busy:
		known.Status = statusDisconnected
		r.Add("postgres.up", 0)
	}
	r.Facts.Database = &known
	return r, &source.Fault{Kind: kind, Err: plainly(err)}
}

// enter marks a poll that cancel ends; false when the source is closed.
func (s *Source) enter(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.cancel = cancel
	return true
}

// leave ends a poll, and does what Close had to leave to it.
func (s *Source) leave() {
	s.mu.Lock()
	s.cancel = nil
	closed := s.closed
	s.mu.Unlock()
	if closed {
		s.hangUp()
	}
}

// Close ends the connections. Under a poll it cancels the poll, which then ends
// them.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
		return nil
	}
	s.hangUp()
	return nil
}

func (s *Source) hangUp() {
	s.drop()
	if s.pooler != nil {
		s.pooler.close()
	}
}

// drop closes the session, if there is one.
func (s *Source) drop() {
	s.mu.Lock()
	sess := s.session
	s.session = nil
	s.mu.Unlock()
	if sess != nil {
		sess.close()
	}
}
