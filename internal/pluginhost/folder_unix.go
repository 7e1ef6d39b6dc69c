//go:build unix

package pluginhost

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFolder locks a folder until the process ends or the lock is closed; an error
// when another process has it, or the folder is there no more.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // descriptors are small
	if err == nil {
		err = stillThere(f, path)
	}
	if err != nil {
		_ = f.Close() // only a lock
		return nil, err
	}
	return f, nil
}

// stillThere says whether an open folder is the one of the path: it may have been
// swept away before it was locked.
func stillThere(f *os.File, path string) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(path)
	if err == nil && !os.SameFile(opened, named) {
		err = os.ErrNotExist
	}
	return err
}

// ownFolder says whether a path is a folder of this user's that nobody else may
// enter.
func ownFolder(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
