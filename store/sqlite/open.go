package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	driver "modernc.org/sqlite"
)

const (
	// What each connection may keep of the file in memory; a page of it takes
	// twice its size there, for the translation's allocator knows powers of two
	// only and a page has a header. The writer needs its index of ids, of which a
	// storm touches all pages. A reader that misses asks the system's cache, which
	// costs a microsecond.
	writerCacheKiB = 6 << 10
	readerCacheKiB = 1 << 10
	// readerIdleFor is how long a reader stays open that nobody asks.
	readerIdleFor = 30 * time.Second

	// autoCheckpointPages (64 MiB of 4 KiB pages) makes the writer itself empty
	// the log should the checkpointer not keep up. Until then no commit waits
	// for a checkpoint.
	autoCheckpointPages = 16 << 10
	// logBytes is what the log file is cut back to once it is empty.
	logBytes = 16 << 20
)

// prepareFolder makes the folder and returns the file's one true path, so that
// two ways of writing it meet at the same lock.
func prepareFolder(path string) (string, error) {
	if path == "" {
		return "", errors.New("store.path: no path")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	dir := filepath.Dir(abs)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("%s: make folder %s: %w", abs, dir, bare(err))
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		return target, nil
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("%s: %w", abs, bare(err))
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}

// open locks, looks at the files, and connects; what is damaged is mended on
// the way.
func (s *Store) open(ctx context.Context, opts Options) (err error) {
	lock, note, err := lockFile(s.path)
	if err != nil {
		return err
	}
	s.lock = lock
	if s.spendReserve(ctx) {
		defer func() {
			if err != nil && errors.Is(explain(err), ErrIO) {
				// Of the index of its log SQLite only says that it cannot write it.
				err = fmt.Errorf("%w: there is no room for what belongs to an open database: %s", ErrFull, err.Error())
			}
		}()
	}
	now := time.Now()
	// A process that mended may have been killed between two renames.
	if err := finishMending(s.path, s.path+asideSuffix+now.UTC().Format(asideTime)); err != nil {
		return bare(err)
	}
	cause := s.examine(note)
	if cause != nil && !errors.Is(cause, ErrCorrupt) {
		return cause
	}
	whole := note.mend || !s.untouched(note)
	if cause == nil {
		if cause = s.connect(ctx, opts); cause == nil {
			cause = s.inspect(ctx, whole)
		}
		if cause == nil {
			s.note(lockNote{ours: true})
			return nil
		}
		if !errors.Is(explain(cause), ErrCorrupt) {
			return cause
		}
		if !s.wasOurs(note) {
			return fmt.Errorf("%w (no tocsin has opened it before: put a backup in its place, or move it away to begin anew)", cause)
		}
		cause = explain(cause)
		if err := s.disconnect(); err != nil {
			return errors.Join(cause, err)
		}
	}
	if s.mended, err = s.mend(ctx, cause, now); err != nil {
		return errors.Join(cause, err)
	}
	if err := s.connect(ctx, opts); err != nil {
		return err
	}
	s.note(lockNote{ours: true})
	return nil
}

// wasOurs says that the file is a damaged one of ours, and not another's.
func (s *Store) wasOurs(note lockNote) bool {
	m, err := openImage(s.path)
	if err != nil {
		return false
	}
	defer m.close()
	return note.ours || m.isOurs()
}

// connect opens the connections. The caller disconnects after an error.
func (s *Store) connect(ctx context.Context, opts Options) (err error) {
	if err := createFile(s.path); err != nil {
		return err
	}
	if s.writers, err = pool(s.path, 1, opts.BusyTimeout,
		"cache_size(-"+strconv.Itoa(writerCacheKiB)+")", "synchronous(FULL)"); err != nil {
		return err
	}
	conn, err := s.writers.Conn(ctx)
	if err != nil {
		return err
	}
	if err := s.prepareDatabase(ctx, conn, opts); err != nil {
		return errors.Join(err, conn.Close())
	}
	if s.readers, err = pool(s.path, opts.Readers, opts.BusyTimeout,
		"cache_size(-"+strconv.Itoa(readerCacheKiB)+")", "query_only(1)"); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.readers.SetConnMaxIdleTime(readerIdleFor)
	if s.mender, err = pool(s.path, 1, opts.BusyTimeout, "synchronous(FULL)", "cache_size(-64)"); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.checkpointer = newCheckpointer(s.mender, s.keepReserve, s.log)
	s.writer, err = newWriter(ctx, conn, s.checkpointer.wrote, s.wrote, newRoom(s.path, opts.MaxBytes), s.log)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return nil
}

// createFile makes the file for its owner only; SQLite gives the same
// permission to the files beside it. It is opened for writing also when it
// exists, because SQLite would open a read-only file without a word.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return bare(err)
	}
	return f.Close()
}

// pool returns connections that each run the pragmas first. There is no memory
// map: through one, a disk that fails to read kills the process by SIGBUS
// instead of failing a query.
func pool(path string, size int, busy time.Duration, pragmas ...string) (*sql.DB, error) {
	// fdatasync is what SQLite uses wherever its own build finds it, and spares
	// each commit the journalling of a time stamp. Where there is none, fsync
	// stays.
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, err
	}
	query := url.Values{
		"_pragma":       append(pragmas, "temp_store(MEMORY)", "trusted_schema(0)"),
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
		"mode":          {"rw"},
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	connector, err := driver.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// prepareDatabase looks whose file it is before it changes anything in it.
func (s *Store) prepareDatabase(ctx context.Context, conn *sql.Conn, opts Options) error {
	fresh, version, err := identify(ctx, conn)
	if err != nil {
		return err
	}
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("write-ahead log: the file system permits only journal mode %s; use a local disk", mode)
	}
	for _, pragma := range []string{
		"PRAGMA wal_autocheckpoint = " + strconv.Itoa(autoCheckpointPages),
		"PRAGMA journal_size_limit = " + strconv.Itoa(logBytes),
	} {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	if err := s.migrate(ctx, conn, fresh, version); err != nil {
		return err
	}
	return limitSize(ctx, conn, opts.MaxBytes)
}

func limitSize(ctx context.Context, conn *sql.Conn, maxBytes int64) error {
	if maxBytes <= 0 {
		return nil
	}
	var pageBytes int64
	if err := conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageBytes); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "PRAGMA max_page_count = "+strconv.FormatInt(max(1, maxBytes/pageBytes), 10))
	return err
}
