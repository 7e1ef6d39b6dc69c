package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// notSeen returns a remark for each matcher that no series satisfies which was
// seen of a metric. Where none was seen at all, that says nothing: the metric may
// be new, or no rule looked at it yet.
func (l *Linter) notSeen(match alert.Matchers, metric string) []remark {
	remarks := make([]remark, len(match))
	if l.Seen == nil || len(match) == 0 {
		return remarks
	}
	seen, all := l.Seen(metric)
	if !all || len(seen) == 0 || slices.ContainsFunc(seen, match.Matches) {
		return remarks
	}
	alone := false
	for i, m := range match {
		if !slices.ContainsFunc(seen, m.Matches) {
			remarks[i] = remark{problem.NotSeen, fmt.Sprintf("no series of %s has %s, of %s", metric, m, many(len(seen))), suggestion(m.Value, valuesOf(seen, m.Name))}
			alone = true
		}
	}
	if !alone {
		remarks[0] = remark{problem.NotSeen, fmt.Sprintf("no series of %s has all of these labels, of %s", metric, many(len(seen))), ""}
	}
	return remarks
}

func many(n int) string {
	if n == 1 {
		return "1 that the daemon has seen"
	}
	return fmt.Sprintf("%d that the daemon has seen", n)
}

func valuesOf(seen []alert.Labels, label string) []string {
	values := map[string]bool{}
	for _, labels := range seen {
		values[labels.Get(label)] = true
	}
	return slices.Sorted(maps.Keys(values))
}
