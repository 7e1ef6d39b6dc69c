package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// refused opens a database that cannot be, and checks that the error is want
// and names the file.
func refused(t *testing.T, path string, want error, words ...string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{}, slog.New(slog.DiscardHandler))
	if err == nil {
		_ = s.Close()
		t.Fatalf("opened; want %v", want)
	}
	t.Log(err)
	if !errors.Is(err, want) {
		t.Errorf("error is %q, want %q", err, want)
	}
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func query(t *testing.T, path, text string, into any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), text).Scan(into); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMakesFolderAndFileForTheirOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "t.db")
	s := open(t, path)
	if err := s.Commit(t.Context(), transition(1)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700 | os.ModeDir, filepath.Dir(filepath.Dir(path)): 0o700 | os.ModeDir,
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want)
		}
	}
}

func TestAPathMayHoldAnything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c=d#e%20f&ü'", "t?mode=ro.db")
	s := open(t, path)
	if err := s.Commit(t.Context(), transition(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestCloseLeavesOneFileAndTheNextOpenFindsAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	s := open(t, path)
	for n := range 10 {
		if err := s.Commit(t.Context(), transition(n)); err != nil {
			t.Fatal(err)
		}
	}
	sample := alert.Sample{Metric: "m", Value: 1, At: anAlert(1).StartsAt}
	if err := s.AppendSamples(t.Context(), []alert.Sample{sample}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), transition(11)); !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("commit after close: %v", err)
	}
	if err := s.Settle(t.Context(), []store.Settlement{settlement(1)}); !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("settle after close: %v", err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the log is still there")
	}
	s = open(t, path)
	snap, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Alerts) != 10 || len(snap.Groups) != 10 || len(snap.Members) != 10 || len(snap.Deliveries) != 10 {
		t.Errorf("loaded %d alerts, %d groups, %d members, %d deliveries",
			len(snap.Alerts), len(snap.Groups), len(snap.Members), len(snap.Deliveries))
	}
	st, err := s.SampleStats(t.Context())
	if err != nil || st.Samples != 1 {
		t.Errorf("samples: %+v, %v", st, err)
	}
	if err := s.AppendSamples(t.Context(), []alert.Sample{sample}); err != nil { // of a series it knew before
		t.Fatal(err)
	}
}

func TestASecondOpenerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	first := open(t, path)
	refused(t, path, sqlite.ErrInUse, strconv.Itoa(os.Getpid()))

	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), link, sqlite.Options{}, slog.New(slog.DiscardHandler)); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("through a link: %v", err)
	}
	// The one that was refused has not hurt the first one's locks.
	if err := first.Commit(t.Context(), transition(1)); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestTheLockOfAKilledProcessIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	cmd := childCommand(t.Context(), "hold", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	out := lines(t, cmd)
	if line := <-out; line != "open" {
		t.Fatalf("the child says %q", line)
	}
	refused(t, path, sqlite.ErrInUse, strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range out {
	}
	_ = cmd.Wait()
	open(t, path)
}

func TestWhatIsNotOursIsRefusedAndLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"garbage": {func(t *testing.T, path string) {
			writeFile(t, path, strings.Repeat("this is not a database. ", 500))
		}, sqlite.ErrCorrupt},
		"a few bytes": {func(t *testing.T, path string) { writeFile(t, path, "hello") }, sqlite.ErrCorrupt},
		"another program's database": {func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE users (id INTEGER)")
		}, sqlite.ErrNotOurs},
		"a newer schema": {func(t *testing.T, path string) {
			s := open(t, path)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			execute(t, path, "PRAGMA user_version = 99")
		}, sqlite.ErrNewerSchema},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.db")
			c.make(t, path)
			before := readFile(t, path)
			refused(t, path, c.want)
			if readFile(t, path) != before {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAPathThatCannotBeIsRefused(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "file"), "")
	for name, path := range map[string]string{
		"a folder": dir, "below a file": filepath.Join(dir, "file", "t.db"),
	} {
		if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}, slog.New(slog.DiscardHandler)); err == nil ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sqlite.Open(t.Context(), "", sqlite.Options{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened no path")
	}
}

func TestWithoutPermissionItIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"the file is read-only":   func(t *testing.T, path string) { chmod(t, path, 0o444) },
		"the file is secret":      func(t *testing.T, path string) { chmod(t, path, 0o000) },
		"the folder is read-only": func(t *testing.T, path string) { remove(t, path); chmod(t, filepath.Dir(path), 0o555) },
		"the folder is secret":    func(t *testing.T, path string) { chmod(t, filepath.Dir(path), 0o000) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(openFolder(t), "t.db")
			writeFile(t, path, "")
			spoil(t, path)
			out, err := childCommand(context.Background(), "open", path).Output()
			t.Logf("%s", out)
			if err == nil || !strings.Contains(string(out), path) || !strings.Contains(string(out), "cannot be written to") {
				t.Errorf("the child says %q, %v", out, err)
			}
		})
	}
	t.Run("with permission it is opened", func(t *testing.T) {
		out, err := childCommand(context.Background(), "open", filepath.Join(openFolder(t), "t.db")).Output()
		if err != nil {
			t.Errorf("the child says %q, %v", out, err)
		}
	})
}

// openFolder makes a folder that anyone may enter and write to: the child may
// be another user.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tocsin-store") //nolint:usetesting // t.TempDir's parents are closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o700) //nolint:gosec // a folder must be entered to be removed
		_ = os.RemoveAll(dir)
	})
	chmod(t, dir, 0o777)
	return dir
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // a test's own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
