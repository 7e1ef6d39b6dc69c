package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// writer owns the one connection that writes. Everything below it that takes a
// *writer runs in its goroutine, inside a transaction.
type writer struct {
	queue *queue
	conn  *sql.Conn
	stmts statements
	// series are the ids of those that were written to since the start.
	series map[seriesKey]int64
	// wrote is told after each commit about how many rows it had.
	wrote   func(rows int)
	stopped chan struct{}
}

func newWriter(ctx context.Context, conn *sql.Conn, wrote func(int)) (*writer, error) {
	w := &writer{
		queue: newQueue(), conn: conn, series: map[seriesKey]int64{},
		wrote: wrote, stopped: make(chan struct{}),
	}
	return w, w.stmts.prepare(ctx, conn)
}

// run is the writer's goroutine; it ends when the queue is closed and empty.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		group, inBackground, ok := w.queue.next()
		if !ok {
			return
		}
		w.write(group, inBackground)
	}
}

// close waits until everything that was queued is written, and gives the
// connection back.
func (w *writer) close() {
	w.queue.close()
	<-w.stopped
	w.stmts.close()
	_ = w.conn.Close() // to its pool, which is closed next and reports
}

// write commits a group and tells each caller its outcome. When the group
// fails as a whole, as on a full disk, each part of it gets a transaction of
// its own: what fits is still written.
func (w *writer) write(group []*request, inBackground bool) {
	results, err := w.transaction(group, inBackground)
	if err != nil && len(group) > 1 {
		for _, r := range group {
			w.write([]*request{r}, inBackground)
		}
		return
	}
	for i, r := range group {
		if err != nil {
			r.done <- err
			continue
		}
		r.done <- results[i]
	}
}

// transaction applies a group. The results are those of its parts, which hold
// only when the error, that of the transaction, is nil.
func (w *writer) transaction(group []*request, inBackground bool) (results []error, err error) {
	// A background transaction need not reach the disk by itself: the next
	// change's fsync takes it along, since both lie in one log.
	if inBackground {
		if err := w.run1(w.stmts.syncNormal); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, w.run1(w.stmts.syncFull)) }()
	}
	if err := w.run1(w.stmts.begin); err != nil {
		return nil, err
	}
	results = make([]error, len(group))
	rows := 0
	for i, r := range group {
		var broken error
		if results[i], broken = w.part(r, len(group) > 1); broken != nil {
			w.rollback()
			return nil, broken
		}
		if results[i] == nil {
			rows += r.rows
		}
	}
	if err := w.run1(w.stmts.commit); err != nil {
		w.rollback()
		return nil, err
	}
	w.wrote(rows)
	return results, nil
}

// part applies one request. Alone, its failure is the transaction's; with
// others, it is undone alone. The second error says that the transaction is
// lost: some failures of SQLite end it.
func (w *writer) part(r *request, others bool) (result, broken error) {
	if !others {
		err := r.apply(w)
		return err, err
	}
	if err := w.run1(w.stmts.savepoint); err != nil {
		return nil, err
	}
	if result = r.apply(w); result != nil {
		if err := w.run1(w.stmts.undo); err != nil {
			return nil, errors.Join(result, err)
		}
		w.forget()
	}
	return result, w.run1(w.stmts.release)
}

func (w *writer) rollback() {
	w.forget()
	// It fails when SQLite has rolled back by itself, which is as well.
	_ = w.run1(w.stmts.rollback)
}

// forget drops what was remembered of rows that may not have been written.
func (w *writer) forget() { clear(w.series) }

// run1 runs a statement that has no result. No context: the driver watches
// one with a goroutine per statement, and a write is not broken off halfway.
func (w *writer) run1(stmt *sql.Stmt, args ...any) error {
	_, err := stmt.ExecContext(context.Background(), args...)
	return err
}

// count runs a statement and returns how many rows it changed.
func (w *writer) count(stmt *sql.Stmt, args ...any) (int64, error) {
	res, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
