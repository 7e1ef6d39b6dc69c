package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// The journal's rows are binary: a version, what follows, and a checksum of
// both. Within a row a short text that comes again is a number, and a time is
// told by what has passed since the time before it, so that the rows of one
// change, which say the same of many alerts, take a fraction of their JSON.

// codecVersion is the form that is written. A change of form has a new number,
// and the old one stays readable for as long as upgrades from it are.
const codecVersion = 1

const (
	// sharedText is the longest text that is remembered: longer ones are
	// messages, which seldom come again.
	sharedText = 96
	// headBytes and sumBytes are the version with the kind, and the checksum.
	headBytes, sumBytes = 2, crc32.Size
)

var errCut = errors.New("it is cut short or damaged")

// coder goes over the fields of a value in their order. The encoder reads them,
// the decoder sets them: one description of a type serves both.
type coder interface {
	text(*string)
	moment(*time.Time)
	number(*alert.Number)
	octet(*uint8)
	integer(*int64)
	bits(*uint64)
	// count is how many elements follow.
	count(n int) int
	// decoding tells the two apart, ok says whether there is more to read.
	decoding() bool
	ok() bool
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// encoder appends to b.
type encoder struct {
	b     []byte
	texts map[string]uint64
	last  int64 // the last time
}

func (e *encoder) reset() {
	e.b, e.last = e.b[:0], 0
	if e.texts == nil || len(e.texts) > 1<<14 {
		e.texts = map[string]uint64{}
	}
	clear(e.texts)
}

func (e *encoder) decoding() bool { return false }
func (e *encoder) ok() bool       { return true }

// text writes 0 for none, an even number for the n-th remembered one, and an
// odd one for the length of what follows.
func (e *encoder) text(s *string) {
	n := len(*s)
	if n == 0 {
		e.b = append(e.b, 0)
		return
	}
	if n <= sharedText {
		if known, found := e.texts[*s]; found {
			e.b = binary.AppendUvarint(e.b, known)
			return
		}
		e.texts[*s] = uint64(len(e.texts)+1) << 1
	}
	e.b = binary.AppendUvarint(e.b, uint64(n)<<1|1)
	e.b = append(e.b, *s...)
}

// moment writes 0 for the zero time, 1 for the one before, 2 and the distance
// from it for any other.
func (e *encoder) moment(t *time.Time) {
	if t.IsZero() {
		e.b = append(e.b, 0)
		return
	}
	n := nanos(*t)
	if n == e.last {
		e.b = append(e.b, 1)
		return
	}
	e.b = binary.AppendVarint(append(e.b, 2), n-e.last) // wraps, and so does the reader
	e.last = n
}

func (e *encoder) number(n *alert.Number) {
	f := float64(*n)
	if !n.Known() {
		f = math.NaN()
	}
	e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(f))
}

func (e *encoder) octet(v *uint8)   { e.b = append(e.b, *v) }
func (e *encoder) integer(v *int64) { e.b = binary.AppendVarint(e.b, *v) }
func (e *encoder) bits(v *uint64)   { e.b = binary.LittleEndian.AppendUint64(e.b, *v) }

func (e *encoder) count(n int) int {
	e.b = binary.AppendUvarint(e.b, uint64(n)) //nolint:gosec // a length
	return n
}

// seal gives the row: it stays valid until the encoder is reset.
func (e *encoder) seal() []byte {
	e.b = binary.LittleEndian.AppendUint32(e.b, crc32.Checksum(e.b, castagnoli()))
	return e.b
}

// decoder reads what an encoder wrote. After the first mistake it yields zero
// values and err says what it was. The texts share the memory of the row.
type decoder struct {
	s     string
	texts []string
	last  int64
	err   error
}

// newDecoder checks the row's frame, and says what is in it.
func newDecoder(data []byte) (*decoder, byte, error) {
	if len(data) < headBytes+sumBytes {
		return nil, 0, errCut
	}
	if data[0] != codecVersion {
		return nil, 0, fmt.Errorf("its form is version %d, and this release knows %d", data[0], codecVersion)
	}
	body, sum := data[:len(data)-sumBytes], data[len(data)-sumBytes:]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(sum) {
		return nil, 0, errCut
	}
	return &decoder{s: string(body[headBytes:])}, data[1], nil
}

