package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin-dev/tocsin/source"
)

// pooler is PgBouncer's console, on a connection of its own. It speaks the
// simple protocol only, and knows no SET. Columns: PgBouncer's manual, "admin
// console".
type pooler struct {
	config *pgconn.Config
	conn   *pgconn.PgConn // nil when there is none
}

func newPooler(config *pgx.ConnConfig) *pooler {
	return &pooler{config: &config.Config}
}

// consoleRow is one row of a SHOW command, by column name; NULL is "".
type consoleRow map[string]string

func (r consoleRow) number(column string) int {
	n, _ := strconv.Atoi(r[column]) // a column that an old version lacks is 0
	return n
}

// pool asks for the pools of a database. It takes at most half of the time that
// ctx has left, so that a console that hangs leaves some to the others.
func (p *pooler) pool(ctx context.Context, database, monitor string, cfg PoolConfig) (*source.Pool, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if p.conn == nil || p.conn.IsClosed() {
		conn, err := pgconn.ConnectConfig(ctx, p.config)
		if err != nil {
			return nil, fmt.Errorf("console: connect: %w", plain(err))
		}
		p.conn = conn
	}
	var answers [3][]consoleRow
	for i, command := range [...]string{"SHOW POOLS", "SHOW DATABASES", "SHOW CONFIG"} {
		rows, err := p.show(ctx, command)
		if err != nil {
			return nil, fmt.Errorf("console: %s: %w", command, plain(err))
		}
		answers[i] = rows
	}
	return poolFromConsole(answers[0], answers[1], answers[2], database, monitor, cfg)
}

func (p *pooler) show(ctx context.Context, command string) ([]consoleRow, error) {
	results, err := p.conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []consoleRow
	for _, result := range results {
		for _, values := range result.Rows {
			row := make(consoleRow, len(values))
			for i, field := range result.FieldDescriptions {
				row[field.Name] = string(values[i])
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (p *pooler) close() {
	if p.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.conn.Close(ctx) // given up either way
	p.conn = nil
}

// poolFromConsole sums the pools that lead to the database, under whatever
// names PgBouncer offers it. The monitor's own pool is left out, unless the
// application uses the same role. The limit is what the pools may open, without
// the reserve, which opens only after clients have waited.
func poolFromConsole(pools, databases, settings []consoleRow, database, monitor string, cfg PoolConfig) (*source.Pool, error) {
	offered := map[string]consoleRow{}
	for _, row := range databases {
		if row["database"] == database && row["name"] != "pgbouncer" {
			offered[row["name"]] = row
		}
	}
	var chosen []consoleRow
	others := false
	for _, row := range pools {
		if offered[row["database"]] != nil && (cfg.User == "" || row["user"] == cfg.User) {
			chosen = append(chosen, row)
			others = others || row["user"] != monitor
		}
	}
	pool, waiting := &source.Pool{From: fromPgBouncer}, 0
	limits := map[string]int{}
	for _, row := range chosen {
		if others && row["user"] == monitor && cfg.User == "" {
			continue
		}
		pool.Active += row.number("sv_active") + row.number("sv_active_cancel") + row.number("sv_being_canceled")
		pool.Idle += row.number("sv_idle") + row.number("sv_used") + row.number("sv_tested")
		pool.Total += row.number("sv_login")
		waiting += row.number("cl_waiting")
		limits[row["database"]] += poolSize(offered[row["database"]], settings)
	}
	if len(offered) == 0 {
		return nil, fmt.Errorf("console: PgBouncer shows no database that leads to %q; it may not have been used yet", database)
	}
	if len(limits) == 0 { // nobody has connected yet
		for name, row := range offered {
			limits[name] = poolSize(row, settings)
		}
	}
	pool.Total += pool.Active + pool.Idle
	pool.Waiting, pool.Limit = &waiting, cfg.Limit
	if cfg.Limit == 0 {
		for name, limit := range limits {
			if most := offered[name].number("max_connections"); most > 0 {
				limit = min(limit, most)
			}
			pool.Limit += limit
		}
	}
	return pool, nil
}

// poolSize is the server connections that one role's pool of a database may
// have.
func poolSize(database consoleRow, settings []consoleRow) int {
	config := map[string]string{}
	for _, row := range settings {
		config[row["key"]] = row["value"]
	}
	size := database.number("pool_size")
	if size == 0 {
		size, _ = strconv.Atoi(config["default_pool_size"]) // 0 when not told
	}
	if most, _ := strconv.Atoi(config["max_user_connections"]); most > 0 {
		size = min(size, most)
	}
	return size
}
