package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
)

// A database is read here without SQLite, which gives up a table at the first
// page that does not fit: page by page and cell by cell, as the file format has
// it (https://sqlite.org/fileformat2.html), so that what lies in other pages is
// found whatever lies in this one.

const (
	headerBytes  = 100 // before the tree of page 1
	pageInterior = 0x05
	pageLeaf     = 0x0d
	indexInner   = 0x02 // of a table WITHOUT ROWID, too
	indexLeaf    = 0x0a
	maxDepth     = 20
	maxPayload   = 1 << 30
)

var magic = []byte("SQLite format 3\x00") //nolint:gochecknoglobals // a constant

var errPage = errors.New("not a page of the table")

// image is a database file with its log laid over it.
type image struct {
	db, wal   *os.File // wal may be nil
	view      walView
	pageBytes int
	count     uint32 // pages
	// seen are the pages that belong to a tree that was walked.
	seen map[uint32]bool
	bad  int // pages that should have been in a tree and cannot be read
}

// openImage opens the files for reading.
func openImage(path string) (*image, error) {
	db, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	m := &image{db: db, pageBytes: defaultPageBytes, seen: map[uint32]bool{}}
	var head [headerBytes]byte
	if _, err := db.ReadAt(head[:], 0); err == nil && bytes.Equal(head[:len(magic)], magic) {
		if n := int(binary.BigEndian.Uint16(head[16:])); n >= 512 && n&(n-1) == 0 {
			m.pageBytes = n
		}
	}
	info, err := db.Stat()
	if err == nil {
		m.view, err = readWAL(path+"-wal", m.pageBytes)
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	m.count = uint32(min(info.Size()/int64(m.pageBytes), math.MaxUint32)) //nolint:gosec // bounded
	if m.view.size > 0 {
		m.count = m.view.size
		if m.wal, err = os.Open(path + "-wal"); err != nil { //nolint:gosec // the same
			_ = db.Close()
			return nil, err
		}
	}
	return m, nil
}

func (m *image) close() {
	_ = m.db.Close()
	if m.wal != nil {
		_ = m.wal.Close()
	}
}

// page returns a page of its own memory, or nil when the file has no such page.
func (m *image) page(n uint32) []byte {
	if n == 0 || n > m.count {
		return nil
	}
	page := make([]byte, m.pageBytes)
	var err error
	if at, ok := m.view.pages[n]; ok {
		_, err = m.wal.ReadAt(page, at)
	} else {
		_, err = m.db.ReadAt(page, int64(n-1)*int64(m.pageBytes))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return page
}

// isOurs looks at page 1, of which a young database has nothing but the log.
func (m *image) isOurs() bool {
	head := m.page(1)
	return head != nil && bytes.Equal(head[:len(magic)], magic) && binary.BigEndian.Uint32(head[68:]) == applicationID
}

// cells gives the places of a page's cells, and the page on the right of them.
func (m *image) cells(n uint32, page []byte) (kind byte, at []int, right uint32, err error) {
	head := page
	if n == 1 {
		head = page[headerBytes:]
	}
	kind = head[0]
	count, first := int(binary.BigEndian.Uint16(head[3:])), 8
	switch kind {
	case pageInterior, indexInner:
		right, first = binary.BigEndian.Uint32(head[8:]), 12
	case pageLeaf, indexLeaf:
	default:
		return 0, nil, 0, errPage
	}
	if first+2*count > len(head) {
		return kind, nil, right, errPage
	}
	for i := range count {
		at = append(at, int(binary.BigEndian.Uint16(head[first+2*i:])))
	}
	return kind, at, right, nil
}

// walk calls row with each cell of the tree below a page that can be read; it
// counts the pages that cannot. bad is called for each cell that cannot.
func (m *image) walk(n uint32, depth int, row func(rowid int64, payload []byte), bad func()) {
	page := m.page(n)
	if page == nil || m.seen[n] || depth > maxDepth {
		m.bad++
		return
	}
	m.seen[n] = true
	kind, at, right, err := m.cells(n, page)
	if err != nil {
		m.bad++
		delete(m.seen, n)
		return
	}
	for _, offset := range at {
		if offset >= len(page)-4 {
			bad()
			continue
		}
		cell := page[offset:]
		if kind == pageInterior || kind == indexInner {
			m.walk(binary.BigEndian.Uint32(cell), depth+1, row, bad)
			cell = cell[4:]
		}
		if kind == pageInterior {
			continue
		}
		rowid, payload, err := m.payload(kind, cell)
		if err != nil {
			bad()
			continue
		}
		row(rowid, payload)
	}
	if right != 0 {
		m.walk(right, depth+1, row, bad)
	}
}

// payload reads a cell's record, with what lies in other pages.
func (m *image) payload(kind byte, cell []byte) (rowid int64, payload []byte, err error) {
	size, n := varint(cell)
	if n == 0 || size > maxPayload {
		return 0, nil, errPage
	}
	cell = cell[n:]
	if kind == pageLeaf {
		id, n := varint(cell)
		if n == 0 {
			return 0, nil, errPage
		}
		rowid, cell = int64(id), cell[n:] //nolint:gosec // the same 64 bits
	}
	here := m.local(kind, int(size)) //nolint:gosec // bounded above
	if here > len(cell) {
		return 0, nil, errPage
	}
	payload = append([]byte(nil), cell[:here]...)
	if here == int(size) { //nolint:gosec // bounded above
		return rowid, payload, nil
	}
	if here+4 > len(cell) {
		return 0, nil, errPage
	}
	next := binary.BigEndian.Uint32(cell[here:])
	for left := int(size) - here; left > 0; { //nolint:gosec // bounded above
		page := m.page(next)
		if page == nil {
			return 0, nil, errPage
		}
		m.seen[next] = true
		part := page[4:min(len(page), 4+left)]
		payload = append(payload, part...)
		left -= len(part)
		next = binary.BigEndian.Uint32(page)
	}
	return rowid, payload, nil
}

// local is how much of a record lies in its own page.
func (m *image) local(kind byte, size int) int {
	most := m.pageBytes - 35
	least := (m.pageBytes-12)*32/255 - 23
	if kind != pageLeaf {
		most = (m.pageBytes-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	if k := least + (size-least)%(m.pageBytes-4); k <= most {
		return k
	}
	return least
}

// varint reads SQLite's own, most significant bits first; n is 0 on a mistake.
func varint(b []byte) (v uint64, n int) {
	for n < 8 && n < len(b) {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | uint64(b[8]), 9
	}
	return 0, 0
}

// record decodes a record into int64, float64, string, []byte and nil.
func record(payload []byte) ([]any, error) {
	head, n := varint(payload)
	if n == 0 || head < uint64(n) || head > uint64(len(payload)) { //nolint:gosec // n is at most 9
		return nil, errPage
	}
	types, body := payload[n:head], payload[head:]
	var row []any
	for len(types) > 0 {
		kind, n := varint(types)
		if n == 0 {
			return nil, errPage
		}
		types = types[n:]
		v, size, ok := value(kind, body)
		if !ok {
			return nil, errPage
		}
		row, body = append(row, v), body[size:]
	}
	if len(body) != 0 {
		return nil, errPage
	}
	return row, nil
}

func value(kind uint64, body []byte) (v any, size int, ok bool) {
	sizes := [...]int{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}
	switch {
	case kind < uint64(len(sizes)):
		size = sizes[kind]
	case kind >= 12 && (kind-12)/2 <= uint64(len(body)):
		size = int((kind - 12) / 2) //nolint:gosec // no more than the body
	default:
		return nil, 0, false
	}
	if size > len(body) {
		return nil, 0, false
	}
	b := body[:size]
	switch {
	case kind == 0:
		return nil, 0, true
	case kind == 8 || kind == 9:
		return int64(kind - 8), 0, true //nolint:gosec // 0 or 1
	case kind == 7:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), size, true
	case kind < 7:
		n := int64(int8(b[0])) //nolint:gosec // the sign
		for _, c := range b[1:] {
			n = n<<8 | int64(c)
		}
		return n, size, true
	case kind&1 == 1:
		return string(b), size, true
	}
	return append([]byte(nil), b...), size, true
}

// free is the set of the pages that are in no tree, as far as the list of them
// can be read: what lies there was deleted.
func (m *image) free() map[uint32]bool {
	free := map[uint32]bool{}
	head := m.page(1)
	if !m.isOurs() {
		return free
	}
	for trunk := binary.BigEndian.Uint32(head[32:]); trunk != 0 && !free[trunk]; {
		page := m.page(trunk)
		if page == nil {
			break
		}
		free[trunk] = true
		count := int(min(binary.BigEndian.Uint32(page[4:]), uint32(len(page)/4-2))) //nolint:gosec // a page's length
		for i := range count {
			free[binary.BigEndian.Uint32(page[8+4*i:])] = true
		}
		trunk = binary.BigEndian.Uint32(page)
	}
	return free
}
