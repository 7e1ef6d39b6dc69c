package yamlpos

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// The widest source line that is printed whole, and what is kept of a longer
// one before the caret, in characters.
const (
	maxShownChars   = 120
	keptBeforeChars = 60
)

// Write prints each mistake: its line, the source line, and a caret under the
// column.
func (ms Mistakes) Write(w io.Writer) error {
	for _, m := range ms {
		if _, err := io.WriteString(w, m.Error()+"\n"+m.excerpt()); err != nil {
			return err
		}
	}
	return nil
}

// Excerpt returns the source line, secrets masked by all that has been learnt
// since, and the place of the mistake's column in it, from 1 in characters;
// "" and 0 when there is nothing to show.
func (m Mistake) Excerpt() (line string, column int) {
	m.remask()
	if strings.TrimSpace(m.SourceLine) == "" {
		return "", 0
	}
	if column = m.caret; column < 1 {
		column = m.Column
	}
	return m.SourceLine, max(1, min(column, len([]rune(m.SourceLine))+1))
}

// Text returns the message and the hint on one line, without what could move
// a terminal's cursor.
func (m Mistake) Text() string {
	text := m.Message
	if m.Hint != "" {
		text += "; " + m.Hint
	}
	return strings.Map(oneLine, text)
}

// excerpt returns the source line and the caret's, or "" when there is nothing
// to show.
func (m Mistake) excerpt() string {
	source, caret := m.Excerpt()
	if source == "" {
		return ""
	}
	line, caret := cutAround([]rune(source), caret)
	return strings.TrimRightFunc(string(line), unicode.IsSpace) + "\n" + margin(line[:caret-1]) + "^\n"
}

// cutAround shortens a very long line to the part around the caret.
func cutAround(line []rune, caret int) ([]rune, int) {
	if len(line) <= maxShownChars {
		return line, caret
	}
	from := max(0, caret-1-keptBeforeChars)
	to := min(len(line), from+maxShownChars)
	var cut []rune
	if from > 0 {
		cut = append(cut, '…')
	}
	caret += len(cut) - from
	cut = append(cut, line[from:to]...)
	if to < len(line) {
		cut = append(cut, '…')
	}
	return cut, caret
}

// margin is white space as wide as the text: tabs stay tabs, and a wide
// character takes two cells.
func margin(before []rune) string {
	var b strings.Builder
	for _, r := range before {
		kind := width.LookupRune(r).Kind()
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}
