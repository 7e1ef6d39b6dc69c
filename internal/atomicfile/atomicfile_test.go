//go:build unix

package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/atomicfile"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// only fails the test unless the folder holds these and nothing else.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if got, want := strings.Join(found, " "), strings.Join(names, " "); got != want {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestReplaceKeepsModeAndOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, "old", 0o640)
	owned := os.Geteuid() == 0
	if owned {
		if err := os.Chown(path, 12345, 54321); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "new" || after.Mode() != 0o640 {
		t.Errorf("%q with mode %s", got, after.Mode())
	}
	if os.SameFile(before, after) {
		t.Error("it was written in place")
	}
	if stat, ok := after.Sys().(*syscall.Stat_t); ok && owned && (stat.Uid != 12345 || stat.Gid != 54321) {
		t.Errorf("owner %d:%d", stat.Uid, stat.Gid)
	}
	only(t, filepath.Dir(path), "rules.yaml")
}

func TestReplaceFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "real/rules.yaml"), "old", 0o600)
	link := filepath.Join(dir, "rules.yaml")
	if err := os.Symlink("real/rules.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real/rules.yaml" || read(t, link) != "new" {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
	only(t, filepath.Join(dir, "real"), "rules.yaml")
}

func TestReplaceMakesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.yaml")
	if err := atomicfile.Replace(path, []byte("text")); err != nil {
		t.Fatal(err)
	}
	if read(t, path) != "text" {
		t.Error("other text")
	}
	if err := atomicfile.Remove(path); err != nil {
		t.Fatal(err)
	}
	only(t, filepath.Dir(path))
}

func TestWhatCannotBeReplacedStays(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dangling", "folder", "pipe", "nowhere/rules.yaml"} {
		if err := atomicfile.Replace(filepath.Join(dir, name), []byte("new")); err == nil {
			t.Errorf("%s was replaced", name)
		}
	}
	only(t, dir, "dangling", "folder", "pipe")
}

// A crash between two steps leaves the old file and perhaps a temporary one.
func TestWhatACrashLeftBehindIsTidiedUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.yaml")
	stale, fresh := filepath.Join(dir, ".tocsin-rules.yaml-OLD.tmp"), filepath.Join(dir, ".tocsin-rules.yaml-NEW.tmp")
	write(t, path, "old", 0o600)
	write(t, stale, "half", 0o600)
	write(t, fresh, "of a process at work", 0o600)
	hours := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(stale, hours, hours); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{stale: true, fresh: true, path: false, dir + "/.tocsin-x.yaml": false, dir + "/x.tmp": false} {
		if atomicfile.IsTemporary(path) != want {
			t.Errorf("IsTemporary(%s) is %v", path, !want)
		}
	}
	if err := atomicfile.Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	only(t, dir, ".tocsin-rules.yaml-NEW.tmp", "rules.yaml")
}

// Readers never find a file that is missing, empty or half.
func TestReadersFindTheOldOrTheNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	texts := map[string]bool{strings.Repeat("a", 1<<16): true, strings.Repeat("b", 1<<17): true}
	for text := range texts {
		write(t, path, text, 0o600)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			data, err := os.ReadFile(path)
			if err == nil && !texts[string(data)] {
				err = errors.New("neither the old text nor the new")
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		for text := range texts {
			if err := atomicfile.Replace(path, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
