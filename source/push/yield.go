package push

import "github.com/tocsin-dev/tocsin/source"

// Yields says what a source of this name gives: whatever is pushed.
func (c *Config) Yields(string) source.Yield { return source.Yield{Metrics: []string{"*"}, Open: true} }
