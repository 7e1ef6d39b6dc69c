package route

import (
	"errors"
	"fmt"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
)

// MatchSpec is a set of matchers as it is written: a list of texts, each of one
// matcher or a set in braces, or one such text alone. Every matcher must hold.
type MatchSpec []string

// FromScalar takes one text in the place of a list.
func (m *MatchSpec) FromScalar(text string) error {
	*m = MatchSpec{text}
	return nil
}

// ScalarSchema says which texts FromScalar takes.
func (MatchSpec) ScalarSchema() schema.Schema { return schema.MatcherSet() }

// Match is a compiled set of which it is known which text each matcher is of.
type Match struct {
	Matchers alert.Matchers
	Texts    []int // by matcher
}

// Read reads the texts. Problems have paths as [1].
func (m MatchSpec) Read() (Match, problem.List) {
	var out Match
	var problems problem.List
	for i, text := range m {
		set, err := alert.ParseMatchers(text)
		at := fmt.Sprintf("[%d]", i)
		switch {
		case err != nil:
			problems = append(problems, unread(at, err))
		case len(set) == 0:
			problems.AddHint(at, "write for example severity = critical", "a set without a matcher").As(problem.BadMatcher)
		}
		for _, matcher := range set {
			out.Matchers, out.Texts = append(out.Matchers, matcher), append(out.Texts, i)
		}
	}
	return out, problems
}

// unread points at the place of the mistake, so that the message need not.
func unread(path string, err error) problem.Problem {
	p := problem.Problem{Path: path, Message: err.Error(), Code: problem.BadMatcher}
	if wrong := (*alert.MatcherError)(nil); errors.As(err, &wrong) {
		p.Message, p.Offset = fmt.Sprintf("matcher %q: %s", wrong.Text, wrong.Message), wrong.Offset
	}
	return p
}

func matchers(texts MatchSpec, path string, problems *problem.List) alert.Matchers {
	match, wrong := texts.Read()
	problems.Under(path, wrong)
	return match.Matchers
}
