package redis

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// The modes in which Redis is run.
const (
	modeStandalone = "standalone"
	modeSentinel   = "sentinel"
	modeCluster    = "cluster"
)

// Config is one source of type redis.
type Config struct {
	// URL names the server: redis://user:password@host:port/db, rediss:// for
	// TLS, unix:///path?db=0. In a cluster it is one more seed; with Sentinel it
	// is not used.
	URL secret.URL `yaml:"url"`
	// Mode is standalone, sentinel or cluster; empty means sentinel with a
	// master_name, cluster with addrs, and else standalone.
	Mode string `yaml:"mode"`
	// Addrs are the Sentinels, or seeds of the cluster, each host:port.
	Addrs []string `yaml:"addrs"`
	// MasterName is what the Sentinels call the master.
	MasterName string `yaml:"master_name"`
	// SentinelUsername and SentinelPassword are for the Sentinels, where they ask
	// for them.
	SentinelUsername string        `yaml:"sentinel_username"`
	SentinelPassword secret.String `yaml:"sentinel_password"`
	// Username, Password and DB win over the URL's.
	Username string        `yaml:"username"`
	Password secret.String `yaml:"password"`
	DB       int           `yaml:"db"`
	TLS      TLS           `yaml:"tls"`
	// Strategies are the application's cache strategies.
	Strategies    map[string]Strategy `yaml:"strategies"`
	StrategyStats StrategyStats       `yaml:"strategy_stats"`
	Keys          Keys                `yaml:"keys"`
	// MemoryLimit is what one server may use, where it cannot know it itself:
	// in a container. 0 means maxmemory, or the machine's memory without it.
	MemoryLimit units.ByteSize `yaml:"memory_limit"`
}

// TLS is how the server is verified, and who we are to it. Any field but
// Enabled, and the scheme rediss://, turns TLS on.
type TLS struct {
	// Enabled turns TLS on with the system's authorities.
	Enabled bool `yaml:"enabled"`
	// CAFile holds the authorities to trust, in PEM, instead of the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are our own certificate, in PEM.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is checked in the server's certificate instead of the host.
	ServerName string `yaml:"server_name"`
	// InsecureSkipVerify takes any certificate: whoever is between can read along.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

// Strategy is what is known beforehand of one cache strategy.
type Strategy struct {
	// TTL is how long the application keeps an entry.
	TTL time.Duration `yaml:"ttl"`
}

// JSONSchema says that an empty pattern matches nothing.
func (Keys) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"redact": schema.List(schema.NotEmpty())})
}

// StrategyStats says where the application counts its hits and misses.
type StrategyStats struct {
	// RedisHash is the key of a strategy's hash, {strategy} standing for its
	// name, with the fields hits, misses, sets, deletes, invalidations and
	// errors, which the application raises by HINCRBY. Empty means that this
	// server holds no such counters.
	RedisHash string `yaml:"redis_hash"`
}

// Keys is what GET /api/performance/cache/keys may show.
type Keys struct {
	// Enabled lets the keys be listed.
	Enabled bool `yaml:"enabled"`
	// Prefix is the part of the keyspace that may be listed: SCAN minds no
	// ACL, so the daemon does.
	Prefix string `yaml:"prefix"`
	// Redact are globs of keys whose names are themselves confidential.
	Redact []string `yaml:"redact"`
}

// strategyPlaceholder stands for the strategy's name in StrategyStats.RedisHash.
const strategyPlaceholder = "{strategy}"

// Default returns the settings of a source that gives none: no URL, a
// standalone server, no listing of keys.
func Default() Config { return Config{} }

// mode returns the mode, deduced when it is not given.
func (c *Config) mode() string {
	switch {
	case c.Mode != "":
		return c.Mode
	case c.MasterName != "":
		return modeSentinel
	case len(c.Addrs) > 0:
		return modeCluster
	}
	return modeStandalone
}

