package watch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/watch"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// world is a folder that is watched as a daemon watches its configuration:
// whatever changes is read anew.
type world struct {
	t        *testing.T
	dir      string
	files    []string // as the configuration names them
	patterns []string
	watcher  *watch.Watcher
	log      bytes.Buffer
	every    time.Duration
	options  watch.Options

	reloads chan map[string]string
	settled chan bool
	// during is called in a reload, before it reads; nil is nothing.
	during   func()
	refuse   bool   // reloads are refused: only the first file is read
	passOver string // fits a pattern and is not read
}

func newWorld(t *testing.T) *world {
	t.Helper()
	// The temporary folder itself may be behind a link.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, dir: dir, every: time.Hour, options: watch.Options{Quiet: 50 * time.Millisecond, AtMost: 2 * time.Second}, reloads: make(chan map[string]string, 100), settled: make(chan bool, 100)}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// load reads the files as a load of the configuration does.
func (w *world) load() (map[string]watch.Sum, map[string]string) {
	names := w.files
	for _, p := range w.patterns {
		found, _ := filepath.Glob(w.path(p))
		for _, name := range found {
			rel, _ := filepath.Rel(w.dir, name)
			if rel == w.passOver {
				continue
			}
			names = append(names[:len(names):len(names)], rel)
		}
	}
	if w.refuse {
		names = names[:1]
	}
	sums, texts := map[string]watch.Sum{}, map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(w.path(name))
		if err != nil {
			sums[w.path(name)] = watch.Sum{}
			continue
		}
		sums[w.path(name)], texts[name] = watch.SumOf(data), string(data)
	}
	return sums, texts
}

// start watches, by the kernel's events unless limit says why there are none.
func (w *world) start(limit error) {
	w.t.Helper()
	w.options.Log = slog.New(slog.NewTextHandler(&w.log, nil))
	w.watcher = watch.New(w.options)
	w.watcher.OnSettled(func(changed bool) { w.settled <- changed })
	armed := make(chan struct{})
	w.watcher.OnArmed(sync.OnceFunc(func() { close(armed) }))
	if limit != nil {
		w.watcher.WithoutEvents(limit)
	}
	patterns := make([]string, 0, len(w.patterns))
	for _, p := range w.patterns {
		patterns = append(patterns, w.path(p))
	}
	refuse := w.refuse
	w.refuse = false // the start is not
	sums, _ := w.load()
	w.refuse = refuse
	w.watcher.Watch(sums, patterns, w.every)
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- w.watcher.Run(ctx, func(context.Context) {
			if w.during != nil {
				w.during()
			}
			sums, texts := w.load()
			if w.refuse {
				w.watcher.Note(sums, patterns)
			} else {
				w.watcher.Watch(sums, patterns, w.every)
			}
			w.reloads <- texts
		})
	}()
	<-armed
	w.t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Errorf("Run returned %v", err)
		}
	})
}

// await waits for the next reload and what it read.
func (w *world) await() map[string]string {
	w.t.Helper()
	select {
	case texts := <-w.reloads:
		return texts
	case <-time.After(patience):
		w.t.Fatal("no reload")
		return nil
	}
}

// awaitText waits until a reload has read the text; those on the way to it are
// counted.
func (w *world) awaitText(name, text string) (reloads int) {
	w.t.Helper()
	for {
		reloads++
		if got := w.await(); got[name] == text {
			return reloads
		}
	}
}

// awaitNothing waits until a sign of a change was looked at and found to be
// none.
func (w *world) awaitNothing() {
	w.t.Helper()
	for {
		select {
		case changed := <-w.settled:
			if !changed {
				return
			}
		case <-time.After(patience):
			w.t.Fatal("nobody looked")
		}
	}
}

func TestEveryWayOfChangingAFileIsSeen(t *testing.T) {
	t.Parallel()
	replace := func(w *world, name, text string) {
		w.write("."+name+".swp", text)
		w.must(os.Rename(w.path("."+name+".swp"), w.path(name)))
	}
	for _, tt := range []struct {
		name   string
		change func(w *world)
	}{
		{"written in place", func(w *world) { w.write("rules.yaml", "new") }},
		{"another renamed over it", func(w *world) { replace(w, "rules.yaml", "new") }},
		{"moved away and written anew", func(w *world) {
			w.must(os.Rename(w.path("rules.yaml"), w.path("rules.yaml~")))
			w.write("rules.yaml", "new")
		}},
		{"removed, and later there again", func(w *world) {
			w.must(os.Remove(w.path("rules.yaml")))
			if got := w.await(); len(got) != 0 {
				w.t.Errorf("read %v after the removal", got)
			}
			w.write("rules.yaml", "new")
		}},
		{"a link in its place", func(w *world) {
			w.write("other", "new")
			w.must(os.Symlink("other", w.path(".l")))
			w.must(os.Rename(w.path(".l"), w.path("rules.yaml")))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.files = []string{"rules.yaml"}
			w.write("rules.yaml", "old")
			w.start(nil)
			tt.change(w)
			w.awaitText("rules.yaml", "new")
			replace(w, "rules.yaml", "newer") // and the next change too
			w.awaitText("rules.yaml", "newer")
		})
	}
}

