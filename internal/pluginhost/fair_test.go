//go:build unix

package pluginhost_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// hung is a receiver whose service never answers.
func (b *bench) hung() pluginhost.Use {
	use := b.use()
	use.Name, use.Settings = "hung", []byte(`{"to":"a black hole"}`)
	return use
}

func TestWhatFailsIsNotSaidOverAndOver(t *testing.T) {
	t.Parallel()
	b := startWith(t, specOf(t, "exits"), pluginhost.DefaultPace())
	b.awaitState(pluginhost.Failing)
	for range 5 {
		if _, err := b.notify(sample()); err == nil || strings.Count(err.Error(), "does not run") != 1 {
			t.Fatal(err)
		}
	}
	if s := b.Status()[0]; strings.Contains(s.LastError, "does not run") {
		t.Error("the reason is lost:", s.LastError)
	}
}

// TestWhatWaitsForItsTurnIsNoHang: the plugin has one call at a time, each of which
// takes longer than half of its time. None of those that wait is its fault.
func TestWhatWaitsForItsTurnIsNoHang(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "slow") // 300ms
	spec.Concurrency, spec.Timeout = 1, 2*time.Second
	b := start(t, spec)
	pid := b.awaitState(pluginhost.Running).PID
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
			defer cancel()
			_, _ = b.Notify(ctx, b.use(), sample())
		})
	}
	wg.Wait()
	if s := b.Status()[0]; s.PID != pid || s.Deadlines != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOneHungReceiverLeavesTheOthersTheirTurns: it is told of many groups at a
// time, and all of them hang.
func TestOneHungReceiverLeavesTheOthersTheirTurns(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	spec.Concurrency, spec.Timeout = 8, patience
	b := start(t, spec)
	b.awaitState(pluginhost.Running)
	if _, err := b.notify(sample()); err != nil { // the other one is known
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() { _, _ = b.Notify(ctx, b.hung(), sample()) })
	}
	b.await("calls that hang", func(s pluginhost.Status) bool { return s.InFlight == 32 })
	soon, enough := context.WithTimeout(t.Context(), 5*time.Second)
	defer enough()
	if _, err := b.Notify(soon, b.use(), sample()); err != nil {
		t.Error(err)
	}
	cancel()
	wg.Wait()
}

// TestAPluginThatHangsUpAndLivesIsKilled: its process is there, and nobody
// listens any more.
func TestAPluginThatHangsUpAndLivesIsKilled(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "hangs-up"))
	pid := b.awaitState(pluginhost.Running).PID
	for range 5 {
		_, _ = b.notify(sample())
		if b.Status()[0].PID != pid {
			break
		}
	}
	b.await("a restart", func(s pluginhost.Status) bool { return s.State == pluginhost.Running && s.PID != pid })
	if !strings.Contains(b.log.String(), "it hung up") {
		t.Error(b.log.String())
	}
	wantGone(t, pid)
}

func TestAPluginThatLeavesItsGroupIsKilled(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "regroups"))
	pid := b.awaitState(pluginhost.Running).PID
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.Close()
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("it lives on")
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
		<-closed
	}
	wantGone(t, pid)
}

// TestAFolderThatACleanerWentThroughIsNotSwept: what is old in the folder for
// temporary files is removed on many machines, while the daemon lives.
func TestAFolderThatACleanerWentThroughIsNotSwept(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	pid := b.awaitState(pluginhost.Running).PID
	folders, err := filepath.Glob(filepath.Join(b.dir, "tocsin-plugins-*"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	_ = os.Remove(filepath.Join(folders[0], "lock"))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(folders[0], old, old); err != nil {
		t.Fatal(err)
	}
	second := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler), Pace: hurry(), TempDir: b.dir})
	if err := second.Apply([]pluginhost.Spec{b.spec}); err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := b.notify(sample()); err != nil || b.Status()[0].PID != pid {
		t.Error("a daemon that lives was swept:", err)
	}
}

func TestAFolderThatACleanerRemovedIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := start(t, specOf(t, "well"))
	pid := b.awaitState(pluginhost.Running).PID
	folders, err := filepath.Glob(filepath.Join(b.dir, "tocsin-plugins-*"))
	if err != nil || len(folders) != 1 || os.RemoveAll(folders[0]) != nil {
		t.Fatal(folders, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.await("a restart", func(s pluginhost.Status) bool { return s.State == pluginhost.Running && s.PID != pid })
	if info, err := os.Stat(folders[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	second := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler), Pace: hurry(), TempDir: b.dir})
	if err := second.Apply([]pluginhost.Spec{b.spec}); err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := b.notify(sample()); err != nil {
		t.Error("it was swept:", err)
	}
}

func TestASecretIsNotInAnError(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "confesses")
	spec.Env = map[string]secret.String{"PAGER_TOKEN": secret.New("tok-123456")}
	b := start(t, spec)
	_, err := b.notify(sample())
	if err == nil || !strings.Contains(err.Error(), "cannot log in with ***") || strings.Contains(b.Status()[0].LastError, "tok-") {
		t.Error(err, b.Status()[0].LastError)
	}
}
