package slack

import (
	"sync"
	"time"
)

// maxRemembered bounds what is remembered of deliveries that are under way;
// beyond it the oldest is forgotten, which costs a duplicate at worst.
const maxRemembered = 1000

// progress is how far one delivery came in the attempts before.
type progress struct {
	updated bool // the group's message shows it already
	// unanswered is that a post ended without an answer: it may be there.
	unanswered bool
	lookups    int // that failed
}

// memory is what this process knows of deliveries that it has tried. What it
// does not know, Slack's history tells.
type memory struct {
	born time.Time // deliveries from before may have been tried by another process

	mu      sync.Mutex
	known   map[string]progress // by the delivery's id
	order   []string            // oldest first
	channel string              // the ID of the configured channel; empty until Slack told
	blind   bool                // the history cannot be read
}

func newMemory(channel string) *memory {
	m := &memory{born: time.Now(), known: map[string]progress{}}
	if isChannelID(channel) {
		m.channel = channel
	}
	return m
}

func (m *memory) progress(id string) progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[id]
}

func (m *memory) note(id string, change func(*progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[id]
	if !ok {
		if len(m.order) >= maxRemembered {
			delete(m.known, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, id)
	}
	change(&p)
	m.known[id] = p
}

// forget drops a delivery that has arrived.
func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[id]; !ok {
		return
	}
	delete(m.known, id)
	for i := range m.order {
		if m.order[i] == id {
			m.order = append(m.order[:i:i], m.order[i+1:]...)
			return
		}
	}
}

func (m *memory) learnChannel(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channel = id
}

func (m *memory) knownChannel() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.channel
}

// doubtful says whether the delivery may have been posted already and whether
// looking is of any use.
func (m *memory) doubtful(id string, at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.blind && m.channel != "" && (m.known[id].unanswered || at.Before(m.born))
}

// cannotRead ends all looking: the app was not given the scope.
func (m *memory) cannotRead() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blind = true
}
