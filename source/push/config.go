package push

import (
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
)

// Config is a source of type push. The interval of the source is how often
// the cache strategies of all instances are summed up and judged.
type Config struct {
	Strategies map[string]Strategy `yaml:"strategies"`
	// StaleAfter is how long an instance may be silent before it is gone; zero
	// is three intervals.
	StaleAfter time.Duration `yaml:"stale_after"`
	// MaxInstances bounds how many instances may push at a time.
	MaxInstances int `yaml:"max_instances"`
}

// Strategy is what the configuration says of one cache strategy.
type Strategy struct {
	// TTL is how long the application keeps an entry.
	TTL time.Duration `yaml:"ttl"`
}

// Default returns the configuration that a file's settings are laid over.
func Default() Config { return Config{MaxInstances: 1000} }

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	for _, name := range slices.Sorted(maps.Keys(c.Strategies)) {
		if c.Strategies[name].TTL < 0 {
			ps.Add(problem.Join("strategies", name)+".ttl", "must not be negative")
		}
	}
	if c.StaleAfter < 0 {
		ps.Add("stale_after", "must not be negative")
	}
	if c.MaxInstances <= 0 {
		ps.Add("max_instances", "must be at least 1")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"max_instances": schema.AtLeast(1)})
}

// OpensCatalog says that an application may push metrics that no one declared.
func (c *Config) OpensCatalog() bool { return true }
