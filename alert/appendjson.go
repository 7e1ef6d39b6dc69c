package alert

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// The functions of this file write parts of JSON documents straight into a
// buffer, byte for byte as encoding/json does, for what is written by the hundred
// thousand: stored rows, lists of alerts, the webhooks of a storm.

// AppendComma appends a comma unless the i-th element is the first.
func AppendComma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// AppendField appends a name, as it is to stand there (`,"name":`), and a string.
func AppendField(b []byte, name, text string) []byte { return AppendString(append(b, name...), text) }

// AppendMap appends an object in the order of its names.
func AppendMap(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	var few [8]string // so that a usual one costs no memory
	names := slices.AppendSeq(few[:0], maps.Keys(m))
	slices.Sort(names)
	for i, name := range names {
		b = append(AppendString(AppendComma(b, i), name), ':')
		b = AppendString(b, m[name])
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// AppendHex appends the 16 hexadecimal digits of a number, without quotes.
func AppendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}

// AppendTime appends a moment by RFC 3339 with as many digits of a second as it has.
// One outside of the years 0 to 9999, which encoding/json refuses, becomes null.
func AppendTime(b []byte, t time.Time) []byte {
	year := t.Year()
	if _, offset := t.Zone(); year < 0 || year > 9999 || offset <= -24*3600 || offset >= 24*3600 {
		return append(b, `null`...)
	}
	b = append(b, '"')
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

// AppendString quotes: what HTML or JavaScript would take for its own is escaped, and
// a byte that is not UTF-8 replaced by U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			b = escape(append(b, s[from:i]...), c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, hexDigits[r&15])
			from = i + size
		}
		i += size
	}
	return append(append(b, s[from:]...), '"')
}

func escape(b []byte, c byte) []byte {
	const short = "\b\f\n\r\t\"\\"
	for i := range len(short) {
		if short[i] == c {
			return append(b, '\\', `bfnrt"\`[i])
		}
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
