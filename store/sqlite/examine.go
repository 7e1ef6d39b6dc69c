package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

const (
	// lookFor bounds the check of a whole file at the start.
	lookFor = 10 * time.Second
	// closelyBytes is the size up to which indexes are compared with their
	// tables, too.
	closelyBytes = 64 << 20
)

// examine looks at the files before SQLite does, which would overlook the rest
// of a damaged log, and refuses a file without its header. It returns nil for
// files that seem whole, and for those that were never ours.
func (s *Store) examine(note lockNote) error {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return bare(err)
	}
	if info.Size() == 0 {
		if note.ours {
			return fmt.Errorf("%w: the file is empty", ErrCorrupt)
		}
		return nil
	}
	m, err := openImage(s.path)
	if err != nil {
		return bare(err)
	}
	defer m.close()
	switch {
	case m.view.damaged:
		return fmt.Errorf("%w: its write-ahead log goes on behind a place that cannot be read", ErrCorrupt)
	case note.ours && !m.isOurs():
		return fmt.Errorf("%w: its header is not that of a database of tocsin", ErrCorrupt)
	}
	return nil // and whose it is SQLite will say
}

// untouched says that the file is as the last process left it in order.
func (s *Store) untouched(note lockNote) bool {
	info, err := os.Stat(s.path)
	return err == nil && note.clean && info.Size() == note.size && info.ModTime().UnixNano() == note.mtime
}

// inspect reads what a start needs, and the whole file unless it is untouched.
// It returns the damage that it finds.
func (s *Store) inspect(ctx context.Context, whole bool) error {
	if whole {
		if err := s.inspectWhole(ctx); err != nil {
			return err
		}
	}
	for _, look := range []func() error{
		func() error { return s.readableJournal(ctx) },
		func() error {
			return s.readable(ctx, `SELECT doc FROM alerts WHERE seq IN (`+loadedAlerts+`)`)
		},
		func() error { return s.readable(ctx, `SELECT doc FROM groups`) },
		func() error {
			return s.readable(ctx, `SELECT doc FROM deliveries INDEXED BY deliveries_state JOIN notifications USING (seq) WHERE state = 1`)
		},
		func() error { return s.readable(ctx, `SELECT doc FROM silences`) },
		func() error { return s.readable(ctx, `SELECT doc FROM acks`) },
	} {
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}

// readableJournal checks the sums of what is not applied yet.
func (s *Store) readableJournal(ctx context.Context) error {
	rows, err := s.readers.QueryContext(ctx, `SELECT seq, data FROM journal ORDER BY seq`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var data sql.RawBytes
		if err := rows.Scan(&seq, &data); err != nil {
			return err
		}
		if _, _, err := newDecoder(data); err != nil {
			return fmt.Errorf("journal row %d: %w", seq, err)
		}
	}
	return rows.Err()
}

// readable reads documents, and says that the file is damaged where one is.
func (s *Store) readable(ctx context.Context, query string) error {
	rows, err := s.readers.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		if !json.Valid(doc) {
			return fmt.Errorf("%w: a document in it", ErrCorrupt)
		}
	}
	return rows.Err()
}

// unmarshal reads a document that we wrote: when it cannot be read, the file is
// damaged.
func unmarshal(doc []byte, into any) error {
	if err := json.Unmarshal(doc, into); err != nil {
		return fmt.Errorf("%w: a document in it: %w", ErrCorrupt, err)
	}
	return nil
}

func (s *Store) inspectWhole(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	check := "PRAGMA quick_check(1)"
	if n, err := size(s.path); err == nil && n < closelyBytes {
		check = "PRAGMA integrity_check(1)"
	}
	var found string
	err := s.readers.QueryRowContext(limited, check).Scan(&found)
	if err == nil && found != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, found)
	}
	if err == nil {
		var broken int64
		err = s.readers.QueryRowContext(limited, `SELECT (SELECT count(*) FROM alerts WHERE NOT json_valid(doc))
			+ (SELECT count(*) FROM notifications WHERE NOT json_valid(doc))`).Scan(&broken)
		if err == nil && broken > 0 {
			return fmt.Errorf("%w: %d documents in it", ErrCorrupt, broken)
		}
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		s.log.InfoContext(ctx, "store was not closed in order, and is too large to be checked whole at the start",
			slog.String("path", s.path), slog.Duration("looked_for", lookFor))
		return nil
	}
	return err
}
