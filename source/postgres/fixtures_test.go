package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

const fixtures = "../../testdata/fixtures"

// recording answers with what a server once said.
type recording struct {
	answers map[string][]map[string]json.RawMessage // by the beginning of the fixture's name: q0, q1, …
	fail    map[string]error
	lost    bool
}

// questions tell which recorded answer a statement wants.
var questions = []struct{ name, mark string }{ //nolint:gochecknoglobals // a constant table
	{"q0", "pg_postmaster_start_time()"},
	{"q1", "server_client_backends"},
	{"q2", "pg_stat_database"},
	{"q3b", "s.query, 500"},
	{"q3", "max_exec_time"},
	{"q4", "pg_total_relation_size"},
	{"q5", "make_interval"},
	{"q6", "pg_stat_statements_info"},
	{"q7", "replay_lag_s"},
}

func (r *recording) closed() bool { return r.lost }

func (r *recording) read(_ context.Context, take func(pgx.Rows) error, sql string, _ ...any) error {
	for _, q := range questions {
		if !strings.Contains(sql, q.mark) {
			continue
		}
		if err := r.fail[q.name]; err != nil {
			return err
		}
		return take(&recordedRows{rows: r.answers[q.name], sql: sql})
	}
	return errors.New("nobody recorded an answer to " + sql)
}

// recordedRows is pgx.Rows over JSON.
type recordedRows struct {
	pgx.Rows // what is not used panics
	rows     []map[string]json.RawMessage
	sql      string
	at       int
}

func (r *recordedRows) Next() bool                    { r.at++; return r.at <= len(r.rows) }
func (r *recordedRows) Close()                        {}
func (r *recordedRows) Err() error                    { return nil }
func (r *recordedRows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }

