package http

import "github.com/tocsin-dev/tocsin/source"

// Yields says what a source of this name gives: its one check has its name.
func (c *Config) Yields(name string) source.Yield {
	return source.Yield{Metrics: []string{"http.*"}, Labels: map[string][]string{"check": {name}}}
}
