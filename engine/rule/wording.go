package rule

import (
	"regexp"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// What the parser of conditions says of a mistake is meant for programmers in Go.
// Here it is said again for whoever wrote the rule.

var unexpectedToken = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`) //nolint:gochecknoglobals // a constant that Go cannot spell

// conditionMessage words a mistake of expr-lang's parser, and says what was
// likely meant.
func conditionMessage(parsers string) (message, hint string) {
	found := unexpectedToken.FindStringSubmatch(parsers)
	switch {
	case found == nil:
		return "bad condition: " + parsers, ""
	case found[1] == "EOF":
		return "the condition ends too early", ""
	case found[2] == "=":
		hint = "write == to compare"
	case found[2] == "for":
		hint = "the time stands beside it: {when: value > 80, for: 5m}"
	case found[2] == ":":
		hint = `a time of day stands in quotes: "09:00"`
	case found[1] == "Identifier":
		hint = problem.DidYouMean(found[2], []string{"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith"})
	}
	return "bad condition: " + quote(found[2]) + " cannot stand here", hint
}
