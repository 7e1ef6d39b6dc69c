package postgres

import (
	"strings"
	"unicode/utf8"
)

const (
	maxTextRunes = 500
	literal      = "?"
	cutOff       = "…"
)

// redact takes every literal out of a statement: strings of all kinds, numbers,
// bit strings, dollar-quoted text and comments. What is left is keywords,
// names, operators and $1 placeholders, on one line of at most 500 characters.
// The text may be cut off anywhere, as PostgreSQL cuts it. Where it is not
// certain where a literal ends, everything from there on is dropped: a text too
// short is better than a secret shown. Lexical rules: PostgreSQL's manual,
// section 4.1.
func redact(sql string) string {
	s := scanner{in: strings.ToValidUTF8(sql, "\uFFFD")}
	for s.pos < len(s.in) && !s.stop {
		s.token()
	}
	return truncate(strings.Join(strings.Fields(s.out.String()), " "))
}

func truncate(text string) string {
	if utf8.RuneCountInString(text) <= maxTextRunes {
		return text
	}
	return string([]rune(text)[:maxTextRunes-1]) + cutOff
}

type scanner struct {
	in   string
	pos  int
	out  strings.Builder
	stop bool // the rest cannot be trusted
}

// peek returns the byte n places on, or 0 past the end.
func (s *scanner) peek(n int) byte {
	if s.pos+n < len(s.in) {
		return s.in[s.pos+n]
	}
	return 0
}

// drop ends the scan here.
func (s *scanner) drop() {
	s.out.WriteString(cutOff)
	s.stop = true
}

func (s *scanner) token() {
	c := s.in[s.pos]
	switch {
	case c == '\'':
		s.quoted(false)
	case c == '"':
		s.identifier()
	case c == '-' && s.peek(1) == '-':
		s.lineComment()
	case c == '/' && s.peek(1) == '*':
		s.blockComment()
	case c == '$':
		s.dollar()
	case isDigit(c), c == '.' && isDigit(s.peek(1)):
		s.number()
	case isWordStart(c):
		s.word()
	default:
		s.out.WriteByte(c)
		s.pos++
	}
}

// word copies a name or keyword. A prefix that makes a string of what follows
// (E'…', B'…', X'…', N'…', U&'…') is part of the literal.
func (s *scanner) word() {
	begin := s.pos
	for s.pos < len(s.in) && (isWordStart(s.in[s.pos]) || isDigit(s.in[s.pos]) || s.in[s.pos] == '$') {
		s.pos++
	}
	word := s.in[begin:s.pos]
	if len(word) == 1 && s.peek(0) == '\'' && strings.ContainsAny(word, "eEbBxXnN") {
		s.quoted(word == "e" || word == "E")
		return
	}
	if (word == "u" || word == "U") && s.peek(0) == '&' && s.peek(1) == '\'' {
		s.pos++
		s.quoted(false)
		return
	}
	s.out.WriteString(word)
}

// quoted reads '…' from its first quote. A doubled quote stands for one. With
// escapes a backslash takes the next character along. Without, the server's
// standard_conforming_strings decides what a backslash before a quote means,
// which cannot be seen here.
func (s *scanner) quoted(escapes bool) {
	s.out.WriteString(literal)
	s.pos++
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; {
		case c == '\\' && escapes:
			s.pos += 2
		case c == '\\' && s.backslashesBeforeQuote():
			s.drop()
			return
		case c == '\'' && s.peek(1) == '\'':
			s.pos += 2
		case c == '\'':
			s.pos++
			return
		default:
			s.pos++
		}
	}
	s.drop()
}

func (s *scanner) backslashesBeforeQuote() bool {
	n := 0
	for s.peek(n) == '\\' {
		n++
	}
	return s.peek(n) == '\''
}

// identifier copies "…", which names a thing of the schema.
func (s *scanner) identifier() {
	for i := s.pos + 1; i < len(s.in); i++ {
		if s.in[i] != '"' {
			continue
		}
		if i+1 < len(s.in) && s.in[i+1] == '"' {
			i++
			continue
		}
		s.out.WriteString(s.in[s.pos : i+1])
		s.pos = i + 1
		return
	}
	s.drop()
}

func (s *scanner) lineComment() {
	end := strings.IndexAny(s.in[s.pos:], "\r\n")
	if end < 0 {
		s.stop = true
		return
	}
	s.out.WriteByte(' ')
	s.pos += end
}

// blockComment skips a comment; they nest.
func (s *scanner) blockComment() {
	depth := 0
	for s.pos < len(s.in) {
		switch {
		case s.peek(0) == '/' && s.peek(1) == '*':
			depth++
			s.pos += 2
		case s.peek(0) == '*' && s.peek(1) == '/':
			depth--
			s.pos += 2
		default:
			s.pos++
		}
		if depth == 0 {
			s.out.WriteByte(' ')
			return
		}
	}
	s.stop = true
}

// dollar reads a placeholder ($1), which is kept, or a dollar-quoted string.
func (s *scanner) dollar() {
	if isDigit(s.peek(1)) {
		begin := s.pos
		for s.pos++; isDigit(s.peek(0)); s.pos++ {
		}
		s.out.WriteString(s.in[begin:s.pos])
		return
	}
	end := s.pos + 1
	for end < len(s.in) && (isWordStart(s.in[end]) || end > s.pos+1 && isDigit(s.in[end])) {
		end++
	}
	if end == len(s.in) { // cut off within the tag
		s.drop()
		return
	}
	if s.in[end] != '$' { // no tag: a stray dollar, which no valid statement has
		s.drop()
		return
	}
	tag := s.in[s.pos : end+1]
	length := strings.Index(s.in[end+1:], tag)
	s.out.WriteString(literal)
	if length < 0 {
		s.drop()
		return
	}
	s.pos = end + 1 + length + len(tag)
}

// number skips 42, 1.5e-3, 0xff, 1_000 and whatever letters hang on to one.
func (s *scanner) number() {
	s.out.WriteString(literal)
	for s.pos < len(s.in) {
		c := s.in[s.pos]
		exponent := (c == '+' || c == '-') && (s.in[s.pos-1] == 'e' || s.in[s.pos-1] == 'E') && isDigit(s.peek(1))
		if !isDigit(c) && !isWordStart(c) && c != '.' && !exponent {
			return
		}
		s.pos++
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWordStart follows PostgreSQL's scanner: every byte above ASCII is a letter.
func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
