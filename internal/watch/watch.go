// Package watch tells when files have other content than they had when they
// were read. cmd/tocsin runs it over the configuration and everything that the
// configuration names. It judges by the hash of the bytes, so that a touch or a
// rewrite of the same text is nothing; the kernel's events only say when to
// look, and a slow poll looks where there are none: network file systems, bind
// mounts, exhausted limits. It parses nothing and writes nothing.
package watch

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options are what a watcher is made with.
type Options struct {
	// Quiet is how long nothing may happen before what changed is acted on: a
	// writer may need several writes.
	Quiet time.Duration
	// AtMost bounds the wait for quiet, from the first sign of a change.
	AtMost time.Duration
	Log    *slog.Logger
}

// Default returns the options where nobody has reason for others.
func Default(log *slog.Logger) Options {
	return Options{Quiet: 300 * time.Millisecond, AtMost: 3 * time.Second, Log: log}
}

// Watcher watches what it was last told to. Watch and Note may be called from
// any goroutine, also by what Run calls; Run is called once.
type Watcher struct {
	Options
	retold chan struct{} // holds one when told anew
	notify func() (*fsnotify.Watcher, error)
	// For tests, else nil: settled is called when it was quiet, armed when
	// everything is watched.
	settled func(changed bool)
	armed   func()

	mu       sync.Mutex // guards what follows
	files    map[string]Sum
	patterns []string
	every    time.Duration
	// generation counts the calls of Watch.
	generation uint64
}

// New makes a watcher of nothing; Run starts it.
func New(o Options) *Watcher {
	return &Watcher{Options: o, retold: make(chan struct{}, 1), notify: fsnotify.NewWatcher, files: map[string]Sum{}}
}

// Watch puts other files in the place of those watched so far, with the hash
// that each had when it was read; the zero Sum is a file that was not there.
// Patterns, as of filepath.Match, name files that may come. Relative paths are
// those of the working directory. every is the interval of the poll; with 0
// nothing is watched until the next call.
func (w *Watcher) Watch(files map[string]Sum, patterns []string, every time.Duration) {
	w.mu.Lock()
	w.files, w.patterns, w.every = map[string]Sum{}, nil, every
	w.generation++
	w.mu.Unlock()
	w.Note(files, patterns)
}

// Note adds files and patterns to those watched: what was read by a load that
// was refused, so that it is not read again until something changes.
func (w *Watcher) Note(files map[string]Sum, patterns []string) {
	w.mu.Lock()
	for name, sum := range files {
		w.files[absolute(name)] = sum
	}
	for _, p := range patterns {
		if p = absolute(p); !slices.Contains(w.patterns, p) {
			w.patterns = append(w.patterns, p)
		}
	}
	w.mu.Unlock()
	select {
	case w.retold <- struct{}{}:
	default: // it will find this too
	}
}

// absolute leaves a path as it is where the working directory is gone.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// told returns copies of what is watched.
func (w *Watcher) told() (files map[string]Sum, patterns []string, every time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.files), append([]string(nil), w.patterns...), w.every
}

// present returns a copy of what the files were when they were read.
func (w *Watcher) present() (map[string]Sum, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.files), w.generation
}

// Run calls changed, from this goroutine, whenever a file that is watched has
// other content than it was told of, until ctx ends, and returns ctx's error.
// changed reads the files anew and says so with Watch or Note; what changes
// while it is at work is found after it.
func (w *Watcher) Run(ctx context.Context, changed func(context.Context)) error {
	r := newRun(w)
	defer r.close()
	r.retold()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.retold:
			r.retold()
		case e, open := <-r.events():
			if !open {
				r.events = noEvents
			} else if r.matters(e) {
				r.touched()
			}
		case err, open := <-r.errors():
			if open {
				r.missed(err)
			}
		case <-r.poll.C:
			r.look()
		case <-r.quiet.C:
			r.settle(ctx, changed)
		}
	}
}
