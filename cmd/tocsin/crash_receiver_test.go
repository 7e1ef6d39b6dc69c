//go:build unix

package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a webhook receiver that writes down everything that comes, in the
// order in which it came. It is sent whole notifications as JSON.
type sink struct {
	t    *testing.T
	name string
	URL  string

	mu      sync.Mutex
	came    []arrival
	bodies  map[string]string // by webhook-id
	open    map[net.Conn]bool
	behaves behaviour
}

// behaviour says what a receiver answers to its nth request and after how long;
// nil says yes at once.
type behaviour func(nth int) (status int, after time.Duration)

// arrival is one request.
type arrival struct {
	id    string // its webhook-id
	taken bool   // it was answered 200 to whoever asked
	note  note
}

// note is what a notification says.
type note struct {
	ID, Kind, Reason string
	Group            string    `json:"group_key"`
	Opened           time.Time `json:"opened"`
	Seq              int64     `json:"seq"`
	Status           string    `json:"status"`
	Alerts           []struct {
		ID, Rule, State, Severity string
		Labels                    map[string]string
	}
}

// sinkBody is the template that sends everything.
const sinkBody = `'{{ json . }}'`

func newSink(t *testing.T, name string, b behaviour) *sink {
	t.Helper()
	s := &sink{t: t, name: name, bodies: map[string]string{}, open: map[net.Conn]bool{}, behaves: b}
	server := httptest.NewUnstartedServer(s)
	server.Config.ConnState = s.note
	server.Start()
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *sink) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.open[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.open, c)
	case http.StateActive, http.StateIdle:
	}
}

// ServeHTTP takes a notification. A delay ends when whoever asked is gone.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was killed while it wrote
	}
	a := arrival{id: r.Header.Get("Webhook-Id")}
	if err := json.Unmarshal(body, &a.note); err != nil || a.id == "" || a.note.ID != a.id {
		s.t.Errorf("%s: %q came with %v\n%s", s.name, a.id, err, body)
		return
	}
	s.mu.Lock()
	nth := len(s.came)
	s.came = append(s.came, a)
	if before, ok := s.bodies[a.id]; ok && before != string(body) {
		s.t.Errorf("%s: %s came with two bodies:\n%s\n%s", s.name, a.id, before, body)
	}
	s.bodies[a.id] = string(body)
	status, after := http.StatusOK, time.Duration(0)
	if s.behaves != nil {
		status, after = s.behaves(nth)
	}
	s.mu.Unlock()
	if after > 0 {
		select {
		case <-time.After(after):
		case <-r.Context().Done():
			return
		}
	}
	if status == http.StatusOK {
		s.mu.Lock()
		s.came[nth].taken = true
		s.mu.Unlock()
	}
	w.WriteHeader(status)
}

// set changes how it behaves.
func (s *sink) set(b behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaves = b
}

// arrivals returns what came until now.
func (s *sink) arrivals() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrival(nil), s.came...)
}

// said lists what it took of a rule's alerts: "critical firing, critical resolved".
func (s *sink) said(rule string) string {
	var out []string
	for _, a := range s.arrivals() {
		for _, alert := range a.note.Alerts {
			if a.taken && alert.Rule == rule {
				out = append(out, alert.Severity+" "+alert.State)
			}
		}
	}
	return strings.Join(out, ", ")
}

// quiet says that nothing that was sent to it is still on its way.
func (s *sink) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0
}

// repeats counts the notifications that it took again.
func (s *sink) repeats() int {
	taken, again := map[string]bool{}, 0
	for _, a := range s.arrivals() {
		if a.taken && taken[a.id] {
			again++
		}
		taken[a.id] = taken[a.id] || a.taken
	}
	return again
}
