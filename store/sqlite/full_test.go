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
