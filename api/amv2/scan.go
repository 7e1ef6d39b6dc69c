package amv2

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
)

// scanner reads JSON of one shape from a string that is valid UTF-8. A method
// that returns false has met something else, and says no more about it.
type scanner struct {
	body string
	at   int
	// pairs holds the labels of all alerts, one after the other; text that had
	// escapes stands in unescaped. Neither is changed once it is given out.
	pairs     []alert.Label
	unescaped strings.Builder
	// starts and ends are the last times that were read.
	starts, ends readTime
}

// readTime is a time and how it was written: the alerts of a body often share
// it.
type readTime struct {
	text string
	at   time.Time
}

func (s *scanner) begin(body string) {
	s.body, s.at = body, 0
	s.pairs = s.pairs[:0]
	s.unescaped.Reset()
	s.starts, s.ends = readTime{}, readTime{}
}

func (s *scanner) forget(most int) {
	clear(s.pairs) // what lies behind was cleared before
	if cap(s.pairs) > most {
		s.pairs = nil
	}
	s.begin("")
}

// accept skips white space and takes the byte c if it comes next.
func (s *scanner) accept(c byte) bool {
	for s.at < len(s.body) {
		switch next := s.body[s.at]; next {
		case c:
			s.at++
			return true
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return false
		}
	}
	return false
}

// text reads a string. Without escapes it is a part of the body.
func (s *scanner) text() (string, bool) {
	if !s.accept('"') {
		return "", false
	}
	rest := s.body[s.at:]
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '"':
			s.at += i + 1
			return rest[:i], true
		case c == '\\':
			return s.unescape(i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// unescape reads a string of which the first plain bytes hold no escape.
func (s *scanner) unescape(plain int) (string, bool) {
	out := &s.unescaped
	if out.Len() == 0 {
		out.Grow(len(s.body)/4 + plain) // most bodies have escapes in every alert, or in none
	}
	begin, from, i := out.Len(), s.at, s.at+plain
	for i < len(s.body) {
		switch c := s.body[i]; {
		case c == '"':
			out.WriteString(s.body[from:i])
			s.at = i + 1
			return out.String()[begin:], true
		case c == '\\':
			out.WriteString(s.body[from:i])
			n := s.escape(i + 1)
			if n == 0 {
				return "", false
			}
			i += 1 + n
			from = i
		case c < ' ':
			return "", false
		default:
			i++
		}
	}
	return "", false
}

// escape writes what the escape after a backslash means and returns its length;
// 0 for none that it knows, as half a surrogate pair.
func (s *scanner) escape(at int) int {
	if at >= len(s.body) {
		return 0
	}
	out := &s.unescaped
	switch c := s.body[at]; c {
	case '"', '\\', '/':
		out.WriteByte(c)
	case 'n':
		out.WriteByte('\n')
	case 't':
		out.WriteByte('\t')
	case 'r':
		out.WriteByte('\r')
	case 'b':
		out.WriteByte('\b')
	case 'f':
		out.WriteByte('\f')
	case 'u':
		r, ok := s.hex(at + 1)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			out.WriteRune(r)
			return 5
		}
		if !strings.HasPrefix(s.body[at+5:], `\u`) {
			return 0
		}
		low, ok := s.hex(at + 7)
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return 0
		}
		out.WriteRune(r)
		return 11
	default:
		return 0
	}
	return 1
}

func (s *scanner) hex(at int) (rune, bool) {
	if at+4 > len(s.body) {
		return 0, false
	}
	digits := s.body[at : at+4]
	if digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return rune(n), err == nil
}

// labels reads an object of strings: sorted, of two with one name the later,
// and none that is empty unless keepEmpty.
func (s *scanner) labels(keepEmpty bool) (alert.Labels, bool) {
	if !s.accept('{') {
		return nil, false
	}
	from, sorted, empty := len(s.pairs), true, false
	for !s.accept('}') {
		if len(s.pairs) > from && !s.accept(',') {
			return nil, false
		}
		name, ok := s.text()
		if !ok || !s.accept(':') {
			return nil, false
		}
		value, ok := s.text()
		if !ok {
			return nil, false
		}
		if n := len(s.pairs); n > from && s.pairs[n-1].Name >= name {
			sorted = false
		}
		empty = empty || value == ""
		s.pairs = append(s.pairs, alert.Label{Name: name, Value: value})
	}
	set := s.pairs[from:]
	if !sorted {
		set = sortSet(set)
	}
	if empty && !keepEmpty {
		set = slices.DeleteFunc(set, func(l alert.Label) bool { return l.Value == "" })
	}
	return alert.Labels(set[:len(set):len(set)]), true
}

// sortSet sorts by name, in place; of a name that stands twice the later stays.
func sortSet(set []alert.Label) []alert.Label {
	slices.SortStableFunc(set, func(a, b alert.Label) int { return strings.Compare(a.Name, b.Name) })
	kept := set[:0]
	for i, l := range set {
		if i+1 == len(set) || set[i+1].Name != l.Name {
			kept = append(kept, l)
		}
	}
	return kept
}

func (s *scanner) time(last *readTime) (time.Time, bool) {
	text, ok := s.text()
	if !ok || text == last.text && text != "" {
		return last.at, ok
	}
	at, ok := parseUTC(text)
	if !ok {
		var err error
		at, err = parseTime(text)
		ok = err == nil
	}
	*last = readTime{text, at}
	return at, ok
}
