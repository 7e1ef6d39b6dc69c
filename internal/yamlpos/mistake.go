package yamlpos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// StandardInput is the File of a mistake in what a pipe gave.
const StandardInput = "standard input"

// environmentPrefix begins the File of a mistake in a variable.
const environmentPrefix = "environment "

// Mistake is one thing that is wrong in a file or in the environment.
type Mistake struct {
	// File is the name that Parse was given, or "environment NAME".
	File string
	// Line and Column count from 1, columns in characters. Both are 0 where
	// there is no place to point at.
	Line, Column int
	// EndColumn is the column after the last character of what is wrong, on the
	// same line; 0 where it is not known.
	EndColumn int
	// Code names the class of the mistake, as problem.Problem does.
	Code string
	// Path names the value from the root of the document; may be empty.
	Path    string
	Message string
	// Hint says what to write instead; may be empty.
	Hint string
	// SourceLine is the file's line, secrets masked; may be empty.
	SourceLine string
	// Warning marks a remark that refuses nothing.
	Warning bool
	// Unread marks a file that could not be read at all: nothing in it was
	// judged.
	Unread bool

	text  *text // to mask SourceLine by what was learnt since
	caret int   // Column's place in SourceLine, from 1; 0 for Column itself
}

// Error returns the mistake in one line, without the source.
func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	if m.File != "" {
		b.WriteString(": ")
	}
	if m.Warning {
		b.WriteString("warning: ")
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	b.WriteString(m.Message)
	if m.Hint != "" {
		b.WriteString("; " + m.Hint)
	}
	return strings.Map(oneLine, b.String())
}

// Mistakes is a list of mistakes. The zero value is ready.
type Mistakes []Mistake

// Error returns one line for each mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the mistakes as an error, or nil when there are none but
// warnings.
func (ms Mistakes) Err() error {
	if slices.ContainsFunc(ms, func(m Mistake) bool { return !m.Warning }) {
		return ms
	}
	return nil
}

// Unread says whether a file could not be read.
func (ms Mistakes) Unread() bool {
	return slices.ContainsFunc(ms, func(m Mistake) bool { return m.Unread })
}

// Sorted returns the mistakes in file order, the files in the order of their
// first mistake and the environment last, by name, without repetitions. The masks of
// the source lines are brought up to date.
func (ms Mistakes) Sorted() Mistakes {
	order := map[string]int{}
	for _, m := range ms {
		if _, known := order[m.File]; !known {
			order[m.File] = len(order)
			if strings.HasPrefix(m.File, environmentPrefix) {
				order[m.File] = len(ms)
			}
		}
	}
	sorted := slices.Clone(ms)
	slices.SortStableFunc(sorted, func(a, b Mistake) int {
		return cmp.Or(
			cmp.Compare(order[a.File], order[b.File]),
			cmp.Compare(a.File, b.File), // variables have one order: by name
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	told := map[Mistake]bool{}
	sorted = slices.DeleteFunc(sorted, func(m Mistake) bool {
		key := Mistake{File: m.File, Line: m.Line, Column: m.Column, Message: m.Message}
		if m.Line == 0 {
			key.Path = m.Path
		}
		known := told[key]
		told[key] = true
		return known
	})
	for i := range sorted {
		sorted[i].remask()
	}
	return sorted
}

func (m *Mistake) remask() {
	if m.text != nil {
		m.SourceLine, m.caret = m.text.shown(m.Line, m.Column)
	}
}

// oneLine keeps a message on its line and from moving the terminal's cursor.
func oneLine(r rune) rune {
	switch r {
	case '\n', '\r', '\t':
		return ' '
	}
	return printable(r)
}
