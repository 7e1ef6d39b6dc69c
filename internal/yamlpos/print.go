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
		m.remask()
		if _, err := io.WriteString(w, m.Error()+"\n"+m.excerpt()); err != nil {
			return err
		}
	}
	return nil
}

// excerpt returns the source line and the caret's, or "" when there is nothing
// to show.
func (m Mistake) excerpt() string {
	if strings.TrimSpace(m.SourceLine) == "" {
		return ""
	}
	line, caret := []rune(m.SourceLine), m.caret
	if caret < 1 {
		caret = m.Column
	}
	caret = max(1, min(caret, len(line)+1))
	line, caret = cutAround(line, caret)
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
