package sqlite

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// lockNote is what stands in the lock file beside the process id: how the last
// one that had the database left it.
type lockNote struct {
	ours  bool // some tocsin has opened this database before
	clean bool // and closed it, at which it had this size and time
	mend  bool // and met damage in it
	size  int64
	mtime int64 // nanoseconds since 1970
}

func (n lockNote) String() string {
	switch {
	case n.mend:
		return "mend"
	case n.clean:
		return fmt.Sprintf("clean %d %d", n.size, n.mtime)
	case n.ours:
		return "open"
	}
	return ""
}

func parseNote(line string) lockNote {
	n := lockNote{ours: line != ""}
	n.mend = line == "mend"
	_, err := fmt.Sscanf(line, "clean %d %d", &n.size, &n.mtime)
	n.clean = err == nil
	return n
}

// lockFile takes the lock that one process holds on a database, beside it: the
// database itself may not be opened and closed by hand while SQLite has it,
// since that drops SQLite's own POSIX locks. Closing the file gives the lock
// back; the file stays, because removing it would race with the next opener.
func lockFile(path string) (*os.File, lockNote, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, lockNote{}, fmt.Errorf("lock %s: %w", name, bare(err))
	}
	taken, err := flock(f)
	holder, note := readLock(f)
	if err == nil && taken {
		found := parseNote(note)
		writeLock(f, lockNote{ours: found.ours, mend: found.mend})
		return f, found, nil
	}
	_ = f.Close()
	if err != nil {
		return nil, lockNote{}, fmt.Errorf("lock %s: %w", name, err)
	}
	if holder != 0 {
		return nil, lockNote{}, fmt.Errorf("%w (process %d); stop it, or give this one a store.path of its own", ErrInUse, holder)
	}
	return nil, lockNote{}, fmt.Errorf("%w; stop it, or give this one a store.path of its own", ErrInUse)
}

// writeLock leaves the holder's process id for the message of whoever comes
// second, and the note for the next one. Both are a courtesy: the lock holds
// without, and a database without a note is looked at more closely.
func writeLock(f *os.File, n lockNote) {
	text := strconv.Itoa(os.Getpid()) + "\n"
	if line := n.String(); line != "" {
		text += line + "\n"
	}
	// Over what is there, and then cut: a full disk has no room for a first byte.
	if _, err := f.WriteAt([]byte(text), 0); err == nil {
		_ = f.Truncate(int64(len(text)))
	}
}

func readLock(f *os.File) (pid int, note string) {
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, 256))
	first, rest, _ := strings.Cut(string(text), "\n")
	note, _, _ = strings.Cut(rest, "\n")
	pid, _ = strconv.Atoi(strings.TrimSpace(first))
	return pid, note
}
