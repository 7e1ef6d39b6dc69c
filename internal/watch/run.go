package watch

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// run is the state of one Run; it belongs to its goroutine.
type run struct {
	w       *Watcher
	kernel  *fsnotify.Watcher // nil where there are no events
	events  func() <-chan fsnotify.Event
	errors  func() <-chan error
	places  places
	watched map[string]bool // the folders that the kernel watches for us
	warned  bool            // that some events will not come

	poll, quiet *time.Timer
	pending     bool      // quiet is waited for
	since       time.Time // the first sign of the change
	// seen is what the last look found of it; nil when events told.
	seen map[string]Sum
}

func noEvents() <-chan fsnotify.Event { return nil }
func noErrors() <-chan error          { return nil }

func newRun(w *Watcher) *run {
	r := &run{w: w, events: noEvents, errors: noErrors, watched: map[string]bool{}, poll: stopped(), quiet: stopped()}
	kernel, err := w.notify()
	if err != nil {
		r.blind(err)
		return r
	}
	r.kernel = kernel
	r.events = func() <-chan fsnotify.Event { return kernel.Events }
	r.errors = func() <-chan error { return kernel.Errors }
	return r
}

// stopped returns a timer that does not fire until it is reset.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (r *run) close() {
	r.poll.Stop()
	r.quiet.Stop()
	if r.kernel != nil {
		if err := r.kernel.Close(); err != nil {
			r.w.Log.Warn("file watcher did not close", "error", err)
		}
	}
}

// blind tells once that the poll alone sees changes from here on.
func (r *run) blind(err error) {
	if r.warned {
		return
	}
	r.warned = true
	r.w.Log.Warn("not every change of a file will be seen at once; the poll finds the rest", "error", err)
}

// retold begins to watch what the watcher was told of, and looks whether it has
// changed since it was read.
func (r *run) retold() {
	files, patterns, every := r.w.told()
	if every == 0 {
		r.poll.Stop()
		r.quiet.Stop()
		r.pending, r.seen = false, nil
		files, patterns = nil, nil
	}
	r.arm(files, patterns)
	r.look() // what changed before the kernel watched it
	if r.w.armed != nil {
		r.w.armed()
	}
}

// arm brings the folders that the kernel watches in line with the places. A
// folder is added again though it is watched already: another one may stand in
// its place.
func (r *run) arm(files map[string]Sum, patterns []string) {
	r.places = placesOf(files, patterns)
	if r.kernel == nil {
		return
	}
	for dir := range r.watched {
		if r.places[dir] == nil {
			_ = r.kernel.Remove(dir) // it may be gone itself
			delete(r.watched, dir)
		}
	}
	for dir := range r.places {
		switch err := r.kernel.Add(dir); {
		case err == nil:
			r.watched[dir] = true
		case !errors.Is(err, fs.ErrNotExist): // that one shows above it
			r.blind(err)
		}
	}
}

func (r *run) matters(e fsnotify.Event) bool { return r.places.matters(e.Name) }

// missed is an error of the kernel's events: some may be lost.
func (r *run) missed(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		r.blind(err)
	}
	r.touched()
}

// touched notes a sign of a change and waits for quiet after it, within the
// bound.
func (r *run) touched() {
	now := time.Now()
	if !r.pending {
		r.pending, r.since = true, now
	}
	r.seen = nil
	r.wait(now)
}

func (r *run) wait(now time.Time) {
	r.quiet.Reset(min(r.w.Quiet, max(0, r.since.Add(r.w.AtMost).Sub(now))))
}

// look is the poll's: what has changed is looked at again after the quiet,
// because where no events come, nobody says that a writer is still at work.
func (r *run) look() {
	files, patterns, every := r.w.told()
	if every == 0 {
		return
	}
	r.poll.Reset(every)
	if r.pending {
		return
	}
	now := readAll(files, patterns)
	if !same(now, files) {
		r.pending, r.since, r.seen = true, time.Now(), now
		r.wait(r.since)
	}
}

// settle acts on a change once it is quiet.
func (r *run) settle(ctx context.Context, changed func(context.Context)) {
	files, patterns, _ := r.w.told()
	now := readAll(files, patterns)
	moment := time.Now()
	if !same(now, files) && r.seen != nil && !same(now, r.seen) && moment.Sub(r.since) < r.w.AtMost {
		r.seen = now
		r.wait(moment)
		return
	}
	r.pending, r.seen = false, nil
	differs := !same(now, files)
	if differs {
		r.act(ctx, now, changed)
	}
	if r.w.settled != nil {
		r.w.settled(differs)
	}
	// A link may lead elsewhere now, also where the bytes are the same.
	r.retold()
}

// act calls changed. What was found counts as read where changed does not tell
// of it: a refused configuration names no rule files, and what fits a pattern
// may be passed over. Neither must be read again and again.
func (r *run) act(ctx context.Context, found map[string]Sum, changed func(context.Context)) {
	before, generation := r.w.present()
	changed(ctx)
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.generation != generation {
		found = fitting(r.w.patterns, found) // of the rest all was told anew
	}
	for name, sum := range found {
		told, known := r.w.files[name]
		if !known || r.w.generation == generation && told == before[name] {
			r.w.files[name] = sum
		}
	}
}

// fitting returns the entries of files that fit one of the patterns.
func fitting(patterns []string, files map[string]Sum) map[string]Sum {
	out := map[string]Sum{}
	for name, sum := range files {
		if slices.ContainsFunc(patterns, func(p string) bool {
			fits, _ := filepath.Match(p, name) // a pattern that is none fits nothing
			return fits
		}) {
			out[name] = sum
		}
	}
	return out
}
