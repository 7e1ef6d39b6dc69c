package amv2

import (
	"strings"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
)

// Decoder reads the bodies of POST /api/v2/alerts. It keeps its memory from one
// body to the next, and is for one goroutine at a time. The zero value works.
//
// What Prometheus and its like write is read by a scanner of this one shape;
// whatever that does not know (other fields, a field twice, bytes that are no
// UTF-8, every mistake) is read anew by encoding/json, which has the last word
// on what is accepted and says what is wrong.
type Decoder struct {
	scanner
	alerts []alert.Posted
}

// Decode returns the alerts of a body. They share memory with the body, and
// are valid until the next call. The error is a *Refusal, and then nothing of
// the body counts.
func (d *Decoder) Decode(body string) ([]alert.Posted, error) {
	if d.fast(body) {
		return d.alerts, nil
	}
	slow, err := decodeSlowly(body, d.alerts[:0])
	d.alerts = slow
	return slow, err
}

// Forget lets go of the last body, and of memory that only a huge one needs,
// before the decoder rests.
func (d *Decoder) Forget() {
	const most = 4096
	clear(d.alerts) // what lies behind was cleared before
	if cap(d.alerts) > most {
		d.alerts = nil
	}
	d.forget(8 * most)
}

// fast fills d.alerts; false when it does not know what stands there.
func (d *Decoder) fast(body string) bool {
	d.alerts = d.alerts[:0]
	if !utf8.ValidString(body) {
		return false
	}
	d.begin(body)
	if !d.accept('[') {
		return false
	}
	if d.accept(']') {
		return true
	}
	for {
		if n := len(d.alerts); n < cap(d.alerts) {
			d.alerts = d.alerts[:n+1]
			d.alerts[n] = alert.Posted{}
		} else {
			d.alerts = append(d.alerts, alert.Posted{})
		}
		if !d.alert(&d.alerts[len(d.alerts)-1]) {
			return false
		}
		if d.accept(',') {
			continue
		}
		// What follows the value is nobody's concern, as in Alertmanager.
		return d.accept(']')
	}
}

// The fields of an alert, as bits.
const (
	fieldLabels = 1 << iota
	fieldAnnotations
	fieldStartsAt
	fieldEndsAt
	fieldGeneratorURL
)

func (d *Decoder) alert(a *alert.Posted) bool {
	if !d.accept('{') {
		return false
	}
	seen := 0
	for {
		name, ok := d.text()
		if !ok || !d.accept(':') {
			return false
		}
		field := 0
		switch name {
		case "labels":
			field = fieldLabels
			a.Labels, ok = d.labels(false)
		case "annotations":
			field = fieldAnnotations
			a.Annotations, ok = d.labels(true)
		case "startsAt":
			field = fieldStartsAt
			a.StartsAt, ok = d.time(&d.starts)
		case "endsAt":
			field = fieldEndsAt
			a.EndsAt, ok = d.time(&d.ends)
		case "generatorURL":
			field = fieldGeneratorURL
			a.GeneratorURL, ok = d.text()
			ok = ok && (a.GeneratorURL == "" || isPlainURL(a.GeneratorURL) || isURI(a.GeneratorURL))
		}
		if !ok || field == 0 || seen&field != 0 {
			return false
		}
		seen |= field
		if d.accept(',') {
			continue
		}
		return d.accept('}') && seen&fieldLabels != 0
	}
}

// isPlainURL knows most URLs at sight: http or https, a host of letters,
// digits, dots and dashes, a port, and a path without escapes.
func isPlainURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "http")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "s")
	if rest, ok = strings.CutPrefix(rest, "://"); !ok {
		return false
	}
	i := 0
	for i < len(rest) && isHostByte(rest[i]) {
		i++
	}
	if i < len(rest) && rest[i] == ':' {
		for i++; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; i++ {
		}
	}
	if i < len(rest) && rest[i] != '/' {
		return false
	}
	query := false
	for ; i < len(rest); i++ {
		switch c := rest[i]; {
		case c <= ' ' || c >= 0x7f || c == '#' || c == '%' && !query:
			return false
		case c == '?':
			query = true
		}
	}
	return true
}

func isHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '.' || c == '-'
}
