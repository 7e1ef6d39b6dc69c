package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// document is an answer that is rendered already, with its entity tag.
type document struct {
	body        []byte
	etag        string
	contentType string // empty: JSON
}

// render encodes v. The tag is a hash of the bytes, so that it is the same in
// every replica and after a restart, and stays when a poll changed nothing
// that the document shows.
func render(v any) (*document, error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	return newDocument(body, ""), nil
}

func newDocument(body []byte, contentType string) *document {
	h := fnv.New128a()
	_, _ = h.Write(body) // a hash never fails
	return &document{body: body, etag: fmt.Sprintf(`"%x"`, h.Sum(nil)), contentType: contentType}
}

// encode writes JSON with a newline at its end. <, > and & stay as they are:
// the answers are never HTML, and their type says so.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b.Bytes(), nil
}

// stampLayout is RFC 3339 in UTC with milliseconds, as JavaScript writes it.
const stampLayout = "2006-01-02T15:04:05.000Z"

// stamp is a time as the guide writes it; the zero time is null.
type stamp time.Time

// MarshalJSON writes "2024-01-15T10:00:00.000Z" or null.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(make([]byte, 0, len(stampLayout)+2), `"`+stampLayout+`"`), nil
}

// member is one entry of an object.
type member[T any] struct {
	key   string
	value T
}

// object is a JSON object that keeps the order of its members.
type object[T any] []member[T]

// MarshalJSON writes the members in order.
func (o object[T]) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := encode(m.key)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key[:len(key)-1]...), ':'), value...)
	}
	return append(b, '}'), nil
}

// rounded is a number as the documents show it: one decimal, and two
// significant digits below 1; null when it is not known.
func rounded(n alert.Number) alert.Number {
	if !n.Known() {
		return n
	}
	v := float64(n)
	if a := math.Abs(v); a > 0 && a < 0.95 {
		if short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64); err == nil {
			return alert.Number(short)
		}
	}
	return alert.Number(units.Round1(v))
}

// percent is 100·part/whole with one decimal; unknown when whole is 0.
func percent(part, whole float64) alert.Number {
	if whole <= 0 {
		return alert.Unknown()
	}
	return alert.Number(units.Round1(100 * part / whole))
}

// oneDecimal rounds what may not be known.
func oneDecimal(v *float64) alert.Number {
	if v == nil {
		return alert.Unknown()
	}
	return alert.Number(units.Round1(*v))
}

// text formats what may not be known; nil is null.
func text(v *float64, format func(float64) string) *string {
	if v == nil || !alert.Number(*v).Known() {
		return nil
	}
	s := format(*v)
	return &s
}

func sizeText(bytes int64) string { return units.Size(float64(bytes)) }

// notNil makes an empty list of none, which JSON would show as null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// notNilMap does the same for an object.
func notNilMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
