package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/tocsin-dev/tocsin/store"
)

// pruneBatch bounds a transaction of pruning in rows, which may be passed by
// the events of one alert. A change that comes meanwhile waits for one batch.
const pruneBatch = 500

// Prune removes what is too old: alerts that ended before r.HistoryBefore with
// all of their events, silences that did and references that were given before
// it; deliveries settled before r.DeliveriesBefore; samples from before
// r.SamplesBefore, and series that are left without any. A zero time keeps
// everything of its kind. Then, while what is stored takes more than r.MaxBytes,
// the oldest of the ended alerts and of the settled deliveries go, whatever
// their age. Alerts that are pending, firing or members of a group stay in any
// case, and so do pending deliveries and silences that have not ended.
//
// It removes about maxRows rows at most, in small transactions behind the
// changes that wait, and returns how many it removed, on an error too. Fewer
// than maxRows means that nothing is left to remove.
//
// The file keeps its size: what is freed is written to again.
func (s *Store) Prune(ctx context.Context, r store.Retention, maxRows int) (removed int64, err error) {
	left := int64(maxRows)
	err = s.caughtUp(ctx)
	if err == nil {
		err = s.prune(ctx, r, &left)
	}
	return int64(maxRows) - left, s.fail("prune", err)
}

func (s *Store) prune(ctx context.Context, r store.Retention, left *int64) error {
	type step func(w *writer, limit int64) (int64, error)
	var steps []step
	if !r.HistoryBefore.IsZero() {
		before := nanos(r.HistoryBefore)
		steps = append(steps,
			func(w *writer, limit int64) (int64, error) { return w.pruneAlerts(before, limit) },
			func(w *writer, limit int64) (int64, error) { return w.count(w.stmts.dropSilences, before, limit) },
			func(w *writer, limit int64) (int64, error) { return w.count(w.stmts.dropRefs, before, limit) })
	}
	if !r.DeliveriesBefore.IsZero() {
		before := nanos(r.DeliveriesBefore)
		steps = append(steps, func(w *writer, limit int64) (int64, error) { return w.pruneDeliveries(before, limit) })
	}
	for _, remove := range steps {
		if err := s.pruneAll(ctx, left, remove); err != nil {
			return err
		}
	}
	if !r.SamplesBefore.IsZero() {
		if err := s.pruneSamples(ctx, r.SamplesBefore.UnixMilli(), left); err != nil {
			return err
		}
	}
	return s.pruneToSize(ctx, r.MaxBytes, left)
}

// pruneToSize removes the oldest, a little of each kind at a time, until what
// is stored fits.
func (s *Store) pruneToSize(ctx context.Context, maxBytes int64, left *int64) error {
	for maxBytes > 0 && *left > 0 {
		var used int64
		if err := s.readers.QueryRowContext(ctx, selectUsed).Scan(&used); err != nil {
			return err
		}
		if used <= maxBytes {
			return nil
		}
		limit := min(*left, pruneBatch)
		var n int64
		err := s.writer.queue.do(ctx, false, int(limit), func(w *writer) (err error) {
			n, err = w.pruneOldest(limit)
			return err
		})
		if err != nil {
			return err
		}
		*left -= n
		if n == 0 {
			return nil // the rest is needed, or samples, which age alone removes
		}
	}
	return nil
}

// pruneOldest removes alerts and deliveries, those that ended first.
func (w *writer) pruneOldest(limit int64) (removed int64, err error) {
	var alerts, deliveries sql.NullInt64
	if err := w.stmts.oldest.QueryRowContext(context.Background(), limit/8).Scan(&alerts, &deliveries); err != nil {
		return 0, err
	}
	// Up to the moment until which the older kind has enough to give.
	until := alerts.Int64
	if !alerts.Valid || deliveries.Valid && deliveries.Int64 < until {
		until = deliveries.Int64
	}
	if !alerts.Valid && !deliveries.Valid {
		until = math.MaxInt64 - 1
	}
	if removed, err = w.pruneDeliveries(until+1, limit); err != nil {
		return 0, err
	}
	n, err := w.pruneAlerts(until+1, max(1, limit-removed))
	return removed + n, err
}

// pruneDeliveries removes settled deliveries, oldest first, each with its
// notification and its log.
func (w *writer) pruneDeliveries(before, limit int64) (removed int64, err error) {
	seqs, err := w.ids(w.stmts.settledDeliveries, before, limit)
	if err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		for _, stmt := range []*sql.Stmt{w.stmts.dropAttempts, w.stmts.dropNotification, w.stmts.dropDelivery} {
			if err := w.run1(stmt, seq); err != nil {
				return 0, err
			}
		}
		removed++
	}
	return removed, nil
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
	if len(seqs) == 0 {
		return 0, nil
	}
	if err := w.readProgress(); err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		n, err := w.count(w.stmts.dropEvents, seq)
		if err != nil {
			return 0, err
		}
		w.progress.kept -= n
		for _, stmt := range []*sql.Stmt{w.stmts.dropAck, w.stmts.dropAlert} {
			if err := w.run1(stmt, seq); err != nil {
				return 0, err
			}
		}
		if removed += n + 1; removed >= limit {
			break
		}
	}
	w.alerts.forget()
	return removed, w.writeProgress()
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
