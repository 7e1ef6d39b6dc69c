package redis

import (
	"fmt"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// The words of source.Cache.Status.
const (
	statusConnected    = "connected"
	statusDisconnected = "disconnected"
	statusLoading      = "loading"
	statusBusy         = "busy"
	statusUnknown      = "unknown"
)

// failed is the reading of a poll in which no server served.
func (s *Source) failed(views []view, problems []source.Problem) (source.Reading, error) {
	v := worst(views)
	kind, timeout := classify(v.err)
	if timeout {
		s.silent++
	} else {
		s.silent = 0
	}
	r := source.Reading{Problems: problems}
	if timeout && s.silent < 2 {
		// One lost packet or one long pause of the machine is not an outage, and
		// what was known stays.
		r.Health = source.Degraded
		return r, fmt.Errorf("no answer in time: %w", v.err)
	}
	r.Facts.Cache = &source.Cache{Status: statusUnknown}
	switch kind {
	case source.Down:
		r.Add("redis.up", 0)
		r.Facts.Cache.Status = statusDisconnected
	case source.Busy:
		r.Add("redis.up", 0)
		r.Facts.Cache.Status = statusBusy
	case source.Full:
		r.Add("redis.up", 0)
		r.Add("redis.client_usage", 100)
		r.Facts.Cache.Status = statusDisconnected
	case source.Starting:
		s.starting(&r, v)
	case source.Blind, source.Garbled:
	}
	return r, &source.Fault{Kind: kind, Err: v.err}
}

// starting adds what INFO told beside the refusal. The numbers of a server
// that serves nothing are left out: they would look like a fall.
func (s *Source) starting(r *source.Reading, v view) {
	loading := isLoading(v)
	r.Add("redis.loading", b01(loading))
	status := statusConnected
	if loading {
		status = statusLoading
	}
	if v.info == nil {
		r.Facts.Cache.Status = status
		return
	}
	r.StartedAt = v.node.started
	if up, ok := v.info.number("uptime_in_seconds"); ok {
		r.Add("redis.uptime", up)
	}
	addLink(r, []view{v})
	r.Facts.Cache = cacheFacts([]view{v}, nil, float64(s.cfg.MemoryLimit))
	r.Facts.Cache.Status = status
}

// worst returns the view whose error says most: of several primaries that fail
// differently, the one that is down.
func worst(views []view) view {
	w := views[0]
	for _, v := range views[1:] {
		if weight(v.err) > weight(w.err) {
			w = v
		}
	}
	return w
}

func weight(err error) int {
	kind, timeout := classify(err)
	switch kind {
	case source.Down:
		if timeout {
			return 1 // silence is known better the second time
		}
		return 5
	case source.Full:
		return 4
	case source.Busy:
		return 3
	case source.Starting:
		return 2
	case source.Blind, source.Garbled:
		return 0
	}
	return 0
}

func isLoading(v view) bool {
	if v.info["loading"] == "1" {
		return true
	}
	return v.err != nil && strings.Contains(v.err.Error(), "LOADING ")
}

// newest returns when the youngest of the processes started: a cluster is as
// cold as its coldest primary.
func newest(views []view) time.Time {
	var t time.Time
	for _, v := range views {
		if v.node.started.After(t) {
			t = v.node.started
		}
	}
	return t
}

func b01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
