package file

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

// A process of its own is not needed for a full disk: a tmpfs would need rights, but
// a limit on the file's size stops a write in its middle as a full disk does.
func TestAWriteThatStopsInItsMiddleIsWrittenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := newNotifier(t, path, nil)
	tell(t, f, notifiertest.Sample(alert.Firing, 1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limited := before
	limited.Cur = uint64(info.Size()) + 100 //nolint:gosec // a size is not negative
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	_, err = f.Notify(t.Context(), notifiertest.Sample(alert.Firing, 2))
	if back := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); back != nil {
		t.Fatal(back)
	}
	if !errors.Is(err, syscall.EFBIG) || notifiers.IsPermanent(err) {
		t.Fatalf("%v", err)
	}
	tell(t, f, notifiertest.Sample(alert.Firing, 2))
	text := read(t, path)
	if got := len(text) - int(info.Size()); got < 1000 || text[info.Size()+100] != '\n' {
		t.Errorf("%d bytes more, %q after the line that was cut off", got, text[info.Size()+100])
	}
}

func TestAPipeIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newNotifier(t, path, nil).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1)); err == nil || notifiers.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}
