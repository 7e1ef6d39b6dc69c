package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin-dev/tocsin/source"
)

// history is what one poll leaves for the next to compare with.
type history struct {
	basis      basis
	statements tracker
	own        ownStatements
	rates      source.Rates
	tables     tableStats
	slow       slowLog
	// transactions are counted from the first poll's sum on.
	transactions uint64
	ranBefore    int // the monitor's own transactions in the poll before
	ranMark      int // the session's count at the end of that poll
}

// basis is what must stay the same for two polls to be compared. A new server
// process, a promoted standby or rights that changed make everything a first
// look.
type basis struct {
	postmasterStart float64
	inRecovery      bool
	database        string
	canReadAllStats bool
	withOwn         bool
	schema, ext     string
}

// round is one poll at work.
type round struct {
	*Source
	q  reader
	id *identity
	at time.Time
	r  source.Reading
	db source.Database

	conns    connections
	counted  bool // conns was read
	running  []runningRow
	looked   bool // running was read
	window   window
	unlisted bool // pg_stat_statements cannot be read, now or later
}

// read asks all questions of one poll. The error is that of the first, without
// which no other answer could be placed.
func (s *Source) read(ctx context.Context, q reader, at time.Time, roundTrip time.Duration) (source.Reading, error) {
	sql, err := statement("identity", &identity{})
	if err != nil {
		return source.Reading{}, err
	}
	id, err := rowOf[identity](ctx, q, sql)
	if err != nil {
		return source.Reading{}, fmt.Errorf("identity: %w", err)
	}
	p := &round{Source: s, q: q, id: &id, at: at, db: source.Database{Status: statusConnected}}
	p.r.StartedAt = time.UnixMicro(int64(id.PostmasterStart * 1e6))
	p.r.Add("postgres.up", 1)
	p.r.Add("postgres.connect_time", ms(roundTrip))
	s.rebase(&id)
	p.ask(ctx)
	p.report(ctx)
	return p.r, nil
}

// rebase forgets what can no longer be compared with.
func (s *Source) rebase(id *identity) {
	s.own.shared = s.own.shared || id.RoleShared
	now := basis{
		postmasterStart: id.PostmasterStart, inRecovery: id.InRecovery, database: id.Database,
		canReadAllStats: id.CanReadAllStats, withOwn: s.own.counted(id),
		schema: deref(id.StatementsSchema), ext: deref(id.StatementsExt),
	}
	if now == s.basis {
		return
	}
	s.basis = now
	s.statements.forget()
	s.rates.Forget()
	s.tables.forget()
}

// ask puts the questions one after the other; one that fails is a problem, and
// only a lost connection ends the list.
func (p *round) ask(ctx context.Context) {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"connections", p.readConnections},
		{"database", p.readDatabase},
		{"running", p.readRunning},
		{"statements", p.readStatements},
		{"tables", func(ctx context.Context) error { return p.tables.read(ctx, p.q, p.id, &p.cfg, p.at) }},
		{"replica", p.readReplica},
	} {
		err := step.run(ctx)
		p.note(step.name, err)
		if err != nil && p.q.closed() {
			return
		}
	}
}

// note keeps a query's failure as a problem of this poll. It is logged when it
// begins, not at every poll.
func (p *round) note(query string, err error) {
	if err == nil {
		delete(p.told, query)
		return
	}
	err = plain(err)
	p.r.Problems = append(p.r.Problems, source.Problem{Query: query, Err: err})
	if !p.told[query] {
		p.told[query] = true
		p.log.Warn("query failed, the rest goes on", "query", query, "error", err)
	}
}

func (p *round) readConnections(ctx context.Context) (err error) {
	sql, err := statement("connections", p.id)
	if err != nil {
		return err
	}
	p.conns, err = rowOf[connections](ctx, p.q, sql, p.cfg.Pool.ApplicationName, p.cfg.Pool.User)
	p.counted = err == nil
	return err
}

func (p *round) readDatabase(ctx context.Context) error {
	sql, err := statement("database", p.id)
	if err != nil {
		return err
	}
	row, err := rowOf[databaseRow](ctx, p.q, sql)
	if err != nil {
		return err
	}
	run := fmt.Sprint(p.basis, row.StatsReset != nil, deref(row.StatsReset))
	first := p.transactions == 0
	p.rates.Observe(run, p.at, map[string]float64{
		"commit": float64(row.Commits), "rollback": float64(row.Rollbacks),
		"transactions": float64(row.Commits + row.Rollbacks),
		"hit":          float64(row.BlocksHit), "read": float64(row.BlocksRead),
		"temp": float64(row.TempBytes), "deadlocks": float64(row.Deadlocks),
	})
	if first {
		p.transactions = uint64(max(0, row.Commits+row.Rollbacks))
	}
	return nil
}

