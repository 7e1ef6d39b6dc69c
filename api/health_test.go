package api_test

import (
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

func TestHealth(t *testing.T) {
	at := func(name, kind string, h source.Health) source.Status {
		s := up(name, kind, source.Facts{})
		s.Health, s.Up = h, h == source.Healthy || h == source.Degraded
		if h == source.Unknown {
			s = source.Status{Name: name, Type: kind, Health: h}
		}
		return s
	}
	firing := func(category string, s alert.Severity) alert.Alert {
		return fired("r", category, "m", "", s, tenOClock())
	}
	pending := func(category string, s alert.Severity) alert.Alert {
		a := firing(category, s)
		a.State = alert.Pending
		return a
	}
	unread := func(name, kind string) source.Status {
		s := up(name, kind, source.Facts{})
		s.Up, s.Health = false, source.Unhealthy
		return s
	}
	failing := up("mcp", "http", source.Facts{Check: &source.Check{Up: false}})

	for _, tt := range []struct {
		name                         string
		sources                      []source.Status
		alerts                       []alert.Alert
		status, database, cache, mcp string
		code                         int
	}{
		{"nobody looks", nil, nil, "healthy", "unknown", "unknown", "unknown", 200},
		{
			"all is well",
			[]source.Status{at("db", "postgres", "healthy"), at("c", "redis", "healthy"), at("mcp", "http", "healthy")},
			nil, "healthy", "healthy", "healthy", "healthy", 200,
		},
		{"not read yet", []source.Status{at("c", "redis", "unknown")}, nil, "healthy", "unknown", "unknown", "unknown", 200},
		{"a degraded source", []source.Status{at("c", "redis", "degraded"), at("d", "postgres", "healthy")}, nil, "degraded", "healthy", "degraded", "unknown", 200},
		{"an unhealthy source", []source.Status{at("c", "redis", "unhealthy"), at("d", "postgres", "healthy")}, nil, "unhealthy", "healthy", "unhealthy", "unknown", 503},
		{"the worse of two sources", []source.Status{at("a", "redis", "healthy"), at("b", "redis", "degraded")}, nil, "degraded", "unknown", "degraded", "unknown", 200},
		{"a warning of its category", []source.Status{at("c", "redis", "healthy")}, []alert.Alert{firing("cache", alert.Warning)}, "degraded", "unknown", "degraded", "unknown", 200},
		{"a critical of its category", []source.Status{at("d", "postgres", "healthy")}, []alert.Alert{firing("database", alert.Critical)}, "unhealthy", "unhealthy", "unknown", "unknown", 503},
		{"an info changes nothing", []source.Status{at("c", "redis", "healthy")}, []alert.Alert{firing("cache", alert.Info)}, "healthy", "unknown", "healthy", "unknown", 200},
		{"a pending alert changes nothing", []source.Status{at("c", "redis", "healthy")}, []alert.Alert{pending("cache", alert.Critical)}, "healthy", "unknown", "healthy", "unknown", 200},
		{"an alert of another category", []source.Status{at("c", "redis", "healthy")}, []alert.Alert{firing("memory", alert.Critical)}, "healthy", "unknown", "healthy", "unknown", 200},
		{"an alert does not heal", []source.Status{at("c", "redis", "unhealthy")}, []alert.Alert{firing("cache", alert.Warning)}, "unhealthy", "unknown", "unhealthy", "unknown", 503},
		{"a check that fails", []source.Status{failing}, nil, "unhealthy", "unknown", "unknown", "unhealthy", 503},
		{"a source by its configured service", []source.Status{at("agent", "http", "degraded")}, nil, "degraded", "unknown", "unknown", "degraded", 200},
		{"a monitor that cannot see the application", []source.Status{unread("web", "prometheus"), at("c", "redis", "healthy")}, nil, "degraded", "unknown", "healthy", "unknown", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{sources: tt.sources, alerts: tt.alerts}
			o := w.options()
			o.Services = map[string]string{"agent": "mcp"}
			h := api.New(o).Handler()
			wantBody(t, get(t, h, "/api/health"), tt.code,
				`{"status":"`+tt.status+`","services":{"database":"`+tt.database+`","cache":"`+tt.cache+`","mcp":"`+tt.mcp+`"},"timestamp":"`)
			wantBody(t, get(t, h, "/api/performance"), 200, `{"status":"`+tt.status+`","timestamp":"`)
		})
	}
}

func TestTheDocumentsFollowTheBoardAndTheAlerts(t *testing.T) {
	w := overviewWorld()
	o := w.options()
	board := source.NewBoard()
	o.Board = board
	h := api.New(o).Handler()
	wantBody(t, get(t, h, "/api/performance"), 200, `"uptime":null`)
	for _, s := range w.sources {
		board.Set(s)
	}
	wantBody(t, get(t, h, "/api/performance"), 200, `"used":"45.2 MB"`)
	w.alerts, w.version = guideAlerts(), w.version+1
	wantBody(t, get(t, h, "/api/performance"), 200, `{"status":"degraded"`)
	wantBody(t, get(t, h, "/api/performance/alerts"), 200, `"total":2`)
	w.alerts, w.version = nil, w.version+1
	if body := get(t, h, "/api/performance/alerts").Body.String(); !strings.Contains(body, `"total":0`) {
		t.Errorf("a stale document: %s", body)
	}
}

func TestHealthyIsTheServiceAndStatusItsPerformanceToo(t *testing.T) {
	well := up("c", "redis", source.Facts{Cache: &source.Cache{Status: "connected"}})
	well.Health = source.Healthy
	w := &world{sources: []source.Status{well}, alerts: []alert.Alert{fired("r", "cache", "cache.hit_rate", "%", alert.Warning, tenOClock())}}
	wantBody(t, get(t, w.handler(), "/api/performance"), 200, `"status":"degraded"`, `"cache":{"enabled":true,"healthy":true`)
	well.Up, well.Health = false, source.Unhealthy
	w = &world{sources: []source.Status{well}}
	wantBody(t, get(t, w.handler(), "/api/performance"), 200, `"status":"unhealthy"`, `"cache":{"enabled":true,"healthy":false`)
}
