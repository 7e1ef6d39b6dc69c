package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// applicationName is how the monitor's connection is known to the server.
const applicationName = "tocsin"

// Config is what a source of type postgres takes. Default fills what may be
// left out.
type Config struct {
	// URL is postgres://user:password@host:port/database?sslmode=…, or the
	// key=value form of libpq. What is missing comes from libpq's environment
	// variables and password file, as usual.
	URL secret.URL `yaml:"url"`
	// Password wins over the one in URL.
	Password secret.String `yaml:"password"`
	// SlowQuery is the duration from which a statement counts as slow.
	SlowQuery time.Duration `yaml:"slow_query"`
	// Tables are the tables to watch, as name or schema.name; empty means the
	// MaxTables largest.
	Tables    []string   `yaml:"tables"`
	MaxTables int        `yaml:"max_tables"`
	Pool      PoolConfig `yaml:"pool"`
	// PgBouncerURL is the URL of PgBouncer's console (database pgbouncer). With
	// it the pool's numbers come from PgBouncer, the queue among them.
	PgBouncerURL secret.URL `yaml:"pgbouncer_url"`
	// StatementTimeout bounds each of the monitor's own queries on the server.
	StatementTimeout time.Duration `yaml:"statement_timeout"`
}

// PoolConfig tells which of the server's connections are the application's
// pool. Left out, it is all connections to the database.
type PoolConfig struct {
	ApplicationName string `yaml:"application_name"` // a LIKE pattern, as in web-%
	// User is the role that the pool connects as.
	User string `yaml:"user"`
	// Limit is the most connections the pool may open; 0 means what PgBouncer
	// says, or what the server admits.
	Limit int `yaml:"limit"`
}

// Default returns the values of what is left out.
func Default() Config {
	return Config{SlowQuery: 100 * time.Millisecond, MaxTables: 20, StatementTimeout: 5 * time.Second}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var list problem.List
	if c.URL.Empty() {
		list.AddHint("url", "write for example postgres://tocsin:password@127.0.0.1:5432/app", "missing")
	} else if _, err := parseURL(c.URL); err != nil {
		list.AddHint("url", urlHint, "%v", err)
	}
	if !c.PgBouncerURL.Empty() {
		if _, err := parseURL(c.PgBouncerURL); err != nil {
			list.AddHint("pgbouncer_url", urlHint, "%v", err)
		}
	}
	if c.SlowQuery <= 0 {
		list.AddHint("slow_query", "write for example 100ms", "must be more than zero")
	}
	if c.StatementTimeout < time.Millisecond {
		list.AddHint("statement_timeout", "write for example 5s", "must be at least 1ms")
	}
	if c.MaxTables < 0 || c.MaxTables > 1000 {
		list.Add("max_tables", "must be between 0 and 1000")
	}
	if c.Pool.Limit < 0 {
		list.Add("pool.limit", "must not be negative")
	}
	for i, table := range c.Tables {
		if strings.TrimSpace(table) == "" {
			list.Add(fmt.Sprintf("tables[%d]", i), "is empty")
		}
	}
	return list
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	connection := schema.Text(`^(?:postgres|postgresql)://|^[^:/]*=`, "postgres://user:password@host:5432/database, or key=value pairs")
	return schema.Object(schema.Schema{
		"url": connection, "pgbouncer_url": connection,
		"slow_query": schema.MoreThanZero(), "statement_timeout": schema.MoreThanZero(),
		"tables": schema.List(schema.NotEmpty()), "max_tables": schema.Between(0, 1000),
	}, "url")
}

// JSONSchema says what reflection cannot of the settings.
func (PoolConfig) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"limit": schema.AtLeast(0)})
}

const urlHint = "write postgres://user:password@host:5432/database, with special characters of the password percent-encoded"

// parseURL reads a connection string without keeping any of it in the error:
// what a parser stumbles over is often a piece of the password.
func parseURL(text secret.URL) (*pgx.ConnConfig, error) {
	raw := text.Reveal()
	if strings.Contains(raw, "://") {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, errors.New("is not a URL")
		}
		if !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme) {
			return nil, errors.New("is not a URL of PostgreSQL")
		}
	} else if !strings.Contains(raw, "=") {
		return nil, errors.New("is neither a URL nor a key=value connection string")
	}
	config, err := pgx.ParseConfig(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot be used: %s", reason(err, raw))
	}
	return config, nil
}

// reason returns the last part of pgx's error, which names the setting (sslmode
// is invalid), unless it repeats a piece of the connection string.
func reason(err error, raw string) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	text := err.Error()
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \"'`():/@,", r) }) {
		if len(word) > 3 && strings.Contains(raw, word) && !slices.Contains([]string{"sslmode", "port", "host", "database"}, word) {
			return "a setting in it is not valid"
		}
	}
	return text
}

// connConfig prepares the connection that the source keeps.
func (c *Config) connConfig() (*pgx.ConnConfig, error) {
	config, err := parseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if !c.Password.Empty() {
		config.Password = c.Password.Reveal()
	}
	harden(config)
	return config, nil
}

// harden leaves of the startup parameters only what poolers and servers all
// take. An application's URL often carries its own client's settings (Prisma's
// schema or connection_limit), which the server would refuse as unknown, and
// PgBouncer refuses statement_timeout (08P01). Statements are never prepared by
// name: behind transaction pooling the next one runs on another connection.
func harden(config *pgx.ConnConfig) {
	kept := map[string]string{"application_name": applicationName}
	for _, name := range []string{"options", "role"} {
		if value, ok := config.RuntimeParams[name]; ok {
			kept[name] = value
		}
	}
	config.RuntimeParams = kept
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
}
