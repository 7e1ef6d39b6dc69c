package amv2

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
)

// Filter reads the matchers of a query as Alertmanager does: by its classic
// syntax, and where that fails by the newer one, in which a label's name may be
// any text in quotes. The error is the classic syntax's, as there.
func Filter(given []string) (alert.Matchers, error) {
	if len(given) == 0 {
		return nil, nil
	}
	classic := regexp.MustCompile(`^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*((?s).*?)\s*$`)
	matchers := make(alert.Matchers, 0, len(given))
	for _, text := range given {
		if strings.HasPrefix(text, "{") || strings.HasSuffix(text, "}") {
			return nil, fmt.Errorf("unexpected open or close brace: %s", text)
		}
		m, err := parseClassic(classic, text)
		if err != nil {
			var ok bool
			if m, ok = parseUTF8(text); !ok {
				return nil, err
			}
		}
		matchers = append(matchers, m)
	}
	return matchers, nil
}

func parseClassic(syntax *regexp.Regexp, text string) (alert.Matcher, error) {
	parts := syntax.FindStringSubmatch(text)
	if parts == nil {
		return alert.Matcher{}, fmt.Errorf("bad matcher format: %s", text)
	}
	value, err := unquoteClassic(parts[3])
	if err != nil {
		return alert.Matcher{}, fmt.Errorf("%w: %s", err, parts[3])
	}
	return newMatcher(parts[1], parts[2], value)
}

// newMatcher returns the error of the regular expression alone, as
// Alertmanager does.
func newMatcher(name, op, value string) (alert.Matcher, error) {
	m, err := alert.NewMatcher(name, alert.MatchOp(op), value)
	if err != nil {
		if _, err := regexp.Compile("^(?:" + value + ")$"); err != nil {
			return m, err
		}
	}
	return m, err
}

var (
	errNotUTF8 = errors.New("matcher value not valid UTF-8")
	errQuote   = errors.New("matcher value contains unescaped double quote")
)

// unquoteClassic reads a value with quotes around it or without. A backslash
// that escapes nothing stands for itself.
func unquoteClassic(raw string) (string, error) {
	raw, quoted := strings.CutPrefix(raw, `"`)
	if !utf8.ValidString(raw) {
		return "", errNotUTF8
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && i+1 < len(raw):
			i++
			switch c := raw[i]; c {
			case 'n':
				b.WriteByte('\n')
			case '"', '\\':
				b.WriteByte(c)
			default:
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		case c == '"':
			if !quoted || i+1 < len(raw) {
				return "", errQuote
			}
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", errQuote
	}
	return b.String(), nil
}

// parseUTF8 reads the newer syntax: name and value stand in double quotes, with
// Go's escapes, or hold nothing that is reserved.
func parseUTF8(text string) (alert.Matcher, bool) {
	name, rest, ok := cutWord(text)
	if !ok {
		return alert.Matcher{}, false
	}
	rest = strings.TrimSpace(rest)
	for _, op := range [...]string{"=~", "!~", "!=", "="} {
		after, has := strings.CutPrefix(rest, op)
		if !has {
			continue
		}
		value, rest, ok := cutWord(after)
		if rest = strings.TrimSpace(rest); rest == "," {
			rest = ""
		}
		if !ok || rest != "" {
			return alert.Matcher{}, false
		}
		m, err := newMatcher(name, op, value)
		return m, err == nil
	}
	return alert.Matcher{}, false
}

func cutWord(text string) (word, rest string, ok bool) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", false
		}
		word, err = strconv.Unquote(quoted)
		return word, text[len(quoted):], err == nil && utf8.ValidString(word)
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("{}!=~,\\\"'`", r)
	})
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], end > 0
}

// Flag reads a boolean parameter; absent it is true, and what is no word for
// yes is false, as in go-openapi.
func Flag(values []string) bool {
	if len(values) == 0 || values[len(values)-1] == "" {
		return true
	}
	switch strings.ToLower(values[len(values)-1]) {
	case "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	}
	return false
}

// Receivers reads a regular expression for names; nil matches every name.
func Receivers(expression string, given bool) (func(name string) bool, error) {
	if !given {
		return nil, nil
	}
	re, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}
