package alert

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// MatchOp is the operator of a Matcher.
type MatchOp string

// The operators, as in Alertmanager.
const (
	MatchEqual     MatchOp = "="
	MatchNotEqual  MatchOp = "!="
	MatchRegexp    MatchOp = "=~"
	MatchNotRegexp MatchOp = "!~"
)

// Matcher tests one label. An absent label counts as the empty string.
type Matcher struct {
	Name  string
	Op    MatchOp
	Value string
	re    *pattern
}

// NewMatcher makes a matcher; a regular expression (RE2) is anchored at both
// ends.
func NewMatcher(name string, op MatchOp, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	if op == MatchRegexp || op == MatchNotRegexp {
		re, err := newPattern(value)
		if err != nil {
			return m, fmt.Errorf("matcher %s: %w", m, err)
		}
		m.re = re
	}
	return m, nil
}

// Matches says whether the labels satisfy the matcher.
func (m *Matcher) Matches(ls Labels) bool { return m.MatchesValue(ls.Get(m.Name)) }

// MatchesValue says whether a value of the matcher's label satisfies it; empty
// is an absent label's.
func (m *Matcher) MatchesValue(value string) bool {
	switch m.Op {
	case MatchEqual:
		return value == m.Value
	case MatchNotEqual:
		return value != m.Value
	case MatchRegexp:
		return m.re.matches(value)
	case MatchNotRegexp:
		return !m.re.matches(value)
	}
	return false
}

// String writes the matcher so that ParseMatcher reads it back, and Alertmanager
// too: its older syntax knows few escapes, and is not meant where the name
// stands in quotes.
func (m Matcher) String() string {
	if strings.ContainsFunc(m.Name, quotedInName) || strings.ContainsFunc(m.Value, escapedInValue) {
		return strconv.Quote(m.Name) + string(m.Op) + strconv.Quote(m.Value)
	}
	value := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(m.Value)
	return m.Name + string(m.Op) + `"` + value + `"`
}

func quotedInName(r rune) bool { return reserved(r) || !unicode.IsPrint(r) }

// escapedInValue tells the runes that a terminal would not show.
func escapedInValue(r rune) bool {
	return r != '\n' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar)
}

// Matchers is a set that matches when each of its members does; the empty set
// matches everything.
type Matchers []Matcher

// Matches says whether the labels satisfy every matcher.
func (ms Matchers) Matches(ls Labels) bool {
	for i := range ms {
		if !ms[i].Matches(ls) {
			return false
		}
	}
	return true
}

// Unbounded says whether no matcher asks for a label: a silence of these would
// hold back whatever has none of them. One that says what a label is not counts
// as asking, as in Alertmanager.
func (ms Matchers) Unbounded() bool {
	for i := range ms {
		if m := &ms[i]; m.Op == MatchNotEqual || m.Op == MatchNotRegexp || !m.MatchesValue("") {
			return false
		}
	}
	return true
}

// String writes the set as {a="b",c=~"d"}.
func (ms Matchers) String() string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.String()
	}
	return "{" + strings.Join(parts, ",") + "}"
}
