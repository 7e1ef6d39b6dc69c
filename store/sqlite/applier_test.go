package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func opened(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func manyAlerts(n int) store.Change {
	var c store.Change
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		id := "a" + strconv.Itoa(i)
		c.Alerts = append(c.Alerts, alert.Alert{ID: id, State: alert.Firing, StartsAt: at})
		c.Events = append(c.Events, alert.Event{AlertID: id, Kind: alert.EventFiring})
	}
	return c
}

// held keeps the writer busy until the test ends or release is called.
func held(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = s.writer.queue.do(context.Background(), true, 1, func(*writer) error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		<-done
	}
}

func TestAReaderWaitsForWhatWasCommittedAndNoLongerThanItMay(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "t.db"))
	if err := s.Commit(t.Context(), manyAlerts(100)); err != nil {
		t.Fatal(err)
	}
	release := held(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Alert(ctx, "a7"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the journal cannot be applied: %v", err)
	}
	release()
	if _, err := s.Alert(t.Context(), "a7"); err != nil {
		t.Error(err)
	}
}

// What a change waits for at most is one group, and one slice of the journal;
// and a slice ends within a few steps once somebody waits.
func TestTheApplierTakesTurnsWithChanges(t *testing.T) {
	q := newQueue()
	slice := func() {
		go func() { _ = q.doSlice(done) }()
		for {
			q.mu.Lock()
			there := q.slice != nil
			q.mu.Unlock()
			if there {
				return
			}
		}
	}
	change := func() { q.push(&request{rows: 1, apply: done, done: make(chan error, 1)}, true) }
	var order []bool
	serve := func() {
		group, inBackground, _ := q.next()
		order = append(order, inBackground)
		for _, r := range group {
			r.done <- nil
		}
	}
	slice()
	serve() // nobody else
	slice()
	change()
	serve()
	change()
	serve()
	serve()
	change()
	if !q.awaited() {
		t.Error("nobody is said to wait")
	}
	serve()
	if want := []bool{true, false, true, false, false}; len(order) != 5 || [5]bool(order) != [5]bool(want) {
		t.Errorf("slices %v, want %v", order, want)
	}
}

func TestASliceIsCutWithinAChangeAndGoesOnThere(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, filepath.Join(dir, "t.db"))
	const n = 200
	release := held(t, s) // the applier's own turns come later
	committed := make(chan error, 1)
	go func() { committed <- s.Commit(context.Background(), manyAlerts(n)) }()
	release()
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	never := func(time.Duration) bool { return false }
	first := true
	once := func(time.Duration) bool { was := first; first = false; return was }
	var rows []int
	for range 5 {
		first = true
		if err := s.writer.queue.do(t.Context(), false, 0, func(w *writer) error {
			if err := w.applySlice(never); err != nil {
				return err
			}
			if err := w.applySlice(once); err != nil {
				return err
			}
			rows = append(rows, w.moved.rows)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range rows {
		if n > rowsAtOnce {
			t.Errorf("%d rows between two looks at the clock", n)
		}
	}
	// As a kill in the middle leaves it.
	there := t.TempDir()
	release = held(t, s)
	for _, name := range []string{"t.db", "t.db-wal", "t.db.lock"} {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a test's own
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(there, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	release()
	for _, s := range []*Store{s, opened(t, filepath.Join(there, "t.db"))} {
		if s.Damage() != nil {
			t.Errorf("damage: %+v", s.Damage())
		}
		st, err := s.Stats(t.Context())
		if err != nil || st.Alerts != n || st.Events != n {
			t.Errorf("%d alerts and events were committed, there are %+v, %v", n, st, err)
		}
		snap, err := s.Load(t.Context())
		if err != nil || len(snap.Alerts) != n {
			t.Errorf("%d are loaded, %v", len(snap.Alerts), err)
		}
	}
}

func TestChangesCommittedWithOthersAreAppliedInTheirOrder(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "t.db"))
	for i := range 300 {
		c := store.Change{Marks: []store.Mark{{Name: "m", Value: strconv.Itoa(i)}}}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if i%50 != 0 {
			continue
		}
		snap, err := s.Load(t.Context())
		if err != nil || len(snap.Marks) != 1 || snap.Marks[0].Value != strconv.Itoa(i) {
			t.Fatalf("after %d: %+v, %v", i, snap.Marks, err)
		}
	}
}
