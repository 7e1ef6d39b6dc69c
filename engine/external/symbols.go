package external

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// symbols are the texts that many alerts share: names of labels, and values that
// came twice.
//
// One goroutine appends, many may cut at the same time.
type symbols struct {
	numbers map[string]uint64
	bytes   int // of all of them
	texts   atomic.Pointer[[]string]
	// once remembers, in a bounded room, the hashes of texts that came once.
	seed maphash.Seed
	once []uint32
	room []byte // for what is packed
}

// The limits of the table: it never shrinks.
const (
	maxSymbols     = 1 << 16
	maxSymbolBytes = 4 << 20 // of all
	maxSymbolLen   = 512     // of one
	minSymbolLen   = 3       // shorter ones gain nothing
	onceSlots      = 1 << 15
)

func newSymbols() *symbols {
	s := &symbols{numbers: map[string]uint64{}, seed: maphash.MakeSeed(), once: make([]uint32, onceSlots)}
	s.texts.Store(new([]string))
	return s
}

// number finds the symbol of a text, or makes it one when it came before.
func (s *symbols) number(text string) (uint64, bool) {
	if len(text) < minSymbolLen || len(text) > maxSymbolLen {
		return 0, false
	}
	if number, ok := s.numbers[text]; ok {
		return number, true
	}
	hash := maphash.String(s.seed, text)
	slot, tag := hash%onceSlots, uint32(hash>>32)
	if s.once[slot] != tag {
		s.once[slot] = tag
		return 0, false
	}
	texts := *s.texts.Load()
	if len(texts) >= maxSymbols || s.bytes+len(text) > maxSymbolBytes {
		return 0, false
	}
	text = strings.Clone(text)
	number := uint64(len(texts))
	s.numbers[text] = number
	s.bytes += len(text)
	// Whoever holds the old list does not look past its end.
	texts = append(texts, text)
	s.texts.Store(&texts)
	return number, true
}
