package rule

import "time"

// slide follows one window of a series: an aggregate over the samples of the
// history that lie in it. Samples enter and leave one by one, so that a window
// costs the same however long it is. All conditions that look at the same
// window share it; it is made when first looked at.
type slide struct {
	aggregate
	window time.Duration
	// The samples from to to-1 are in the aggregate: those newer than since.
	from, to uint64
	since    int64
	kind     aggregateKind
	stale    bool // the history was rewound
}

// aggregate is what a slide knows of its samples. The series' last sample is
// never among them: it is the history's only when the next one comes.
type aggregate interface {
	// add takes sample n, the newest.
	add(h *history, sl *slide, n uint64)
	// drop takes sample n out, the oldest.
	drop(h *history, sl *slide, n uint64)
	// reset forgets all samples.
	reset()
	// sound says whether dropping has left it as good as made anew.
	sound() bool
}

type aggregateKind uint8

const (
	sumKind aggregateKind = iota
	deviationKind
	minKind
	maxKind
	orderKind
	riseKind
	lineKind
	pastKind
)

func newAggregate(kind aggregateKind) aggregate {
	switch kind {
	case sumKind:
		return &sums{}
	case deviationKind:
		return &squares{}
	case minKind, maxKind:
		return &extremes{largest: kind == maxKind}
	case orderKind:
		return &order{}
	case riseKind:
		return &rises{}
	case lineKind:
		return &line{}
	case pastKind:
	}
	return nothing{}
}

// slide returns the aggregate over the window that ends now, brought up to
// date. It is valid until the series changes.
func (s *Series) slide(kind aggregateKind, now int64, window time.Duration) *slide {
	s.Keep(window)
	h := s.history
	for i := range h.slides {
		if sl := &h.slides[i]; sl.kind == kind && sl.window == window {
			sl.advance(h, now-int64(window))
			return sl
		}
	}
	h.slides = append(h.slides, slide{aggregate: newAggregate(kind), window: window, kind: kind})
	sl := &h.slides[len(h.slides)-1]
	sl.remake(h, now-int64(window))
	return sl
}

// DropAggregates forgets what has been computed over windows. Call it when the
// conditions change: what they still look at is made again from the samples.
func (s *Series) DropAggregates() {
	if s.history != nil {
		s.history.slides = nil
	}
}

// advance moves the window forward; one that moved back, or whose samples the
// history has let go meanwhile, is made anew.
func (sl *slide) advance(h *history, since int64) {
	if sl.stale || since < sl.since || sl.from < h.first {
		sl.remake(h, since)
		return
	}
	sl.since = since
	dropped := false
	for sl.from < sl.to && h.at(sl.from).at <= since {
		sl.drop(h, sl, sl.from)
		sl.from++
		dropped = true
	}
	if sl.from == sl.to && sl.to < h.end || dropped && !sl.sound() {
		sl.remake(h, since)
		return
	}
	sl.fill(h)
}

func (sl *slide) remake(h *history, since int64) {
	sl.reset()
	sl.stale, sl.since = false, since
	sl.from = h.after(since)
	sl.to = sl.from
	sl.fill(h)
}

func (sl *slide) fill(h *history) {
	for ; sl.to < h.end; sl.to++ {
		sl.add(h, sl, sl.to)
	}
}

// size is how many samples are in the aggregate.
func (sl *slide) size() int { return int(sl.to - sl.from) }

// nothing keeps no aggregate; the slide itself knows where its window begins.
type nothing struct{}

func (nothing) add(*history, *slide, uint64)  {}
func (nothing) drop(*history, *slide, uint64) {}
func (nothing) reset()                        {}
func (nothing) sound() bool                   { return true }
