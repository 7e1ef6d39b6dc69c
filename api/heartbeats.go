package api

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/store"
)

// heartbeatDoc is one heartbeat and how it stands.
type heartbeatDoc struct {
	Name     string         `json:"name"`
	State    string         `json:"state"` // waiting until the first, then ok or late
	Every    float64        `json:"every_seconds"`
	Grace    float64        `json:"grace_seconds"`
	Severity alert.Severity `json:"severity"`
	LastBeat stamp          `json:"last_beat"` // null when none has come
	LateAt   stamp          `json:"late_at"`   // when it is late, or was late since
}

func heartbeatDocOf(h HeartbeatStatus) heartbeatDoc {
	d := heartbeatDoc{
		Name: h.Name, State: "ok", Every: h.Every.Seconds(), Grace: h.Grace.Seconds(), Severity: h.Severity,
		LastBeat: stamp(h.LastBeat), LateAt: stamp(h.LateAt),
	}
	switch {
	case h.Late:
		d.State = "late"
	case h.LastBeat.IsZero():
		d.State = "waiting"
	}
	return d
}

// getHeartbeats answers GET /api/v1/heartbeats.
func (s *Server) getHeartbeats(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	docs := []heartbeatDoc{}
	for _, h := range s.heartbeats() {
		docs = append(docs, heartbeatDocOf(h))
	}
	return struct {
		Heartbeats []heartbeatDoc `json:"heartbeats"`
	}{docs}, nil
}

func (s *Server) heartbeats() []HeartbeatStatus {
	if s.Heart == nil {
		return nil
	}
	return s.Heart.Heartbeats()
}

// postHeartbeat answers POST /api/v1/heartbeats/{name}: a sign of life. Its body
// is not read: what a job prints may be piped into it.
func (s *Server) postHeartbeat(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	name := mux.Vars(r)["name"]
	if s.Heart == nil {
		return nil, s.unknownHeartbeat(name)
	}
	switch err := s.Heart.Beat(r.Context(), name); {
	case errors.Is(err, store.ErrNotFound):
		return nil, s.unknownHeartbeat(name)
	case err != nil:
		return nil, err
	}
	for _, h := range s.heartbeats() {
		if h.Name == name {
			return heartbeatDocOf(h), nil
		}
	}
	return nil, s.unknownHeartbeat(name) // a reload has taken it away
}

func (s *Server) unknownHeartbeat(name string) *Error {
	known := s.heartbeats()
	if len(known) == 0 {
		return &Error{Status: http.StatusNotFound, Code: "heartbeats_disabled", Message: "no heartbeats are configured; add heartbeats: [{name: backup, every: 24h, grace: 1h}]"}
	}
	names := make([]string, len(known))
	for i := range known {
		names[i] = known[i].Name
	}
	hint := "; GET /api/v1/heartbeats lists them"
	if near := problem.DidYouMean(name, names); near != "" && len(name) <= 100 {
		hint = "; " + near
	}
	return notFound("there is no heartbeat " + short(name) + hint)
}
