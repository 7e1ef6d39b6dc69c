package source

import "time"

// Facts is what a source knows beyond numbers, for the documents of the guide.
// A part that the source has nothing to say of is nil. Facts are never changed
// after a poll returned them.
type Facts struct {
	Cache      *Cache
	Database   *Database
	App        *App
	Strategies Strategies
	Check      *Check
}

// Cache is what a Redis source knows of the server.
type Cache struct {
	// Status is connected, disconnected, loading, busy or unknown.
	Status string
	// Info holds the eight INFO fields of the guide, as strings; nil when INFO
	// is not permitted.
	Info map[string]string
	// The server's own counters since it started: not the application's, and
	// shown marked when the application gives none.
	Hits, Misses, Errors    uint64
	Gets, Sets, Deletes     uint64
	HasCommands             bool // Gets, Sets and Deletes were read
	UptimeSeconds           float64
	UsedMemory, MemoryLimit uint64
}

// Strategies maps a cache strategy to the application's counters for it.
type Strategies map[string]Strategy

// Strategy is one cache strategy's counters, cumulative since the application
// (or the hash that it writes) began.
type Strategy struct {
	TTL                                        time.Duration // configured; zero when not
	Hits, Misses, Sets, Deletes, Invalidations uint64
	Errors                                     uint64
}

// Total returns the lookups: hits and misses.
func (s Strategy) Total() uint64 { return s.Hits + s.Misses }

// Database is what a PostgreSQL source knows of the database. A nil pointer is
// a value that cannot be had, and JSON null.
type Database struct {
	// Status is connected, disconnected, exhausted or unknown.
	Status string
	Pool   *Pool
	Query  QueryStats
	Tables []Table
	// Slow holds the most recent slow queries, newest first.
	Slow []SlowQuery
}

// Pool is a connection pool.
type Pool struct {
	Active, Idle, Total int
	// Waiting is the queue before the pool; nil where nobody can see it.
	Waiting *int
	// Limit is the largest size the pool may take; 0 when not known.
	Limit int
	// From says who counted: application, pgbouncer or pg_stat_activity.
	From string
}

// QueryStats sums up the statements of the last window.
type QueryStats struct {
	AverageMs       *float64
	SlowestMs       *float64
	SlowestLifetime bool // SlowestMs is the maximum since the statistics began
	Total           *uint64
	PerSecond       *float64
	// Transactions marks Total and PerSecond as transactions, where
	// pg_stat_statements cannot be read.
	Transactions bool
}

// Table is one table's size and use of its indexes.
type Table struct {
	Name         string
	Rows         *int64
	SizeBytes    *int64 // nil while the table is locked
	IndexHitRate *float64
}

// SlowQuery is one statement that took longer than the threshold. Query holds
// no literal of the application's data.
type SlowQuery struct {
	Query      string
	DurationMs float64
	At         time.Time
	Running    bool
}

// App is what is known of the watched application.
type App struct {
	StartedAt               time.Time // zero when not known
	MemoryUsed, MemoryLimit *float64  // bytes
	Pool                    *Pool
	AverageQueryMs          *float64
	Slow                    []SlowQuery
}

// Check is the outcome of an http check.
type Check struct {
	Up     bool
	Detail string
}
