package rule

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// point is one sample of a series: nanoseconds since 1970 and a value.
type point struct {
	at    int64
	value float64
}

// Series is one metric with one label set: its last sample and, while a window
// over it is wanted, its history. There are very many of them, and most have no
// window: what only a window needs stands behind history. It is not safe for
// concurrent use.
type Series struct {
	Labels  alert.Labels
	last    point
	history *history // nil while no window is wanted
	seen    bool
}

// Append takes the next sample. One that is not newer than the last, or is no
// finite number, is dropped, and Append reports false.
func (s *Series) Append(at time.Time, value float64) bool {
	p := point{at: at.UnixNano(), value: value}
	if s.seen && p.at <= s.last.at || value-value != 0 {
		return false
	}
	if h := s.history; h != nil {
		if s.seen {
			h.take(s.last, p.at)
		}
		for c := h.coarse; c != nil; c = c.next {
			c.take(p)
		}
	}
	s.last, s.seen = p, true
	return true
}

// rewind forgets the samples after a moment: the clock was set back, and they
// lie in a future that would shut out the present.
func (s *Series) rewind(moment int64) {
	if s.last.at <= moment {
		return
	}
	if s.history != nil {
		if p, ok := s.history.rewind(moment); ok {
			s.last = p
			return
		}
	}
	s.last.at = moment - 1
}

// Last returns the newest sample; false when there is none.
func (s *Series) Last() (at time.Time, value float64, ok bool) {
	if !s.seen {
		return time.Time{}, 0, false
	}
	return time.Unix(0, s.last.at).UTC(), s.last.value, true
}

// Keep makes the series hold at least this long a window from now on.
func (s *Series) Keep(window time.Duration) {
	if window <= 0 {
		return
	}
	if s.history == nil {
		s.history = &history{}
	}
	s.history.keep = max(s.history.keep, window)
}
