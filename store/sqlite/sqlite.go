// Package sqlite keeps what Tocsin remembers in one SQLite file: the driver for
// a daemon that runs alone. cmd/tocsin opens it; the engine commits to it and
// the API reads from it.
//
// A change is written twice. Commit and Settle append it, as one row in a compact
// form, to a journal in the same file, and return when that is on the disk: no
// crash and no power loss undoes it (WAL with synchronous=FULL). Behind them the
// applier moves the journal into the tables that are searched, a few
// milliseconds at a time, so that no change waits for indexes. Who reads first
// waits until what was committed before is in the tables: a read shows every
// change that was acknowledged before it.
//
// One goroutine owns the only connection that writes. Changes that wait for it
// at the same moment are committed together, so that many callers share one
// fsync. Samples are written behind them: in small transactions, never before a
// waiting change, and their last moments may be lost with the power. A few
// connections that cannot write serve the readers.
//
// Times are kept to the nanosecond in UTC and must lie between the years 1678
// and 2262, those of samples to the millisecond. A number that is not known is
// NULL, and so is a time that has not come. Text is UTF-8; a byte that is not
// is replaced.
//
// The package decides nothing: it neither computes an alert's state nor sends
// anything.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Options tunes a store; the zero value of each field takes its default.
type Options struct {
	// Readers is the number of connections that read.
	Readers int
	// BusyTimeout is how long the writer waits for another program, such as
	// the sqlite3 shell, that has the database locked.
	BusyTimeout time.Duration
	// MaxBytes limits the database file (not its log); 0 sets no limit. A
	// change that would pass it fails with ErrFull.
	MaxBytes int64
}

// Default returns the options of a daemon.
func Default() Options {
	return Options{Readers: 4, BusyTimeout: 5 * time.Second}
}

func (o Options) orDefault() Options {
	d := Default()
	if o.Readers <= 0 {
		o.Readers = d.Readers
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = d.BusyTimeout
	}
	return o
}

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	path string
	log  *slog.Logger
	lock *os.File

	encoders sync.Pool  // of *encoder
	reviving sync.Mutex // held while a delivery is put back into the outbox
	damage   damageNote
	mended   *Damage // at the start; nil for nothing

	readers *sql.DB
	writers *sql.DB // one connection, the writer's
	mender  *sql.DB // one connection, for checkpoints

	writer       *writer
	checkpointer *checkpointer

	opened   bool // it was in order then
	closing  sync.Once
	closeErr error
}

// Open opens the database at path, and makes it, its folder and its tables
// when they are missing. It refuses a file that another process has open, one
// that a newer release wrote, and one that is not a database of Tocsin; the
// errors name the file and match one of the package's Err values. A damaged one
// is set aside, and what can be read of it goes into a new one: see Damage.
func Open(ctx context.Context, path string, opts Options, log *slog.Logger) (*Store, error) {
	opts = opts.orDefault()
	path, err := prepareFolder(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite %w", err)
	}
	s := &Store{path: path, log: log}
	if err := s.open(ctx, opts); err != nil {
		_ = s.release() // what fails in it follows from err
		return nil, s.fail("open", err)
	}
	s.keepReserve()
	go s.writer.run()
	go s.writer.applier.run()
	go s.checkpointer.run()
	return s, nil
}

// Path returns the database file's absolute path, links resolved.
func (s *Store) Path() string { return s.path }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var version int
	return s.fail("ping", s.readers.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version))
}

// Close waits for the writes that were begun or wait, refuses new ones with
// ErrClosed, applies the journal as far as a few seconds suffice, moves the write-ahead log into the database and gives the lock
// back. A second call does nothing and returns the same.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.applier.close()
		s.writer.close()
		s.checkpointer.close()
		// The readers first: an empty log needs that nobody reads from it.
		s.closeErr = s.fail("close", errors.Join(s.readers.Close(), s.checkpointer.last(), s.release()))
		s.keepReserve() // the log is gone
	})
	return s.closeErr
}

// release closes whatever is open, and gives the lock back with a note.
func (s *Store) release() error {
	err := s.disconnect()
	if s.lock == nil {
		return err
	}
	if info, statErr := os.Stat(s.path); err == nil && statErr == nil && s.opened {
		s.note(lockNote{ours: true, clean: true, size: info.Size(), mtime: info.ModTime().UnixNano()})
	}
	return errors.Join(err, s.lock.Close())
}

// note leaves a word for the next start; that of damage stays.
func (s *Store) note(n lockNote) {
	s.opened = s.opened || n.ours
	n.mend = s.damage.mend.Load()
	writeLock(s.lock, n)
}

// disconnect closes the connections, the writer's last: SQLite then empties the
// log and removes it.
func (s *Store) disconnect() error {
	if s.writer != nil {
		s.writer.release()
	}
	var errs []error
	for _, db := range []**sql.DB{&s.readers, &s.mender, &s.writers} {
		if *db != nil {
			errs = append(errs, (*db).Close())
			*db = nil
		}
	}
	return errors.Join(errs...)
}
