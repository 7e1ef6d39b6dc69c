package sqlite_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tocsin-dev/tocsin/store/sqlite"
	"github.com/tocsin-dev/tocsin/store/storetest"
)

// TestMain plays the child's part when a test has started this binary again.
func TestMain(m *testing.M) {
	if part := os.Getenv(childPart); part != "" {
		os.Exit(child(part, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func TestTheSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Driver { return open(t, filepath.Join(t.TempDir(), "t.db")) })
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	return openWith(t, path, sqlite.Options{})
}

func openWith(t testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path, opts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
