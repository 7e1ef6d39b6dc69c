package sqlite

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// lockFile takes the lock that one process holds on a database, beside it: the
// database itself may not be opened and closed by hand while SQLite has it,
// since that drops SQLite's own POSIX locks. Closing the file gives the lock
// back; the file stays, because removing it would race with the next opener.
func lockFile(path string) (*os.File, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, bare(err))
	}
	taken, err := flock(f)
	if err == nil && taken {
		writePID(f)
		return f, nil
	}
	holder := readPID(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return nil, fmt.Errorf("%w%s; stop it, or give this one a store.path of its own", ErrInUse, holder)
}

// writePID leaves the holder's process id for the message of whoever comes
// second. It is a courtesy: the lock holds without it.
func writePID(f *os.File) {
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
}

func readPID(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || convErr != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}
