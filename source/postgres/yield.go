package postgres

import "github.com/tocsin-dev/tocsin/source"

// Yields says what a source of this name gives. Which tables there are, only the
// server knows.
func (c *Config) Yields(string) source.Yield { return source.Yield{Metrics: []string{"postgres.*"}} }
