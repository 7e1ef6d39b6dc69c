package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// sliceFor is how long a transaction of the applier works before it lets
	// the changes that wait go first: what it adds to their latency.
	sliceFor = 2 * time.Millisecond
	// lazyFor is how long the journal is left alone after a change, for those
	// that follow it: what is in it for longer waits for nobody.
	lazyFor = 150 * time.Millisecond
	// restTimes is how many times as long as it worked the applier rests while
	// changes keep coming: it takes a tenth of the writer.
	restTimes = 9
	// backlogBytes is the size of the journal from which on it does not rest.
	backlogBytes = 256 << 20
	// longFor is how long a transaction works at most while nobody comes, who
	// would find it ended within rowsAtOnce, but for its commit. A large
	// transaction writes each page of an index once for many rows: 40 ms of a
	// storm write half of what 12 ms do.
	longFor = 40 * time.Millisecond
	// stubbornFor is how long it works in any case once the journal is as large
	// as hugeBytes, so that it ceases to grow.
	stubbornFor = 12 * time.Millisecond
	hugeBytes   = 1 << 30
	// retryFirst and retryLast bound the pause after a failure.
	retryFirst = 100 * time.Millisecond
	retryLast  = 5 * time.Second
	// drainFor is how long Close waits for the journal. What is left is applied
	// after the next start.
	drainFor = 5 * time.Second
)

// progress is how far the journal has come into the tables, as it stands in
// the table applied.
type progress struct {
	seq, ops     int64
	taken        bool
	events, kept int64
}

// applier moves the journal into the tables, behind the changes that come.
type applier struct {
	queue *queue
	log   *slog.Logger

	mu      sync.Mutex
	head    int64         // the newest row of the journal
	applied int64         // every row up to it is in the tables
	bytes   int64         // of the rows between
	wanted  int64         // somebody waits for it to be applied
	commits uint64        // groups of changes
	failed  error         // of the last slice
	fails   uint64        // how many slices have failed
	changed chan struct{} // closed and made anew when applied or failed moves

	wake    chan struct{} // of capacity 1
	drain   chan struct{} // closed by Close: apply all, and end
	stopped chan struct{}
}

func newApplier(q *queue, log *slog.Logger) *applier {
	return &applier{
		queue: q, log: log, changed: make(chan struct{}), wake: make(chan struct{}, 1),
		drain: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// grew is called by the writer when rows of the journal are on the disk.
func (a *applier) grew(head, bytes int64) {
	a.mu.Lock()
	a.head = head
	a.bytes += bytes
	a.commits++
	a.mu.Unlock()
	a.signal()
}

func (a *applier) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// backlog is how many bytes of the journal are not applied.
func (a *applier) backlog() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes
}

// hurry has everything applied that is there.
func (a *applier) hurry() {
	a.mu.Lock()
	a.wanted = a.head
	a.mu.Unlock()
	a.signal()
}

// moved is called by the writer after each slice that was committed.
func (a *applier) moved(applied, bytes int64, left bool) {
	a.mu.Lock()
	a.applied, a.failed = applied, nil
	a.bytes -= bytes
	if !left && a.applied < a.head {
		a.applied = a.head // numbers that a change used which was not written
	}
	close(a.changed)
	a.changed = make(chan struct{})
	a.mu.Unlock()
}

// caughtUp waits until everything that was committed before the call is in the
// tables. It returns the error of ctx, or why the journal cannot be applied.
func (a *applier) caughtUp(ctx context.Context) error {
	a.mu.Lock()
	target, fails := a.head, a.fails
	if a.applied >= target {
		a.mu.Unlock()
		return ctx.Err()
	}
	a.wanted = max(a.wanted, target)
	a.mu.Unlock()
	a.signal()
	for {
		a.mu.Lock()
		applied, failed, newFails, changed := a.applied, a.failed, a.fails, a.changed
		a.mu.Unlock()
		if applied >= target {
			return nil
		}
		if failed != nil && newFails > fails {
			return fmt.Errorf("what was committed cannot be moved into the tables: %w", failed)
		}
		select {
		case <-changed:
		case <-a.stopped:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state is what the applier goes by.
func (a *applier) state() (idle, urgent bool, bytes int64, commits uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied >= a.head, a.wanted > a.applied, a.bytes, a.commits
}

func (a *applier) run() {
	defer close(a.stopped)
	for a.await() && a.work() {
		continue
	}
	deadline := time.Now().Add(drainFor)
	for time.Now().Before(deadline) {
		if idle, _, _, _ := a.state(); idle {
			return
		}
		if _, err := a.slice(false); err != nil {
			return // it stays in the journal
		}
	}
}

// await returns true when there is something to apply, after a while in which
// more may come, and false when the store closes.
func (a *applier) await() bool {
	for {
		if idle, _, _, _ := a.state(); !idle {
			break
		}
		select {
		case <-a.wake:
		case <-a.drain:
			return false
		}
	}
	return a.pause(lazyFor)
}

// pause waits, unless somebody wants what is in the journal or it has become
// large; false when the store closes.
func (a *applier) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		if _, urgent, bytes, _ := a.state(); urgent || bytes > backlogBytes {
			return true
		}
		select {
		case <-a.wake:
		case <-timer.C:
			return true
		case <-a.drain:
			return false
		}
	}
}

// work applies the journal to its end; false when the store closes.
func (a *applier) work() bool {
	pause := retryFirst
	for {
		idle, _, bytes, commits := a.state()
		if idle {
			return true
		}
		took, err := a.slice(bytes > hugeBytes)
		switch {
		case errors.Is(err, ErrClosed):
			return false
		case err != nil:
			// Somebody who waits has it tried again soon.
			if !a.sleep(retryFirst) || !a.pause(pause-retryFirst) {
				return false
			}
			pause = min(2*pause, retryLast)
			continue
		}
		pause = retryFirst
		if _, _, _, now := a.state(); now == commits {
			continue // nobody comes
		}
		if !a.pause(restTimes * took) {
			return false
		}
	}
}

// sleep is a pause that nobody cuts short but Close.
func (a *applier) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.drain:
		return false
	}
}

