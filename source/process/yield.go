package process

import "github.com/tocsin-dev/tocsin/source"

// Yields says what a source of this name gives: its process has its name.
func (c *Config) Yields(name string) source.Yield {
	return source.Yield{Metrics: []string{"process.*"}, Labels: map[string][]string{"process": {name}}}
}

// Yields says what a source of this name gives.
func (c *HostConfig) Yields(string) source.Yield {
	y := source.Yield{Metrics: []string{"host.*"}}
	if len(c.Mounts) > 0 {
		y.Labels = map[string][]string{"mount": c.Mounts}
	}
	return y
}
