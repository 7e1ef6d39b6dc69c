package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// A start needs room: SQLite makes the index of the log beside the database
// even to read it. So that a daemon also starts on a disk that others have
// filled, a file beside the database keeps some room for that moment. It is
// given up when a start finds the disk full, and made again when there is room.
const (
	reserveSuffix = ".reserve"
	reserveBytes  = 512 << 10
	// reserveTimes is how many times its size must be free for it to be made:
	// what is nearly full keeps its room for changes.
	reserveTimes = 4
)

// spendReserve gives the room up when the disk is full, and says that it is.
func (s *Store) spendReserve(ctx context.Context) (full bool) {
	free, known := freeBytes(filepath.Dir(s.path))
	if !known || free >= reserveBytes {
		return false
	}
	err := os.Remove(s.path + reserveSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return true // and it is tried without
	}
	if err != nil {
		s.log.WarnContext(ctx, "the disk is full, and the room that was kept for a start cannot be given up", slog.Any("error", err))
		return true
	}
	s.log.ErrorContext(ctx, "the disk is full; the store starts with the room that was kept for this, and takes no change until there is more",
		slog.String("path", s.path), slog.Int64("free_bytes", free), slog.Int("kept_bytes", reserveBytes))
	return true
}

// keepReserve makes the file when it is missing and there is plenty of room. It
// is a courtesy: a store works without.
func (s *Store) keepReserve() {
	name := s.path + reserveSuffix
	if n, err := size(name); err != nil || n >= reserveBytes {
		return
	}
	if free, known := freeBytes(filepath.Dir(s.path)); !known || free < reserveTimes*reserveBytes {
		return
	}
	// Not zeros, of which a file system might keep the number only.
	if err := os.WriteFile(name, bytes.Repeat([]byte("reserve\n"), reserveBytes/8), 0o600); err != nil {
		_ = os.Remove(name)
	}
}
