package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Damage says what was found when the store was opened, and what became of it.
type Damage struct {
	At time.Time
	// File is where the damaged database was set aside, with what was beside it;
	// nothing removes it.
	File string
	Err  error // how the damage showed
	// Kept and Lost are rows by table. Of a page that cannot be read nobody
	// knows how many rows it had: Pages counts those.
	Kept, Lost map[string]int64
	Pages      int
}

// Damage returns what was mended when the store was opened; nil for nothing.
func (s *Store) Damage() *Damage { return s.mended }

// The names that mending uses beside the database's own.
const (
	mendingSuffix = ".mending" // the new database, while it is made
	mendedSuffix  = ".mended"  // and when it is whole
	asideSuffix   = ".damaged-"
	asideTime     = "20060102T150405Z"
)

// besides are the files that belong to a database.
func besides() []string { return []string{"-wal", "-shm"} }

// mend makes a new database of what can be read of a damaged one, and puts it
// into its place. At no moment is there a time when a crash loses either: the
// damaged one stays where it is until the new one is whole and on the disk, and
// finishMending goes on where a crash left off.
func (s *Store) mend(ctx context.Context, cause error, now time.Time) (*Damage, error) {
	d := &Damage{At: now.UTC(), Err: cause, Kept: map[string]int64{}, Lost: map[string]int64{}}
	d.File = s.path + asideSuffix + d.At.Format(asideTime)
	for _, err := os.Lstat(d.File); err == nil; _, err = os.Lstat(d.File) {
		d.File += "+"
	}
	s.log.ErrorContext(ctx, "store is damaged; what can be read is kept, and the damaged file is set aside",
		slog.String("path", s.path), slog.Any("error", cause))
	fresh := s.path + mendingSuffix
	for _, name := range append(besides(), "") {
		if err := os.Remove(fresh + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("mend: %w", err)
		}
	}
	if err := s.salvage(ctx, fresh, d); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := syncFile(fresh); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := os.Rename(fresh, s.path+mendedSuffix); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := finishMending(s.path, d.File); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	s.tell(ctx, d)
	return d, nil
}

// tell logs what became of each table.
func (s *Store) tell(ctx context.Context, d *Damage) {
	count := func(of map[string]int64) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if of[name] > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
			}
		}
		return strings.Join(parts, ", ")
	}
	s.log.ErrorContext(ctx, "store was mended", slog.String("path", s.path), slog.String("damaged_file", d.File),
		slog.String("rows_kept", count(d.Kept)), slog.String("rows_unreadable", count(d.Lost)), slog.Int("pages_unreadable", d.Pages))
}

