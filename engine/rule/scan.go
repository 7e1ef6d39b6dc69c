package rule

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// literal is a number with a unit, as it stands in a condition.
type literal struct {
	value float64 // in the base unit of dim
	dim   units.Dimension
	text  string
}

// scanned is a condition made ready for expr-lang's parser, which knows no
// units: each quantity is replaced by a name of the same length, and found
// again by where it stands.
type scanned struct {
	source   string
	literals map[int]literal // by rune offset in source
	// shift is how many bytes source has before the condition's own text.
	shift int
}

const impliedValue = "value "

// scan prepares a condition. A condition that starts with an operator applies
// to value.
func scan(text string) (scanned, *problem.Problem) {
	out := scanned{literals: map[int]literal{}}
	if startsWithOperator(text) {
		out.shift = len(impliedValue)
		text = impliedValue + text
	}
	var b strings.Builder
	runes := 0
	for i := 0; i < len(text); {
		n, p := out.step(text, i, runes)
		if p != nil {
			p.Offset = max(0, i-out.shift)
			return out, p
		}
		if _, isLiteral := out.literals[runes]; isLiteral {
			b.WriteString(strings.Repeat("_", utf8.RuneCountInString(text[i:i+n])))
		} else {
			b.WriteString(text[i : i+n])
		}
		runes += utf8.RuneCountInString(text[i : i+n])
		i += n
	}
	out.source = b.String()
	return out, nil
}

// step measures the token at text[i:] in bytes, and takes it when it is a
// quantity.
func (out *scanned) step(text string, i, runes int) (int, *problem.Problem) {
	switch c := text[i]; {
	case c == '"' || c == '\'' || c == '`':
		return quotedLength(text[i:]), nil
	case isDigit(c):
		return out.number(text, i, runes)
	case isWordByte(c):
		n := 1
		for i+n < len(text) && (isWordByte(text[i+n]) || isDigit(text[i+n])) {
			n++
		}
		if c == '_' || c == '$' {
			return n, &problem.Problem{Message: "unknown name " + quote(text[i:i+n]), Hint: "names do not begin with _ or $"}
		}
		return n, nil
	}
	_, n := utf8.DecodeRuneInString(text[i:])
	return n, nil
}

// number measures a number and its unit: 70, 0.5, 1e3, 200ms, 1h30m, 85%.
func (out *scanned) number(text string, i, runes int) (int, *problem.Problem) {
	n := numberLength(text[i:])
	end := i + n
	for end < len(text) && (isWordByte(text[end]) || isDigit(text[end]) || text[end] >= utf8.RuneSelf) {
		end++
	}
	whole := text[i:end]
	if end == i+n {
		if !percentAt(text, end) {
			return n, nil
		}
		end++
		whole = text[i:end]
	}
	lit, ok := parseQuantity(whole)
	if !ok {
		unit := strings.TrimLeft(whole, "0123456789.")
		hint := "units are ms, s, m (minutes), h, d, w, KB, MB, GB and %"
		if near := problem.Nearest(unit, units.SuffixNames()); near != "" && near[0] == unit[0] {
			hint = fmt.Sprintf("did you mean %q?", near) // 5min is no typo of 5MiB
		}
		return n, &problem.Problem{Message: "unknown unit in " + quote(whole), Hint: hint}
	}
	lit.text = whole
	out.literals[runes] = lit
	return end - i, nil
}

// percentAt says whether the % at text[i] is a unit, and not the operator of
// a remainder: nothing that could be an operand follows it.
func percentAt(text string, i int) bool {
	if i >= len(text) || text[i] != '%' {
		return false
	}
	rest := strings.TrimLeft(text[i+1:], " \t\n")
	if rest == "" {
		return true
	}
	for _, word := range [...]string{"and", "or", "not", "in"} {
		if after, ok := strings.CutPrefix(rest, word); ok && (after == "" || !isWordByte(after[0])) {
			return true
		}
	}
	return !isDigit(rest[0]) && !isWordByte(rest[0]) && rest[0] != '(' && rest[0] != '.'
}

func parseQuantity(whole string) (literal, bool) {
	if strings.HasSuffix(whole, "%") {
		v, err := parseFloat(strings.TrimSuffix(whole, "%"))
		return literal{value: v, dim: units.Percent}, err == nil
	}
	if d, err := units.ParseDuration(whole); err == nil {
		return literal{value: d.Seconds(), dim: units.Time}, true
	}
	if n, err := units.ParseBytes(whole); err == nil {
		return literal{value: float64(n), dim: units.Bytes}, true
	}
	return literal{}, false
}

// numberLength measures digits, a fraction and an exponent. The e of an
// exponent must be followed by a digit or a sign and a digit.
func numberLength(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '_') {
		n++
	}
	if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		for n++; n < len(s) && isDigit(s[n]); n++ {
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && isDigit(s[m]) {
			for n = m; n < len(s) && isDigit(s[n]); n++ {
			}
		}
	}
	return n
}

func startsWithOperator(text string) bool {
	trimmed := strings.TrimLeft(text, " \t\n")
	for _, op := range [...]string{"<", ">", "==", "!="} {
		if strings.HasPrefix(trimmed, op) {
			return true
		}
	}
	return false
}

func quotedLength(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n] == '\\' && s[0] != '`' {
			n++
		} else if s[n] == s[0] {
			return n + 1
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// byteOffset turns a rune offset in the prepared source into a byte offset in
// the condition's own text.
func (out *scanned) byteOffset(text string, runes int) int {
	runes -= out.shift // the implied text is ASCII
	for i := range text {
		if runes <= 0 {
			return i
		}
		runes--
	}
	return max(0, len(text)-1)
}