// Kubernetes mounts a ConfigMap as links through ..data, and exchanges that.
func TestASwapOfTheFolderBehindALinkIsSeen(t *testing.T) {
	t.Parallel()
	for _, named := range []string{"rules.yaml", "*.yaml"} {
		t.Run(named, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if named == "rules.yaml" {
				w.files = []string{named}
			} else {
				w.patterns = []string{named}
			}
			version := func(n, text string) {
				w.must(os.Mkdir(w.path("..v"+n), 0o700))
				w.write("..v"+n+"/rules.yaml", text)
				w.must(os.Symlink("..v"+n, w.path("..data_tmp")))
				w.must(os.Rename(w.path("..data_tmp"), w.path("..data")))
			}
			version("1", "one")
			w.must(os.Symlink("..data/rules.yaml", w.path("rules.yaml")))
			w.start(nil)
			for _, n := range []string{"2", "3"} {
				version(n, "version "+n)
				w.awaitText("rules.yaml", "version "+n)
				w.must(os.RemoveAll(w.path("..v1")))
			}
			w.write("..v3/rules.yaml", "in place") // the folder that it leads to now
			w.awaitText("rules.yaml", "in place")
		})
	}
}

func TestTheFolderItselfMayGoAndComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"etc/conf/rules.yaml"}
	w.must(os.MkdirAll(w.path("etc/conf"), 0o700))
	w.write("etc/conf/rules.yaml", "old")
	w.start(nil)
	w.must(os.RemoveAll(w.path("etc")))
	w.await()
	w.must(os.MkdirAll(w.path("next/conf"), 0o700))
	w.write("next/conf/rules.yaml", "new")
	w.must(os.Rename(w.path("next"), w.path("etc")))
	w.awaitText("etc/conf/rules.yaml", "new")
}

func TestFilesThatComeToFitAPatternAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files, w.patterns = []string{"tocsin.yaml"}, []string{"rules/*.yaml", "teams/*/alerts.yaml"}
	w.write("tocsin.yaml", "config")
	w.must(os.MkdirAll(w.path("rules"), 0o700))
	w.must(os.MkdirAll(w.path("teams"), 0o700))
	w.write("rules/a.yaml", "a")
	w.start(nil)
	w.write("rules/b.yaml", "b")
	w.awaitText("rules/b.yaml", "b")
	w.write("rules/b.yaml", "b2")
	w.awaitText("rules/b.yaml", "b2")
	w.must(os.Remove(w.path("rules/a.yaml")))
	if got, gone := w.await(), "rules/a.yaml"; got[gone] != "" {
		t.Errorf("read %v", got)
	}
	w.must(os.MkdirAll(w.path("new/web"), 0o700))
	w.must(os.Rename(w.path("new/web"), w.path("teams/web")))
	w.awaitNothing() // a folder alone is nothing, but from now on it is watched
	w.write("teams/web/alerts.yaml", "t")
	w.awaitText("teams/web/alerts.yaml", "t")
	w.write("rules/notes.txt", "fits nothing")
	w.write("rules/.tocsin-c.yaml-X.tmp", "a temporary file of ours")
	w.write("rules/c.yaml", "c")
	w.awaitText("rules/c.yaml", "c")
}

// What fits a pattern and is not read all the same, as a second path of one
// file, is no reason to read again and again.
func TestWhatIsPassedOverIsReadOnceAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files, w.patterns, w.every = []string{"rules.yaml"}, []string{"*.yaml"}, 10*time.Millisecond
	w.passOver = "copy.yaml"
	w.write("rules.yaml", "old")
	w.write("copy.yaml", "passed over")
	w.start(nil)
	w.write("rules.yaml", "new")
	w.awaitText("rules.yaml", "new")
	for range 3 {
		w.write("rules.yaml", "new")
		w.awaitNothing()
	}
	w.write("rules.yaml", "newer")
	if n := w.awaitText("rules.yaml", "newer"); n > 2 {
		t.Errorf("%d reloads", n)
	}
}

func TestASlowWriterIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml"}
	w.write("rules.yaml", "old")
	w.start(nil)
	f, err := os.Create(w.path("rules.yaml"))
	w.must(err)
	whole := ""
	for range 40 { // 400 ms, with pauses shorter than the quiet
		_, err := f.WriteString("chunk ")
		w.must(err)
		whole += "chunk "
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // the writer is slow, nothing waits for it
	}
	w.must(f.Close())
	// A machine that is busy may stretch a pause; it cannot do so 40 times.
	if n := w.awaitText("rules.yaml", whole); n > 10 {
		t.Errorf("%d reloads for one slow write", n)
	}
}

func TestAWriterWithoutEndIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml"}
	w.write("rules.yaml", "old")
	w.options.Quiet, w.options.AtMost = time.Hour, 200*time.Millisecond
	w.start(nil)
	patient := time.After(patience)
	for i := 0; ; i++ {
		w.write("rules.yaml", strings.Repeat("x", i+1))
		select {
		case <-w.reloads:
			return
		case <-patient:
			t.Fatal("no reload")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestTheSameBytesAreNoChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml"}
	w.write("rules.yaml", "text")
	w.start(nil)
	w.write("rules.yaml", "text")
	w.awaitNothing()
	w.must(os.Chtimes(w.path("rules.yaml"), time.Now(), time.Now().Add(time.Hour)))
	w.awaitNothing()
	w.write("new", "text")
	w.must(os.Rename(w.path("new"), w.path("rules.yaml")))
	w.awaitNothing()
	w.write("rules.yaml", "other")
	if n := w.awaitText("rules.yaml", "other"); n != 1 {
		t.Errorf("%d reloads", n)
	}
}

func TestAChangeDuringAReloadIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml", "other.yaml"}
	w.write("rules.yaml", "old")
	w.write("other.yaml", "old")
	w.during = func() {
		w.during = nil
		sums, _ := w.load()
		w.write("rules.yaml", "newest") // after it was read
		w.watcher.Watch(sums, nil, w.every)
		w.during = func() {}
	}
	first := make(chan struct{})
	during := w.during
	w.during = func() { during(); close(first); w.during = nil }
	w.start(nil)
	w.write("rules.yaml", "new")
	<-first
	w.awaitText("rules.yaml", "newest")
}

// A network file system, a bind mount and exhausted limits give no events.
func TestThePollSeesWhatNoEventTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files, w.patterns, w.every = []string{"rules.yaml"}, []string{"rules/*.yaml"}, 10*time.Millisecond
	w.must(os.Mkdir(w.path("rules"), 0o700))
	w.write("rules.yaml", "old")
	w.start(syscall.EMFILE)
	w.write("rules.yaml", "new")
	w.awaitText("rules.yaml", "new")
	w.write("rules/a.yaml", "a")
	w.awaitText("rules/a.yaml", "a")
	if n := strings.Count(w.log.String(), "level=WARN"); n != 1 || !strings.Contains(w.log.String(), "too many open files") {
		t.Errorf("%d warnings:\n%s", n, w.log.String())
	}
}

func TestWhatChangedBeforeTheStartIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml"}
	w.write("rules.yaml", "old")
	stale := map[string]watch.Sum{w.path("rules.yaml"): watch.SumOf([]byte("older"))}
	w.start(nil)
	w.watcher.Watch(stale, nil, w.every)
	w.awaitText("rules.yaml", "old")
}

// A configuration that is refused as a whole names no rule files: they are
// watched all the same, and read once a change.
func TestARefusedReloadIsNotTriedAgainUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files, w.every = []string{"tocsin.yaml", "rules.yaml"}, 10*time.Millisecond
	w.write("tocsin.yaml", "config")
	w.write("rules.yaml", "old")
	w.refuse = true
	w.start(nil)
	for _, text := range []string{"one", "two", "three"} {
		w.write("rules.yaml", text)
		w.await()
		w.write("tocsin.yaml", "config") // the same
		w.awaitNothing()
		if n := len(w.reloads); n != 0 {
			t.Errorf("%d more reloads after %s", n, text)
		}
	}
}

func TestNothingIsWatchedWhileSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = []string{"rules.yaml"}
	w.write("rules.yaml", "old")
	w.every = 0
	w.start(nil)
	w.write("rules.yaml", "ignored")
	w.every = 10 * time.Millisecond
	sums, _ := w.load()
	w.watcher.Watch(sums, nil, w.every)
	w.write("rules.yaml", "new")
	if n := w.awaitText("rules.yaml", "new"); n != 1 {
		t.Errorf("%d reloads", n)
	}
}
