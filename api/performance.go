package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// view is everything that the sources and the firing alerts say together, as
// the guide's documents show it. It is built once for every change of the
// board or of the alerts; a request adds the time of day.
type view struct {
	health   health
	started  time.Time // of the application; zero when not known
	overview []byte    // the document after its uptime
	cache    *document
	database *document
}

type viewKey struct{ board, engine uint64 }

func (s *Server) view() (*view, error) {
	key := viewKey{s.Board.Version(), s.Engine.Version()}
	return s.views.get(key, s.buildView)
}

func (s *Server) buildView() (*view, error) {
	all := s.Board.All()
	v := &view{health: s.healthOf(all, s.Engine.Alerts())}
	app := applicationOf(all)
	v.started = app.started
	cache := cacheOf(s.inService(all, serviceCache), all)
	database := databaseOf(s.inService(all, serviceDatabase), all, app)

	var err error
	if v.overview, err = encode(overviewOf(app, cache, database)); err != nil {
		return nil, err
	}
	if v.cache, err = render(map[string]any{"cache": cache}); err != nil {
		return nil, err
	}
	v.database, err = render(map[string]any{"database": database})
	return v, err
}

// getPerformance answers GET /api/performance, the overview, and its parts
// ?action=cache and ?action=database.
func (s *Server) getPerformance(r *http.Request) (any, error) {
	action := ""
	if r.URL.RawQuery != "" {
		q := parseQuery(r)
		action = q.word("action", "cache", "database")
		if err := q.err(); err != nil {
			return nil, err
		}
	}
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	switch action {
	case "cache":
		return v.cache, nil
	case "database":
		return v.database, nil
	}
	return &document{body: v.overviewAt(time.Now())}, nil
}

// overviewAt puts the members that move with the clock before those that do
// not: status, timestamp and uptime stand first in the document.
func (v *view) overviewAt(now time.Time) []byte {
	b := make([]byte, 0, len(v.overview)+128)
	b = append(b, `{"status":"`...)
	b = append(b, v.health.status...)
	b = append(b, `","timestamp":"`...)
	b = now.UTC().AppendFormat(b, stampLayout)
	b = append(b, `","uptime":`...)
	if v.started.IsZero() || v.started.After(now) {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(now.Sub(v.started)/time.Second), 10)
	}
	b = append(b, ',')
	return append(b, v.overview[1:]...)
}

// overviewDoc is the overview after its uptime.
type overviewDoc struct {
	Memory   memoryDoc           `json:"memory"`
	Database overviewDatabaseDoc `json:"database"`
	Cache    overviewCacheDoc    `json:"cache"`
}

type memoryDoc struct {
	Used       *string      `json:"used"`
	Total      *string      `json:"total"`
	Percentage alert.Number `json:"percentage"`
}

type overviewDatabaseDoc struct {
	Healthy          *bool          `json:"healthy"`
	ConnectionPool   overviewPool   `json:"connectionPool"`
	AverageQueryTime *string        `json:"averageQueryTime"`
	Performance      performanceDoc `json:"performance"`
}

type overviewPool struct {
	Active *int `json:"active"`
	Idle   *int `json:"idle"`
	Total  *int `json:"total"`
}

type overviewCacheDoc struct {
	Enabled bool      `json:"enabled"`
	Healthy *bool     `json:"healthy"`
	Stats   lookupDoc `json:"stats"`
}

func overviewOf(app application, cache cacheDoc, database databaseDoc) overviewDoc {
	p := database.Pool
	d := overviewDoc{
		Memory: memoryDoc{
			Used:       text(app.memoryUsed, units.Megabytes),
			Total:      text(app.memoryLimit, units.Megabytes),
			Percentage: alert.Unknown(),
		},
		Database: overviewDatabaseDoc{
			Healthy: database.Healthy, ConnectionPool: overviewPool{p.Active, p.Idle, p.Total},
			AverageQueryTime: database.Performance.AverageQueryTime, Performance: database.Performance,
		},
		Cache: overviewCacheDoc{Enabled: cache.Enabled, Healthy: cache.Healthy, Stats: cache.Stats.lookupDoc},
	}
	if app.memoryUsed != nil && app.memoryLimit != nil {
		d.Memory.Percentage = percent(*app.memoryUsed, *app.memoryLimit)
	}
	return d
}

// isHealthy is the documents' healthy: whether the service itself is well, as
// its sources see it, and null while nobody can tell. What alerts say of its
// performance is in status and in /api/health.
func isHealthy(sources []source.Status) *bool {
	state := source.Unknown
	for _, st := range sources {
		state = state.Worse(stateOf(st))
	}
	if state == source.Unknown {
		return nil
	}
	healthy := state == source.Healthy
	return &healthy
}
