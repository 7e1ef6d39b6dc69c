package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// The tables' query costs 1 ms on a small schema and 15 on 10,000 tables. When
// it is dear it runs seldom, and its last answer stands meanwhile.
const (
	cheapTables = 10 * time.Millisecond
	tablesEvery = 30 * time.Second
)

// tableStats follows the tables. Hit rates are those of the last window that
// saw index blocks.
type tableStats struct {
	cheap   time.Duration // a round trip up to this is repeated at every poll
	next    time.Time     // not to be read again before
	last    map[string]tableRow
	rates   map[string]float64 // windowed, %
	current []source.Table
	missing []string
	failed  bool // the last look failed: current is for the documents only
}

func (t *tableStats) forget() { *t = tableStats{cheap: t.cheap} }

// read asks for the tables, unless the last answer is good enough.
func (t *tableStats) read(ctx context.Context, q reader, id *identity, cfg *Config, at time.Time) error {
	if at.Before(t.next) {
		return nil
	}
	sql, err := statement("tables", id)
	if err != nil {
		return err
	}
	begun := time.Now()
	rows, err := rowsOf[tableRow](ctx, q, sql, max(cfg.MaxTables, len(cfg.Tables)), append([]string{}, cfg.Tables...))
	if t.failed = err != nil; t.failed {
		t.next = time.Time{}
		return err
	}
	if cost := time.Since(begun); cost > t.cheap {
		t.next = at.Add(tablesEvery)
	}
	t.observe(rows)
	t.missing = missing(cfg.Tables, rows)
	return nil
}

// observe takes the next answer.
func (t *tableStats) observe(rows []tableRow) {
	last, rates := t.last, t.rates
	t.last, t.rates, t.current = make(map[string]tableRow, len(rows)), make(map[string]float64, len(rows)), nil
	for _, row := range rows {
		name := tableName(row)
		t.last[name] = row
		shown := source.Table{Name: name, Rows: row.Rows, SizeBytes: row.SizeBytes}
		before, had := last[name]
		hit, read := row.IndexHit-before.IndexHit, row.IndexRead-before.IndexRead
		switch rate, known := rates[name]; {
		case !had || hit < 0 || read < 0: // the first look, or a reset: since the statistics began
			shown.IndexHitRate = percent(row.IndexHit, row.IndexRead)
		case hit+read > 0:
			shown.IndexHitRate = percent(hit, read)
			t.rates[name] = *shown.IndexHitRate
		case known: // no lookup in this window
			shown.IndexHitRate = &rate
			t.rates[name] = rate
		default:
			shown.IndexHitRate = percent(row.IndexHit, row.IndexRead)
		}
		t.current = append(t.current, shown)
	}
}

// add writes the samples. A hit rate is one of a window only: the rate since
// the statistics began would be a wrong number to alert on.
func (t *tableStats) add(r *source.Reading) {
	if t.failed {
		return
	}
	for _, table := range t.current {
		if table.Rows != nil {
			r.Add("postgres.table_rows", float64(*table.Rows), "table", table.Name)
		}
		if table.SizeBytes != nil {
			r.Add("postgres.table_size", float64(*table.SizeBytes), "table", table.Name)
		}
		if rate, ok := t.rates[table.Name]; ok {
			r.Add("postgres.index_hit_rate", rate, "table", table.Name)
		}
	}
	for _, name := range t.missing {
		r.Problems = append(r.Problems, source.Problem{Query: "tables", Err: fmt.Errorf("table %s: not found in this database", name)})
	}
}

func percent(part, rest int64) *float64 {
	if part+rest <= 0 {
		return nil
	}
	p := 100 * float64(part) / float64(part+rest)
	return &p
}

// tableName is the bare name in schema public and schema.name elsewhere, so
// that no two tables share one.
func tableName(row tableRow) string {
	if row.Schema == "public" {
		return row.Name
	}
	return row.Schema + "." + row.Name
}

func missing(wanted []string, rows []tableRow) []string {
	var names []string
	for _, name := range wanted {
		if !slices.ContainsFunc(rows, func(r tableRow) bool { return r.Name == name || r.Schema+"."+r.Name == name }) {
			names = append(names, name)
		}
	}
	return names
}
