package api

import (
	"net/http"
	"time"
)

// PluginStatus is one plugin and how it stands.
type PluginStatus struct {
	Name, Path string
	// Version, Described and Kinds are what the plugin says of itself; empty before
	// it has said anything. Kinds are notifier and source.
	Version, Described string
	Kinds              []string
	State              string // starting, running, failing or stopped
	Since              time.Time
	FailingSince       time.Time // zero while it does not fail
	PID                int       // 0 while no process runs
	SHA256             string    // of the program at its last start; may be empty
	Pinned             bool      // the configuration names the hash
	MTLS               bool
	// Restarts counts the processes after the first; Deadlines those of Failures that
	// ran out of time.
	Restarts, Calls, Failures, Deadlines uint64
	InFlight, Concurrency                int
	LastError                            string // without secrets; may be empty
	LastErrorAt                          time.Time
	LogLinesDropped                      uint64
}

type pluginDoc struct {
	Name         string   `json:"name"`
	Path         string   `json:"path"`
	Version      *string  `json:"version"`
	Described    *string  `json:"described_as"`
	Kinds        []string `json:"kinds"`
	State        string   `json:"state"`
	Since        stamp    `json:"since"`
	FailingSince stamp    `json:"failing_since"`
	PID          *int     `json:"pid"`
	SHA256       *string  `json:"sha256"`
	Pinned       bool     `json:"sha256_pinned"`
	MTLS         bool     `json:"mtls"`
	Restarts     uint64   `json:"restarts"`
	Calls        uint64   `json:"calls"`
	Failures     uint64   `json:"failures"`
	Deadlines    uint64   `json:"deadlines_missed"`
	InFlight     int      `json:"in_flight"`
	Concurrency  int      `json:"concurrency"`
	LastError    *string  `json:"last_error"`
	LastErrorAt  stamp    `json:"last_error_at"`
	LinesDropped uint64   `json:"log_lines_dropped"`
}

// getPlugins answers GET /api/v1/plugins by name.
func (s *Server) getPlugins(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	docs := []pluginDoc{}
	if s.Plugins != nil {
		all := s.Plugins()
		for i := range all {
			docs = append(docs, pluginDocOf(&all[i]))
		}
	}
	return struct {
		Plugins []pluginDoc `json:"plugins"`
	}{docs}, nil
}

func pluginDocOf(p *PluginStatus) pluginDoc {
	d := pluginDoc{
		Name: p.Name, Path: p.Path, Version: textOrNil(p.Version), Described: textOrNil(p.Described), Kinds: append([]string{}, p.Kinds...),
		State: p.State, Since: stamp(p.Since), FailingSince: stamp(p.FailingSince), SHA256: textOrNil(p.SHA256), Pinned: p.Pinned, MTLS: p.MTLS,
		Restarts: p.Restarts, Calls: p.Calls, Failures: p.Failures, Deadlines: p.Deadlines, InFlight: p.InFlight, Concurrency: p.Concurrency,
		LastError: textOrNil(cut(p.LastError, 1000)), LastErrorAt: stamp(p.LastErrorAt), LinesDropped: p.LogLinesDropped,
	}
	if p.PID != 0 {
		d.PID = &p.PID
	}
	return d
}
