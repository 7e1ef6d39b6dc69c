package prometheus

import (
	"maps"
	"slices"

	"github.com/tocsin-dev/tocsin/source"
)

// Yields says what a source of this name gives: what is mapped, what the
// conventions of the application's library say, and every other name of the
// page. The labels are the page's.
func (c *Config) Yields(string) source.Yield {
	return source.Yield{Metrics: append(slices.Sorted(maps.Keys(c.Map)), "app.*", "cache.*", "postgres.pool_*"), Open: true}
}
