package push

import "strings"

// redact takes the literals out of a statement: what is shown of a slow query
// holds no data of the application. Quoted strings ('…', E'…' and $tag$…$tag$)
// and numbers become ?; identifiers in double quotes and parameters such as $1
// stay. A string that does not close is cut.
func redact(query string) string {
	var b strings.Builder
	for i := 0; i < len(query); {
		c := query[i]
		switch {
		case c == '\'':
			escapes := i > 0 && (query[i-1] == 'E' || query[i-1] == 'e') && (i == 1 || !inWord(query[i-2]))
			i = endOfString(query, i+1, escapes)
			b.WriteByte('?')
		case c == '"':
			end := strings.IndexByte(query[i+1:], '"')
			if end < 0 {
				return b.String() + `"…`
			}
			b.WriteString(query[i : i+end+2])
			i += end + 2
		case c == '$' && dollarTag(query[i:]) != "":
			tag := dollarTag(query[i:])
			rest := query[i+len(tag):]
			b.WriteByte('?')
			end := strings.Index(rest, tag)
			if end < 0 {
				return b.String()
			}
			i += 2*len(tag) + end
		case c >= '0' && c <= '9' && (i == 0 || !inWord(query[i-1])):
			for i < len(query) && (inWord(query[i]) || query[i] == '.') && query[i] != '$' {
				i++
			}
			b.WriteByte('?')
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// endOfString returns where a string goes on that began before i.
func endOfString(query string, i int, escapes bool) int {
	for ; i < len(query); i++ {
		switch {
		case escapes && query[i] == '\\':
			i++
		case query[i] == '\'' && i+1 < len(query) && query[i+1] == '\'':
			i++
		case query[i] == '\'':
			return i + 1
		}
	}
	return len(query)
}

// dollarTag returns $tag$ or $$ at the beginning of s, or "". $1 is none.
func dollarTag(s string) string {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '$':
			return s[:i+1]
		case !inWord(s[i]), i == 1 && s[i] >= '0' && s[i] <= '9':
			return ""
		}
	}
	return ""
}

func inWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
