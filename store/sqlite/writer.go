package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
)

// writer owns the one connection that writes. Everything below it that takes a
// *writer runs in its goroutine, inside a transaction.
type writer struct {
	queue   *queue
	conn    *sql.Conn
	stmts   statements
	applier *applier
	log     *slog.Logger
	// series are the ids of those that were written to since the start, alerts
	// the rows of some, and groups some of those that are stored.
	series map[seriesKey]int64
	alerts knownAlerts
	groups map[string]bool
	// nextAlert is the row of the next new alert; 0 until it is read.
	nextAlert int64

	relaxed bool // synchronous may not be FULL

	room       room
	journalSeq int64 // the newest row of the journal
	grown      int64 // bytes that the transaction adds to it

	// entry is the row of the journal that is being applied; nil for none.
	entry    *entry
	progress *progress // nil until it is read
	doc      []byte    // for reuse
	// What the transaction has applied, and left out.
	moved   *move
	dropped [][2]string
	// wrote is told after each commit about how many rows it had.
	wrote func(rows int)
	// ended is told how each transaction ended.
	ended   func(error)
	stopped chan struct{}
}

// newWriter takes over the connection, and finds what the process before has
// left in the journal.
func newWriter(ctx context.Context, conn *sql.Conn, wrote func(int), ended func(error), room room, log *slog.Logger) (*writer, error) {
	w := &writer{
		queue: newQueue(), conn: conn, log: log, room: room, series: map[seriesKey]int64{},
		groups: map[string]bool{}, wrote: wrote, ended: ended, stopped: make(chan struct{}),
	}
	w.applier = newApplier(w.queue, log)
	if err := w.stmts.prepare(ctx, conn); err != nil {
		return w, err
	}
	a := w.applier
	if err := conn.QueryRowContext(ctx, `SELECT seq, max(seq, coalesce((SELECT max(seq) FROM journal), 0)),
			(SELECT coalesce(sum(length(data)), 0) FROM journal) FROM applied`).Scan(&a.applied, &a.head, &a.bytes); err != nil {
		return w, err
	}
	w.journalSeq = a.head
	return w, nil
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
	w.release()
}

// release gives the connection back to its pool, which is closed next and
// reports. A second call does nothing.
func (w *writer) release() {
	w.stmts.close(w.conn)
	_ = w.conn.Close()
}

// write commits a group and tells each caller its outcome. When the group
// fails as a whole, as on a full disk, each part of it gets a transaction of
// its own: what fits is still written.
func (w *writer) write(group []*request, inBackground bool) {
	seq := w.journalSeq
	err := w.transaction(group, inBackground)
	if err != nil {
		w.journalSeq = seq
	}
	w.ended(err)
	if err != nil && len(group) > 1 {
		for _, r := range group {
			w.write([]*request{r}, inBackground)
		}
		return
	}
	for _, r := range group {
		r.done <- err
	}
}

// transaction applies a group, or nothing of it.
func (w *writer) transaction(group []*request, inBackground bool) (err error) {
	// A background transaction need not reach the disk by itself: the next
	// change's fsync takes it along, since both lie in one log.
	if inBackground {
		if err := w.synchronous("NORMAL"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.synchronous("FULL")) }()
	} else if w.relaxed { // it could not be set back
		if err := w.synchronous("FULL"); err != nil {
			return err
		}
	}
	if err := w.run1(w.stmts.begin); err != nil {
		return err
	}
	w.grown, w.moved, w.dropped = 0, nil, nil
	if !inBackground {
		if err := w.measureRoom(); err != nil {
			w.rollback()
			return err
		}
	}
	rows := 0
	for _, r := range group {
		if err := r.apply(w); err != nil {
			w.rollback()
			return err
		}
		rows += r.rows
	}
	if err := w.run1(w.stmts.commit); err != nil {
		w.rollback()
		return err
	}
	w.committed(rows)
	return nil
}

// committed tells the others what a transaction has done.
func (w *writer) committed(rows int) {
	if w.grown > 0 {
		w.applier.grew(w.journalSeq, w.grown)
	}
	if m := w.moved; m != nil {
		rows += m.rows
		w.applier.moved(m.applied, m.bytes, m.left)
	}
	for _, d := range w.dropped {
		w.log.Error("store: a row that contradicts what is stored is dropped", slog.String("row", d[0]), slog.String("error", d[1]))
	}
	w.wrote(rows)
}

// synchronous says how the transactions to come reach the disk. It must not be
// a prepared statement: this pragma takes effect when it is compiled.
func (w *writer) synchronous(mode string) error {
	_, err := w.conn.ExecContext(context.Background(), "PRAGMA synchronous = "+mode)
	w.relaxed = err != nil || mode != "FULL"
	return err
}

func (w *writer) rollback() {
	w.forget()
	// It fails when SQLite has rolled back by itself, which is as well.
	_ = w.run1(w.stmts.rollback)
}

// forget drops what was remembered of rows that may not have been written.
func (w *writer) forget() {
	clear(w.series)
	w.alerts.forget()
	clear(w.groups)
	w.entry, w.progress, w.nextAlert = nil, nil, 0
}

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