// finishMending sets the damaged files aside and puts the new one into place.
func finishMending(path, aside string) error {
	if _, err := os.Lstat(path + mendedSuffix); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	// The log before its database: beside the new one it would be taken for its
	// own.
	for _, name := range append(besides(), "") {
		if err := os.Rename(path+name, aside+name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(path+mendedSuffix, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // our own
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes renames last; where folders cannot be synced they do anyway.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// salvage makes a database at fresh of what can be read of the damaged one.
func (s *Store) salvage(ctx context.Context, fresh string, d *Damage) error {
	m, err := openImage(s.path)
	if err != nil {
		return err
	}
	defer m.close()
	if err := createFile(fresh); err != nil {
		return err
	}
	db, err := pool(fresh, 1, Default().BusyTimeout, "synchronous(OFF)", "journal_mode(MEMORY)")
	if err != nil {
		return err
	}
	if err := s.salvageInto(ctx, db, m, d); err != nil {
		return errors.Join(err, db.Close())
	}
	return db.Close()
}

func (s *Store) salvageInto(ctx context.Context, db *sql.DB, m *image, d *Damage) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := s.migrate(ctx, conn, true, 0); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "DELETE FROM applied"); err != nil {
		return err
	}
	g := &gleaner{m: m, d: d}
	if ofTheFirstSchema(g.roots()) {
		return errors.New("it was written by an older release; put a backup in its place, or start that release")
	}
	clear(m.seen)
	m.bad = 0
	if err := g.open(ctx, tx); err != nil {
		return err
	}
	if err := g.glean(); err != nil {
		return err
	}
	if err := g.tidy(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// ofTheFirstSchema says that the tables are those of before the journal. A table
// that is missing alone does not tell: the page that names it may be lost.
func ofTheFirstSchema(roots map[string]uint32) bool {
	for _, later := range []string{"journal", "applied", "notifications", "attempts", "silences", "acks", "marks", "refs"} {
		if roots[later] != 0 {
			return false
		}
	}
	return roots["alerts"] != 0 && roots["events"] != 0
}

// gleaner carries rows over.
type gleaner struct {
	m      *image
	d      *Damage
	tables []table
	stmts  []*sql.Stmt
	err    error // of the new database
}

func (g *gleaner) open(ctx context.Context, tx *sql.Tx) error {
	g.tables = salvaged()
	for i := range g.tables {
		stmt, err := tx.PrepareContext(ctx, g.tables[i].insert()) //nolint:sqlclosecheck // closed with the transaction
		if err != nil {
			return err
		}
		g.stmts = append(g.stmts, stmt)
	}
	return nil
}

// glean takes the rows of each tree that the schema names, and those of the
// leaves that hang on no tree and are not free: the page above them is lost.
func (g *gleaner) glean() error {
	roots := g.roots()
	for i := range g.tables {
		t := &g.tables[i]
		root, ok := roots[t.name]
		if !ok {
			g.m.bad++
			continue
		}
		g.m.walk(root, 0, func(rowid int64, payload []byte) {
			if row, err := t.row(rowid, payload); err != nil || !g.keep(i, row) {
				g.d.Lost[t.name]++
			}
		}, func() { g.d.Lost[t.name]++ })
	}
	for name, root := range roots {
		if strings.HasPrefix(name, "index ") { // so that their leaves are nobody's
			g.m.walk(root, 0, func(int64, []byte) {}, func() {})
		}
	}
	g.d.Pages = g.m.bad
	// A root of which the log has an older image only leads to few of its leaves,
	// and shows no damage. Without the header, though, nobody knows which leaves
	// are of deleted rows.
	if g.m.bad > 0 || g.m.view.damaged || g.m.isOurs() {
		g.strays()
	}
	return g.err
}

// keep inserts a row; false when the new database does not take it.
func (g *gleaner) keep(i int, row []any) bool {
	if g.err != nil {
		return false
	}
	res, err := g.stmts[i].ExecContext(context.Background(), row...)
	if err != nil {
		if isConstraint(err) {
			return false
		}
		g.err = err
		return false
	}
	n, err := res.RowsAffected()
	if err == nil {
		g.d.Kept[g.tables[i].name] += n
	}
	return err == nil
}

// roots reads the schema: a table's name and an index's, after the word, with
// the page at which its tree begins.
func (g *gleaner) roots() map[string]uint32 {
	roots := map[string]uint32{}
	g.m.walk(1, 0, func(_ int64, payload []byte) {
		row, err := record(payload)
		if err != nil || len(row) != 5 {
			return
		}
		kind, _ := row[0].(string)
		name, _ := row[1].(string)
		root, ok := row[3].(int64)
		if !ok || root < 2 || root > int64(g.m.count) {
			return
		}
		if kind == "index" {
			name = "index " + name
		}
		roots[name] = uint32(root) //nolint:gosec // bounded above
	}, func() {})
	return roots
}

// strays looks at the leaves that no tree has led to and that are not free: the
// page above them is lost. The rows tell of which table they are.
func (g *gleaner) strays() {
	free := g.m.free()
	for n := uint32(2); n <= g.m.count && g.err == nil; n++ {
		if g.m.seen[n] || free[n] {
			continue
		}
		page := g.m.page(n)
		if page == nil {
			continue
		}
		kind, at, _, err := g.m.cells(n, page)
		if err != nil || kind != pageLeaf && kind != indexLeaf {
			continue
		}
		for _, offset := range at {
			if offset >= len(page)-4 {
				continue
			}
			if rowid, payload, err := g.m.payload(kind, page[offset:]); err == nil {
				g.stray(kind, rowid, payload)
			}
		}
	}
}

func (g *gleaner) stray(kind byte, rowid int64, payload []byte) {
	for i := range g.tables {
		t := &g.tables[i]
		if t.noRowID != (kind == indexLeaf) || t.name == "marks" || t.name == "applied" {
			continue // of marks nothing tells a row from one of an index
		}
		if row, err := t.row(rowid, payload); err == nil {
			g.keep(i, row)
			return
		}
	}
}

// rebuild makes the deliveries anew whose row is lost and whose notification is
// not: as the events tell, those that were neither sent nor given up are to be
// sent. One that was sent all the same is sent again, with the same id.
func (g *gleaner) rebuild(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `CREATE TEMP TABLE ends (delivery TEXT PRIMARY KEY, state INTEGER) WITHOUT ROWID;
		INSERT OR IGNORE INTO ends SELECT delivery, CASE kind WHEN 'sent' THEN 2 ELSE 3 END FROM events WHERE kind IN ('sent', 'dead')`); err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO deliveries
			(seq, id, receiver, group_key, state, attempts, created_at, next_at, settled_at, last_error, reference)
		SELECT seq, id, receiver, group_key, coalesce(state, 1), 0, at, at, iif(state IS NULL, NULL, at), '', ''
		FROM (SELECT seq, doc ->> 'id' AS id, doc ->> 'receiver' AS receiver, doc ->> 'group_key' AS group_key,
				iif(unixepoch(doc ->> 'at') BETWEEN 1 AND 9000000000, unixepoch(doc ->> 'at') * 1000000000, NULL) AS at
			FROM notifications WHERE seq NOT IN (SELECT seq FROM deliveries))
		LEFT JOIN ends ON ends.delivery = id`)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	g.d.Kept["deliveries"] += n
	if err == nil {
		_, err = tx.ExecContext(ctx, `DROP TABLE ends`)
	}
	return err
}

// tidy takes out what refers to a row that was lost, and counts anew.
func (g *gleaner) tidy(ctx context.Context, tx *sql.Tx) error {
	if err := g.rebuild(ctx, tx); err != nil {
		return err
	}
	for _, q := range []struct{ table, where string }{
		{"deliveries", "seq NOT IN (SELECT seq FROM notifications)"},
		{"notifications", "seq NOT IN (SELECT seq FROM deliveries)"},
		{"attempts", "delivery NOT IN (SELECT seq FROM deliveries)"},
		{"members", "alert NOT IN (SELECT seq FROM alerts) OR group_key NOT IN (SELECT key FROM groups)"},
		{"events", "alert NOT IN (SELECT seq FROM alerts)"},
		{"acks", "alert NOT IN (SELECT seq FROM alerts)"},
		{"samples", "series NOT IN (SELECT id FROM series)"},
		// What was applied before is in the tables.
		{"journal", "seq <= (SELECT seq FROM applied)"},
	} {
		res, err := tx.ExecContext(ctx, "DELETE FROM "+q.table+" WHERE "+q.where) //nolint:gosec // of the list above
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		g.d.Kept[q.table] -= n
		if q.table != "journal" {
			g.d.Lost[q.table] += n
		}
	}
	for _, query := range []string{
		`INSERT OR IGNORE INTO applied VALUES (1, coalesce((SELECT min(seq) - 1 FROM journal), 0), 0, 0, 0, 0)`,
		// A row that was applied in part and is lost.
		`UPDATE applied SET ops = 0, taken = 0 WHERE ops > 0 AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.seq = applied.seq + 1)`,
		`UPDATE applied SET kept = (SELECT count(*) FROM events), events = max(events, coalesce((SELECT max(seq) FROM events), 0))`,
		`UPDATE counters SET n = (SELECT count(*) FROM samples) WHERE name = 'samples'`,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	delete(g.d.Kept, "applied")
	return nil
}
