package redis

import (
	"maps"
	"slices"

	"github.com/tocsin-dev/tocsin/source"
)

// Yields says what a source of this name gives. Strategies without a hash are
// known to the guide's documents only.
func (c *Config) Yields(string) source.Yield {
	y := source.Yield{Metrics: []string{"redis.*"}}
	if c.StrategyStats.RedisHash != "" {
		y.Metrics = append(y.Metrics, "cache.*")
		y.Labels = map[string][]string{"strategy": append(slices.Sorted(maps.Keys(c.Strategies)), "")}
	}
	return y
}
