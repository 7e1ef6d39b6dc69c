// Package pluginhost runs plugins: one process each, started at once, restarted
// with backoff, and killed with all that it has forked when it hangs. It is what
// the adapters of plugin receivers (notifiers/plugin) and plugin sources
// (source/plugin) share; cmd tells it which plugins there are. It retries no
// call, stores nothing, and lets no plugin inherit anything of the daemon's but
// what the configuration names.
package pluginhost

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// Spec is one plugin as it is declared.
type Spec struct {
	Name string
	Path string // of the program, absolute
	Args []string
	// Env is the whole environment of the process, but for what go-plugin adds.
	Env map[string]secret.String
	// SHA256 is what the program must hash to, in hexadecimal; empty takes any.
	SHA256 string
	// MTLS has host and plugin prove to each other who they are, with
	// certificates made anew at each start.
	MTLS bool
	// Timeout bounds one call, beside the caller's own deadline.
	Timeout time.Duration
	// Concurrency is how many calls are under way at a time; 0 is what the plugin
	// asks for, or DefaultConcurrency.
	Concurrency int
}

// DefaultConcurrency is how many calls a plugin gets at a time where neither it
// nor the configuration says.
const DefaultConcurrency = 32

// Pace is how patient the host is.
type Pace struct {
	// Start bounds the time from the start of a process to its description.
	Start time.Duration
	// Grace is how long a process may take to end once it is asked to.
	Grace time.Duration
	// Backoff is the first wait before a restart, MaxBackoff the longest: each is
	// twice the one before, less up to half of it at random.
	Backoff, MaxBackoff time.Duration
	// Stable is how long a process must run for its failures to be forgotten.
	Stable time.Duration
	// Deaths in a row, each before Stable, make a plugin count as failing.
	Deaths int
	// Deadlines in a row that were missed have the process killed.
	Deadlines int
}

// DefaultPace is what serve uses.
func DefaultPace() Pace {
	return Pace{
		Start: 10 * time.Second, Grace: 3 * time.Second, Backoff: 250 * time.Millisecond, MaxBackoff: time.Minute,
		Stable: 10 * time.Second, Deaths: 3, Deadlines: 3,
	}
}

// Options are what a host is made with. Log is required.
type Options struct {
	Log     *slog.Logger
	Version string // of Tocsin, for the plugins to know
	Pace    Pace   // zero is DefaultPace
	// TempDir is where the sockets' folder is made; empty is os.TempDir().
	TempDir string
	// OnChange is told that a plugin runs, or has begun or ceased to fail; nil for
	// nobody.
	// It must return soon.
	OnChange func()
}

// Host runs plugins. Its methods are safe for concurrent use.
type Host struct {
	options Options

	mu      sync.Mutex
	folder  *folder // nil before the first plugin
	plugins map[string]*plugin
	closed  bool
	wg      sync.WaitGroup // of every plugin's supervision
}

// New makes a host without plugins. Close ends it.
func New(o Options) *Host {
	if o.Pace == (Pace{}) {
		o.Pace = DefaultPace()
	}
	return &Host{options: o, plugins: map[string]*plugin{}}
}

// Apply brings the plugins in line with the specs: those that are new are
// started, those that changed are replaced, those that are gone are stopped once
// their calls have ended, and the others are left alone, but that one which waits
// for its next start is started now. One whose program was exchanged has changed,
// unless its hash is declared. It does not wait for any of that. An error
// means that there is no place for sockets, and that nothing was changed.
func (h *Host) Apply(specs []Spec) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if h.folder == nil && len(specs) > 0 {
		made, err := makeFolder(h.options.TempDir, h.options.Log)
		if err != nil {
			return fmt.Errorf("a folder for the sockets of plugins: %w", err)
		}
		h.folder = made
	}
	next := make(map[string]*plugin, len(specs))
	for _, spec := range specs {
		if old := h.plugins[spec.Name]; old != nil && reflect.DeepEqual(old.spec, spec) && !old.isOutdated() {
			old.hurry()
			next[spec.Name] = old
			continue
		}
		p := newPlugin(spec, h.folder, &h.options)
		next[spec.Name] = p
		h.wg.Go(p.run)
	}
	for name, old := range h.plugins {
		if next[name] != old {
			old.retire()
		}
	}
	h.plugins = next
	return nil
}

// Runs says whether a plugin of exactly this spec is one of the host's, so that
// Apply would leave it alone. It is outdated when all that Apply would replace it
// for is that another program stands at its path.
func (h *Host) Runs(spec Spec) (runs, outdated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.plugins[spec.Name]
	if p == nil || !reflect.DeepEqual(p.spec, spec) {
		return false, false
	}
	outdated = p.isOutdated()
	return !outdated, outdated
}

// Close stops every plugin once its calls have ended, waits for the processes to
// be gone, and removes their sockets. No plugin can be started after it. It may be
// called again, and on nil.
func (h *Host) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.closed = true
	for _, p := range h.plugins {
		p.retire()
	}
	h.mu.Unlock()
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.folder != nil {
		h.folder.remove()
		h.folder = nil
	}
}

// Status tells how every plugin stands, by name.
func (h *Host) Status() []Status {
	h.mu.Lock()
	names := slices.Sorted(maps.Keys(h.plugins))
	plugins := make([]*plugin, len(names))
	for i, name := range names {
		plugins[i] = h.plugins[name]
	}
	h.mu.Unlock()
	out := make([]Status, len(plugins))
	for i, p := range plugins {
		out[i] = p.status()
	}
	return out
}

func (h *Host) plugin(name string) (*plugin, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.plugins[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("plugin %q: there is no such plugin", name)
}

// Describe returns what a plugin says that it is, once it runs. The error says
// why it does not.
func (h *Host) Describe(ctx context.Context, name string) (Description, error) {
	p, err := h.plugin(name)
	if err != nil {
		return Description{}, err
	}
	i, err := p.acquire(ctx)
	if err != nil {
		return Description{}, err
	}
	defer p.release()
	return i.described, nil
}
