package prometheus

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Config is a source of type prometheus.
type Config struct {
	// URL is the page: http:// or https://.
	URL           secret.URL `yaml:"url"`
	httpx.Options `yaml:",inline"`

	// Map fills metrics of the catalog from the page: catalog name to a series
	// of the page, written as name or name{label="value"}. Several series that
	// match are summed.
	Map map[string]string `yaml:"map"`
	// MemoryLimit is what the application may use; zero takes it from the
	// page, where it is there.
	MemoryLimit units.ByteSize `yaml:"memory_limit"`
	// Strategies are the application's cache strategies, by name.
	Strategies map[string]Strategy `yaml:"strategies"`
	// CacheMetric is the counter of cache lookups, with the labels cache and
	// result (hit or miss).
	CacheMetric string `yaml:"cache_metric"`

	// Keep and Drop are regular expressions (RE2, anchored) on the names of
	// what is yielded under its own name. Empty Keep keeps everything; Drop
	// wins.
	Keep []string `yaml:"keep"`
	Drop []string `yaml:"drop"`
	// MaxSeries bounds what is yielded under its own name.
	MaxSeries    int            `yaml:"max_series"`
	MaxBodyBytes units.ByteSize `yaml:"max_body_bytes"` // after decompression
}

// Strategy is what the configuration says of one cache strategy.
type Strategy struct {
	// TTL is how long the application keeps an entry.
	TTL time.Duration `yaml:"ttl"`
}

// Default returns the configuration that a file's settings are laid over.
func Default() Config {
	return Config{CacheMetric: "cache_gets_total", MaxSeries: 10_000, MaxBodyBytes: 16 << 20}
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.URL, "http", "https"); err != nil {
		ps.AddHint("url", "write for example http://127.0.0.1:3000/metrics", "%s", err)
	}
	ps.Under("", c.Options.Validate())
	c.validateMap(&ps)
	if c.MemoryLimit < 0 {
		ps.Add("memory_limit", "must not be negative")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Strategies)) {
		if c.Strategies[name].TTL < 0 {
			ps.Add(problem.Join("strategies", name)+".ttl", "must not be negative")
		}
	}
	if !metricName.MatchString(c.CacheMetric) {
		ps.Add("cache_metric", "%q is not a metric's name", c.CacheMetric)
	}
	if _, err := compile(c.Keep); err != nil {
		ps.Add("keep", "%s", err)
	}
	if _, err := compile(c.Drop); err != nil {
		ps.Add("drop", "%s", err)
	}
	if c.MaxSeries <= 0 {
		ps.Add("max_series", "must be at least 1")
	}
	if c.MaxBodyBytes <= 0 {
		ps.Add("max_body_bytes", "must be at least 1")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"url":            schema.URL("http", "https"),
		"map":            schema.Schema{"propertyNames": schema.Enum(source.NewCatalog(nil, false).Names()...)},
		"cache_metric":   schema.Text(metricName.String(), "a metric's name"),
		"max_series":     schema.AtLeast(1),
		"max_body_bytes": schema.MoreThanZero(),
	}, "url")
}

// OpensCatalog says that a page may hold metrics that no one declared.
func (c *Config) OpensCatalog() bool { return true }

func (c *Config) validateMap(ps *problem.List) {
	catalog := source.NewCatalog(nil, false)
	for _, name := range slices.Sorted(maps.Keys(c.Map)) {
		path := problem.Join("map", name)
		if _, ok := catalog.Lookup(name); !ok {
			ps.AddHint(path, problem.DidYouMean(name, catalog.Names()), "%q is not a metric of the catalog", name)
		}
		if _, err := parseSelector(c.Map[name]); err != nil {
			ps.AddHint(path, `write for example process_resident_memory_bytes or jvm_memory_used_bytes{area="heap"}`, "%s", err)
		}
	}
}

// compile makes one anchored expression of several; nil when there is none.
func compile(expressions []string) (*regexp.Regexp, error) {
	if len(expressions) == 0 {
		return nil, nil
	}
	all := ""
	for i, e := range expressions {
		if _, err := regexp.Compile(e); err != nil {
			return nil, err
		}
		if i > 0 {
			all += "|"
		}
		all += "(?:" + e + ")"
	}
	return regexp.Compile("^(?:" + all + ")$")
}
