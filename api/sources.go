package api

import (
	"net/http"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

type sourceDoc struct {
	Name       string        `json:"name"`
	Type       string        `json:"type"`
	Service    *string       `json:"service"`  // of the health document; null for none
	Interval   *string       `json:"interval"` // null for a source that is pushed to
	Up         bool          `json:"up"`
	Blind      bool          `json:"blind"` // it answers that the monitor may not look
	Health     source.Health `json:"health"`
	Error      *string       `json:"error"`
	Problems   []problemDoc  `json:"problems"`
	LastPoll   stamp         `json:"last_poll"`
	LastOK     stamp         `json:"last_ok"`
	PollTimeMs alert.Number  `json:"poll_time_ms"`
	Polls      uint64        `json:"polls"`
	Skipped    uint64        `json:"skipped"`
	Samples    int           `json:"samples"`
	Keys       bool          `json:"keys"` // its keys can be listed
}

type problemDoc struct {
	Query string `json:"query"`
	Error string `json:"error"`
}

// getSources answers GET /api/v1/sources, sorted by name.
func (s *Server) getSources(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	all := s.Board.All()
	docs := make([]sourceDoc, 0, len(all))
	for _, st := range all {
		docs = append(docs, s.sourceDocOf(st))
	}
	return struct {
		Sources []sourceDoc `json:"sources"`
	}{docs}, nil
}

func (s *Server) sourceDocOf(st source.Status) sourceDoc {
	d := sourceDoc{
		Name: st.Name, Type: st.Type, Up: st.Up, Blind: st.Blind,
		Health: stateOf(st), Problems: make([]problemDoc, 0, len(st.Problems)),
		LastPoll: stamp(st.LastPoll), LastOK: stamp(st.LastOK), PollTimeMs: alert.Unknown(),
		Polls: st.Polls, Skipped: st.Skipped, Samples: st.Samples,
	}
	if st.Interval > 0 {
		interval := units.Duration(st.Interval)
		d.Interval = &interval
	}
	if service := s.serviceOf(st); service != "" {
		d.Service = &service
	}
	if st.Error != "" {
		d.Error = &st.Error
	}
	for _, p := range st.Problems {
		if p.Err != nil {
			d.Problems = append(d.Problems, problemDoc{p.Query, p.Err.Error()})
		}
	}
	if !st.LastPoll.IsZero() {
		d.PollTimeMs = rounded(alert.Number(float64(st.PollTime.Microseconds()) / 1000))
	}
	_, d.Keys = s.Keys[st.Name]
	return d
}
