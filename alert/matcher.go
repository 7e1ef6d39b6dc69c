package alert

import (
	"fmt"
	"regexp"
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
	re    *regexp.Regexp
}

// NewMatcher makes a matcher; a regular expression (RE2) is anchored at both
// ends.
func NewMatcher(name string, op MatchOp, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	if op == MatchRegexp || op == MatchNotRegexp {
		// The value is read alone first: a)|(b would close the anchors' group.
		if _, err := regexp.Compile(value); err != nil {
			return m, fmt.Errorf("matcher %s: %w", m, err)
		}
		re, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return m, fmt.Errorf("matcher %s: %w", m, err)
		}
		m.re = re
	}
	return m, nil
}

// ParseMatcher reads `name = value`, `name != "value"`, `name =~ re` or
// `name !~ "re"`: Alertmanager's syntax. White space around the parts is
// free; a value may stand bare or in double quotes with Go's escapes.
func ParseMatcher(text string) (Matcher, error) {
	at := strings.IndexAny(text, "=!")
	if at < 0 {
		return Matcher{}, fmt.Errorf("matcher %q: no operator; want =, !=, =~ or !~", text)
	}
	name := strings.TrimSpace(text[:at])
	if unquoted, err := strconv.Unquote(name); err == nil {
		name = unquoted
	}
	if name == "" {
		return Matcher{}, fmt.Errorf("matcher %q: no label name before the operator", text)
	}
	if strings.ContainsFunc(name, notInName) {
		return Matcher{}, fmt.Errorf("matcher %q: %q is not a label name", text, name)
	}
	op, rest, err := cutOperator(text, text[at:])
	if err != nil {
		return Matcher{}, err
	}
	value := strings.TrimSpace(rest)
	if strings.HasPrefix(value, `"`) {
		unquoted, err := strconv.Unquote(value)
		if err != nil {
			return Matcher{}, fmt.Errorf("matcher %q: the value's quotes do not close", text)
		}
		value = unquoted
	}
	return NewMatcher(name, op, value)
}

// notInName tells the runes that a label's name cannot have: those that String
// could not write bare for ParseMatcher to read back.
func notInName(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar || strings.ContainsRune("\"'`{},=!~\\", r)
}

func cutOperator(text, from string) (MatchOp, string, error) {
	for _, op := range [...]MatchOp{MatchRegexp, MatchNotRegexp, MatchNotEqual, "==", MatchEqual} {
		if rest, ok := strings.CutPrefix(from, string(op)); ok {
			if op == "==" {
				return "", "", fmt.Errorf("matcher %q: no such operator ==; did you mean =?", text)
			}
			return op, rest, nil
		}
	}
	return "", "", fmt.Errorf("matcher %q: no such operator; want =, !=, =~ or !~", text)
}

// Matches says whether the labels satisfy the matcher.
func (m Matcher) Matches(ls Labels) bool { return m.MatchesValue(ls.Get(m.Name)) }

// MatchesValue says whether a value of the matcher's label satisfies it; empty
// is an absent label's.
func (m Matcher) MatchesValue(value string) bool {
	switch m.Op {
	case MatchEqual:
		return value == m.Value
	case MatchNotEqual:
		return value != m.Value
	case MatchRegexp:
		return m.re.MatchString(value)
	case MatchNotRegexp:
		return !m.re.MatchString(value)
	}
	return false
}

// String writes the matcher so that ParseMatcher reads it back.
func (m Matcher) String() string { return m.Name + string(m.Op) + strconv.Quote(m.Value) }

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

// String writes the set as {a="b",c=~"d"}.
func (ms Matchers) String() string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.String()
	}
	return "{" + strings.Join(parts, ",") + "}"
}
