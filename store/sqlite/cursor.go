package sqlite

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"github.com/tocsin-dev/tocsin/store"
)

// position is the place of an alert in the order of the history.
type position struct{ began, seq int64 }

// A cursor is a version, the position, and a checksum of both, in base64 for
// URLs. The checksum is no secret: it tells a cursor from something mistyped
// or cut short, and whoever makes one up reads nothing that he could not.
const (
	cursorVersion = 1
	cursorBytes   = 1 + 8 + 8
)

func (p position) cursor() string {
	b := append(make([]byte, 0, cursorBytes+crc32.Size), cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.began)) //nolint:gosec // the same 64 bits
	b = binary.BigEndian.AppendUint64(b, uint64(p.seq))   //nolint:gosec // the same 64 bits
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string) (position, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorBytes+crc32.Size {
		return position{}, store.ErrBadCursor
	}
	p := position{
		began: int64(binary.BigEndian.Uint64(b[1:])), //nolint:gosec // the same 64 bits
		seq:   int64(binary.BigEndian.Uint64(b[9:])), //nolint:gosec // the same 64 bits
	}
	if p.cursor() != text { // version, checksum, and what base64 reads over
		return position{}, store.ErrBadCursor
	}
	return p, nil
}