// slice applies as much as fits into one transaction: for sliceFor or, when it
// is stubborn, stubbornFor; and up to longFor while nobody waits.
func (a *applier) slice(stubborn bool) (took time.Duration, err error) {
	began := time.Now()
	least := sliceFor
	if stubborn {
		least = stubbornFor
	}
	goOn := func(worked time.Duration) bool {
		return worked < least || worked < longFor && !a.queue.awaited()
	}
	err = a.queue.doSlice(func(w *writer) error { return w.applySlice(goOn) })
	took = time.Since(began)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil || errors.Is(err, ErrClosed) {
		return took, err
	}
	if a.failed == nil {
		a.log.Error("store cannot move what was committed into its tables; it is kept and tried again", slog.Any("error", explain(err)))
	}
	a.failed = err
	a.fails++
	close(a.changed)
	a.changed = make(chan struct{})
	return took, err
}

// close applies what is left, and ends the goroutine.
func (a *applier) close() {
	close(a.drain)
	<-a.stopped
}

// move is what a slice has done.
type move struct {
	applied int64 // the last row that is all in the tables
	bytes   int64 // of those that were taken out
	left    bool  // there may be more
	rows    int
}

// rowsAtOnce are written between two looks at the clock.
const rowsAtOnce = 64

// applySlice works on the journal while it may go on, and notes how far it came.
func (w *writer) applySlice(goOn func(worked time.Duration) bool) error {
	if err := w.readProgress(); err != nil {
		return err
	}
	m := &move{left: true}
	for began := time.Now(); m.left && goOn(time.Since(began)); {
		if err := w.applySome(m); err != nil {
			return err
		}
	}
	m.applied = w.progress.seq
	if err := w.writeProgress(); err != nil {
		return err
	}
	w.moved = m
	return nil
}

func (w *writer) applySome(m *move) error {
	if w.entry == nil {
		e, err := w.readEntry()
		if err != nil || e == nil {
			m.left = false
			return err
		}
		w.entry = e
	}
	e := w.entry
	for left := rowsAtOnce; left > 0 && !e.over(); {
		n, err := e.next(w, left)
		if err != nil {
			return err
		}
		left -= n
		m.rows += n
	}
	w.progress.ops, w.progress.taken = int64(e.done), e.taken
	if !e.over() {
		return nil
	}
	w.entry = nil
	w.progress.seq, w.progress.ops, w.progress.taken = e.seq, 0, false
	m.bytes += int64(e.bytes)
	return w.run1(w.stmts.dropEntry, e.seq)
}

// readEntry reads the oldest row of the journal, nil when there is none.
func (w *writer) readEntry() (*entry, error) {
	rows, err := w.stmts.nextEntry.QueryContext(context.Background())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var seq int64
	var data sql.RawBytes
	if err := rows.Scan(&seq, &data); err != nil {
		return nil, err
	}
	e, err := decodeEntry(seq, data)
	if err != nil {
		return nil, err
	}
	e.done, e.taken = int(w.progress.ops), w.progress.taken
	return e, rows.Close()
}

func (w *writer) readProgress() error {
	if w.progress != nil {
		return nil
	}
	var p progress
	row := w.stmts.progress.QueryRowContext(context.Background())
	if err := row.Scan(&p.seq, &p.ops, &p.taken, &p.events, &p.kept); err != nil {
		return err
	}
	w.progress = &p
	return nil
}

func (w *writer) writeProgress() error {
	p := w.progress
	return w.run1(w.stmts.saveProgress, p.seq, p.ops, p.taken, p.events, p.kept)
}
