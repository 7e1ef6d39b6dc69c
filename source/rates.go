package source

import "time"

// Rates turns the cumulative counters of one process into changes. It holds
// one snapshot; Observe compares the next with it. When any counter fell, or
// the process's identity changed, all counters are rebased: none gives a
// change in that round. It is not safe for concurrent use.
type Rates struct {
	identity string
	at       time.Time
	last     map[string]float64
	now      map[string]float64
	elapsed  time.Duration
	valid    bool
}

// Observe takes the next snapshot. identity names the run of the process
// (Redis' run_id, an application's instance and start time); at must come from
// time.Now, so that intervals are measured on the monotonic clock. It reports
// whether changes can be had; the first snapshot gives none.
func (r *Rates) Observe(identity string, at time.Time, counters map[string]float64) bool {
	r.last, r.now = r.now, counters
	r.elapsed = at.Sub(r.at)
	r.valid = r.last != nil && identity == r.identity && r.elapsed > 0 && !anyFell(r.last, counters)
	r.identity, r.at = identity, at
	return r.valid
}

func anyFell(last, now map[string]float64) bool {
	for name, before := range last {
		if value, ok := now[name]; ok && value < before {
			return true
		}
	}
	return false
}

// Forget drops the snapshot: the next one is the first.
func (r *Rates) Forget() { *r = Rates{} }

// Delta returns how much a counter rose between the last two snapshots; false
// when that cannot be known.
func (r *Rates) Delta(name string) (float64, bool) {
	if !r.valid {
		return 0, false
	}
	before, had := r.last[name]
	value, has := r.now[name]
	return value - before, had && has
}

// PerSecond returns a counter's rise a second between the last two snapshots.
func (r *Rates) PerSecond(name string) (float64, bool) {
	d, ok := r.Delta(name)
	if !ok {
		return 0, false
	}
	return d / r.elapsed.Seconds(), true
}

// Ratio returns 100·part/(part+rest) of the rises of two counters; false when
// neither rose, for 0/0 is no value.
func (r *Rates) Ratio(part, rest string) (float64, bool) {
	p, ok1 := r.Delta(part)
	q, ok2 := r.Delta(rest)
	if !ok1 || !ok2 || p+q <= 0 {
		return 0, false
	}
	return 100 * p / (p + q), true
}
