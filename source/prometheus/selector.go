package prometheus

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	derived    = regexp.MustCompile(`:(rate|p50|p95|p99)$`)
)

// selector names series of the page: name or name{label="value",other=~"re"}.
// The name is that of a sample on the page, or of what this source makes of
// it: a counter's name:rate, a histogram's name:p50, name:p95 and name:p99.
type selector struct {
	name     string
	matchers alert.Matchers
}

func parseSelector(text string) (selector, error) {
	text = strings.TrimSpace(text)
	name, rest, braced := strings.Cut(text, "{")
	sel := selector{name: strings.TrimSpace(name)}
	if !metricName.MatchString(sel.name) {
		return sel, fmt.Errorf("%q does not begin with a metric's name", text)
	}
	if !braced {
		return sel, nil
	}
	inner, closed := strings.CutSuffix(rest, "}")
	if !closed {
		return sel, fmt.Errorf("%q: the brace does not close", text)
	}
	for _, part := range splitOutsideQuotes(inner) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		m, err := alert.ParseMatcher(part)
		if err != nil {
			return sel, err
		}
		sel.matchers = append(sel.matchers, m)
	}
	return sel, nil
}

// splitOutsideQuotes splits at commas that stand outside double quotes.
func splitOutsideQuotes(s string) []string {
	var parts []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// base is the name on the page that the selector's series are made of.
func (s selector) base() string { return derived.ReplaceAllString(s.name, "") }

// scaleTo returns the factor from the unit that a metric's name ends with to
// the catalog's unit, by Prometheus' rules for names: base units, and their
// exceptions. A name that tells no unit has the catalog's already.
func (s selector) scaleTo(unit string) float64 {
	name := s.base()
	for _, x := range [...]struct {
		suffix, unit string
		factor       float64
	}{
		{"_seconds", "ms", 1e3},
		{"_milliseconds", "s", 1e-3},
		{"_ms", "s", 1e-3},
		{"_ratio", "%", 100},
		{"_kilobytes", "bytes", 1 << 10},
		{"_megabytes", "bytes", 1 << 20},
	} {
		if strings.HasSuffix(name, x.suffix) && unit == x.unit {
			return x.factor
		}
	}
	if strings.HasSuffix(s.name, ":rate") && unit == "/min" {
		return 60
	}
	return 1
}
