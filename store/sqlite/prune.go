package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// pruneBatch bounds a transaction of pruning in rows, which may be passed by
// the events of one alert. A change that comes meanwhile waits for one batch.
const pruneBatch = 500

// Prune removes what is too old: alerts that ended before historyBefore with
// all of their events, deliveries settled before it, samples from before
// samplesBefore, and series that are left without any. A zero time keeps
// everything of its kind. Alerts that are pending, firing or members of a
// group stay whatever their age, and so do pending deliveries.
//
// It removes about maxRows rows at most, in small transactions behind the
// changes that wait, and returns how many it removed, on an error too. Fewer
// than maxRows means that nothing is left to remove.
//
// The file keeps its size: what is freed is written to again.
func (s *Store) Prune(ctx context.Context, historyBefore, samplesBefore time.Time, maxRows int) (removed int64, err error) {
	left := int64(maxRows)
	if !historyBefore.IsZero() {
		before := nanos(historyBefore)
		for _, remove := range []func(*writer, int64) (int64, error){
			func(w *writer, limit int64) (int64, error) { return w.pruneAlerts(before, limit) },
			func(w *writer, limit int64) (int64, error) { return w.count(w.stmts.dropDeliveries, before, limit) },
		} {
			if err := s.pruneAll(ctx, &left, remove); err != nil {
				return int64(maxRows) - left, s.fail("prune history", err)
			}
		}
	}
	if !samplesBefore.IsZero() {
		if err := s.pruneSamples(ctx, samplesBefore.UnixMilli(), &left); err != nil {
			return int64(maxRows) - left, s.fail("prune samples", err)
		}
	}
	return int64(maxRows) - left, nil
}

// pruneAll removes batch after batch until one comes out short or left is used
// up.
func (s *Store) pruneAll(ctx context.Context, left *int64, remove func(*writer, int64) (int64, error)) error {
	for *left > 0 {
		limit := min(*left, pruneBatch)
		var n int64
		err := s.writer.queue.do(ctx, false, int(limit), func(w *writer) (err error) {
			n, err = remove(w, limit)
			return err
		})
		if err != nil {
			return err
		}
		*left -= n
		if n < limit {
			return nil
		}
	}
	return nil
}

// pruneAlerts removes ended alerts, oldest first, each with all of its events,
// until limit rows are reached.
func (w *writer) pruneAlerts(before, limit int64) (removed int64, err error) {
	seqs, err := w.ids(w.stmts.endedAlerts, before, limit)
	if err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		for _, stmt := range []*sql.Stmt{w.stmts.dropEvents, w.stmts.dropAlert} {
			n, err := w.count(stmt, seq)
			if err != nil {
				return 0, err
			}
			removed += n
		}
		if removed >= limit {
			break
		}
	}
	return removed, nil
}

func (s *Store) pruneSamples(ctx context.Context, before int64, left *int64) error {
	old, err := ids(s.readers.QueryContext(ctx, `SELECT id FROM series
		WHERE EXISTS (SELECT 1 FROM samples WHERE series = series.id AND at_ms < ?)`, before))
	if err != nil {
		return err
	}
	for _, id := range old {
		err := s.pruneAll(ctx, left, func(w *writer, limit int64) (int64, error) {
			n, err := w.count(w.stmts.dropSamples, id, before, limit)
			if err != nil || n == 0 {
				return n, err
			}
			return n, w.run1(w.stmts.addSamples, -n)
		})
		if err != nil {
			return err
		}
	}
	return s.pruneAll(ctx, left, func(w *writer, limit int64) (int64, error) {
		w.forget() // which of them are gone is not worth finding out
		return w.count(w.stmts.dropOrphans, limit)
	})
}

func (w *writer) ids(stmt *sql.Stmt, args ...any) ([]int64, error) {
	return ids(stmt.QueryContext(context.Background(), args...))
}

// ids reads a query of one column of integers to its end.
func ids(rows *sql.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
