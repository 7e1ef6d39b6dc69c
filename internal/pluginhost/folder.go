package pluginhost

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

const (
	// folderPrefix begins the names of the folders that daemons keep sockets in.
	folderPrefix = "tocsin-plugins-"
	// longestSocket is what go-plugin adds to the folder: a folder for each
	// process, and the socket.
	longestSocket = len("/plugin-dir4294967295/plugin4294967295")
)

// folder is where the sockets of one daemon's plugins are: nobody else may look
// into it. A lock on the folder itself tells those of daemons that are gone from
// those that live; systemd-tmpfiles, which removes what is old, heeds it, too.
type folder struct {
	path string

	mu   sync.Mutex
	lock *os.File // held as long as the process lives; nil where there are no locks
}

// makeFolder makes a folder in dir, or in the system's folder for temporary files,
// and removes those of daemons that are gone.
func makeFolder(dir string, log *slog.Logger) (*folder, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if len(dir)+len("/"+folderPrefix+"4294967295")+longestSocket > maxSocketPath() && runtime.GOOS != "windows" {
		dir = "/tmp" // a socket's path is short on every system
	}
	sweep(dir, log)
	for range 10 { // a daemon that starts at this moment may sweep a folder away before it is locked
		path, err := os.MkdirTemp(dir, folderPrefix) // 0700
		if err != nil {
			return nil, err
		}
		if lock, err := lockFolder(path); err == nil {
			return &folder{path: path, lock: lock}, nil
		}
		_ = os.Remove(path) // it is empty
	}
	return nil, fmt.Errorf("a folder in %s cannot be locked", dir)
}

// renew makes the folder again when it is gone: cleaners of old files take it away
// where they do not look at locks, and no plugin could be started any more.
func (f *folder) renew() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(f.path, 0o700); err != nil { // refused when somebody else was faster
		return err
	}
	lock, err := lockFolder(f.path)
	if err != nil {
		return err
	}
	if f.lock != nil {
		_ = f.lock.Close() // only a lock
	}
	f.lock = lock
	return nil
}

// sweep removes the folders of daemons that are gone, and ends what is left of
// their plugins. What is another user's, or no folder of ours, stays.
func sweep(dir string, log *slog.Logger) {
	found, err := filepath.Glob(filepath.Join(dir, folderPrefix+"*"))
	if err != nil {
		return // a dir that reads as a pattern
	}
	for _, path := range found {
		if !ownFolder(path) {
			continue
		}
		lock, err := lockFolder(path)
		if err != nil || lock == nil {
			continue // its daemon lives
		}
		killLeftovers(path)
		err = os.RemoveAll(path)
		_ = lock.Close() // only a lock
		log.Info("removed what a daemon that is gone left of its plugins", "folder", path, "error", err)
	}
}

func (f *folder) remove() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = os.RemoveAll(f.path) // the next start sweeps what stays
	if f.lock != nil {
		_ = f.lock.Close() // only a lock
	}
}

// maxSocketPath is the longest path of a unix socket, less the final zero.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}
