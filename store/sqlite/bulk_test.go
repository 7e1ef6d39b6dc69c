package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func TestWhatWasWrittenTogetherIsNotKeptInMemory(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "t.db"))
	began := time.UnixMilli(1_790_000_000_000).UTC()
	var c store.Change
	for i := range 8 {
		fp := alert.Fingerprint(i + 1) //nolint:gosec // a count
		c.Alerts = append(c.Alerts, alert.Alert{
			ID: alert.NewID(fp, began), Fingerprint: fp, Rule: "r", State: alert.Firing, Severity: alert.Warning, Worst: alert.Warning,
			Message: strings.Repeat("x", maxKeptBytes/4), PendingAt: began, StartsAt: began, UpdatedAt: began,
		})
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.caughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.writer.queue.do(t.Context(), false, 1, func(w *writer) error {
		b := &w.stmts.alerts
		kept := cap(b.docs)
		for _, arg := range b.args[:cap(b.args)] {
			if text, ok := arg.Value.(string); ok {
				kept += len(text)
			}
		}
		if cap(b.args) == 0 || kept > maxKeptBytes {
			t.Errorf("of %d values %d bytes are kept", cap(b.args), kept)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
