package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
)

// What is in the journal needs room in the tables, several times its size: the
// docs are JSON, each row stands in indexes, and every page goes through the
// log first. A change is refused while there is less room than the journal with
// it would need, so that what was acknowledged can be applied and read also on
// a disk that is full.
const (
	roomTimes = 16
	roomSpare = 512 << 10
)

// room says what a transaction finds free, for the rows that follow.
type room struct {
	dir      string
	maxBytes int64 // of the file; 0 sets no limit
	left     int64
}

func newRoom(path string, maxBytes int64) room {
	return room{dir: filepath.Dir(path), maxBytes: maxBytes}
}

// measureRoom is called at the beginning of a transaction that adds to the
// journal.
func (w *writer) measureRoom() error {
	r := &w.room
	var known bool
	if r.left, known = freeBytes(r.dir); !known {
		r.left = 1 << 60
	}
	if r.maxBytes <= 0 {
		return nil
	}
	var used int64
	if err := w.stmts.usedBytes.QueryRowContext(context.Background()).Scan(&used); err != nil {
		return err
	}
	r.left = min(r.left, r.maxBytes-used)
	return nil
}

// hasRoom says whether the journal with so many bytes more can be applied.
func (w *writer) hasRoom(more int64) error {
	need := (w.applier.backlog()+w.grown+more)*roomTimes + roomSpare
	if w.room.left >= need {
		return nil
	}
	w.applier.hurry()
	return fmt.Errorf("%w: %d KiB are free, and %d are needed to write it into the tables", ErrFull, w.room.left>>10, need>>10)
}
