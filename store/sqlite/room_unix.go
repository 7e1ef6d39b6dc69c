//go:build linux || darwin

package sqlite

import "golang.org/x/sys/unix"

// freeBytes is what the folder's file system has left for us.
func freeBytes(dir string) (free int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:gosec,unconvert // the types differ between systems
}
