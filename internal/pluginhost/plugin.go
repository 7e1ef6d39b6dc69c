package pluginhost

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// plugin is one declared plugin: the process that runs now, if any, and how it
// has fared.
type plugin struct {
	spec   Spec
	folder *folder
	host   *Options
	log    *slog.Logger

	retired context.Context // ends when the plugin shall
	retire  context.CancelFunc
	now     chan struct{} // ends the wait for the next start

	mu sync.Mutex
	// changed is closed and made anew at every change of state.
	changed  chan struct{}
	state    State
	since    time.Time
	instance *instance // nil unless Running
	idle     *sync.Cond
	inFlight int
	// failingSince, lastError and what follows are as in Status.
	failingSince time.Time
	lastError    error
	lastErrorAt  time.Time
	notRunning   error // why there is no process, while there is none and after
	sum          string
	described    Description
	starts       uint64
	calls        uint64
	failures     uint64
	deadlines    uint64
	dropped      uint64 // log lines of the processes before this one
	missed       int    // deadlines in a row
}

func newPlugin(spec Spec, f *folder, host *Options) *plugin {
	p := &plugin{
		spec: spec, folder: f, host: host, log: host.Log.With("plugin", spec.Name),
		now: make(chan struct{}, 1), changed: make(chan struct{}), state: Starting, since: time.Now(),
	}
	p.idle = sync.NewCond(&p.mu)
	p.retired, p.retire = context.WithCancel(context.Background())
	return p
}

// run keeps a process running until the plugin is retired, and ends then once the
// calls under way have.
func (p *plugin) run() {
	deaths := 0
	for {
		i, err := p.launch()
		started := err == nil
		if started {
			err = p.tend(i)
			if time.Since(i.startedAt) >= p.host.Pace.Stable {
				deaths = 0
			}
		}
		if p.isRetired() {
			p.enter(Stopped, nil)
			return
		}
		deaths++
		wait := p.backoff(deaths)
		p.note(err, started, deaths, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.now:
		case <-p.retired.Done():
		}
		timer.Stop()
		if p.isRetired() {
			p.enter(Stopped, nil)
			return
		}
	}
}

// tend lets a process serve calls until it dies or the plugin is retired, and
// returns why it died.
func (p *plugin) tend(i *instance) error {
	p.enter(Running, i)
	p.log.Info("plugin runs", "pid", i.process.pid, "name", i.described.Name, "version", i.described.Version, "sha256", i.program.sum)
	p.tell()
	stable := time.NewTimer(p.host.Pace.Stable)
	defer stable.Stop()
	for {
		select {
		case <-stable.C:
			p.forgive()
		case <-i.process.exited:
			p.enter(Starting, nil)
			i.close()
			return i.process.death()
		case <-p.retired.Done():
			p.drain()
			i.stop(p.host.Pace.Grace)
			p.log.Info("plugin stopped")
			return nil
		}
	}
}

// drain waits for the calls under way; each has a deadline. New ones are refused.
func (p *plugin) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move(Stopped, nil)
	for p.inFlight > 0 {
		p.idle.Wait()
	}
}

// isOutdated says whether another program stands at the path than the one that
// runs. One that cannot be run is none, for it may be about to be written. Where the
// hash is declared, it changes with the program.
func (p *plugin) isOutdated() bool {
	p.mu.Lock()
	i := p.instance
	p.mu.Unlock()
	if i == nil || p.spec.SHA256 != "" || i.program.same() {
		return false
	}
	found, err := hashProgram(p.spec.Path)
	return err == nil && found.sum != i.program.sum
}

func (p *plugin) isRetired() bool { return p.retired.Err() != nil }

// hurry ends the wait for the next start, if there is one: somebody may have
// mended what was wrong.
func (p *plugin) hurry() {
	p.mu.Lock()
	waits := p.state == Failing
	p.mu.Unlock()
	if waits {
		select {
		case p.now <- struct{}{}:
		default:
		}
	}
}

// backoff is the wait before the next start after so many deaths in a row.
func (p *plugin) backoff(deaths int) time.Duration {
	longest := min(p.host.Pace.Backoff<<min(deaths-1, 16), p.host.Pace.MaxBackoff)
	return longest - rand.N(longest/2+1) //nolint:gosec // no secret
}

// note records a death, or a process that could not be started.
func (p *plugin) note(err error, started bool, deaths int, wait time.Duration) {
	p.mu.Lock()
	p.lastError, p.lastErrorAt, p.notRunning = err, time.Now(), err
	state := Starting
	if !started || deaths >= p.host.Pace.Deaths {
		state = Failing
	}
	begins := state == Failing && p.failingSince.IsZero()
	if begins {
		p.failingSince = p.lastErrorAt
	}
	p.move(state, nil)
	p.mu.Unlock()
	p.log.Error("plugin does not run", "error", err, "deaths", deaths, "restart_in", wait.Round(time.Millisecond))
	if begins {
		p.tell()
	}
}

// forgive forgets the failures of before: the process has proved stable.
func (p *plugin) forgive() {
	p.mu.Lock()
	failed := !p.failingSince.IsZero()
	p.failingSince = time.Time{}
	p.mu.Unlock()
	if failed {
		p.tell()
	}
}

func (p *plugin) tell() {
	if p.host.OnChange != nil {
		p.host.OnChange()
	}
}

func (p *plugin) enter(s State, i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move(s, i)
}

// move changes the state and wakes whoever waits for that. mu is held.
func (p *plugin) move(s State, i *instance) {
	if i == nil && p.instance != nil {
		p.dropped += p.instance.process.log.Dropped()
	}
	if s != p.state {
		p.since = time.Now()
	}
	if i != nil {
		p.missed, p.described = 0, i.described
	}
	p.state, p.instance = s, i
	close(p.changed)
	p.changed = make(chan struct{})
}

// acquire returns the process that runs, and counts a call under way; release
// ends it. While the plugin starts it waits; when it fails it does not.
func (p *plugin) acquire(ctx context.Context) (*instance, error) {
	for {
		p.mu.Lock()
		i, state, changed, last := p.instance, p.state, p.changed, p.notRunning
		if i != nil {
			p.inFlight++
			p.mu.Unlock()
			return i, nil
		}
		p.mu.Unlock()
		switch state {
		case Failing:
			return nil, fmt.Errorf("plugin %q does not run: %w", p.spec.Name, last)
		case Stopped:
			return nil, fmt.Errorf("plugin %q is stopped", p.spec.Name)
		case Starting, Running:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if last != nil {
				return nil, fmt.Errorf("plugin %q has not started in time; before: %w", p.spec.Name, last)
			}
			return nil, fmt.Errorf("plugin %q has not started in time", p.spec.Name)
		}
	}
}

func (p *plugin) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight--; p.inFlight == 0 {
		p.idle.Broadcast()
	}
}

func (p *plugin) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{
		Name: p.spec.Name, Path: p.spec.Path, State: p.state, Since: p.since, FailingSince: p.failingSince, SHA256: p.sum, Pinned: p.spec.SHA256 != "",
		MTLS: p.spec.MTLS, Described: p.described, Calls: p.calls, Failures: p.failures, Deadlines: p.deadlines, InFlight: p.inFlight,
		LastErrorAt: p.lastErrorAt, LogLinesDropped: p.dropped, Restarts: max(p.starts, 1) - 1,
	}
	if p.lastError != nil {
		s.LastError = p.lastError.Error()
	}
	if i := p.instance; i != nil {
		s.PID, s.Concurrency = i.process.pid, i.turns.slots
		s.LogLinesDropped += i.process.log.Dropped()
	}
	return s
}
