package alert

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseClassicMatcher reads one matcher in Alertmanager's older syntax alone, and
// takes all that Alertmanager does, == with a value that begins with = included.
// The errors have the texts of Alertmanager's.
func ParseClassicMatcher(text string) (Matcher, error) {
	w, err := parseClassic(text, 0)
	if err != nil {
		return Matcher{}, err
	}
	m, err := NewMatcher(w.name, w.op, w.value)
	if err != nil {
		if _, anchored := regexp.Compile("^(?:" + w.value + ")$"); anchored != nil {
			err = anchored
		}
		return Matcher{}, err
	}
	return m, nil
}

// parseClassicSet reads Alertmanager's older syntax of a set; false when it is
// none. A brace is taken off each end, whether the other is there or not.
func parseClassicSet(text string) ([]written, bool) {
	from, to := 0, len(text)
	if strings.HasPrefix(text, "{") {
		from++
	}
	if to > from && strings.HasSuffix(text, "}") {
		to--
	}
	var found []written
	begin, quoted, escaped := from, false, false
	for i := from; i <= to; i++ {
		end := i == to
		switch {
		case end || text[i] == ',' && !quoted:
			if end && strings.TrimSpace(text[begin:i]) == "" {
				continue
			}
			w, err := parseClassic(text[begin:i], begin)
			if err != nil {
				return nil, false
			}
			found, begin = append(found, w), i+1
		case text[i] == '"':
			quoted, escaped = quoted == escaped, false
		default:
			escaped = text[i] == '\\' && !escaped
		}
	}
	return found, true
}

// parseClassic reads one matcher that stands at an offset of a longer text.
func parseClassic(text string, offset int) (w written, err error) {
	at := skipSpace(text, 0)
	begin := at
	for at < len(text) && classicName(text[at], at > begin) {
		at++
	}
	w.name = text[begin:at]
	at = skipSpace(text, at)
	for _, op := range [...]MatchOp{MatchRegexp, MatchNotRegexp, MatchNotEqual, MatchEqual} {
		if strings.HasPrefix(text[at:], string(op)) {
			w.op = op
			break
		}
	}
	if w.name == "" || w.op == "" {
		return w, fmt.Errorf("bad matcher format: %s", text)
	}
	at = skipSpace(text, at+len(w.op))
	w.at = offset + at
	w.value, err = unescape(strings.TrimRightFunc(text[at:], unicode.IsSpace))
	return w, err
}

func skipSpace(text string, at int) int {
	return len(text) - len(strings.TrimLeftFunc(text[at:], unicode.IsSpace))
}

func classicName(c byte, digit bool) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit && c >= '0' && c <= '9'
}

// unescape reads a value, bare or in double quotes. What is no escape is a
// backslash and what stands after it.
func unescape(written string) (string, error) {
	if !utf8.ValidString(written) {
		return "", fmt.Errorf("matcher value not valid UTF-8: %s", written)
	}
	raw, quoted := strings.CutPrefix(written, `"`)
	closed := false
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '"' && quoted && i == len(raw)-1:
			closed = true
		case raw[i] == '"':
			return "", unescapedQuote(written)
		case raw[i] == '\\' && i+1 < len(raw) && strings.IndexByte(`n"\`, raw[i+1]) >= 0:
			if i++; raw[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(raw[i])
			}
		default:
			b.WriteByte(raw[i])
		}
	}
	if closed != quoted {
		return "", unescapedQuote(written)
	}
	return b.String(), nil
}

func unescapedQuote(value string) error {
	return fmt.Errorf("matcher value contains unescaped double quote: %s", value)
}
