// Package atomicfile replaces a file so that whoever reads it, at any moment
// and after any crash, finds the old bytes or the new ones, whole. cmd/tocsin
// writes rule files with it. It never writes into a file in place, and never
// changes a file's owner or mode.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Temporary files are called .tocsin-NAME-RANDOM.tmp. A crash leaves one
// behind; the next Replace in the folder removes it once it is old enough to
// belong to nobody.
const (
	prefix   = ".tocsin-"
	suffix   = ".tmp"
	leftover = time.Hour
)

// IsTemporary says whether a path is that of a temporary file of ours, which
// is never to be taken for anything else.
func IsTemporary(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
}

// Replace puts data into the place of the file, or makes it, with mode 0644
// less the umask. A symbolic link stays and what it leads to is replaced. Mode
// and owner stay as they are; where the process may not give the new file the
// old one's owner, nothing is done. Other hard links keep the old bytes, and
// access control lists are not copied. The steps: write beside it, fsync,
// rename over it, fsync the folder. A crash before the rename leaves the old
// file, one after it the new; an error of the last fsync means that the new
// bytes are there and may not outlast a power loss.
func Replace(path string, data []byte) error {
	path, info, err := target(path)
	if err != nil {
		return err
	}
	sweep(filepath.Dir(path), time.Now())
	temporary, err := write(path, info, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(filepath.Dir(path))
}

// Remove removes a file durably. A symbolic link stays and what it leads to is
// removed.
func Remove(path string) error {
	path, _, err := target(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// target follows symbolic links. info is nil when there is no file yet.
func target(path string) (string, fs.FileInfo, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, dangling := os.Lstat(path); dangling == nil {
			return "", nil, err // a link to nowhere: it is not ours to say where
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		return filepath.Join(dir, filepath.Base(path)), nil, err
	}
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(resolved)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "replace", Path: resolved, Err: errors.New("not a regular file")}
	}
	return resolved, info, err
}

// write makes the temporary file: complete, on the disk, and like the old one.
func write(path string, old fs.FileInfo, data []byte) (string, error) {
	name := filepath.Join(filepath.Dir(path), prefix+filepath.Base(path)+"-"+rand.Text()+suffix)
	mode := fs.FileMode(0o644)
	if old != nil {
		mode = 0o600 // until it has the owner that it is meant for
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil && old != nil {
		err = imitate(f, old)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// imitate gives the new file the old one's owner and mode. Owner first: a
// change of owner takes mode bits away.
func imitate(f *os.File, old fs.FileInfo) error {
	if err := keepOwner(f, old); err != nil {
		return fmt.Errorf("the owner cannot be kept: %w", err)
	}
	return f.Chmod(old.Mode().Perm())
}

// sweep removes what crashes left behind. Failing is no harm.
func sweep(dir string, now time.Time) {
	found, _ := filepath.Glob(filepath.Join(escape(dir), prefix+"*"+suffix))
	for _, name := range found {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > leftover {
			_ = os.Remove(name)
		}
	}
}

// escape makes a folder's name stand for itself in a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
