package engine

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/tocsin-dev/tocsin/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStoppedEngineSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Options{Setup: setup(t, lowHitRate()), Store: newMemory(), Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
		run(t, e)()
		if err := e.Ingest(t.Context(), source.Batch{}); !errors.Is(err, ErrStopped) {
			t.Errorf("ingest: %v", err)
		}
		if err := e.Reload(t.Context(), setup(t)); !errors.Is(err, ErrStopped) {
			t.Errorf("reload: %v", err)
		}
	})
}
