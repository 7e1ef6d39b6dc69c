package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

func TestAFileAtItsLimitLosesNothingAndGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	s := openWith(t, path, sqlite.Options{MaxBytes: 1 << 20})
	acknowledged, err := fill(s)
	t.Log(err)
	checkFull(t, path, err)
	if err := has(s, acknowledged); err != nil {
		t.Fatal(err)
	}
	// The limit is the operator's: with a higher one it goes on where it was.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, sqlite.Options{MaxBytes: 2 << 20})
	if err := has(s, acknowledged); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), transition(1_000_000)); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskLosesNothingAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	cmd := childCommand(t.Context(), "full", dir)
	inNamespaceOfItsOwn(cmd)
	out, err := cmd.Output()
	if strings.Contains(string(out), cannotMount) || err != nil && len(out) == 0 {
		t.Skipf("needs a file system of its own to fill: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if !strings.Contains(string(out), sqlite.ErrFull.Error()) || !strings.Contains(string(out), dir) {
		t.Error("the error does not say so, or not where")
	}
}

const cannotMount = "cannot mount"

// fillTheDisk is the child's part: it works on a file system of 3 MB.
func fillTheDisk(args []string) error {
	dir := args[0]
	if err := mountTiny(dir); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	s, err := openInChild(filepath.Join(dir, "t.db"))
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	acknowledged, err := fill(s)
	fmt.Println(err)
	if !errors.Is(err, sqlite.ErrFull) {
		return fmt.Errorf("not %w", sqlite.ErrFull)
	}
	if err := has(s, acknowledged); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Commit(context.Background(), transition(acknowledged)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := has(s, acknowledged+1); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = openInChild(filepath.Join(dir, "t.db")); err != nil {
		return err
	}
	return errors.Join(has(s, acknowledged+1), s.Close())
}

func TestAStartOnAFullDiskReadsEverythingAndTakesChangesWhenThereIsRoom(t *testing.T) {
	for _, how := range []string{"closed", "killed"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			cmd := childCommand(t.Context(), "start", dir, how)
			inNamespaceOfItsOwn(cmd)
			out, err := cmd.Output()
			if strings.Contains(string(out), cannotMount) || err != nil && len(out) == 0 {
				t.Skipf("needs a file system of its own to fill: %v %s", err, out)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// startOnAFullDisk is the child's part. Others fill the file system to its last
// byte while no daemon runs.
func startOnAFullDisk(args []string) error {
	dir, killed := args[0], args[1] == "killed"
	if err := mountTiny(dir); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	const n = 20
	path := filepath.Join(dir, "t.db")
	if killed {
		if err := commitAndDie(dir, n); err != nil {
			return err
		}
	} else {
		s, err := openInChild(path)
		if err != nil {
			return err
		}
		for i := range n {
			if err := s.Commit(context.Background(), transition(i)); err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	ballast := filepath.Join(dir, "ballast")
	if err := fillUp(ballast); err != nil {
		return err
	}
	s, err := openInChild(path)
	if err != nil {
		return fmt.Errorf("on a full disk: %w", err)
	}
	if snap, err := s.Load(context.Background()); err != nil || len(snap.Alerts) != n || len(snap.Deliveries) != n {
		return fmt.Errorf("%d alerts and %d deliveries are loaded: %w", len(snap.Alerts), len(snap.Deliveries), err)
	}
	if err := has(s, n); err != nil {
		return err
	}
	err = s.Commit(context.Background(), store.Change{Marks: []store.Mark{{Name: "m", Value: strings.Repeat("x", 100<<10)}}})
	fmt.Println(err)
	if !errors.Is(err, sqlite.ErrFull) {
		return fmt.Errorf("not %w", sqlite.ErrFull)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Commit(context.Background(), transition(n)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	// A second time: the room is kept again. Without it the error says what is wrong.
	if err := fillUp(ballast); err != nil {
		return err
	}
	if s, err = openInChild(path); err != nil {
		return fmt.Errorf("a second time: %w", err)
	}
	if err := errors.Join(has(s, n+1), s.Close()); err != nil {
		return err
	}
	_ = os.Remove(path + ".reserve")
	if err := fillUp(ballast); err != nil {
		return err
	}
	if s, err = openInChild(path); err == nil {
		return errors.Join(errors.New("it opens without any room"), s.Close())
	}
	fmt.Println(err)
	if !errors.Is(err, sqlite.ErrFull) {
		return fmt.Errorf("not %w", sqlite.ErrFull)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if s, err = openInChild(path); err != nil {
		return err
	}
	return errors.Join(has(s, n+1), s.Close())
}

// commitAndDie leaves the files as a process does that is killed.
func commitAndDie(dir string, n int) error {
	elsewhere, err := os.MkdirTemp(filepath.Dir(dir), "killed")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(elsewhere) }()
	s, err := openInChild(filepath.Join(elsewhere, "t.db"))
	if err != nil {
		return err
	}
	for i := range n {
		if err := s.Commit(context.Background(), transition(i)); err != nil {
			return err
		}
	}
	for _, name := range []string{"t.db", "t.db-wal", "t.db-shm", "t.db.lock", "t.db.reserve"} {
		text, err := os.ReadFile(filepath.Join(elsewhere, name)) //nolint:gosec // a test's own
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return s.Close()
}

// fillUp appends to a file until nothing is left.
func fillUp(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // a test's own
	if err != nil {
		return err
	}
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	return f.Close()
}

// fill commits until an error comes, and says how many were acknowledged.
func fill(s *sqlite.Store) (acknowledged int, err error) {
	for ; acknowledged < 100_000; acknowledged++ {
		if err := s.Commit(context.Background(), transition(acknowledged)); err != nil {
			return acknowledged, err
		}
	}
	return acknowledged, errors.New("it never came to its end")
}

// has looks that the first n changes are there, and no part of another.
func has(s *sqlite.Store, n int) error {
	ctx := context.Background()
	for i := range n {
		if _, err := s.Alert(ctx, anAlert(i).ID); err != nil {
			return err
		}
		if _, err := s.Delivery(ctx, transition(i).Deliveries[0].Notification.ID); err != nil {
			return err
		}
	}
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if st.Alerts != int64(n) || st.Deliveries != int64(n) || st.Events != int64(3*n) {
		return fmt.Errorf("%d changes were acknowledged, and there are %+v", n, st)
	}
	if _, err := s.Alert(ctx, anAlert(n).ID); !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("alert of change %d: %w", n, err)
	}
	return nil
}

func checkFull(t *testing.T, path string, err error) {
	t.Helper()
	if !errors.Is(err, sqlite.ErrFull) || !strings.Contains(err.Error(), path) {
		t.Fatalf("error is %v", err)
	}
}

func TestAFileThatMayNotGrowLosesNothingAndGoesOn(t *testing.T) {
	cmd := childCommand(t.Context(), "limit", t.TempDir())
	out, err := cmd.Output()
	if strings.Contains(string(out), errors.ErrUnsupported.Error()) {
		t.Skip("needs limits of a process")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if !strings.Contains(string(out), sqlite.ErrIO.Error()) && !strings.Contains(string(out), sqlite.ErrFull.Error()) {
		t.Error("the error does not say so")
	}
}

// fillToTheLimit is the child's part: writing fails at a size of a file, and is
// permitted again. The room that the disk has says nothing of that before.
func fillToTheLimit(args []string) error {
	s, err := openInChild(filepath.Join(args[0], "t.db"))
	if err != nil {
		return err
	}
	lift, err := limitFiles(1 << 20)
	if err != nil {
		return err
	}
	acknowledged, err := fill(s)
	fmt.Println(err)
	if err := lift(); err != nil {
		return err
	}
	if err := s.Commit(context.Background(), transition(acknowledged)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	// A reader that comes while the journal waits for its next try is told so.
	for range 100 {
		if err = has(s, acknowledged+1); err == nil || !errors.Is(err, sqlite.ErrIO) && !errors.Is(err, sqlite.ErrFull) {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = openInChild(filepath.Join(args[0], "t.db")); err != nil {
		return err
	}
	if s.Damage() != nil {
		return fmt.Errorf("damage: %+v", s.Damage())
	}
	return errors.Join(has(s, acknowledged+1), s.Close())
}