// Validate returns every mistake of the configuration, with paths relative to
// the source.
func (c *Config) Validate() problem.List {
	var l problem.List
	c.validateMode(&l)
	if !c.URL.Empty() {
		if _, err := parseURL(c.URL); err != nil {
			l.AddHint("url", "write for example redis://127.0.0.1:6379/0", "%s", err)
		}
	}
	for i, addr := range c.Addrs {
		if _, port, err := net.SplitHostPort(addr); err != nil || !isNumber(port) {
			l.AddHint(index("addrs", i), "write for example 10.0.0.5:6379", "%q is not host:port", addr)
		}
	}
	if c.DB < 0 {
		l.Add("db", "database %d: want 0 or more", c.DB)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		l.Add("tls", "cert_file and key_file come together")
	}
	if c.MemoryLimit < 0 {
		l.Add("memory_limit", "want a positive size")
	}
	c.validateStrategies(&l)
	for i, pattern := range c.Keys.Redact {
		if pattern == "" {
			l.Add(index("keys.redact", i), "an empty pattern matches nothing")
		}
	}
	return l
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	s := schema.Object(schema.Schema{
		"url":          schema.URL("redis", "rediss", "unix"),
		"mode":         schema.Enum("", modeStandalone, modeSentinel, modeCluster),
		"addrs":        schema.List(schema.Text(`:[0-9]+$`, "host:port, such as 10.0.0.5:6379")),
		"db":           schema.AtLeast(0),
		"memory_limit": schema.AtLeast(0),
	})
	elsewhere := schema.Schema{"anyOf": []any{schema.Required("mode"), schema.Required("addrs"), schema.Required("master_name")}}
	s["if"] = schema.Schema{"not": elsewhere}
	s["then"] = schema.Schema{
		"anyOf": []any{schema.Required("url"), schema.Required("url_file")}, "errorMessage": "url is missing",
	}
	return s
}

func (c *Config) validateMode(l *problem.List) {
	modes := []string{modeStandalone, modeSentinel, modeCluster}
	mode := c.mode()
	switch mode {
	case modeStandalone:
		if c.URL.Empty() {
			l.AddHint("url", "write for example redis://127.0.0.1:6379/0", "is missing")
		}
		if len(c.Addrs) > 0 {
			l.AddHint("addrs", "set mode: cluster or mode: sentinel", "has no meaning for a standalone server")
		}
	case modeSentinel:
		if len(c.Addrs) == 0 {
			l.Add("addrs", "is missing: where are the Sentinels?")
		}
		if c.MasterName == "" {
			l.Add("master_name", "is missing: which master of the Sentinels?")
		}
		if !c.URL.Empty() {
			l.AddHint("url", "use addrs, username, password, db and tls", "has no meaning with Sentinel")
		}
	case modeCluster:
		if len(c.Addrs) == 0 && c.URL.Empty() {
			l.Add("addrs", "is missing: where is a node of the cluster?")
		}
		if c.DB != 0 {
			l.Add("db", "a cluster has database 0 only")
		}
	default:
		l.AddHint("mode", problem.DidYouMean(mode, modes), "unknown mode %q: want %s", mode, strings.Join(modes, ", "))
	}
	if c.MasterName != "" && mode != modeSentinel && slices.Contains(modes, mode) {
		l.AddHint("master_name", "set mode: sentinel", "has no meaning in mode %s", mode)
	}
}

func (c *Config) validateStrategies(l *problem.List) {
	for name, s := range c.Strategies {
		if s.TTL < 0 {
			l.Add("strategies."+name+".ttl", "want a positive duration")
		}
	}
	hash := c.StrategyStats.RedisHash
	switch {
	case hash == "":
	case len(c.Strategies) == 0:
		l.Add("strategy_stats.redis_hash", "no strategies are named to read it for")
	case len(c.Strategies) > 1 && !strings.Contains(hash, strategyPlaceholder):
		l.AddHint("strategy_stats.redis_hash", "write for example cachestats:{strategy}",
			"gives all strategies the same key")
	}
}

// parseURL checks a URL without ever repeating it: it may hold a password.
func parseURL(u secret.URL) (*url.URL, error) {
	parsed, err := url.Parse(u.Reveal())
	switch {
	case err != nil:
		return nil, errBadURL("is not a URL")
	case !slices.Contains([]string{"redis", "rediss", "unix"}, parsed.Scheme):
		return nil, errBadURL("want a redis://, rediss:// or unix:// URL")
	case parsed.Scheme == "unix" && parsed.Path == "":
		return nil, errBadURL("names no socket")
	case parsed.Scheme != "unix" && parsed.Hostname() == "":
		return nil, errBadURL("names no host")
	}
	if text := databaseOf(parsed); text != "" && !isNumber(text) {
		return nil, errBadURL("the database is not a number")
	}
	return parsed, nil
}

type errBadURL string

func (e errBadURL) Error() string { return string(e) }

// databaseOf returns the database a URL names: ?db=1, or the path.
func databaseOf(u *url.URL) string {
	if db := u.Query().Get("db"); db != "" || u.Scheme == "unix" {
		return db
	}
	return strings.Trim(u.Path, "/")
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
