package yamlpos

import (
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// place is where something stands in a source.
type place struct{ line, column int }

// places says for each byte of a scalar's value, and for its end, where it
// stands in the source. It reads value and source in step: quotes, escapes,
// folded lines and indentation are the differences that it knows. It returns
// nil when the two cannot be brought together.
func (t *text) places(n *yaml.Node, value string) []place {
	f := follower{lines: t.lines, line: n.Line - 1, column: n.Column - 1}
	if t.hidden || f.line < 0 || f.line >= len(t.lines) || f.column < 0 || !f.begin(n, value) {
		return nil
	}
	out := make([]place, 0, len(value)+1)
	for _, r := range value {
		at, ok := f.take(r)
		if !ok {
			return nil
		}
		for range utf8.RuneLen(r) {
			out = append(out, at)
		}
	}
	return append(out, f.here())
}

// follower is a place that moves through a source; it counts from 0.
type follower struct {
	lines        [][]rune
	line, column int
	style        yaml.Style
	indent       int // of a block scalar's text
}

func (f *follower) here() place { return place{f.line + 1, f.column + 1} }

// peek returns the rune here, or false at the end of the line.
func (f *follower) peek() (rune, bool) {
	if f.line >= len(f.lines) || f.column >= len(f.lines[f.line]) {
		return 0, false
	}
	return f.lines[f.line][f.column], true
}

// begin moves from a node's position to its text: behind the tag, the anchor,
// the opening quote or the block's header.
func (f *follower) begin(n *yaml.Node, value string) bool {
	for n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		r, ok := f.peek()
		if !ok || r != '&' && r != '!' {
			break
		}
		for ok && r != ' ' && r != '\t' {
			f.column++
			r, ok = f.peek()
		}
		if !f.skipBlank() {
			return value == ""
		}
	}
	f.style = n.Style &^ yaml.TaggedStyle
	r, _ := f.peek()
	switch {
	case f.style&yaml.DoubleQuotedStyle != 0:
		f.column++
		return r == '"'
	case f.style&yaml.SingleQuotedStyle != 0:
		f.column++
		return r == '\''
	case f.block():
		f.indent = f.blockIndent(value)
		return (r == '|' || r == '>') && f.indent >= 0 && (f.nextLine() || value == "")
	}
	return true
}

func (f *follower) block() bool { return f.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// skipBlank moves over white space and line ends; false at the end of the
// source.
func (f *follower) skipBlank() bool {
	for f.blankRest() {
		if !f.nextLine() {
			return false
		}
	}
	for r, ok := f.peek(); ok && (r == ' ' || r == '\t'); r, ok = f.peek() {
		f.column++
	}
	return true
}

// blockIndent compares the first line of a block's text with the source's: the
// difference is the indentation.
func (f *follower) blockIndent(value string) int {
	own := 0
	for _, r := range value {
		if r == '\n' {
			own = 0
			continue
		}
		if r != ' ' {
			break
		}
		own++
	}
	for _, line := range f.lines[f.line+1:] {
		for i, r := range line {
			if r != ' ' {
				return i - own
			}
		}
	}
	return 0
}

// nextLine moves to where text may begin on the next line.
func (f *follower) nextLine() bool {
	if f.line+1 >= len(f.lines) {
		f.column = len(f.lines[f.line])
		return false
	}
	f.line++
	f.column = min(f.indent, len(f.lines[f.line]))
	if !f.block() {
		for r, ok := f.peek(); ok && (r == ' ' || r == '\t'); r, ok = f.peek() {
			f.column++
		}
	}
	return true
}

// blankRest says whether nothing but white space is left on the line.
func (f *follower) blankRest() bool {
	for _, r := range f.lines[f.line][min(f.column, len(f.lines[f.line])):] {
		if r != ' ' && r != '\t' {
			return false
		}
	}
	return true
}

// take finds the value's next rune in the source and moves behind it.
func (f *follower) take(r rune) (place, bool) {
	for {
		at := f.here()
		c, ok := f.peek()
		atEnd := !ok || !f.block() && f.blankRest()
		switch {
		case atEnd && (r == '\n' || r == ' '):
			f.nextLine()
			return at, true
		case atEnd && f.style&yaml.LiteralStyle != 0:
			return at, false
		case atEnd:
			if !f.nextLine() {
				return at, false
			}
		case c == '\\' && f.style&yaml.DoubleQuotedStyle != 0:
			if taken, ok := f.escape(r); !ok || taken {
				return at, ok
			}
		case c == r:
			f.column++
			if c == '\'' && f.style&yaml.SingleQuotedStyle != 0 {
				f.column++ // '' is one
			}
			return at, true
		default:
			return at, false
		}
	}
}

// escape moves over one escape of a double-quoted scalar; taken is false for
// an escaped line break, which stands for nothing.
func (f *follower) escape(r rune) (taken, ok bool) {
	f.column++
	c, more := f.peek()
	if !more {
		return false, f.nextLine()
	}
	f.column++
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 {
		return true, true // the parser has read it; which one does not matter
	}
	line := f.lines[f.line]
	if f.column+digits > len(line) {
		return true, false
	}
	code, err := strconv.ParseUint(string(line[f.column:f.column+digits]), 16, 32)
	f.column += digits
	return true, err == nil && rune(code) == r
}
