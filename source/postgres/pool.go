package postgres

import (
	"github.com/tocsin-dev/tocsin/source"
)

// Who counted a pool's connections.
const (
	fromActivity  = "pg_stat_activity"
	fromPgBouncer = "pgbouncer"
)

// poolOf counts the pool in pg_stat_activity: a connection is in use while it
// runs a statement or holds a transaction open. It is nil when states are
// hidden, for then nobody can say how many are in use.
func poolOf(c connections, id *identity, cfg PoolConfig) *source.Pool {
	if c.Hidden > 0 {
		return nil
	}
	pool := &source.Pool{
		Active: c.Running + c.IdleInTxn, Idle: c.Idle, Total: c.Total,
		Limit: cfg.Limit, From: fromActivity,
	}
	if pool.Limit == 0 {
		pool.Limit = id.slots()
	}
	return pool
}

// addPool writes the pool's samples. Usage is the share of the limit that is in
// use, which is what the guide's "<50% used" means. A server without a free
// slot leaves the pool nothing to open, so usage is then 100 whatever the
// pool's own limit: the same number that SQLSTATE 53300 gives when the monitor
// has no connection yet.
func addPool(r *source.Reading, pool *source.Pool, serverFull bool) {
	usage, known := 0.0, false
	if pool != nil {
		r.Add("postgres.pool_active", float64(pool.Active))
		r.Add("postgres.pool_idle", float64(pool.Idle))
		r.Add("postgres.pool_total", float64(pool.Total))
		if pool.Waiting != nil {
			r.Add("postgres.pool_waiting", float64(*pool.Waiting))
		}
		if pool.Limit > 0 {
			r.Add("postgres.pool_limit", float64(pool.Limit))
			usage, known = 100*float64(pool.Active)/float64(pool.Limit), true
		}
	}
	if serverFull {
		usage, known = max(usage, 100), true
	}
	if known {
		r.Add("postgres.pool_usage", usage)
	}
}

// addConnections writes what the server's sessions show beyond the pool. Where
// some are hidden, the oldest transaction and the waiting ones may be among
// them, so there is no value.
func addConnections(r *source.Reading, c connections, id *identity) {
	r.Add("postgres.connection_usage", 100*float64(c.ServerBackends)/float64(id.slots()))
	if c.Hidden+c.HiddenAnywhere > 0 {
		return
	}
	r.Add("postgres.lock_waiting", float64(c.LockWaiting))
	r.Add("postgres.oldest_transaction", c.OldestTxnS)
}
