// Package heartbeat keeps the signs of life that others send, and says which are
// late. The daemon hands it what comes in over HTTP, takes samples of it for the
// built-in rule, and keeps what must outlive a restart. It reads no clock, starts
// nothing and performs no I/O.
package heartbeat

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// The metrics. Both have the label heartbeat, and those of the configuration.
const (
	Age   = "heartbeat.age"  // seconds since the last, or since it was first known
	Late  = "heartbeat.late" // 1 while it is late
	Label = "heartbeat"
)

// Bounds of how often a sign of life is written down, and of how long one is
// waited for that was due while nobody could take it.
const (
	saveShare = 10
	maxSave   = 10 * time.Second
	maxSettle = time.Minute
)

// Spec is one heartbeat as it is configured.
type Spec struct {
	Name         string
	Every, Grace time.Duration
	Severity     alert.Severity
	Labels       alert.Labels
}

// Status is how one heartbeat stands.
type Status struct {
	Spec
	LastBeat time.Time // zero when none has come
	LateAt   time.Time // when it is late, or was late since
	Late     bool
}

// Monitor knows all heartbeats. It is safe for concurrent use.
type Monitor struct {
	started time.Time

	mu    sync.Mutex
	specs []Spec
	known map[string]*memory
}

// memory is what is remembered of one.
type memory struct {
	since time.Time // first known
	beat  time.Time // the last; zero for none
	saved time.Time // of since and beat, the later that was written down
}

// New makes a monitor of what was kept before the restart: by name, what
// Unsaved gave out. started is when the process began.
func New(kept map[string]string, started time.Time) *Monitor {
	m := &Monitor{started: started, known: map[string]*memory{}}
	for name, text := range kept {
		if one, ok := parse(text); ok {
			// A clock that was wrong must not make one on time for ever.
			one.since, one.beat = earlier(one.since, started), earlier(one.beat, started)
			one.saved = one.last()
			m.known[name] = one
		}
	}
	return m
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// last is when it was last heard of.
func (o *memory) last() time.Time {
	if o.beat.IsZero() {
		return o.since
	}
	return o.beat
}

const (
	beatWord  = "beat "  // and when the last came
	sinceWord = "since " // and when it was first known
)

func (o *memory) String() string {
	if o.beat.IsZero() {
		return sinceWord + o.since.UTC().Format(time.RFC3339Nano)
	}
	return beatWord + o.beat.UTC().Format(time.RFC3339Nano)
}

func parse(text string) (*memory, bool) {
	word, at, _ := strings.Cut(text, " ")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || word != "beat" && word != "since" {
		return nil, false
	}
	if word == "beat" {
		return &memory{since: t, beat: t}, true
	}
	return &memory{since: t}, true
}

// Configure takes the heartbeats there are from now on, and returns what is to
// be kept and, with an empty text, what need not be any more. One that is new is
// waited for from now on.
func (m *Monitor) Configure(specs []Spec, now time.Time) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.specs = slices.Clone(specs)
	keep := map[string]string{}
	names := map[string]bool{}
	for i := range specs {
		name := specs[i].Name
		names[name] = true
		if m.known[name] == nil {
			one := &memory{since: now, saved: now}
			m.known[name] = one
			keep[name] = one.String()
		}
	}
	for _, name := range slices.Collect(maps.Keys(m.known)) {
		if !names[name] {
			delete(m.known, name)
			keep[name] = ""
		}
	}
	return keep
}

// Beat notes a sign of life; false for a name that is not configured. wasLate
// says that it was late until now, and keep is what is to be kept of it; empty
// when what was kept last is new enough. Saved is called when it was.
func (m *Monitor) Beat(name string, now time.Time) (wasLate bool, keep string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return false, "", false
	}
	one := m.known[name]
	wasLate = !now.Before(one.lateAt(&m.specs[i]))
	one.beat = now
	if wait := min(m.specs[i].Every/saveShare, maxSave); now.Sub(one.saved) >= wait || one.saved.Equal(one.since) {
		keep = one.String()
	}
	return wasLate, keep, true
}

// Saved notes that what Beat gave at a time was kept.
func (m *Monitor) Saved(name string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one := m.known[name]; one != nil && at.After(one.saved) {
		one.saved = at
	}
}

func (o *memory) lateAt(s *Spec) time.Time { return o.last().Add(s.Every + s.Grace) }

// Unsaved returns what came since it was last kept, for a stop.
func (m *Monitor) Unsaved() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := map[string]string{}
	for name, one := range m.known {
		if one.beat.After(one.saved) {
			keep[name] = one.String()
		}
	}
	return keep
}

// Status returns how all stand, in the order of the configuration.
func (m *Monitor) Status(now time.Time) []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Status, len(m.specs))
	for i, s := range m.specs {
		one := m.known[s.Name]
		late := one.lateAt(&s)
		out[i] = Status{Spec: s, LastBeat: one.beat, LateAt: late, Late: !now.Before(late)}
	}
	return out
}

// Samples returns the metrics. One that became due before the process began is
// waited for once more, a minute at most, before it is called late: it may have
// come while nobody could take it. Until then nothing is said of it, so that an
// alert of before the restart stays as it is.
func (m *Monitor) Samples(base alert.Labels, now time.Time) []alert.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]alert.Sample, 0, 2*len(m.specs))
	for i := range m.specs {
		s := &m.specs[i]
		one := m.known[s.Name]
		labels := s.Labels.Merge(base).With(Label, s.Name)
		out = append(out, alert.Sample{Metric: Age, Labels: labels, Value: max(0, now.Sub(one.last()).Seconds()), At: now})
		late := one.lateAt(s)
		settles := late.Before(m.started) && now.Before(m.started.Add(min(s.Every, maxSettle)))
		switch {
		case now.Before(late):
			out = append(out, alert.Sample{Metric: Late, Labels: labels, Value: 0, At: now})
		case !settles:
			out = append(out, alert.Sample{Metric: Late, Labels: labels, Value: 1, At: now})
		}
	}
	return out
}
