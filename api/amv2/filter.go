package amv2

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
)

// Filter reads the matchers of a query as Alertmanager does: by its classic
// syntax, and where that fails by the newer one, in which a label's name may be
// any text in quotes. The error is the classic syntax's, as there.
func Filter(given []string) (alert.Matchers, error) {
	if len(given) == 0 {
		return nil, nil
	}
	matchers := make(alert.Matchers, 0, len(given))
	for _, text := range given {
		if strings.HasPrefix(text, "{") || strings.HasSuffix(text, "}") {
			return nil, fmt.Errorf("unexpected open or close brace: %s", text)
		}
		m, err := alert.ParseClassicMatcher(text)
		if err != nil {
			newer, mistake := alert.ParseMatcher(text)
			if mistake != nil {
				return nil, err
			}
			m = newer
		}
		matchers = append(matchers, m)
	}
	return matchers, nil
}

// Flag reads a boolean parameter; absent it is true, and what is no word for
// yes is false, as in go-openapi.
func Flag(values []string) bool {
	if len(values) == 0 || values[len(values)-1] == "" {
		return true
	}
	switch strings.ToLower(values[len(values)-1]) {
	case "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	}
	return false
}

// Receivers reads a regular expression for names; nil, which an empty one
// gives, matches every name.
func Receivers(expression string) (func(name string) bool, error) {
	if expression == "" {
		return nil, nil
	}
	re, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}
