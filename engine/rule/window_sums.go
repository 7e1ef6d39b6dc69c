package rule

// sums is Σv.
type sums struct{ v total }

func (a *sums) add(h *history, _ *slide, n uint64)  { a.v.add(h.at(n).value) }
func (a *sums) drop(h *history, _ *slide, n uint64) { a.v.add(-h.at(n).value) }
func (a *sums) reset()                              { *a = sums{} }
func (a *sums) sound() bool                         { return a.v.sound() }

// squares is Σv and Σv².
type squares struct{ v, vv total }

func (a *squares) add(h *history, _ *slide, n uint64)  { a.put(h.at(n).value, 1) }
func (a *squares) drop(h *history, _ *slide, n uint64) { a.put(h.at(n).value, -1) }
func (a *squares) reset()                              { *a = squares{} }
func (a *squares) sound() bool                         { return a.v.sound() && a.vv.sound() }

func (a *squares) put(v, sign float64) {
	a.v.add(sign * v)
	a.vv.addProduct(sign*v, v)
}

// line is what least squares want: sums of v and of t, in nanoseconds since an
// origin near the window, so that each t is exact.
type line struct {
	v, t, tt, tv total
	origin       int64
	begun        bool
	far          bool // from the origin: t would soon be rounded
}

func (a *line) add(h *history, _ *slide, n uint64) {
	p := h.at(n)
	if !a.begun {
		a.origin, a.begun = p.at, true
	}
	a.put(p, 1)
}

func (a *line) drop(h *history, _ *slide, n uint64) {
	p := h.at(n)
	a.put(p, -1)
	a.far = p.at-a.origin > 1<<52
}

func (a *line) reset() { *a = line{} }

func (a *line) sound() bool {
	return !a.far && a.v.sound() && a.tv.sound() && a.t.sound() && a.tt.sound()
}

func (a *line) put(p point, sign float64) {
	t := float64(p.at - a.origin)
	a.v.add(sign * p.value)
	a.t.add(sign * t)
	a.tt.addProduct(sign*t, t)
	a.tv.addProduct(sign*t, p.value)
}

// rises is how much a counter rose from sample to sample.
type rises struct{ rise total }

func (a *rises) add(h *history, sl *slide, n uint64) {
	if n > sl.from {
		a.rise.add(rise(h.at(n-1), h.at(n)))
	}
}

func (a *rises) drop(h *history, sl *slide, n uint64) {
	if n+1 < sl.to {
		a.rise.add(-rise(h.at(n), h.at(n+1)))
	}
}

func (a *rises) reset()      { *a = rises{} }
func (a *rises) sound() bool { return a.rise.sound() }

// rise is a counter's from one sample to the next; after a fall it began anew
// at zero.
func rise(before, after point) float64 {
	if after.value < before.value {
		return after.value
	}
	return after.value - before.value
}

// extremes keeps the samples that are or may become the largest (or smallest):
// each is larger than all that came after it. The first is the largest.
type extremes struct {
	// The candidates' numbers in the history, first to end-1, in a ring like
	// the history's.
	numbers    []uint64
	first, end uint64
	largest    bool
}

func (a *extremes) add(h *history, _ *slide, n uint64) {
	v := h.at(n).value
	for a.first < a.end && !a.beats(h.at(a.at(a.end-1)).value, v) {
		a.end--
	}
	if a.end-a.first == uint64(len(a.numbers)) {
		grown := make([]uint64, max(8, 2*len(a.numbers)))
		for i := a.first; i < a.end; i++ {
			grown[i&uint64(len(grown)-1)] = a.at(i)
		}
		a.numbers = grown
	}
	a.numbers[a.end&uint64(len(a.numbers)-1)] = n
	a.end++
}

func (a *extremes) drop(_ *history, _ *slide, n uint64) {
	if a.first < a.end && a.at(a.first) == n {
		a.first++
	}
}

func (a *extremes) reset()      { a.first, a.end = 0, 0 }
func (a *extremes) sound() bool { return true }

func (a *extremes) at(i uint64) uint64 { return a.numbers[i&uint64(len(a.numbers)-1)] }

func (a *extremes) beats(v, w float64) bool {
	if a.largest {
		return v > w
	}
	return v < w
}
