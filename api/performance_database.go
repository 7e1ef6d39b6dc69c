package api

import (
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// databaseDoc is the document of GET /api/performance?action=database.
type databaseDoc struct {
	Healthy           *bool            `json:"healthy"`
	ConnectionStatus  string           `json:"connectionStatus"`
	Pool              poolDoc          `json:"pool"`
	Performance       performanceDoc   `json:"performance"`
	TableStats        object[tableDoc] `json:"tableStats"`
	RecentSlowQueries []slowDoc        `json:"recentSlowQueries"`
}

type poolDoc struct {
	Active  *int `json:"active"`
	Idle    *int `json:"idle"`
	Total   *int `json:"total"`
	Waiting *int `json:"waiting"`
}

type performanceDoc struct {
	AverageQueryTime *string `json:"averageQueryTime"`
	SlowestQuery     *string `json:"slowestQuery"`
	// SlowestQuerySource is lifetime when SlowestQuery is the longest since the
	// statistics began, not of late.
	SlowestQuerySource string       `json:"slowestQuerySource,omitempty"`
	TotalQueries       *uint64      `json:"totalQueries"`
	QueriesPerSecond   alert.Number `json:"queriesPerSecond"`
	// Source is transactions when those were counted for want of statements.
	Source string `json:"source,omitempty"`
}

type tableDoc struct {
	Rows         *int64       `json:"rows"`
	Size         *string      `json:"size"`
	IndexHitRate alert.Number `json:"indexHitRate"`
}

type slowDoc struct {
	Query     string `json:"query"`
	Duration  string `json:"duration"`
	Timestamp stamp  `json:"timestamp"`
}

// databaseOf makes the document of the database's own sources and of what the
// application tells of its pool and its queries.
func databaseOf(sources, all []source.Status, app application) databaseDoc {
	var known []*source.Database
	for _, s := range sources {
		if s.Facts.Database != nil {
			known = append(known, s.Facts.Database)
		}
	}
	return databaseDoc{
		Healthy: isHealthy(sources),
		ConnectionStatus: connectionStatus(sources, func(s source.Status) string {
			if s.Facts.Database == nil {
				return ""
			}
			return s.Facts.Database.Status
		}),
		Pool:              poolOf(all, app),
		Performance:       performanceOf(known, app),
		TableStats:        tablesOf(sources),
		RecentSlowQueries: slowOf(known, app),
	}
}

// poolOf prefers the application's pool to PgBouncer's and that to what
// PostgreSQL sees of its connections.
func poolOf(all []source.Status, app application) poolDoc {
	pool := app.pool
	for _, from := range [...]string{"application", "pgbouncer", ""} {
		if pool != nil {
			break
		}
		var pools []*source.Pool
		for _, s := range all {
			if d := s.Facts.Database; d != nil && d.Pool != nil && (from == "" || d.Pool.From == from) {
				pools = append(pools, d.Pool)
			}
		}
		pool = sumPools(pools)
	}
	if pool == nil {
		return poolDoc{}
	}
	return poolDoc{Active: count(pool.Active), Idle: count(pool.Idle), Total: count(pool.Total), Waiting: pool.Waiting}
}

// performanceOf adds up the databases: counts and rates are summed, averages
// weighted by the rates, and the slowest of all is the slowest.
func performanceOf(databases []*source.Database, app application) performanceDoc {
	var average, weight, rate float64
	var slowest, perSecond *float64
	d := performanceDoc{}
	for _, db := range databases {
		q := db.Query
		if q.AverageMs != nil {
			w := 1.0
			if q.PerSecond != nil && *q.PerSecond > 0 && len(databases) > 1 {
				w = *q.PerSecond
			}
			average, weight = average+w**q.AverageMs, weight+w
		}
		if q.SlowestMs != nil && (slowest == nil || *q.SlowestMs > *slowest) {
			slowest, d.SlowestQuerySource = q.SlowestMs, ""
			if q.SlowestLifetime {
				d.SlowestQuerySource = "lifetime"
			}
		}
		if q.Total != nil {
			total := *q.Total
			if d.TotalQueries != nil {
				total += *d.TotalQueries
			}
			d.TotalQueries = &total
		}
		if q.PerSecond != nil {
			rate += *q.PerSecond
			perSecond = &rate
		}
		if q.Transactions && (q.Total != nil || q.PerSecond != nil) {
			d.Source = "transactions"
		}
	}
	averageMs := app.averageQueryMs // the application's own histogram, when PostgreSQL tells nothing
	if weight > 0 {
		average /= weight
		averageMs = &average
	}
	d.AverageQueryTime = text(averageMs, units.Milliseconds)
	d.SlowestQuery = text(slowest, units.Milliseconds)
	d.QueriesPerSecond = oneDecimal(perSecond)
	return d
}

// tablesOf keeps the sources' order. A table that two databases have is shown
// under the second source's name too.
func tablesOf(sources []source.Status) object[tableDoc] {
	tables := object[tableDoc]{}
	taken := map[string]bool{}
	for _, s := range sources {
		if s.Facts.Database == nil {
			continue
		}
		for _, t := range s.Facts.Database.Tables {
			name := t.Name
			if taken[name] {
				name = s.Name + "/" + name
			}
			if taken[name] {
				continue
			}
			taken[name] = true
			row := tableDoc{Rows: t.Rows, IndexHitRate: oneDecimal(t.IndexHitRate)}
			if t.SizeBytes != nil {
				size := sizeText(*t.SizeBytes)
				row.Size = &size
			}
			tables = append(tables, member[tableDoc]{name, row})
		}
	}
	return tables
}

// slowOf lists the slow queries that the application and the databases report,
// newest first.
func slowOf(databases []*source.Database, app application) []slowDoc {
	slow := slices.Clone(app.slow)
	for _, db := range databases {
		slow = append(slow, db.Slow...)
	}
	slices.SortStableFunc(slow, func(a, b source.SlowQuery) int { return b.At.Compare(a.At) })
	rows := make([]slowDoc, 0, len(slow))
	for _, q := range slow {
		rows = append(rows, slowDoc{q.Query, units.Milliseconds(q.DurationMs), stamp(q.At)})
	}
	return rows
}