func (d *decoder) decoding() bool { return true }
func (d *decoder) ok() bool       { return d.err == nil }

func (d *decoder) fail() {
	d.err = errCut
	d.s = ""
}

// take returns the next n bytes.
func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.s)) {
		d.fail()
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		s := d.take(1)
		if s == "" {
			return 0
		}
		v |= uint64(s[0]&0x7f) << shift
		if s[0] < 0x80 {
			return v
		}
	}
	d.fail()
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1) //nolint:gosec // zigzag
}

func (d *decoder) text(s *string) {
	n := d.uvarint()
	switch {
	case n == 0:
		*s = ""
	case n&1 == 1:
		*s = d.take(n >> 1)
		if l := len(*s); l > 0 && l <= sharedText {
			d.texts = append(d.texts, *s)
		}
	case n>>1 <= uint64(len(d.texts)):
		*s = d.texts[n>>1-1]
	default:
		d.fail()
	}
}

func (d *decoder) moment(t *time.Time) {
	switch s := d.take(1); {
	case s == "":
	case s[0] == 0:
		*t = time.Time{}
	case s[0] == 1:
		*t = time.Unix(0, d.last).UTC()
	case s[0] == 2:
		d.last += d.varint()
		*t = time.Unix(0, d.last).UTC()
	default:
		d.fail()
	}
}

func (d *decoder) number(n *alert.Number) {
	var v uint64
	d.bits(&v)
	*n = alert.Number(math.Float64frombits(v))
}

func (d *decoder) octet(v *uint8) {
	if s := d.take(1); s != "" {
		*v = s[0]
	}
}

func (d *decoder) integer(v *int64) { *v = d.varint() }

func (d *decoder) bits(v *uint64) {
	if s := d.take(8); s != "" {
		*v = uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	}
}

func (d *decoder) count(int) int {
	n := d.uvarint()
	if n > uint64(len(d.s)) { // each takes a byte at least
		d.fail()
		return 0
	}
	return int(n) //nolint:gosec // no more than the length of the row
}

// atOnce is how many elements room is made for before the first is read: most
// changes have no more of anything.
const atOnce = 64

// list goes over a slice. What the decoder allocates grows with what it has
// read, whatever the row says of its length; the empty slice becomes nil.
func list[T any](c coder, s *[]T, each func(coder, *T)) {
	n := c.count(len(*s))
	if !c.decoding() {
		for i := range *s {
			each(c, &(*s)[i])
		}
		return
	}
	*s = nil
	if n > 0 {
		*s = make([]T, 0, min(n, atOnce))
	}
	for i := 0; i < n && c.ok(); i++ {
		var v T
		*s = append(*s, v)
		each(c, &(*s)[i])
	}
}

// optional goes over what may not be there.
func optional[T any](c coder, p **T, each func(coder, *T)) {
	there := uint8(0)
	if *p != nil {
		there = 1
	}
	c.octet(&there)
	if c.decoding() {
		*p = nil
		if there == 1 && c.ok() {
			*p = new(T)
		}
	}
	if *p != nil {
		each(c, *p)
	}
}

func textOf[T ~string](c coder, s *T) {
	text := string(*s)
	c.text(&text)
	if c.decoding() {
		*s = T(text)
	}
}

func intOf(c coder, v *int) {
	n := int64(*v)
	c.integer(&n)
	if c.decoding() { // what is encoded may be read by others meanwhile
		*v = int(n)
	}
}

// dictionary goes over a map of texts; the empty one becomes nil.
func dictionary(c coder, m *map[string]string) {
	n := c.count(len(*m))
	if !c.decoding() {
		for k, v := range *m {
			c.text(&k)
			c.text(&v)
		}
		return
	}
	*m = nil
	for i := 0; i < n && c.ok(); i++ {
		var k, v string
		c.text(&k)
		c.text(&v)
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[k] = v
	}
}
