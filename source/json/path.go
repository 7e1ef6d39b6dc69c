package json

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// keyOfElement is the label text that stands for an element's name or index.
const keyOfElement = "$key"

// Path is a place in a document. It is written in one of two ways:
//
//   - beginning with $, the plain part of JSONPath (RFC 9535): $ alone is the
//     whole document, .name or ["any name"] a member, [0] an element. It is
//     checked when the configuration is read.
//   - otherwise, the syntax of github.com/tidwall/gjson, which also counts
//     (items.#) and searches (items.#(name=="web").value); a dot in a name is
//     written \. there.
//
// A path that leads to nothing is not an error but a value that is not there.
type path struct {
	text  string
	gjson string // empty for the whole document
}

func parsePath(text string) (path, error) {
	if text == "" {
		return path{}, errors.New("empty path")
	}
	rest, dollar := strings.CutPrefix(text, "$")
	if !dollar {
		return path{text: text, gjson: text}, nil
	}
	var parts []string
	for rest != "" {
		part, tail, err := cutSegment(rest)
		if err != nil {
			return path{}, fmt.Errorf("path %q: at character %d: %w", text, len(text)-len(rest)+1, err)
		}
		parts = append(parts, part)
		rest = tail
	}
	return path{text: text, gjson: strings.Join(parts, ".")}, nil
}

// cutSegment takes .name, [0] or ["name"] off a path and returns it as gjson
// writes it.
func cutSegment(s string) (part, rest string, err error) {
	if s[0] == '.' {
		end := strings.IndexAny(s[1:], ".[]") + 1
		if end == 0 {
			end = len(s)
		}
		if name := s[1:end]; plainName(name) {
			return escape(name), s[end:], nil
		}
		return "", "", errors.New("a dot wants a name of letters, digits, _ and -; write [\"…\"] around any other")
	}
	if s[0] != '[' {
		return "", "", errors.New("want . or [")
	}
	if len(s) > 1 && (s[1] == '"' || s[1] == '\'') {
		return cutQuoted(s)
	}
	inner, rest, closed := strings.Cut(s[1:], "]")
	if !closed {
		return "", "", errors.New("the bracket does not close")
	}
	if n, err := strconv.ParseUint(inner, 10, 31); err != nil || strconv.FormatUint(n, 10) != inner {
		return "", "", errors.New("a bracket wants an index from 0, or a name in quotes")
	}
	return inner, rest, nil
}

// cutQuoted takes ["name"] or ['name']; a backslash stands before a quote or
// a backslash of the name.
func cutQuoted(s string) (part, rest string, err error) {
	quote := s[1]
	var name strings.Builder
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			name.WriteByte(s[i])
		case s[i] == quote:
			rest, closed := strings.CutPrefix(s[i+1:], "]")
			if !closed || name.Len() == 0 {
				return "", "", errors.New("want a name in quotes and ] after it")
			}
			return escape(name.String()), rest, nil
		default:
			name.WriteByte(s[i])
		}
	}
	return "", "", errors.New("the quotes do not close")
}

func plainName(name string) bool {
	for _, r := range name {
		if r != '_' && r != '-' && r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return name != ""
}

// escape writes a member's name so that gjson takes every character of it as
// itself.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c < 0x80 && c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// in returns what stands at the path of a document.
func (p path) in(doc gjson.Result) gjson.Result {
	if p.gjson == "" {
		return doc
	}
	return doc.Get(p.gjson)
}
