// Package configs is what operators write: the configuration and the rule
// files, read strictly, with every mistake at its place. cmd calls Load and
// LoadRules at start, on reload and in check. It starts nothing, connects to
// nothing, and knows no adapter by name: cmd hands it the kinds of sources and
// receivers there are. The files beside the code are the ones we ship.
package configs

import (
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Config is a whole configuration. Load makes it; after that it is read only.
type Config struct {
	Server Server `yaml:"server"`
	Store  Store  `yaml:"store"`
	Redis  Redis  `yaml:"redis"`
	// Rules are files or globs, relative to the configuration's folder.
	Rules     []string   `yaml:"rules"`
	Sources   []Source   `yaml:"-"` // less the skipped ones, in file order
	Receivers []Receiver `yaml:"-"` // less the skipped ones, in file order
	// Plugins are programs that serve receivers and sources of types of their own.
	Plugins []Plugin   `yaml:"plugins"`
	Route   route.Spec `yaml:"route"`
	// Inhibit holds alerts back while others fire.
	Inhibit []route.InhibitSpec `yaml:"inhibit"`
	// TimeIntervals are times by name, for routes and maintenance.
	TimeIntervals []route.IntervalSpec `yaml:"time_intervals"`
	// Maintenance is planned work, during which alerts are held back.
	Maintenance []route.MaintenanceSpec `yaml:"maintenance"`
	// SilenceWarning is how long before a silence ends that is told to those
	// whom its alerts would be told to; 0 is never.
	SilenceWarning time.Duration `yaml:"silence_warning"`
	External       External      `yaml:"external"`
	// Heartbeats are signs of life that others send: one that is late is an
	// alert.
	Heartbeats []Heartbeat `yaml:"heartbeats"`
	Reload     Reload      `yaml:"reload"`
	Log        Log         `yaml:"log"`
	Canary     Canary      `yaml:"canary"`
	Deadman    Deadman     `yaml:"deadman"`

	// RuleFiles are the files that Rules names, sorted, each once.
	RuleFiles []string `yaml:"-"`
	// RulePatterns are the files and globs of Rules, with the configuration's
	// folder before them.
	RulePatterns []string `yaml:"-"`
	// Skipped are the sources and receivers that are left out, in file order.
	Skipped []Skipped `yaml:"-"`

	metrics []source.Metric // that the sources declare
	open    bool            // sources may yield undeclared metrics
	// pluginSources are the plugins that sources are of, described what those that
	// were asked say that they yield.
	pluginSources []string
	described     map[string][]source.Metric
}

// Server is the HTTP side.
type Server struct {
	// Listen is host:port. Without Tokens the host must be a loopback address.
	Listen string `yaml:"listen"`
	// ExternalURL is where people reach the daemon: links in notifications
	// begin with it. Empty is http:// and Listen.
	ExternalURL string  `yaml:"external_url"`
	Tokens      []Token `yaml:"tokens"`
	// ReadTimeout bounds the reading of one request.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// ShutdownTimeout bounds the draining after SIGTERM.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// Token lets a client in.
type Token struct {
	Name string `yaml:"name"` // for the log
	// Token is the secret itself, 16 characters or more.
	Token secret.String `yaml:"token"`
	// Scope is read, operate (push samples, silence, acknowledge) or admin (reload);
	// each includes those before it.
	Scope Scope `yaml:"scope"`
}

// Scope is what a token allows. Each includes those before it.
type Scope string

// The scopes.
const (
	ScopeRead    Scope = "read"    // look
	ScopeOperate Scope = "operate" // push samples, silence, acknowledge
	ScopeAdmin   Scope = "admin"   // reload, write rule files
)

// Store says where state and history are kept.
type Store struct {
	// Driver is sqlite.
	Driver string `yaml:"driver"`
	// Path is SQLite's file, relative to the working directory.
	Path string `yaml:"path"`
	// URL is not for sqlite.
	URL       secret.URL `yaml:"url"`
	Retention Retention  `yaml:"retention"`
}

// Retention is how long things are kept, and how much of them.
type Retention struct {
	// History is how long alerts are kept, Deliveries how long notifications
	// are that were sent or given up (no longer than History), Samples how long
	// samples are.
	History    time.Duration `yaml:"history"`
	Deliveries time.Duration `yaml:"deliveries"`
	Samples    time.Duration `yaml:"samples"`
	// Size bounds all of it: beyond it the oldest goes before its time. Zero
	// sets no bound.
	Size units.ByteSize `yaml:"size"`
}

// Redis carries wake-ups between replicas.
type Redis struct {
	// URL has no effect in this version.
	URL secret.URL `yaml:"url"`
}

// Reload is how edits of the files take effect.
type Reload struct {
	// Watch reloads when a file changes.
	Watch bool `yaml:"watch"`
	// Interval is how often the files are compared where no event tells.
	Interval time.Duration `yaml:"interval"`
	// AlertAfter is how long an edit must stay refused before that is an alert.
	AlertAfter time.Duration `yaml:"alert_after"`
}

// Log is the daemon's own log.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Source is one thing to poll: what all types share, and the type's own.
type Source struct {
	// Name becomes the label source.
	Name     string        `yaml:"name"`
	Type     string        `yaml:"type"`
	Interval time.Duration `yaml:"interval"` // between the starts of two polls
	// Timeout bounds one poll; not given it is the interval, and at most
	// 5s.
	Timeout time.Duration     `yaml:"timeout"`
	Labels  map[string]string `yaml:"labels"` // added to every sample
	// Service is the service of /api/health that this source speaks for.
	Service string `yaml:"service"`
	// Enabled is on; off leaves the source out.
	Enabled  bool `yaml:"enabled"`
	Optional bool `yaml:"optional"` // leave it out while its URL is empty
	// Settings is the pointer to the adapter's Config that the type's kind
	// made, filled.
	Settings any `yaml:"-"`

	skip *Skipped
}

// Spec returns how the source is polled.
func (s Source) Spec() source.Spec {
	return source.Spec{
		Name: s.Name, Type: s.Type, Interval: s.Interval, Timeout: s.Timeout,
		Labels: alert.FromMap(s.Labels),
	}
}

// Receiver is one place to tell.
type Receiver struct {
	// Name is what routes call it.
	Name    string        `yaml:"name"`
	Type    string        `yaml:"type"`
	Timeout time.Duration `yaml:"timeout"` // of one attempt
	// SendResolved says whether resolutions are sent; left out, they are.
	SendResolved *bool `yaml:"send_resolved"`
	// Concurrency is how many notifications are on their way at a time; left
	// out, what suits the type.
	Concurrency int `yaml:"concurrency"`
	// RateLimit is how many attempts are made at most, as in 60/m; left out,
	// there is no limit.
	RateLimit outbox.Rate `yaml:"rate_limit"`
	// GiveUpAfter is the age at which a notification that could not be sent is
	// given up.
	GiveUpAfter time.Duration `yaml:"give_up_after"`
	// Cap merges what comes beyond so many notifications in a time into a
	// digest.
	Cap Cap `yaml:"cap"`
	// Enabled is on; off leaves the receiver out.
	Enabled  bool `yaml:"enabled"`
	Optional bool `yaml:"optional"` // leave it out while its URL is empty
	// Settings is as in Source.
	Settings any `yaml:"-"`

	skip *Skipped
}

// LeftOut says whether the source is left out, in a Written.
func (s *Source) LeftOut() bool { return s.skip != nil }

// LeftOut says whether the receiver is left out, in a Written.
func (r *Receiver) LeftOut() bool { return r.skip != nil }

// Skipped is a source or a receiver that is left out.
type Skipped struct {
	Name, Type string
	// Variables are the ones that would bring it in; none when it is switched
	// off by `enabled: false`.
	Variables []string
	// Receiver tells a receiver from a source.
	Receiver bool
}

// Kinds is every type of source and receiver there is. Each function returns
// a new pointer to the adapter's Config, filled with defaults. What the
// pointer's type may implement beside:
//
//   - Validate() problem.List, with paths relative to the Config;
//   - Metrics() []source.Metric, the metrics that it adds to the catalog;
//   - OpensCatalog() bool, true when it may yield metrics that no one declared;
//   - TellsAcks() bool, true for a receiver that shows who has taken an alert up.
type Kinds struct {
	Sources   map[string]func() any
	Receivers map[string]func() any
}

// Catalog returns the metrics that rules can name: the built-in ones and those
// of the configured sources, skipped ones included, so that a rule file is
// right or wrong whatever the environment.
func (c *Config) Catalog() source.Catalog {
	catalog := source.NewCatalog(c.metrics, c.open)
	for _, plugin := range c.pluginSources {
		metrics, known := c.described[plugin]
		if catalog = catalog.With(metrics...); !known {
			catalog = catalog.Unbounded()
		}
	}
	return catalog
}

// ExternalURL is where people reach the daemon, without a slash at its end.
func (c *Config) ExternalURL() string {
	if c.Server.ExternalURL != "" {
		return strings.TrimRight(c.Server.ExternalURL, "/")
	}
	return "http://" + c.Server.Listen
}

// LongestInterval is the longest interval of any source; zero without sources.
func (c *Config) LongestInterval() time.Duration {
	var longest time.Duration
	for i := range c.Sources {
		longest = max(longest, c.Sources[i].Interval)
	}
	return longest
}
