package sqlite

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The write-ahead log as SQLite's file format describes it,
// https://sqlite.org/fileformat2.html#walformat.
const (
	walHeaderBytes   = 32
	walFrameBytes    = 24 // of a frame, before its page
	walMagic         = 0x377f0682
	maxPageBytes     = 64 << 10
	defaultPageBytes = 4 << 10
)

// walView is what a log says of the database's pages.
type walView struct {
	pages map[uint32]int64 // where in the log the newest committed image of a page is
	size  uint32           // of the database in pages; 0 when the log has no commit
	// damaged says that SQLite would overlook commits that are there: each
	// frame's checksum goes on from that of the frame before, so that one frame
	// that was overwritten hides all that follow.
	damaged bool
}

// readWAL reads a log frame by frame. After a frame that does not fit it goes
// on with those that fit to the checksum that stands in the frame before them.
// A torn end, as a kill leaves it, has no such frames.
func readWAL(path string, pageBytes int) (walView, error) {
	v := walView{pages: map[uint32]int64{}}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	defer func() { _ = f.Close() }()
	var head [walHeaderBytes]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return v, ignoreEOF(err)
	}
	w := walReader{f: f, view: &v, order: binary.LittleEndian, pageBytes: pageBytes}
	w.header(head[:])
	return v, ignoreEOF(w.frames())
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

type walReader struct {
	f         *os.File
	view      *walView
	order     binary.ByteOrder
	pageBytes int
	salt      uint64
	known     bool      // the salt: which frames belong to the log
	sum       [2]uint32 // of the frame before
	sure      bool      // sum is that of the frame before
	broken    bool      // a frame did not fit
}

// header takes over what the log's own header says, when it can be trusted.
func (w *walReader) header(head []byte) {
	magic := binary.BigEndian.Uint32(head)
	if magic&1 == 1 {
		w.order = binary.BigEndian
	}
	sum := w.checksum([2]uint32{}, head[:24])
	size := int(binary.BigEndian.Uint32(head[8:]))
	if magic&^1 != walMagic || sum != stored(head[24:]) || size < 512 || size > maxPageBytes {
		w.order, w.broken = binary.LittleEndian, true
		return
	}
	w.pageBytes, w.sum, w.sure = size, sum, true
	w.salt, w.known = binary.BigEndian.Uint64(head[16:]), true
}

func (w *walReader) frames() error {
	frame := make([]byte, walFrameBytes+w.pageBytes)
	pending := map[uint32]int64{} // of a transaction that has not ended
	for offset := int64(walHeaderBytes); ; offset += int64(len(frame)) {
		if _, err := w.f.ReadAt(frame, offset); err != nil {
			return err
		}
		salt := binary.BigEndian.Uint64(frame[8:])
		if w.known && salt != w.salt {
			w.broken, w.sure = true, false
			continue
		}
		fits := w.sure && w.checksum(w.checksum(w.sum, frame[:8]), frame[walFrameBytes:]) == stored(frame[16:])
		w.sum, w.sure = stored(frame[16:]), true // what stands there: the next goes on from it
		if !fits {
			w.broken = true
			continue
		}
		if !w.known {
			w.salt, w.known = salt, true
		}
		pending[binary.BigEndian.Uint32(frame)] = offset + walFrameBytes
		if size := binary.BigEndian.Uint32(frame[4:]); size > 0 {
			for page, at := range pending {
				w.view.pages[page] = at
			}
			clear(pending)
			w.view.size = size
			w.view.damaged = w.view.damaged || w.broken
		}
	}
}

func stored(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// checksum is SQLite's own, over words of 32 bits in pairs.
func (w *walReader) checksum(sum [2]uint32, b []byte) [2]uint32 {
	if w.order == binary.LittleEndian {
		for ; len(b) >= 8; b = b[8:] {
			sum[0] += binary.LittleEndian.Uint32(b) + sum[1]
			sum[1] += binary.LittleEndian.Uint32(b[4:]) + sum[0]
		}
		return sum
	}
	for ; len(b) >= 8; b = b[8:] {
		sum[0] += binary.BigEndian.Uint32(b) + sum[1]
		sum[1] += binary.BigEndian.Uint32(b[4:]) + sum[0]
	}
	return sum
}
