package json

import "github.com/tocsin-dev/tocsin/source"

// Yields says what a source of this name gives: what is configured, and what
// follows from it. The labels are the configuration's or the document's.
func (c *Config) Yields(string) source.Yield {
	y := source.Yield{Metrics: []string{"app.memory_usage", "postgres.pool_usage"}, Open: true}
	for i := range c.Values {
		y.Metrics = append(y.Metrics, c.Values[i].Metric)
	}
	if c.Strategies.Path != "" {
		y.Metrics = append(y.Metrics, "cache.*")
	}
	return y
}
