package rule

import "slices"

// order keeps a window's values sorted, in blocks, so that a value enters and
// leaves by moving at most one block's worth. All percentiles of one window
// share it. A block that empties is kept for the next that is wanted.
type order struct {
	blocks [][]float64 // none is empty; each ascending, and so are they
	spare  [][]float64
	count  int
}

const blockSize = 256

func (o *order) add(h *history, _ *slide, n uint64) { o.insert(h.at(n).value) }

func (o *order) drop(h *history, _ *slide, n uint64) { o.remove(h.at(n).value) }

func (o *order) reset() {
	for i := range o.blocks {
		o.spare = append(o.spare, o.blocks[i][:0])
	}
	o.blocks, o.count = o.blocks[:0], 0
}

func (o *order) sound() bool { return true }

// block returns the index of the first block that reaches up to v; the number
// of blocks when none does.
func (o *order) block(v float64) int {
	low, high := 0, len(o.blocks)
	for low < high {
		middle := (low + high) / 2
		if b := o.blocks[middle]; b[len(b)-1] < v {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func (o *order) insert(v float64) {
	o.count++
	if len(o.blocks) == 0 {
		o.blocks = append(o.blocks, append(o.fresh(), v))
		return
	}
	i := min(o.block(v), len(o.blocks)-1)
	at := lowerBound(o.blocks[i], v)
	o.blocks[i] = slices.Insert(o.blocks[i], at, v)
	if len(o.blocks[i]) >= blockSize {
		upper := append(o.fresh(), o.blocks[i][blockSize/2:]...)
		o.blocks[i] = o.blocks[i][:blockSize/2]
		o.blocks = slices.Insert(o.blocks, i+1, upper)
	}
}

func (o *order) fresh() []float64 {
	if n := len(o.spare); n > 0 {
		b := o.spare[n-1]
		o.spare = o.spare[:n-1]
		return b
	}
	return nil
}

// remove takes out one value that is there.
func (o *order) remove(v float64) {
	i := o.block(v)
	b := o.blocks[i]
	at := lowerBound(b, v)
	o.blocks[i] = append(b[:at], b[at+1:]...)
	o.count--
	switch {
	case len(o.blocks[i]) == 0:
		o.release(i)
	case i > 0 && len(o.blocks[i-1])+len(o.blocks[i]) <= blockSize/2:
		o.blocks[i-1] = append(o.blocks[i-1], o.blocks[i]...)
		o.release(i)
	}
}

func (o *order) release(i int) {
	if len(o.spare) < 2 {
		o.spare = append(o.spare, o.blocks[i][:0])
	}
	o.blocks = slices.Delete(o.blocks, i, i+1)
}

// at returns the value with that rank, from 0, as if extra were among them.
func (o *order) at(rank int, extra float64) float64 {
	below := o.below(extra)
	switch {
	case rank == below:
		return extra
	case rank > below:
		rank--
	}
	if rank >= o.count/2 { // nearer to the end
		from := o.count
		for i := len(o.blocks) - 1; i >= 0; i-- {
			if from -= len(o.blocks[i]); rank >= from {
				return o.blocks[i][rank-from]
			}
		}
	}
	for i := range o.blocks {
		if rank < len(o.blocks[i]) {
			return o.blocks[i][rank]
		}
		rank -= len(o.blocks[i])
	}
	return extra
}

// below counts the values smaller than v.
func (o *order) below(v float64) int {
	i := o.block(v)
	if i == len(o.blocks) {
		return o.count
	}
	n := lowerBound(o.blocks[i], v)
	if i < len(o.blocks)/2 {
		for _, b := range o.blocks[:i] {
			n += len(b)
		}
		return n
	}
	n = len(o.blocks[i]) - n
	for _, b := range o.blocks[i+1:] {
		n += len(b)
	}
	return o.count - n
}

func lowerBound(sorted []float64, v float64) int {
	low, high := 0, len(sorted)
	for low < high {
		if middle := (low + high) / 2; sorted[middle] < v {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
