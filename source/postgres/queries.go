package postgres

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var files embed.FS

// reader runs one statement and hands its rows over. A session is one; so is a
// recording, in tests. A failed statement never spoils the next.
type reader interface {
	read(ctx context.Context, take func(pgx.Rows) error, sql string, args ...any) error
	// closed says that the connection is lost and nothing more can be read.
	closed() bool
}

func rowsOf[T any](ctx context.Context, r reader, sql string, args ...any) ([]T, error) {
	var out []T
	err := r.read(ctx, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
		return err
	}, sql, args...)
	return out, err
}

func rowOf[T any](ctx context.Context, r reader, sql string, args ...any) (T, error) {
	rows, err := rowsOf[T](ctx, r, sql, args...)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%d rows where one was due", len(rows))
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return rows[0], nil
}

// identity says who answers. Times are seconds since 1970.
type identity struct {
	VersionNum       int     `db:"version_num"`
	Database         string  `db:"datname"`
	InRecovery       bool    `db:"in_recovery"`
	PostmasterStart  float64 `db:"postmaster_start"`
	ServerNow        float64 `db:"server_now"`
	MaxConnections   int     `db:"max_connections"`
	SuperuserSlots   int     `db:"su_reserved"`
	ReservedSlots    int     `db:"reserved"`
	CanReadAllStats  bool    `db:"can_read_all_stats"`
	StatementsSchema *string `db:"pss_schema"`
	StatementsExt    *string `db:"pss_version"`
	StatementsTrack  *string `db:"pss_track"`
	RoleID           int64   `db:"role_id"`
	RoleShared       bool    `db:"role_shared"`
}

// slots is how many connections the server takes from ordinary roles.
func (id *identity) slots() int {
	return max(1, id.MaxConnections-id.SuperuserSlots-id.ReservedSlots)
}

// connections counts sessions of the database. Total to Hidden are those of
// the pool; a hidden one's state may not be seen.
type connections struct {
	Total          int     `db:"total"`
	Running        int     `db:"running"`
	IdleInTxn      int     `db:"idle_in_txn"`
	Idle           int     `db:"idle"`
	Hidden         int     `db:"hidden"`
	HiddenAnywhere int     `db:"hidden_anywhere"`
	LockWaiting    int     `db:"lock_waiting"`
	OldestQueryS   float64 `db:"oldest_query_s"`
	OldestTxnS     float64 `db:"oldest_txn_s"`
	ServerBackends int     `db:"server_client_backends"`
}

type databaseRow struct {
	Commits    int64    `db:"xact_commit"`
	Rollbacks  int64    `db:"xact_rollback"`
	BlocksRead int64    `db:"blks_read"`
	BlocksHit  int64    `db:"blks_hit"`
	TempBytes  int64    `db:"temp_bytes"`
	Deadlocks  int64    `db:"deadlocks"`
	StatsReset *float64 `db:"stats_reset"`
}

// statementRow is one entry of pg_stat_statements; QueryID is nil where the
// role may not see it.
type statementRow struct {
	UserID   int64   `db:"userid"`
	QueryID  *int64  `db:"queryid"`
	TopLevel bool    `db:"toplevel"`
	Calls    int64   `db:"calls"`
	TotalMs  float64 `db:"total_exec_time"`
	MaxMs    float64 `db:"max_exec_time"`
}

type statementText struct {
	QueryID int64  `db:"queryid"`
	Query   string `db:"query"`
}

type statementsInfo struct {
	Dealloc    int64    `db:"dealloc"`
	StatsReset *float64 `db:"stats_reset"`
}

type tableRow struct {
	Schema    string `db:"nspname"`
	Name      string `db:"relname"`
	Rows      *int64 `db:"rows"`
	SizeBytes *int64 `db:"size_bytes"`
	IndexHit  int64  `db:"idx_blks_hit"`
	IndexRead int64  `db:"idx_blks_read"`
}

type runningRow struct {
	PID        int32   `db:"pid"`
	Started    float64 `db:"started"`
	DurationMs float64 `db:"duration_ms"`
	QueryID    *int64  `db:"query_id"`
	Query      *string `db:"query"`
}

type replicaRow struct {
	LagS *float64 `db:"replay_lag_s"`
}

type queryID struct {
	QueryID int64 `db:"queryid"`
}

// statement returns the text of one of the embedded files, fitted to the
// server's version and to the extension's: its schema, and its columns, which
// go by the extension's version, for an upgraded server may run an old one.
func statement(name string, id *identity) (string, error) {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("statement: %w", err)
	}
	sql := string(text)
	if id.VersionNum < 140000 {
		sql = strings.ReplaceAll(sql, "/*14+*/ a.query_id", "NULL::int8 AS query_id")
	}
	if id.StatementsSchema != nil && id.StatementsExt != nil {
		sql = qualify(sql, *id.StatementsSchema)
		if !atLeast(*id.StatementsExt, 1, 9) {
			sql = strings.ReplaceAll(sql, "/*14+*/ s.toplevel", "true AS toplevel")
		}
		if !atLeast(*id.StatementsExt, 1, 8) {
			sql = strings.NewReplacer("s.total_exec_time", "s.total_time AS total_exec_time",
				"s.max_exec_time", "s.max_time AS max_exec_time").Replace(sql)
		}
	}
	return strings.ReplaceAll(sql, "/*14+*/ ", ""), nil
}

func qualify(sql, schema string) string {
	prefix := pgx.Identifier{schema}.Sanitize() + "."
	return strings.NewReplacer(
		"pg_stat_statements_info", prefix+"pg_stat_statements_info",
		"pg_stat_statements(", prefix+"pg_stat_statements(",
	).Replace(sql)
}

// atLeast compares an extension's version, in which 1.10 comes after 1.9.
func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil {
		return true // a version we cannot read is newer than we know
	}
	return a > major || a == major && b >= minor
}
