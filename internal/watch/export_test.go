package watch

import "github.com/fsnotify/fsnotify"

// OnSettled is called whenever it was quiet after a sign of a change.
func (w *Watcher) OnSettled(f func(changed bool)) { w.settled = f }

// OnArmed is called whenever what was told last is watched.
func (w *Watcher) OnArmed(f func()) { w.armed = f }

// WithoutEvents makes the kernel refuse, as it does at its limits.
func (w *Watcher) WithoutEvents(err error) {
	w.notify = func() (*fsnotify.Watcher, error) { return nil, err }
}
