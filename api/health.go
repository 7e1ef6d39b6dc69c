package api

import (
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// The services of the health document. They are also the categories whose
// alerts count for them.
const (
	serviceDatabase = "database"
	serviceCache    = "cache"
	serviceMCP      = "mcp"
)

// health is how the services are.
type health struct {
	status   source.Health
	services servicesDoc
}

type servicesDoc struct {
	Database source.Health `json:"database"`
	Cache    source.Health `json:"cache"`
	MCP      source.Health `json:"mcp"`
}

// healthDoc is the document of GET /api/health.
type healthDoc struct {
	Status    source.Health `json:"status"`
	Services  servicesDoc   `json:"services"`
	Timestamp stamp         `json:"timestamp"`
}

// getHealth answers 200 while the services are healthy or degraded and 503
// when one is unhealthy, so that a load balancer need not read the body.
func (s *Server) getHealth(*http.Request) (any, error) {
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if v.health.status == source.Unhealthy {
		status = http.StatusServiceUnavailable
	}
	return answer{status: status, body: healthDoc{v.health.status, v.health.services, stamp(time.Now())}}, nil
}

// healthOf takes for each service the worse of what its sources say and what
// the alerts of its category say. The whole is its worst service; a source
// that cannot be read, whatever it watches, leaves the monitor half blind,
// which is degraded. Unknown makes nothing worse.
func (s *Server) healthOf(all []source.Status, alerts []alert.Alert) health {
	states := map[string]source.Health{serviceDatabase: source.Unknown, serviceCache: source.Unknown, serviceMCP: source.Unknown}
	status := source.Healthy
	for _, st := range all {
		if service := s.serviceOf(st); service != "" {
			states[service] = states[service].Worse(stateOf(st))
		}
		if !st.Up && !st.LastPoll.IsZero() {
			status = status.Worse(source.Degraded)
		}
	}
	for i := range alerts {
		if known, ok := states[alerts[i].Category]; ok && alerts[i].Active() {
			states[alerts[i].Category] = known.Worse(severityHealth(alerts[i].Severity))
		}
	}
	for _, state := range states {
		status = status.Worse(state)
	}
	return health{status, servicesDoc{states[serviceDatabase], states[serviceCache], states[serviceMCP]}}
}

// serviceOf returns the service that a source belongs to, or "".
func (s *Server) serviceOf(st source.Status) string {
	if service, ok := s.Services[st.Name]; ok {
		return service
	}
	switch {
	case st.Name == serviceMCP:
		return serviceMCP
	case st.Type == "redis":
		return serviceCache
	case st.Type == "postgres":
		return serviceDatabase
	}
	return ""
}

func (s *Server) inService(all []source.Status, service string) []source.Status {
	var in []source.Status
	for _, st := range all {
		if s.serviceOf(st) == service {
			in = append(in, st)
		}
	}
	return in
}

// stateOf is what one source says of its service.
func stateOf(st source.Status) source.Health {
	state := st.Health
	if state == "" {
		state = source.Unknown
	}
	if c := st.Facts.Check; c != nil && !c.Up {
		state = state.Worse(source.Unhealthy)
	}
	return state
}

// severityHealth is what a firing alert says of its service; an info says
// nothing.
func severityHealth(s alert.Severity) source.Health {
	switch s {
	case alert.Critical:
		return source.Unhealthy
	case alert.Warning:
		return source.Degraded
	case alert.Info, alert.OK:
	}
	return source.Unknown
}
