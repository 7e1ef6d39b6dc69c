package source

import (
	"maps"
	"slices"
	"strings"
)

// Kind says how a metric behaves.
type Kind string

// The kinds of metric. Rates and ratios are gauges: counters become rates
// before a rule sees them.
const (
	Gauge   Kind = "gauge"
	Counter Kind = "counter"
	State   Kind = "state" // 0 or 1
)

// UnitUnknown is the unit of a metric that is known by its name alone, until the
// plugin that yields it can be asked.
const UnitUnknown = "?"

// Metric is one entry of the catalog. Unit is one of "", "%", "ms", "s",
// "bytes", "/s", "/min" and "bytes/s", or UnitUnknown.
type Metric struct {
	Name        string   `json:"name"`
	Unit        string   `json:"unit"`
	Kind        Kind     `json:"kind"`
	Description string   `json:"description"`
	Labels      []string `json:"labels"` // beside source and the configured ones
}

// Short returns the name less its first part: hit_rate for cache.hit_rate.
func (m Metric) Short() string { return ShortName(m.Name) }

// ShortName returns a metric's name less its first part, as the guide's alerts
// show it.
func ShortName(name string) string {
	if _, short, ok := strings.Cut(name, "."); ok {
		return short
	}
	return name
}

// Catalog is every metric that rules can name. The zero value is empty.
type Catalog struct {
	metrics map[string]Metric
	open    bool
	// unbounded takes any name: what some source yields cannot be known.
	unbounded bool
}

// NewCatalog returns the built-in metrics and the extra ones that the
// configuration declares. An open catalog also takes names without a dot: a
// prometheus or push source may yield any.
func NewCatalog(extra []Metric, open bool) Catalog {
	c := Catalog{metrics: map[string]Metric{}, open: open}
	for _, m := range Builtin() {
		c.metrics[m.Name] = m
	}
	for _, m := range extra {
		c.metrics[m.Name] = m
	}
	return c
}

// With returns the catalog with more metrics.
func (c Catalog) With(extra ...Metric) Catalog {
	if len(extra) == 0 {
		return c
	}
	out := Catalog{metrics: maps.Clone(c.metrics), open: c.open, unbounded: c.unbounded}
	if out.metrics == nil {
		out.metrics = map[string]Metric{}
	}
	for _, m := range extra {
		out.metrics[m.Name] = m
	}
	return out
}

// Lookup finds a metric. In an open catalog a name without a dot that no one
// declared is a gauge without unit.
func (c Catalog) Lookup(name string) (Metric, bool) {
	if m, ok := c.metrics[name]; ok {
		return m, true
	}
	if name == "" || !c.unbounded && (!c.open || strings.Contains(name, ".")) {
		return Metric{}, false
	}
	m := Metric{Name: name, Unit: unitBySuffix(name), Kind: Gauge, Description: "a metric of the application's own"}
	if m.Unit == "" && c.unbounded {
		m.Unit = UnitUnknown
	}
	return m, true
}

// Unbounded returns the catalog with every other name, too, as a gauge whose unit
// is not known: a source of a plugin that cannot be asked may yield any.
func (c Catalog) Unbounded() Catalog {
	c.unbounded = true
	return c
}

// unitBySuffix reads the unit off a name that follows Prometheus' naming.
func unitBySuffix(name string) string {
	for suffix, unit := range map[string]string{
		"_seconds": "s", "_milliseconds": "ms", "_ms": "ms", "_bytes": "bytes", "_percent": "%",
	} {
		if strings.HasSuffix(name, suffix) {
			return unit
		}
	}
	return ""
}

