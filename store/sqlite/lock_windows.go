package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte lies beyond the file's text: a lock of Windows is mandatory, and
// the text must stay readable to the one who is refused.
const lockedByte = 1 << 30

// flock takes the exclusive lock of an open file, or says that another holds
// it. The kernel gives it back when the file is closed or the process dies.
func flock(f *os.File) (taken bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: lockedByte})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
