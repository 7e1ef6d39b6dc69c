package yamlpos

import (
	"fmt"
	"regexp"
	"strings"
)

// variableName is what a shell takes for the name of a variable.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) //nolint:gochecknoglobals // a constant that Go cannot spell

// piece is a part of a scalar's text: literal, or one substitution. from and
// to are its bytes in the scalar.
type piece struct {
	from, to int
	literal  string // what a literal piece stands for: "$" for "$$"
	name     string // of the variable; empty for a literal piece
	// fallback is the text behind :-, which begins at fallbackFrom.
	fallback     string
	fallbackFrom int
	hasFallback  bool
}

// fault is a substitution that is written wrong.
type fault struct {
	at            int
	message, hint string
}

// cutPieces cuts a scalar's text into its pieces. A $ that begins neither ${
// nor $$ is a dollar.
func cutPieces(s string) ([]piece, []fault) {
	var pieces []piece
	var faults []fault
	start := 0
	literal := func(to int) {
		if to > start {
			pieces = append(pieces, piece{from: start, to: to, literal: s[start:to]})
		}
	}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "$$"):
			literal(i)
			pieces = append(pieces, piece{from: i, to: i + 2, literal: "$"})
			i += 2
			start = i
		case strings.HasPrefix(s[i:], "${"):
			literal(i)
			end := closing(s, i)
			if end < 0 {
				return pieces, append(faults, fault{i, "${ does not close", "write ${VAR}, or $${ for the text itself"})
			}
			p, err := cutVariable(s, i, end)
			if err != nil {
				faults = append(faults, *err)
			} else {
				pieces = append(pieces, p)
			}
			i = end
			start = i
		default:
			i++
		}
	}
	literal(len(s))
	return pieces, faults
}

// closing returns the index behind the brace that closes the substitution at
// i, or -1. Substitutions nest within a default.
func closing(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "$$"):
			i++
		case strings.HasPrefix(s[i:], "${"):
			depth++
			i++
		case s[i] == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func cutVariable(s string, from, to int) (piece, *fault) {
	body := s[from+2 : to-1]
	p := piece{from: from, to: to, name: body}
	if name, fallback, ok := strings.Cut(body, ":-"); ok {
		p.name, p.fallback, p.hasFallback = name, fallback, true
		p.fallbackFrom = from + 2 + len(name) + 2
	}
	if !variableName.MatchString(p.name) {
		return p, &fault{from, fmt.Sprintf("%q is not the name of a variable", p.name), "write ${VAR} or ${VAR:-default}; for the text ${ itself, $${"}
	}
	return p, nil
}

// variables returns the names that a scalar's text is written with, defaults
// included, in order.
func variables(s string) []string {
	var names []string
	pieces, _ := cutPieces(s)
	for _, p := range pieces {
		if p.name != "" {
			names = append(names, p.name)
			names = append(names, variables(p.fallback)...)
		}
	}
	return names
}

// literals returns the parts of a scalar's text that are its author's own: all
// but ${NAME}, and of ${NAME:-default} the default.
func literals(s string) []piece {
	var own []piece
	pieces, faults := cutPieces(s)
	if len(faults) > 0 {
		return []piece{{from: 0, to: len(s), literal: s}}
	}
	for _, p := range pieces {
		if p.name == "" {
			own = append(own, p)
			continue
		}
		for _, inner := range literals(p.fallback) {
			inner.from += p.fallbackFrom
			inner.to += p.fallbackFrom
			own = append(own, inner)
		}
	}
	return own
}
