package pluginhost

import (
	"time"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// State is how a plugin stands.
type State string

// The states of a plugin.
const (
	Starting State = "starting" // its process is being started, or started again after a death
	Running  State = "running"
	Failing  State = "failing" // it cannot be started, or keeps dying
	Stopped  State = "stopped"
)

// Status is one plugin and how it stands.
type Status struct {
	Name, Path string
	State      State
	Since      time.Time // of State
	// FailingSince is when it began to fail; zero while it does not. It outlasts a
	// restart until the process has proved stable.
	FailingSince time.Time
	PID          int // 0 while no process runs
	// SHA256 is what the program hashed to at its last start; empty before one.
	SHA256 string
	Pinned bool // the configuration names the hash
	MTLS   bool
	// Described is what the process said last that it is.
	Described Description
	// Restarts counts the processes after the first; Deadlines those of Failures that
	// ran out of time. Calls and Failures count since the declaration last changed.
	Restarts, Calls, Failures, Deadlines uint64
	InFlight, Concurrency                int
	LastError                            string // may be empty
	LastErrorAt                          time.Time
	LogLinesDropped                      uint64
}

// Description is what a plugin says that it is.
type Description struct {
	Name, Version string
	// Notifier and Source say what it serves.
	Notifier, Source bool
	Schema           string // the JSON Schema of a receiver's or source's settings; may be empty
	Metrics          []*pluginpb.Metric
	Protocol         int // the version that was agreed on
}

// Kinds names what the plugin serves.
func (d Description) Kinds() []string {
	var kinds []string
	if d.Notifier {
		kinds = append(kinds, "notifier")
	}
	if d.Source {
		kinds = append(kinds, "source")
	}
	return kinds
}

// serves says whether the plugin serves a kind.
func (d Description) serves(kind pluginpb.Kind) bool {
	switch kind {
	case pluginpb.Kind_KIND_NOTIFIER:
		return d.Notifier
	case pluginpb.Kind_KIND_SOURCE:
		return d.Source
	case pluginpb.Kind_KIND_UNSPECIFIED:
	}
	return false
}
