package source

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Status is what is known of one source after its last poll.
type Status struct {
	Name, Type string
	Interval   time.Duration
	Up         bool // the last poll succeeded
	Blind      bool
	Health     Health
	Facts      Facts
	Error      string // of the last poll; empty after success
	Problems   []Problem
	LastPoll   time.Time // zero before the first
	LastOK     time.Time // zero before the first success
	PollTime   time.Duration
	Polls      uint64
	Skipped    uint64
	Samples    int // in the last reading
}

// Board holds the last status of every source, for those who read: the API,
// and the metrics of the daemon itself. It is safe for concurrent use.
type Board struct {
	mu      sync.RWMutex
	sources map[string]Status
	version uint64
}

// NewBoard returns an empty board.
func NewBoard() *Board { return &Board{sources: map[string]Status{}} }

// Set puts up a source's status.
func (b *Board) Set(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources[s.Name] = s
	b.version++
}

// Remove takes a source off the board.
func (b *Board) Remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sources, name)
	b.version++
}

// Version rises with every change of the board.
func (b *Board) Version() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.version
}

// All returns every source's status, sorted by name.
func (b *Board) All() []Status {
	b.mu.RLock()
	all := make([]Status, 0, len(b.sources))
	for _, s := range b.sources {
		all = append(all, s)
	}
	b.mu.RUnlock()
	slices.SortFunc(all, func(x, y Status) int { return strings.Compare(x.Name, y.Name) })
	return all
}
