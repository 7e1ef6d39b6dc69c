package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// SeriesState is one series as it stands.
type SeriesState struct {
	Labels alert.Labels
	At     time.Time // of the last sample
	Value  float64
}

// Series returns the series of a metric that match and have had a sample, at most
// limit of them sorted by labels, and how many there are. Which of them are
// returned when there are more is not said. A metric that no rule looks at has
// none.
func (e *Evaluator) Series(metric string, match alert.Matchers, limit int) (found []SeriesState, total int) {
	f := e.families[metric]
	if f == nil {
		return nil, 0
	}
	for _, t := range f.series {
		at, value, seen := t.Last()
		if !seen || !match.Matches(t.Labels) {
			continue
		}
		if total++; len(found) < limit {
			found = append(found, SeriesState{t.Labels, at, value})
		}
	}
	slices.SortFunc(found, func(a, b SeriesState) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	return found, total
}
