package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Damage says what was found when the store was opened, and what became of it.
type Damage struct {
	At time.Time
	// File is where the damaged database was set aside, with what was beside it;
	// nothing removes it.
	File string
	Err  error // how the damage showed
	// Kept and Lost are rows by table. Of a page that cannot be read nobody
	// knows how many rows it had: Pages counts those.
	Kept, Lost map[string]int64
	Pages      int
}

// Damage returns what was mended when the store was opened; nil for nothing.
func (s *Store) Damage() *Damage { return s.mended }

// The names that mending uses beside the database's own.
const (
	mendingSuffix = ".mending" // the new database, while it is made
	mendedSuffix  = ".mended"  // and when it is whole
	asideSuffix   = ".damaged-"
	asideTime     = "20060102T150405Z"
)

// besides are the files that belong to a database.
func besides() []string { return []string{"-wal", "-shm"} }

// mend makes a new database of what can be read of a damaged one, and puts it
// into its place. At no moment is there a time when a crash loses either: the
// damaged one stays where it is until the new one is whole and on the disk, and
// finishMending goes on where a crash left off.
func (s *Store) mend(ctx context.Context, cause error, now time.Time) (*Damage, error) {
	d := &Damage{At: now.UTC(), Err: cause, Kept: map[string]int64{}, Lost: map[string]int64{}}
	d.File = s.path + asideSuffix + d.At.Format(asideTime)
	for _, err := os.Lstat(d.File); err == nil; _, err = os.Lstat(d.File) {
		d.File += "+"
	}
	s.log.ErrorContext(ctx, "store is damaged; what can be read is kept, and the damaged file is set aside",
		slog.String("path", s.path), slog.Any("error", cause))
	fresh := s.path + mendingSuffix
	for _, name := range append(besides(), "") {
		if err := os.Remove(fresh + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("mend: %w", err)
		}
	}
	if err := s.salvage(ctx, fresh, d); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := syncFile(fresh); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := os.Rename(fresh, s.path+mendedSuffix); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	if err := finishMending(s.path, d.File); err != nil {
		return nil, fmt.Errorf("mend: %w", err)
	}
	s.tell(ctx, d)
	return d, nil
}

// tell logs what became of each table.
func (s *Store) tell(ctx context.Context, d *Damage) {
	count := func(of map[string]int64) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if of[name] > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
			}
		}
		return strings.Join(parts, ", ")
	}
	s.log.ErrorContext(ctx, "store was mended", slog.String("path", s.path), slog.String("damaged_file", d.File),
		slog.String("rows_kept", count(d.Kept)), slog.String("rows_unreadable", count(d.Lost)), slog.Int("pages_unreadable", d.Pages))
}

// finishMending sets the damaged files aside and puts the new one into place.
func finishMending(path, aside string) error {
	if _, err := os.Lstat(path + mendedSuffix); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	// The log before its database: beside the new one it would be taken for its
	// own.
	for _, name := range append(besides(), "") {
		if err := os.Rename(path+name, aside+name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(path+mendedSuffix, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // our own
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes renames last; where folders cannot be synced they do anyway.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// salvage makes a database at fresh of what can be read of the damaged one.
func (s *Store) salvage(ctx context.Context, fresh string, d *Damage) error {
	m, err := openImage(s.path)
	if err != nil {
		return err
	}
	defer m.close()
	if err := createFile(fresh); err != nil {
		return err
	}
	db, err := pool(fresh, 1, Default().BusyTimeout, "synchronous(OFF)", "journal_mode(MEMORY)")
	if err != nil {
		return err
	}
	if err := s.salvageInto(ctx, db, m, d); err != nil {
		return errors.Join(err, db.Close())
	}
	return db.Close()
}

func (s *Store) salvageInto(ctx context.Context, db *sql.DB, m *image, d *Damage) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := s.migrate(ctx, conn, true, 0); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "DELETE FROM applied"); err != nil {
		return err
	}
	g := &gleaner{m: m, d: d}
	if ofTheFirstSchema(g.roots()) {
		return errors.New("it was written by an older release; put a backup in its place, or start that release")
	}
	clear(m.seen)
	m.bad = 0
	if err := g.open(ctx, tx); err != nil {
		return err
	}
	if err := g.glean(); err != nil {
		return err
	}
	if err := g.tidy(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// ofTheFirstSchema says that the tables are those of before the journal. A table
// that is missing alone does not tell: the page that names it may be lost.
func ofTheFirstSchema(roots map[string]uint32) bool {
	for _, later := range []string{"journal", "applied", "notifications", "attempts", "silences", "acks", "marks", "refs"} {
		if roots[later] != 0 {
			return false
		}
	}
	return roots["alerts"] != 0 && roots["events"] != 0
}