func (p *round) readRunning(ctx context.Context) error {
	sql, err := statement("running", p.id)
	if err != nil {
		return err
	}
	rows, err := rowsOf[runningRow](ctx, p.q, sql, ms(p.cfg.SlowQuery), shownRunning)
	if err != nil {
		return err
	}
	p.running, p.looked = rows, true
	p.slow.running(rows, p.at)
	return nil
}

func (p *round) readReplica(ctx context.Context) error {
	if !p.id.InRecovery {
		return nil
	}
	sql, err := statement("replica", p.id)
	if err != nil {
		return err
	}
	row, err := rowOf[replicaRow](ctx, p.q, sql)
	if err == nil && row.LagS != nil {
		p.r.Add("postgres.replay_lag", *row.LagS)
	}
	return err
}

// report turns the answers into samples and facts.
func (p *round) report(ctx context.Context) {
	p.reportPool(ctx)
	p.reportDatabase()
	p.reportQueries()
	p.tables.add(&p.r)
	p.db.Tables, p.db.Slow = p.tables.current, p.slow.list()
	p.known = p.db
	facts := p.db
	p.r.Facts.Database = &facts
}

func (p *round) reportPool(ctx context.Context) {
	full := p.counted && p.conns.ServerBackends >= p.id.slots()
	if full {
		p.db.Status, p.r.Health = statusExhausted, source.Unhealthy
	}
	switch {
	case p.pooler != nil:
		p.db.Pool = p.consolePool(ctx, &p.r)
	case p.counted:
		p.db.Pool = poolOf(p.conns, p.id, p.cfg.Pool)
		if p.db.Pool == nil {
			p.r.Add("postgres.pool_total", float64(p.conns.Total))
		}
	}
	addPool(&p.r, p.db.Pool, full)
	if !p.counted {
		return
	}
	addConnections(&p.r, p.conns, p.id)
	var err error
	if p.conns.Hidden+p.conns.HiddenAnywhere > 0 {
		err = errNoPgMonitor
	}
	p.note("pg_monitor", err)
}

var errNoPgMonitor = errors.New("the role does not see other roles' sessions and statements; GRANT pg_monitor to it")

// consolePool asks PgBouncer, if it is configured. When it does not answer there
// are no numbers of the pool: those of pg_stat_activity count something else.
func (s *Source) consolePool(ctx context.Context, r *source.Reading) *source.Pool {
	if s.pooler == nil {
		return nil
	}
	database := s.basis.database
	if database == "" {
		database = s.config.Database
	}
	pool, err := s.pooler.pool(ctx, database, s.config.User, s.cfg.Pool)
	p := &round{Source: s}
	p.note("pgbouncer", err)
	r.Problems = append(r.Problems, p.r.Problems...)
	return pool
}

func (p *round) reportDatabase() {
	if rate, ok := p.rates.Ratio("rollback", "commit"); ok {
		p.r.Add("postgres.rollback_rate", rate)
	}
	if rate, ok := p.rates.Ratio("hit", "read"); ok {
		p.r.Add("postgres.block_hit_rate", rate)
	}
	if rate, ok := p.rates.PerSecond("deadlocks"); ok {
		p.r.Add("postgres.deadlocks_per_min", 60*rate)
	}
	if rate, ok := p.rates.PerSecond("temp"); ok {
		p.r.Add("postgres.temp_bytes_per_sec", rate)
	}
}

// permanent says that asking again will not help: no such extension, no right,
// or a library that was not preloaded.
func permanent(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	return pe.Code == "55000" || len(pe.Code) == 5 && pe.Code[:2] == "42"
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// plainly is plain with what was done before it.
func plainly(err error) error {
	inner := errors.Unwrap(err)
	if inner == nil {
		return plain(err)
	}
	text := err.Error()
	if cut := len(text) - len(inner.Error()); cut > 0 {
		return errors.New(text[:cut] + plain(inner).Error())
	}
	return plain(err)
}
