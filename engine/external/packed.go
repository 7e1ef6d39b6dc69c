package external

import (
	"encoding/binary"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
)

// What a packed text begins with: a number of which the lowest two bits say how
// it is written.
const (
	asBytes  = iota // the number of its bytes; they follow
	asSymbol        // a symbol's number
	asParts         // the number of its parts; they follow, and none has parts itself
	asLabel         // which of the alert's own labels has it for its value
	howBits  = 2
)

// The bounds of a text in parts.
const (
	maxParts   = 8
	minLabelIn = 6 // of a label's value, in bytes: a shorter one gains nothing
)

// maxRoom bounds what is kept for the next to be packed in, in bytes.
const maxRoom = 64 << 10

// pack writes moments and the texts of what was posted. It shares no memory
// with it.
func (s *symbols) pack(m *moments, p *alert.Posted) string {
	b := m.append(s.room[:0])
	b = binary.AppendUvarint(b, uint64(len(p.Labels)))
	for i := range p.Labels {
		b = s.append(b, p.Labels[i].Name)
		b = s.append(b, p.Labels[i].Value)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Annotations)))
	for i := range p.Annotations {
		b = s.append(b, p.Annotations[i].Name)
		b = s.appendAbout(b, p.Annotations[i].Value, p.Labels)
	}
	b = s.appendAbout(b, p.GeneratorURL, p.Labels)
	packed := string(b)
	if s.room = b; cap(b) > maxRoom {
		s.room = nil
	}
	return packed
}

// append writes a text.
func (s *symbols) append(b []byte, text string) []byte {
	if number, ok := s.number(text); ok {
		return binary.AppendUvarint(b, number<<howBits|asSymbol)
	}
	return append(binary.AppendUvarint(b, uint64(len(text))<<howBits), text...)
}

// appendAbout writes a text that may name values of the alert's labels, as most
// summaries do: what one alert alone has is kept once.
func (s *symbols) appendAbout(b []byte, text string, labels alert.Labels) []byte {
	if number, ok := s.number(text); ok {
		return binary.AppendUvarint(b, number<<howBits|asSymbol)
	}
	parts := split(make([]part, 0, 2*maxParts), text, labels)
	if len(parts) == 1 && parts[0].label < 0 {
		return append(binary.AppendUvarint(b, uint64(len(text))<<howBits), text...)
	}
	b = binary.AppendUvarint(b, uint64(len(parts))<<howBits|asParts)
	for _, p := range parts {
		if p.label >= 0 {
			b = binary.AppendUvarint(b, uint64(p.label)<<howBits|asLabel) //nolint:gosec // an index
		} else {
			b = s.append(b, p.text)
		}
	}
	return b
}

// part is the value of a label, or a text where that is below 0.
type part struct {
	label int
	text  string
}

// split finds the longest value of a label in a text, and others around it.
func split(parts []part, text string, labels alert.Labels) []part {
	at, which, longest := 0, -1, minLabelIn-1
	for i := range labels {
		if value := labels[i].Value; len(value) > longest && len(parts) < maxParts {
			if found := strings.Index(text, value); found >= 0 {
				at, which, longest = found, i, len(value)
			}
		}
	}
	switch {
	case which >= 0:
		parts = append(split(parts, text[:at], labels), part{label: which})
		return split(parts, text[at+longest:], labels)
	case text != "" || len(parts) == 0:
		parts = append(parts, part{-1, text})
	}
	return parts
}

// cut takes a text off what append and appendAbout wrote. Unless it is in parts,
// it shares the memory. labels are the alert's, where the text may be about
// them.
func (s *symbols) cut(text string, labels alert.Labels) (value, rest string) {
	n, rest := cut(text)
	switch how, n := n&(1<<howBits-1), n>>howBits; how {
	case asSymbol:
		return (*s.texts.Load())[n], rest
	case asLabel:
		return labels[n].Value, rest
	case asParts:
		var b strings.Builder
		for range n {
			value, rest = s.cut(rest, labels)
			b.WriteString(value)
		}
		return b.String(), rest
	default:
		return rest[:n], rest[n:]
	}
}

// set reads a set of labels or, of the alert with such labels, of annotations.
func (s *symbols) set(text string, labels alert.Labels) (set alert.Labels, rest string) {
	n, text := cut(text)
	set = make(alert.Labels, n)
	for i := range set {
		set[i].Name, text = s.cut(text, nil)
		set[i].Value, text = s.cut(text, labels)
	}
	return set, text
}

// is says whether a text was written at the beginning of another.
func (s *symbols) is(text, written string, labels alert.Labels) (same bool, rest string) {
	n, after := cut(written)
	switch how, n := n&(1<<howBits-1), n>>howBits; how {
	case asBytes:
		return after[:n] == text, after[n:]
	case asSymbol:
		return (*s.texts.Load())[n] == text, after
	case asLabel:
		return labels[n].Value == text, after
	}
	for range n >> howBits {
		var value string
		value, after = s.cut(after, labels)
		if !strings.HasPrefix(text, value) {
			return false, ""
		}
		text = text[len(value):]
	}
	return text == "", after
}

// are says the same of a set, as set reads it.
func (s *symbols) are(set alert.Labels, written string, labels alert.Labels) (same bool, rest string) {
	n, rest := cut(written)
	if n != uint64(len(set)) {
		return false, ""
	}
	for i := range set {
		if same, rest = s.is(set[i].Name, rest, nil); !same {
			return false, ""
		}
		if same, rest = s.is(set[i].Value, rest, labels); !same {
			return false, ""
		}
	}
	return true, rest
}

// same says whether what was posted tells nothing new.
func (r *Record) same(p *alert.Posted) bool {
	m, texts := cutMoments(r.packed)
	same, texts := r.symbols.are(p.Labels, texts, nil)
	if !same {
		return false
	}
	if same, texts = r.symbols.are(p.Annotations, texts, p.Labels); !same {
		return false
	}
	same, _ = r.symbols.is(p.GeneratorURL, texts, p.Labels)
	return same && (p.StartsAt.IsZero() || nanos(p.StartsAt) >= m.startsAt)
}

// cut takes a number off the text.
func cut(text string) (n uint64, rest string) {
	if len(text) > 0 && text[0] < 0x80 { // nearly always
		return uint64(text[0]), text[1:]
	}
	return cutLong(text)
}

func cutLong(text string) (n uint64, rest string) {
	shift := 0
	for i := range len(text) {
		n |= uint64(text[i]&0x7f) << shift
		if text[i] < 0x80 {
			return n, text[i+1:]
		}
		shift += 7
	}
	return 0, ""
}

// cutSigned takes off what binary.AppendVarint wrote.
func cutSigned(text string) (n int64, rest string) {
	u, rest := cut(text)
	return int64(u>>1) ^ -int64(u&1), rest //nolint:gosec // zigzag
}
