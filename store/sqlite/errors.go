package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tocsin-dev/tocsin/store"
)

// What can be wrong with the file, as an operator has to mend it. Every error
// of the package names the file; those that match one of these with errors.Is
// say it in these words.
var (
	ErrInUse       = errors.New("another tocsin has this database open")
	ErrNotOurs     = errors.New("the file is not a database of tocsin")
	ErrNewerSchema = errors.New("the database was written by a newer tocsin")
	ErrCorrupt     = fmt.Errorf("%w: the file is corrupt or is no SQLite database; what can be read of a database of tocsin is kept at the next start", store.ErrDamaged)
	ErrReadOnly    = errors.New("the file or its folder cannot be written to")
	ErrFull        = errors.New("the disk is full, or the file has reached its permitted size")
	ErrBusy        = errors.New("another program keeps the database locked")
	ErrIO          = errors.New("the disk failed to read or write")
	ErrClosed      = errors.New("the store is closed")
)

// fail puts the file and what was being done before an error of SQLite, and
// its meaning for the operator between them.
func (s *Store) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite %s: %s: %w", s.path, doing, explain(s.noticed(err)))
}

func explain(err error) error {
	if errors.Is(err, errCut) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	var failed *driver.Error
	if !errors.As(err, &failed) {
		return err
	}
	if meaning := meaning(failed.Code()); meaning != nil {
		return fmt.Errorf("%w: %w", meaning, err)
	}
	return err
}

// meaning maps SQLite's primary result codes, https://sqlite.org/rescode.html.
func meaning(code int) error {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrBusy
	case sqlite3.SQLITE_IOERR:
		return ErrIO
	case sqlite3.SQLITE_TOOBIG:
		return store.ErrInvalid
	}
	return nil
}

// damageNote remembers that damage was met.
type damageNote struct {
	mend   atomic.Bool           // the next start has to look
	writes atomic.Pointer[error] // what keeps the writer from its work
}

// noticed passes an error on, and leaves word of damage for the next start.
func (s *Store) noticed(err error) error {
	if err != nil && errors.Is(explain(err), ErrCorrupt) && !s.damage.mend.Swap(true) && s.opened {
		s.note(lockNote{ours: true})
	}
	return err
}

// damaged returns what keeps the writer from its work, or nil. From then on no
// change is taken: it could not be promised to be kept.
func (s *Store) damaged() error {
	if met := s.damage.writes.Load(); met != nil {
		return *met
	}
	return nil
}

// Damaged says that damage was met since the store was opened: the next start
// mends it.
func (s *Store) Damaged() bool { return s.damage.mend.Load() }

// wrote is told how each transaction of the writer ended.
func (s *Store) wrote(err error) {
	if err == nil {
		return
	}
	if explained := explain(s.noticed(err)); errors.Is(explained, ErrCorrupt) {
		s.damage.writes.CompareAndSwap(nil, &explained)
	}
}

func isConstraint(err error) bool {
	var failed *driver.Error
	return errors.As(err, &failed) && failed.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// bare takes the operation and the path off an error of os, for a sentence
// that names the file already.
func bare(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
