package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

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
