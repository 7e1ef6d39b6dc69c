package source

import (
	"slices"
	"strings"
)

// Yield is what a source can give, as far as its configuration tells
// beforehand. The zero Yield gives nothing.
type Yield struct {
	// Metrics are names, families as in redis.*, or * for any metric but those
	// of the daemon's own.
	Metrics []string
	// Labels holds, for a label that the source sets itself, every value that it
	// can have; "" where a series may lack it. A label of the catalog that is not
	// here can have any value.
	Labels map[string][]string
	// Open says that series can have labels of which the catalog tells nothing.
	Open bool
}

// Gives says whether the source can give a metric.
func (y Yield) Gives(metric string) bool {
	return slices.ContainsFunc(y.Metrics, func(name string) bool {
		family, isFamily := strings.CutSuffix(name, "*")
		return name == metric || isFamily && strings.HasPrefix(metric, family)
	})
}
