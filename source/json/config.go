package json

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// Config is a source of type json. Paths are those of Path.
type Config struct {
	// URL is the document: http:// or https://.
	URL           secret.URL `yaml:"url"`
	httpx.Options `yaml:",inline"`

	Values     []Value    `yaml:"values"`
	Strategies Strategies `yaml:"strategies"`
	// StartedAt is the path of the application's start time: RFC 3339, or unix
	// seconds or milliseconds.
	StartedAt    string         `yaml:"started_at"`
	MaxBodyBytes units.ByteSize `yaml:"max_body_bytes"` // after decompression
}

// Value takes one metric out of the document, or with Each one for every
// element of an array or object.
type Value struct {
	// Metric is one of the catalog, or a name of the operator's own.
	Metric string `yaml:"metric"`
	// Path leads to the value, as in $.memory.used.
	Path string `yaml:"path"`
	// Each is the path of an array or object; Path, and every label that
	// begins with $, then start at its elements. $key is an element's name in
	// an object, or its index in an array.
	Each string `yaml:"each"`
	// Unit is what the metric is in; a text with a unit is converted to it.
	// Empty is the catalog's for a metric of the catalog, else none.
	Unit string `yaml:"unit"`
	// Labels are added to the series; one that begins with $ is a path.
	Labels map[string]string `yaml:"labels"`
	// Counter marks a value that only rises: the metric is its rise a second.
	Counter bool `yaml:"counter"`
	// Scale multiplies the value; 0 is 1.
	Scale float64 `yaml:"scale"`
	// Description is what people read beside the metric's name.
	Description string `yaml:"description"`
}

// Strategies says where the document keeps the counters of the cache
// strategies, in the shape of the guide's cacheStrategies: an object by
// strategy of hits, misses, sets, deletes, invalidations and errors.
type Strategies struct {
	// Path leads to the object of the strategies.
	Path string `yaml:"path"`
	// TTL is how long the application keeps an entry, by strategy.
	TTL map[string]time.Duration `yaml:"ttl"`
}

// Default returns the configuration that a file's settings are laid over.
func Default() Config { return Config{MaxBodyBytes: 4 << 20} }

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.URL, "http", "https"); err != nil {
		ps.AddHint("url", "write for example http://127.0.0.1:3000/api/performance", "%s", err)
	}
	ps.Under("", c.Options.Validate())
	if len(c.Values) == 0 && c.Strategies.Path == "" {
		ps.Add("values", "nothing is taken from the document; give values or strategies")
	}
	catalog := source.NewCatalog(nil, false)
	for i := range c.Values {
		ps.Under(fmt.Sprintf("values[%d]", i), c.Values[i].validate(catalog))
	}
	if c.Strategies.Path != "" {
		checkPath(&ps, "strategies.path", c.Strategies.Path)
	} else if len(c.Strategies.TTL) > 0 {
		ps.Add("strategies.path", "missing beside ttl")
	}
	if c.StartedAt != "" {
		checkPath(&ps, "started_at", c.StartedAt)
	}
	if c.MaxBodyBytes <= 0 {
		ps.Add("max_body_bytes", "must be at least 1")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"url": schema.URL("http", "https"), "max_body_bytes": schema.MoreThanZero()}, "url")
}

// JSONSchema says what reflection cannot of the settings.
func (Value) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"metric": schema.With(schema.Text(metricName().String(), "a metric's name"), schema.Schema{"examples": source.NewCatalog(nil, false).Names()}),
		"unit":   schema.Enum("", "%", "ms", "s", "bytes", "/s", "/min", "bytes/s"),
		"labels": schema.Labels(),
	}, "metric", "path")
}

// Metrics returns the metrics that the configuration declares and the catalog
// does not have, each once: the first that declares a name describes it.
func (c *Config) Metrics() []source.Metric {
	catalog := source.NewCatalog(nil, false)
	var metrics []source.Metric
	for i := range c.Values {
		v := &c.Values[i]
		known := slices.ContainsFunc(metrics, func(m source.Metric) bool { return m.Name == v.Metric })
		if _, builtin := catalog.Lookup(v.Metric); builtin || known || v.Metric == "" {
			continue
		}
		m := source.Metric{Name: v.Metric, Unit: v.Unit, Kind: source.Gauge, Description: v.Description, Labels: slices.Sorted(maps.Keys(v.Labels))}
		if m.Unit == "" && v.Counter {
			m.Unit = "/s"
		}
		if m.Description == "" {
			m.Description = "taken from a JSON document at " + v.Path
		}
		metrics = append(metrics, m)
	}
	return metrics
}

func (v *Value) validate(catalog source.Catalog) problem.List {
	var ps problem.List
	v.validateMetric(&ps, catalog)
	if v.Path == "" {
		ps.Add("path", "missing")
	} else {
		checkPath(&ps, "path", v.Path)
	}
	if v.Each != "" {
		checkPath(&ps, "each", v.Each)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Labels)) {
		if !labelName().MatchString(name) {
			ps.Add(problem.Join("labels", name), "%q is not a label's name", name)
		}
		if text := v.Labels[name]; strings.HasPrefix(text, "$") && text != keyOfElement {
			checkPath(&ps, problem.Join("labels", name), text)
		}
	}
	return ps
}

func (v *Value) validateMetric(ps *problem.List, catalog source.Catalog) {
	known := []string{"", "%", "ms", "s", "bytes", "/s", "/min", "bytes/s"}
	if !slices.Contains(known, v.Unit) {
		ps.AddHint("unit", problem.DidYouMean(v.Unit, known[1:]), "no such unit %q; want %s", v.Unit, strings.Join(known[1:], ", "))
	}
	first, _, dotted := strings.Cut(v.Metric, ".")
	builtin, isBuiltin := catalog.Lookup(v.Metric)
	switch {
	case v.Metric == "":
		ps.Add("metric", "missing")
	case !metricName().MatchString(v.Metric):
		ps.Add("metric", "%q is not a metric's name", v.Metric)
	case first == "source":
		ps.Add("metric", "source.* are the daemon's own")
	case isBuiltin && v.Unit != "" && v.Unit != builtin.Unit:
		ps.Add("unit", "%s is in %q, not in %q", v.Metric, builtin.Unit, v.Unit)
	case !isBuiltin && dotted && reserved(first, catalog):
		ps.AddHint("metric", problem.DidYouMean(v.Metric, catalog.Names()), "no metric %q in the catalog, whose %s.* are reserved", v.Metric, first)
	}
}

func reserved(first string, catalog source.Catalog) bool {
	return slices.ContainsFunc(catalog.Names(), func(name string) bool { return strings.HasPrefix(name, first+".") })
}

func checkPath(ps *problem.List, at, path string) {
	if _, err := parsePath(path); err != nil {
		ps.AddHint(at, "write for example $.memory.used or $.items[0].value", "%s", err)
	}
}

func metricName() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_:]*(\.[a-zA-Z0-9_:]+)*$`)
}

func labelName() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`) }
