package yamlpos

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// text is one source of YAML: a file, or an environment variable's value.
// Lines and columns count from 1, columns in characters.
type text struct {
	name  string
	lines [][]rune
	// hidden marks a source of which no line is ever shown.
	hidden bool
	// unread marks a source that is no YAML: which of its values are secrets
	// can only be guessed from the line.
	unread bool
	// secrets holds the parts of lines that must not be shown, by the scalar
	// that they belong to, and onLine the scalars by line.
	secrets map[*yaml.Node][]span
	onLine  map[int][]*yaml.Node
	// guessed marks the entries of secrets that Decode may lift.
	guessed map[*yaml.Node]bool
}

// span is a part of one line, from its first column to the one after its last.
type span struct{ line, from, to int }

const byteOrderMark = "\ufeff"

func newText(name string, data []byte) *text {
	t := &text{name: name, secrets: map[*yaml.Node][]span{}, onLine: map[int][]*yaml.Node{}, guessed: map[*yaml.Node]bool{}}
	for _, line := range splitLines(strings.TrimPrefix(string(data), byteOrderMark)) {
		t.lines = append(t.lines, []rune(line))
	}
	return t
}

// splitLines cuts at the line breaks that the YAML scanner counts: those of
// YAML 1.1, which are more than \n.
func splitLines(s string) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		end := i
		i += size
		switch r {
		case '\r':
			if i < len(s) && s[i] == '\n' {
				i++
			}
		case '\n', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		lines = append(lines, s[start:end])
		start = i
	}
	if start < len(s) || len(lines) == 0 {
		lines = append(lines, s[start:])
	}
	return lines
}

// clamp moves a position that lies behind the end to the end.
func (t *text) clamp(line, column int) (int, int) {
	if line < 1 {
		return 1, 1
	}
	if line > len(t.lines) {
		line = len(t.lines)
		column = len(t.lines[line-1]) + 1
	}
	return line, max(1, min(column, len(t.lines[line-1])+1))
}

// shown returns a line as it may be printed, and where the column went: the
// secrets are masked and control characters replaced.
func (t *text) shown(line, column int) (string, int) {
	if t.hidden || line < 1 || line > len(t.lines) {
		return "", 0
	}
	source := t.lines[line-1]
	secret := make([]bool, len(source))
	for _, s := range t.secretsOf(line) {
		for i := s.from - 1; i < min(s.to-1, len(source)); i++ {
			secret[i] = true
		}
	}
	var out []rune
	caret := column
	for i, r := range source {
		if i+1 == column {
			caret = len(out) + 1
		}
		switch {
		case !secret[i]:
			out = append(out, printable(r))
		case i == 0 || !secret[i-1]:
			out = append(out, '*', '*', '*')
		case i+1 == column:
			caret = len(out) - 2 // at the mask that swallowed the place
		}
	}
	if column > len(source) {
		caret = len(out) + column - len(source)
	}
	return string(out), caret
}

func (t *text) secretsOf(line int) []span {
	if t.unread {
		return guessInLine(line, t.lines[line-1])
	}
	var on []span
	for _, n := range t.onLine[line] {
		for _, s := range t.secrets[n] {
			if s.line == line {
				on = append(on, s)
			}
		}
	}
	return on
}

// printable keeps a source line from moving the terminal's cursor.
func printable(r rune) rune {
	if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
		return r
	}
	return utf8.RuneError
}
