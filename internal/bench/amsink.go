package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// sink takes webhooks in Alertmanager's format and remembers of each alert, by
// its label n, what was told of it.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	told []told
	left int // alerts that nothing was told of
}

// told is what was told of one alert.
type told struct {
	at               time.Time // first
	firing, resolved int
}

func newSink(alerts int) *sink {
	s := &sink{told: make([]told, alerts), left: alerts}
	s.Server = httptest.NewServer(s)
	return s
}

// ServeHTTP takes one webhook.
func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	scanWebhook(body, func(n int, firing bool) {
		if n < 0 || n >= len(s.told) {
			return
		}
		t := &s.told[n]
		if !firing {
			t.resolved++
			return
		}
		if t.firing++; t.firing == 1 {
			t.at = now
			s.left--
		}
	})
}

// scanWebhook finds the alerts of a message without reading the rest of it, so
// that the receiver takes little of the machine that it shares with the sender.
// Each alert has its status before its labels; what all share stands behind
// them.
func scanWebhook(body []byte, yield func(n int, firing bool)) {
	_, rest, _ := bytes.Cut(body, []byte(`"alerts":[`))
	rest, _, _ = bytes.Cut(rest, []byte(`"groupLabels":`))
	for {
		var ok bool
		if _, rest, ok = bytes.Cut(rest, []byte(`"status":"`)); !ok {
			return
		}
		firing := bytes.HasPrefix(rest, []byte("firing"))
		_, after, ok := bytes.Cut(rest, []byte(`"n":"`))
		if !ok {
			return
		}
		number, after, _ := bytes.Cut(after, []byte(`"`))
		if n, err := strconv.Atoi(string(number)); err == nil {
			yield(n, firing)
		}
		rest = after
	}
}

// await waits until something was told of so many alerts, and returns how many
// are missing when it takes too long.
func (s *sink) await(ctx context.Context, alerts int, most time.Duration) (missing int) {
	for limit := time.Now().Add(most); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		missing = alerts - (len(s.told) - s.left)
		s.mu.Unlock()
		if missing <= 0 || ctx.Err() != nil || time.Now().After(limit) {
			return max(0, missing)
		}
	}
}

// arrivals are the moments at which each alert was told of first.
func (s *sink) arrivals() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := make([]time.Time, len(s.told))
	for i := range s.told {
		at[i] = s.told[i].at
	}
	return at
}

// toldSum is what became of the alerts.
type toldSum struct{ told, again, unresolved, untold int }

func (s *sink) sum() toldSum {
	s.mu.Lock()
	defer s.mu.Unlock()
	return addUp(s.told)
}

func addUp(all []told) (sum toldSum) {
	for _, t := range all {
		switch {
		case t.firing == 0:
			sum.untold++
			continue
		case t.resolved == 0:
			sum.unresolved++
		}
		sum.told++
		sum.again += t.firing - 1
	}
	return sum
}
