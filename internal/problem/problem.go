// Package problem says what is wrong with something that a person wrote,
// without knowing the format it was written in: a path, a sentence and a
// suggestion. Whoever validates makes problems; internal/yamlpos finds the
// line and column. It never performs I/O.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one mistake.
type Problem struct {
	// Path names the place from the root of the document: rules[2].critical.
	Path string
	// Offset counts the bytes into the scalar at Path where the mistake
	// stands; 0 for its beginning.
	Offset int
	// InKey says that the mistake stands in the key at Path, not in its value;
	// Offset counts into the key then.
	InKey bool
	// Message says what is wrong, without the path.
	Message string
	// Hint says what to write instead; may be empty.
	Hint string
	// Warning marks a remark that refuses nothing.
	Warning bool
}

// Error makes a Problem an error: path, message and hint.
func (p Problem) Error() string {
	s := p.Message
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// List collects problems; the zero value is ready.
type List []Problem

// Add appends a problem with a formatted message.
func (l *List) Add(path, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// AddHint appends a problem with a suggestion.
func (l *List) AddHint(path, hint, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// Under appends the problems of a part, their paths set below prefix.
func (l *List) Under(prefix string, part List) {
	for _, p := range part {
		p.Path = Join(prefix, p.Path)
		*l = append(*l, p)
	}
}

// Err returns the problems as one error, or nil when there are none.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	errs := make([]error, len(l))
	for i := range l {
		errs[i] = l[i]
	}
	return errors.Join(errs...)
}

// Join puts a path below another: Join("rules[2]", "critical") is
// rules[2].critical, Join("route", "[0]") is route[0].
func Join(prefix, path string) string {
	switch {
	case prefix == "":
		return path
	case path == "" || strings.HasPrefix(path, "["):
		return prefix + path
	}
	return prefix + "." + path
}

// Nearest returns the candidate that is most like the word, or "" when none is
// near enough to suggest: about a third of its letters may be wrong, and never
// all of them.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", min(max(2, len(word)/3)+1, len(word))
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean returns `did you mean "x"?` for the nearest candidate, or "".
func DidYouMean(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours each cost one.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
