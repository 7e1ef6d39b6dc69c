//go:build unix

package pluginhost

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFile locks a file until the process ends or the file is closed; an error
// when another process has it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // descriptors are small
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
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
