package sqlite

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// A change is on the disk when it is answered, whatever was written before it:
// the writer's connection is at synchronous=FULL between any two transactions.
func TestChangesAreAlwaysCommittedWithAFullSync(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	check := func(when string) {
		t.Helper()
		const full = 2
		var mode int
		err := s.writer.queue.do(t.Context(), true, 1, func(w *writer) error {
			return w.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&mode)
		})
		if err != nil || mode != full {
			t.Errorf("%s: synchronous is %d, want %d (%v)", when, mode, full, err)
		}
	}
	check("opened")
	if err := s.Commit(t.Context(), store.Change{Marks: []store.Mark{{Name: "a", Value: "b"}}}); err != nil {
		t.Fatal(err)
	}
	check("after a change")
	if _, err := s.Stats(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after the journal was applied")
	if err := s.AppendSamples(t.Context(), []alert.Sample{{Metric: "m", Value: 1, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	check("after samples")
	if err := s.writer.queue.do(t.Context(), false, 1, func(*writer) error { return errCut }); err == nil {
		t.Fatal("no error")
	}
	check("after a failure in background")
}
