package pluginhost

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	// folderPrefix begins the names of the folders that daemons keep sockets in.
	folderPrefix = "tocsin-plugins-"
	lockName     = "lock"
	// longestSocket is what go-plugin adds to the folder: a folder for each
	// process, and the socket.
	longestSocket = len("/plugin-dir4294967295/plugin4294967295")
)

// folder is where the sockets of one daemon's plugins are: nobody else may look
// into it. A lock tells those of daemons that are gone from those that live.
type folder struct {
	path string
	lock *os.File // held as long as the process lives; nil where there are no locks
}

// makeFolder makes a folder in dir, or in the system's folder for temporary files,
// and removes those of daemons that are gone.
func makeFolder(dir string, log *slog.Logger) (*folder, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if len(dir)+len("/"+folderPrefix+"4294967295")+longestSocket > maxSocketPath() && runtime.GOOS != "windows" {
		dir = "/tmp" // a socket's path is short on every system
	}
	sweep(dir, log)
	path, err := os.MkdirTemp(dir, folderPrefix) // 0700
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return &folder{path: path, lock: lock}, nil
}

// sweep removes the folders of daemons that are gone, and ends what is left of
// their plugins. What is another user's, or no folder of ours, stays.
func sweep(dir string, log *slog.Logger) {
	found, err := filepath.Glob(filepath.Join(dir, folderPrefix+"*"))
	if err != nil {
		return // a dir that reads as a pattern
	}
	for _, path := range found {
		if !ownFolder(path) || isNew(path) {
			continue
		}
		lock, err := lockFile(filepath.Join(path, lockName))
		if err != nil || lock == nil {
			continue // its daemon lives
		}
		killLeftovers(path)
		err = os.RemoveAll(path)
		_ = lock.Close() // nothing was written
		log.Info("removed what a daemon that is gone left of its plugins", "folder", path, "error", err)
	}
}

// isNew says whether a folder has no lock yet and may be about to get one.
func isNew(path string) bool {
	_, err := os.Stat(filepath.Join(path, lockName))
	info, gone := os.Stat(path)
	return err != nil && gone == nil && time.Since(info.ModTime()) < time.Minute
}

func (f *folder) remove() {
	_ = os.RemoveAll(f.path) // the next start sweeps what stays
	if f.lock != nil {
		_ = f.lock.Close() // nothing was written
	}
}

// maxSocketPath is the longest path of a unix socket, less the final zero.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}