// FieldDescriptions are the recorded columns that the statement still asks for.
func (r *recordedRows) FieldDescriptions() []pgconn.FieldDescription {
	var fields []pgconn.FieldDescription
	for name := range r.rows[0] {
		// "locked" also names a part of the query.
		if name != "locked" && regexp.MustCompile(`\b`+name+`\b`).MatchString(r.sql) {
			fields = append(fields, pgconn.FieldDescription{Name: name})
		}
	}
	slices.SortFunc(fields, func(a, b pgconn.FieldDescription) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

func (r *recordedRows) Scan(dest ...any) error {
	for i, field := range r.FieldDescriptions() {
		raw := r.rows[r.at-1][field.Name]
		if strings.HasSuffix(field.Name, "id") { // ids are strings in the fixtures
			raw = json.RawMessage(strings.Trim(string(raw), `"`))
		}
		if err := json.Unmarshal(raw, dest[i]); err != nil {
			return fmt.Errorf("%s: %w", field.Name, err)
		}
	}
	return nil
}

// load reads a fixture into v.
func load(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// recordings reads a fixture of one poll or several.
func recordings(t *testing.T, name string) (out []*recording, at []time.Time) {
	t.Helper()
	var file struct{ Polls []map[string]json.RawMessage }
	load(t, name, &file)
	if file.Polls == nil {
		var one map[string]json.RawMessage
		load(t, name, &one)
		file.Polls = append(file.Polls, one)
	}
	for _, poll := range file.Polls {
		r := &recording{answers: map[string][]map[string]json.RawMessage{}, fail: map[string]error{}}
		var when time.Time
		for key, raw := range poll {
			if key == "at" {
				if err := json.Unmarshal(raw, &when); err != nil {
					t.Fatal(err)
				}
				continue
			}
			var rows []map[string]json.RawMessage
			if json.Unmarshal(raw, &rows) == nil {
				short, _, _ := strings.Cut(key, "_")
				r.answers[short] = rows
			}
		}
		out, at = append(out, r), append(at, when)
	}
	return out, at
}

func offline(t *testing.T) *Source {
	t.Helper()
	cfg := Default()
	cfg.URL = secret.NewURL("postgres://tocsin@127.0.0.1:1/maratrondb")
	s, err := New(cfg, "database", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.tables.cheap = time.Hour // on a busy machine even a recording is slow
	return s
}

func replay(t *testing.T, s *Source, q reader, at time.Time) source.Reading {
	t.Helper()
	r, err := s.read(t.Context(), q, at, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// keyed is the reference for a delta: written once more, straight from the
// fixture, without the tracker.
func keyed(t *testing.T, before, after *recording, reset bool) (calls int64, totalMs float64) {
	t.Helper()
	read := func(r *recording) map[string]statementRow {
		rows, err := rowsOf[statementRow](t.Context(), r, "s.queryid s.userid s.calls toplevel total_exec_time max_exec_time")
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]statementRow{}
		for _, row := range rows {
			m[fmt.Sprint(row.UserID, *row.QueryID, row.TopLevel)] = row
		}
		return m
	}
	old := read(before)
	for key, row := range read(after) {
		was := old[key]
		if reset || row.Calls < was.Calls || row.TotalMs < was.TotalMs {
			was = statementRow{}
		}
		if row.Calls > was.Calls {
			calls += row.Calls - was.Calls
			totalMs += row.TotalMs - was.TotalMs
		}
	}
	return calls, totalMs
}

func close2(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func TestRecordedPollsOfEveryVersion(t *testing.T) {
	for _, version := range []string{"13", "14", "15", "16", "17", "18"} {
		t.Run(version, func(t *testing.T) {
			polls, at := recordings(t, "postgres/polls_pg"+version+".json")
			s := offline(t)
			for i, recorded := range polls {
				r := replay(t, s, recorded, at[i])
				noProblems(t, r)
				if i == 0 {
					absent(t, r, "postgres.avg_query_time", "postgres.queries_per_sec", "postgres.block_hit_rate")
					if q := r.Facts.Database.Query; !q.SlowestLifetime || q.SlowestMs == nil || q.Transactions {
						t.Errorf("first poll: query = %+v", q)
					}
					continue
				}
				calls, totalMs := keyed(t, polls[i-1], recorded, i == 3)
				if got, want := value(t, r, "postgres.avg_query_time"), totalMs/float64(calls); !close2(got, want) {
					t.Errorf("poll %d: average = %v, want %v", i, got, want)
				}
				want := float64(calls) / at[i].Sub(at[i-1]).Seconds()
				if got := value(t, r, "postgres.queries_per_sec"); !close2(got, want) {
					t.Errorf("poll %d: queries a second = %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestRecordedBusyPoll(t *testing.T) {
	polls, at := recordings(t, "postgres/polls_pg15.json")
	s := offline(t)
	replay(t, s, polls[0], at[0])
	busy := replay(t, s, polls[1], at[1])
	for metric, want := range map[string]float64{
		"postgres.pool_active": 4, "postgres.pool_idle": 6, "postgres.pool_total": 10,
		"postgres.pool_limit": 57, "postgres.pool_usage": 100 * 4.0 / 57, "postgres.connection_usage": 100 * 11.0 / 57,
		"postgres.lock_waiting": 1, "postgres.oldest_transaction": 0.676516, "postgres.slow_queries": 3,
		"postgres.max_query_time": 679.684, "postgres.rollback_rate": 0,
	} {
		if got := value(t, busy, metric); !close2(got, want) {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if _, ok := find(busy, "postgres.table_size", "table", "Shoes"); ok {
		t.Error("a locked table has a size")
	}
	if got := value(t, busy, "postgres.index_hit_rate", "table", "Shoes"); got != 100 {
		t.Errorf("index hit rate of the window = %v", got)
	}
	texts := []string{"select pg_sleep(?)", `begin; lock table "Shoes" in access exclusive mode; select pg_sleep(?)`, `select count(*) from "Shoes"`}
	for _, slow := range busy.Facts.Database.Slow {
		if !slow.Running || !slices.Contains(texts, slow.Query) {
			t.Errorf("slow = %+v", slow)
		}
	}
	polls[2].answers["q3b"] = []map[string]json.RawMessage{
		{"queryid": json.RawMessage(`"440101247839410938"`), "query": json.RawMessage(`"select pg_sleep($1)"`)},
	}
	done := replay(t, s, polls[2], at[2])
	if got := value(t, done, "postgres.slow_queries"); got != 1 {
		t.Errorf("slow queries that finished = %v", got)
	}
	if got := value(t, done, "postgres.max_query_time"); !close2(got, 4004.136683) {
		t.Errorf("slowest = %v", got)
	}
	slow := done.Facts.Database.Slow
	if len(slow) != 3 || slow[0].Query != "select pg_sleep($1)" || !close2(slow[0].DurationMs, 4004.136683) || slow[0].Running {
		t.Errorf("slow = %+v", slow)
	}
	if got := value(t, done, "postgres.table_size", "table", "Shoes"); got <= 0 {
		t.Errorf("size of the table that is free again = %v", got)
	}
}

func TestACrashIsNotIdleness(t *testing.T) {
	var file struct {
		Snapshots []struct {
			Label       string
			Postmaster  float64 `json:"postmaster_start"`
			Now         float64 `json:"server_now"`
			Commits     int64   `json:"xact_commit"`
			Hit         int64   `json:"blks_hit"`
			Calls       *int64  `json:"pss_calls"`
			StatsReset  float64 `json:"pss_stats_reset"`
			Description any     `json:"db_stats_reset"`
		}
	}
	load(t, "postgres/crash_and_reset_sequence_pg17.json", &file)
	wanted := []struct {
		calls int64 // -1: no value
		rates bool
	}{
		{-1, false},  // the first look
		{0, false},   // after the crash: nothing yet, and all counters fell
		{2934, true}, // what came since
		{1, false},   // pg_stat_reset() took the database's counters, not the statements'
	}
	var statements tracker
	var rates source.Rates
	for i, s := range file.Snapshots {
		at := time.UnixMicro(int64(s.Now * 1e6))
		snap := &snapshot{at: at, keyed: map[statementKey]counts{}, info: &statementsInfo{StatsReset: &s.StatsReset}}
		if s.Calls != nil {
			snap.keyed[statementKey{query: 1}] = counts{calls: *s.Calls, totalMs: float64(*s.Calls)}
		}
		w := statements.observe(snap)
		if w.known != (wanted[i].calls >= 0) || w.known && w.calls != wanted[i].calls {
			t.Errorf("%s: %+v, want %d calls", s.Label, w, wanted[i].calls)
		}
		ok := rates.Observe(fmt.Sprint(s.Postmaster), at, map[string]float64{"commit": float64(s.Commits), "hit": float64(s.Hit)})
		if ok != wanted[i].rates {
			t.Errorf("%s: rates known = %v", s.Label, ok)
		}
	}
}

// The recorded sums: 3,000 calls were made, and the sum fell by 1,799, for
// entries were dropped from the full table.
func TestAFullTableLosesEntriesNotCalls(t *testing.T) {
	var file struct {
		Snapshots []struct {
			Calls   int64   `json:"sum_calls"`
			TotalMs float64 `json:"sum_total_exec_time_ms"`
			Dealloc int64
		}
	}
	load(t, "postgres/dealloc_sum_decrease_pg15.json", &file)
	before, after := file.Snapshots[0], file.Snapshots[1]
	reset := 1.0
	make1 := func(dealloc int64, at int64, keys map[int64]counts) *snapshot {
		s := &snapshot{at: time.Unix(at, 0), keyed: map[statementKey]counts{}, info: &statementsInfo{Dealloc: dealloc, StatsReset: &reset}}
		for k, c := range keys {
			s.keyed[statementKey{query: k}] = c
		}
		return s
	}
	busy := counts{calls: 2000, totalMs: 100}
	gone := counts{calls: before.Calls - busy.calls, totalMs: before.TotalMs - busy.totalMs}
	stays := counts{calls: after.Calls - 5000, totalMs: after.TotalMs - 250}
	var tr tracker
	tr.observe(make1(before.Dealloc, 0, map[int64]counts{1: busy, 2: gone}))
	base := tr.total
	w := tr.observe(make1(after.Dealloc, 10, map[int64]counts{1: {calls: 5000, totalMs: 250}, 2: stays}))
	if after.Calls >= before.Calls {
		t.Fatal("the fixture's sum does not fall")
	}
	// Key 2 fell: it left and came back, and its present value is new.
	if want := 3000 + stays.calls; w.calls != want || w.totalMs < 0 {
		t.Errorf("calls = %d, want %d; total = %v", w.calls, want, w.totalMs)
	}
	if tr.total < base {
		t.Error("the total fell")
	}
	// An entry that only leaves takes nothing away.
	w = tr.observe(make1(after.Dealloc+1, 20, map[int64]counts{1: {calls: 5010, totalMs: 251}}))
	if w.calls != 10 || !close2(w.totalMs, 1) {
		t.Errorf("window = %+v, want 10 calls of 1 ms", w)
	}
}

func TestWithoutPgMonitorHiddenThingsHaveNoNumber(t *testing.T) {
	polls, at := recordings(t, "postgres/poll_pg15_without_pg_monitor.json")
	s := offline(t)
	first := replay(t, s, polls[0], at[0])
	absent(t, first, "postgres.pool_active", "postgres.pool_idle", "postgres.lock_waiting", "postgres.oldest_transaction")
	if total := value(t, first, "postgres.pool_total"); total != 7 || first.Facts.Database.Pool != nil {
		t.Errorf("total = %v, pool = %v", total, first.Facts.Database.Pool)
	}
	if len(first.Problems) != 1 || first.Problems[0].Query != "pg_monitor" {
		t.Errorf("problems = %v", first.Problems)
	}
	// 100 more calls of the first hidden entry, of 2 ms each.
	more := polls[0]
	more.answers["q3"][0]["calls"] = json.RawMessage("1475")
	more.answers["q3"][0]["total_exec_time"] = json.RawMessage("216.47477400000001")
	second := replay(t, s, more, at[0].Add(10*time.Second))
	if avg := value(t, second, "postgres.avg_query_time"); !close2(avg, 2) {
		t.Errorf("average = %v", avg)
	}
	// An entry was dropped from the full table: nothing can be said.
	more.answers["q3"] = more.answers["q3"][1:]
	third := replay(t, s, more, at[0].Add(20*time.Second))
	absent(t, third, "postgres.avg_query_time", "postgres.queries_per_sec")
}

func TestAPromotedStandbyIsAFirstLook(t *testing.T) {
	polls, _ := recordings(t, "postgres/poll_pg15_standby.json")
	standby := polls[0]
	base, _ := recordings(t, "postgres/polls_pg15.json")
	for _, q := range []string{"q1", "q3", "q5", "q6"} {
		standby.answers[q] = base[0].answers[q]
	}
	s := offline(t)
	at := time.Now()
	r := replay(t, s, standby, at)
	if lag := value(t, r, "postgres.replay_lag"); lag != 0 {
		t.Errorf("lag = %v", lag)
	}
	replay(t, s, standby, at.Add(time.Second))
	standby.answers["q0"][0]["in_recovery"] = json.RawMessage("false")
	r = replay(t, s, standby, at.Add(2*time.Second))
	absent(t, r, "postgres.replay_lag", "postgres.queries_per_sec", "postgres.deadlocks_per_min")
}

func TestAQueryFailsAlone(t *testing.T) {
	names := map[string]string{"q1": "connections", "q2": "database", "q3": "statements", "q4": "tables", "q5": "running", "q6": "statements_info"}
	for q, name := range names {
		polls, at := recordings(t, "postgres/polls_pg15.json")
		s := offline(t)
		for i, p := range polls[:2] {
			p.fail[q] = &pgconn.PgError{Severity: "ERROR", Code: "57014", Message: "canceling statement due to statement timeout"}
			r := replay(t, s, p, at[i])
			if len(r.Problems) != 1 || r.Problems[0].Query != name {
				t.Errorf("%s: problems = %v", name, r.Problems)
			}
			if up := value(t, r, "postgres.up"); up != 1 || len(r.Samples) < 8 {
				t.Errorf("%s took the others along: %v", name, r.Samples)
			}
			if r.Facts.Database.Query.Transactions {
				t.Errorf("%s: one late answer made transactions of statements", name)
			}
		}
	}
}

func TestErrorRepliesAreSorted(t *testing.T) {
	var file struct {
		Errors map[string]json.RawMessage
	}
	load(t, "postgres/error_replies.json", &file)
	want := map[string]source.FaultKind{
		"connection slots exhausted [connect]":                            source.Full,
		"too many clients, superuser [connect]":                           source.Full,
		"no such database [connect]":                                      source.Blind,
		"no such role [connect]":                                          source.Blind,
		"startup pg_stat_statements.track by unprivileged role [connect]": source.Blind,
		"pgbouncer: startup statement_timeout [connect]":                  source.Blind,
		"pgbouncer: unknown database [connect]":                           source.Blind,
		"nothing listening [connect]":                                     source.Down,
	}
	for name, raw := range file.Errors {
		if !strings.Contains(name, "[connect]") {
			continue
		}
		var reply struct{ Message, Severity, SQLState string }
		err := errors.New(string(raw))
		if json.Unmarshal(raw, &reply) == nil {
			err = &pgconn.PgError{Severity: reply.Severity, Code: reply.SQLState, Message: reply.Message}
		}
		if got := kindOf(fmt.Errorf("connect: %w", err)); got != want[name] {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
	}
	for code, want := range map[string]source.FaultKind{
		"57P03": source.Starting, "28P01": source.Blind, "57P01": source.Down, "53200": source.Busy,
	} {
		if got := kindOf(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	own := &pgconn.PgError{Code: "53300", Routine: "InitializeSessionUserId"}
	if got := kindOf(own); got != source.Blind {
		t.Errorf("the role's own CONNECTION LIMIT: %q, want blind", got)
	}
	for message, want := range map[string]source.FaultKind{
		"no more connections allowed (max_client_conn)":                       source.Full,
		"server login has been failing, try again later (server_login_retry)": source.Down,
	} {
		if got := kindOf(&pgconn.PgError{Code: "08P01", Message: message}); got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}

func TestPoolOfTheRecordedConsole(t *testing.T) {
	var file map[string]json.RawMessage
	load(t, "pgbouncer/pgbouncer_1.18.json", &file)
	rows := func(name string) (out []consoleRow) {
		var raw []map[string]any
		if err := json.Unmarshal(file[name], &raw); err != nil {
			t.Fatal(err)
		}
		for _, r := range raw {
			row := consoleRow{}
			for k, v := range r {
				if v != nil {
					row[k] = fmt.Sprint(v)
				}
			}
			out = append(out, row)
		}
		return out
	}
	pools, databases, config := rows("SHOW POOLS"), rows("SHOW DATABASES"), rows("SHOW CONFIG (filtered)")
	for _, c := range []struct {
		monitor             string
		cfg                 PoolConfig
		active, idle, limit int
	}{
		{monitor: "mon", active: 4, limit: 4},
		{monitor: "mon", cfg: PoolConfig{Limit: 10}, active: 4, limit: 10},
		{monitor: "tocsin", active: 4, idle: 1, limit: 8}, // two roles, a pool each
		{monitor: "tocsin", cfg: PoolConfig{User: "maratron"}, active: 4, limit: 4},
		{monitor: "mon", cfg: PoolConfig{User: "mon"}, idle: 1, limit: 4},
	} {
		pool, err := poolFromConsole(pools, databases, config, "maratrondb", c.monitor, c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if pool.Active != c.active || pool.Idle != c.idle || pool.Limit != c.limit || pool.From != "pgbouncer" {
			t.Errorf("%+v: pool = %+v", c, pool)
		}
		if c.cfg.User != "mon" && *pool.Waiting != 2 {
			t.Errorf("%+v: waiting = %d", c, *pool.Waiting)
		}
	}
	if _, err := poolFromConsole(pools, databases, config, "other", "mon", PoolConfig{}); err == nil {
		t.Error("a database that PgBouncer does not lead to has a pool")
	}
}

func TestADearTablesQueryRunsSeldom(t *testing.T) {
	polls, at := recordings(t, "postgres/polls_pg15.json")
	s := offline(t)
	s.tables.cheap = -1 // every answer is too slow
	replay(t, s, polls[0], at[0])
	later := polls[1]
	later.fail["q4"] = errors.New("asked too early")
	noProblems(t, replay(t, s, later, at[0].Add(tablesEvery-time.Second)))
	r := replay(t, s, later, at[0].Add(tablesEvery))
	if len(r.Problems) != 1 || r.Problems[0].Query != "tables" {
		t.Errorf("problems = %v", r.Problems)
	}
	if _, ok := find(r, "postgres.table_rows"); ok {
		t.Error("an old answer stands in for a failed one")
	}
	if len(r.Facts.Database.Tables) != 3 {
		t.Errorf("tables = %v", r.Facts.Database.Tables)
	}
}