// Names returns the declared names, sorted.
func (c Catalog) Names() []string {
	names := make([]string, 0, len(c.metrics))
	for name := range c.metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// All returns the declared metrics, sorted by name.
func (c Catalog) All() []Metric {
	all := make([]Metric, 0, len(c.metrics))
	for _, name := range c.Names() {
		all = append(all, c.metrics[name])
	}
	return all
}

// Open says whether undeclared names without a dot are accepted.
func (c Catalog) Open() bool { return c.open }

// Builtin returns the metrics that Tocsin's own sources yield.
func Builtin() []Metric {
	return []Metric{
		{"redis.up", "", State, "1 while Redis answers PING and INFO, 0 while it does not; no value while the monitor may not look", nil},
		{"redis.ping", "ms", Gauge, "time of one PING, without connecting", nil},
		{"redis.loading", "", State, "1 while Redis loads its dataset and serves nothing", nil},
		{"redis.uptime", "s", Gauge, "time since the server started", nil},
		{"redis.ops_per_sec", "/s", Gauge, "commands a second, from the change of total_commands_processed", nil},
		{"redis.hit_rate", "%", Gauge, "keyspace hits of all lookups since the last poll; no value without lookups. Not the application's own rate: see cache.hit_rate", nil},
		{"redis.memory_used", "bytes", Gauge, "used_memory", nil},
		{"redis.memory_usage", "%", Gauge, "used_memory of maxmemory, or of the machine's memory when maxmemory is 0", nil},
		{"redis.clients", "", Gauge, "connected clients", nil},
		{"redis.client_usage", "%", Gauge, "connected clients of maxclients", nil},
		{"redis.evictions_per_sec", "/s", Gauge, "keys evicted for want of memory, a second", nil},
		{"redis.expirations_per_sec", "/s", Gauge, "keys that reached their TTL, a second", nil},
		{"redis.errors_per_sec", "/s", Gauge, "error replies a second (Redis 6.2 and later)", nil},
		{"redis.rejected_per_sec", "/s", Gauge, "connections refused at maxclients, a second", nil},
		{"redis.replica_link_up", "", State, "on a replica: 1 while the link to its master is up", nil},
		{"redis.keys", "", Gauge, "keys of all databases", nil},

		{"cache.hit_rate", "%", Gauge, "the application's cache hits of its lookups since the last poll that saw lookups; without strategy label: over all strategies", []string{"strategy"}},
		{"cache.lookups_per_sec", "/s", Gauge, "the application's cache lookups a second", []string{"strategy"}},
		{"cache.errors_per_sec", "/s", Gauge, "the application's cache errors a second", []string{"strategy"}},
		{"cache.ops_per_sec", "/s", Gauge, "cache operations a second by kind", []string{"op"}},

		{"postgres.up", "", State, "1 while PostgreSQL takes connections and answers, 0 while it does not; no value while the monitor may not look", nil},
		{"postgres.connect_time", "ms", Gauge, "time of one round trip (SELECT 1 or less) on the monitor's connection, or of connecting when it had none", nil},
		{"postgres.avg_query_time", "ms", Gauge, "mean execution time of the statements since the last poll, from pg_stat_statements; no value without statements", nil},
		{"postgres.max_query_time", "ms", Gauge, "the longest execution seen since the last poll: a risen maximum or a running statement", nil},
		{"postgres.queries_per_sec", "/s", Gauge, "statements a second, from pg_stat_statements, or transactions without it", nil},
		{"postgres.slow_queries", "", Gauge, "statements over the slow_query threshold since the last poll, running or finished", nil},
		{"postgres.pool_active", "", Gauge, "pool connections in use", nil},
		{"postgres.pool_idle", "", Gauge, "pool connections idle", nil},
		{"postgres.pool_waiting", "", Gauge, "clients waiting for a pool connection, where the pooler or the application tells", nil},
		{"postgres.pool_total", "", Gauge, "pool connections open", nil},
		{"postgres.pool_limit", "", Gauge, "the most connections the pool may open", nil},
		{"postgres.pool_usage", "%", Gauge, "pool connections in use of the limit; 100 when PostgreSQL refuses a connection with SQLSTATE 53300", nil},
		{"postgres.connection_usage", "%", Gauge, "the server's connections of max_connections less the reserved ones", nil},
		{"postgres.lock_waiting", "", Gauge, "statements that wait for a lock", nil},
		{"postgres.oldest_transaction", "s", Gauge, "age of the oldest open transaction", nil},
		{"postgres.rollback_rate", "%", Gauge, "rollbacks of all transactions since the last poll", nil},
		{"postgres.block_hit_rate", "%", Gauge, "blocks found in shared buffers since the last poll", nil},
		{"postgres.deadlocks_per_min", "/min", Gauge, "deadlocks a minute", nil},
		{"postgres.temp_bytes_per_sec", "bytes/s", Gauge, "temporary file bytes a second", nil},
		{"postgres.replay_lag", "s", Gauge, "on a standby: how far its replay is behind", nil},
		{"postgres.table_rows", "", Gauge, "estimated live rows", []string{"table"}},
		{"postgres.table_size", "bytes", Gauge, "table, indexes and TOAST; no value while the table is locked", []string{"table"}},
		{"postgres.index_hit_rate", "%", Gauge, "index blocks found in shared buffers since the last poll", []string{"table"}},

		{"http.up", "", State, "1 while the check passes: status, body and TLS as configured", []string{"check"}},
		{"http.response_time", "ms", Gauge, "from the request's start to the end of the body", []string{"check"}},
		{"http.status_code", "", Gauge, "the answer's status; no value when there was none", []string{"check"}},
		{"http.error_rate", "%", Gauge, "failed checks among the last minutes' checks (window, 5m by default)", []string{"check"}},
		{"http.tls_expiry", "s", Gauge, "time until the first certificate of the chain expires", []string{"check"}},

		{"app.memory_used", "bytes", Gauge, "the application's resident memory", []string{"instance"}},
		{"app.memory_limit", "bytes", Gauge, "what the application may use: its cgroup's limit or the configured one", []string{"instance"}},
		{"app.memory_usage", "%", Gauge, "resident memory of the limit", []string{"instance"}},
		{"app.heap_used", "bytes", Gauge, "the application's heap in use", []string{"instance"}},
		{"app.uptime", "s", Gauge, "time since the application started", []string{"instance"}},
		{"app.requests_per_sec", "/s", Gauge, "requests a second", []string{"instance"}},
		{"app.response_time_p95", "ms", Gauge, "95th percentile of the response time since the last poll", []string{"instance"}},
		{"app.error_rate", "%", Gauge, "failed requests of all since the last poll", []string{"instance"}},

		{"process.cpu", "%", Gauge, "CPU time of one core that the process uses", []string{"process"}},
		{"process.memory", "bytes", Gauge, "the process's resident memory", []string{"process"}},
		{"process.open_files", "", Gauge, "file descriptors open", []string{"process"}},
		{"process.open_files_usage", "%", Gauge, "file descriptors open of the limit", []string{"process"}},
		{"process.uptime", "s", Gauge, "time since the process started", []string{"process"}},

		{"host.cpu", "%", Gauge, "CPU in use, over all cores", nil},
		{"host.load1", "", Gauge, "load average of one minute", nil},
		{"host.load5", "", Gauge, "load average of five minutes", nil},
		{"host.load15", "", Gauge, "load average of fifteen minutes", nil},
		{"host.load_per_cpu", "", Gauge, "load average of five minutes over the number of cores", nil},
		{"host.memory_used", "bytes", Gauge, "memory in use: total less available", nil},
		{"host.memory_usage", "%", Gauge, "memory in use of the total", nil},
		{"host.swap_usage", "%", Gauge, "swap in use; no value without swap", nil},
		{"host.disk_usage", "%", Gauge, "space in use of the file system", []string{"mount"}},
		{"host.disk_free", "bytes", Gauge, "space free for ordinary users", []string{"mount"}},
		{"host.open_files", "", Gauge, "file handles open on the host", nil},

		{"source.up", "", State, "1 while the source can be read", []string{"type"}},
		{"source.age", "s", Gauge, "time since the source was last read", []string{"type"}},
		{"source.poll_time", "ms", Gauge, "how long the last poll took", []string{"type"}},
		{"source.polls_skipped", "", Counter, "polls left out because the one before still ran", []string{"type"}},
		{"source.blind", "", State, "1 while the source answers that the monitor may not look", []string{"type"}},

		{"tocsin.config_ok", "", State, "1 while what runs is what the files say, 0 while an edit of them is refused", nil},
		{"heartbeat.age", "s", Gauge, "how long ago the last heartbeat came, or since when it is waited for", []string{"heartbeat"}},
		{"heartbeat.late", "", State, "1 while a heartbeat is late", []string{"heartbeat"}},
		{"tocsin.receiver_disabled", "", State, "1 while a receiver is disabled, for it answered 410", []string{"receiver"}},
		{"tocsin.plugin_failing", "s", Gauge, "how long a plugin has been unable to run, or has kept dying; 0 while it runs", []string{"plugin"}},
		{"tocsin.receiver_waiting", "s", Gauge, "how long notifications have waited while none was sent; 0 when none wait", []string{"receiver"}},
		{"tocsin.store_damaged", "", State, "1 when a damaged database was set aside at the start, 2 when damage was met since, else 0", nil},
		{"tocsin.store_failing", "s", Gauge, "how long the store has refused what it is given; 0 while it takes everything", nil},
	}
}
