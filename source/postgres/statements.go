package postgres

import (
	"slices"
	"time"
)

// statementKey is what pg_stat_statements keeps its counters by, within one
// database.
type statementKey struct {
	user, query int64
	toplevel    bool
}

type counts struct {
	calls          int64
	totalMs, maxMs float64
}

// snapshot is all of pg_stat_statements at one moment.
type snapshot struct {
	at    time.Time
	keyed map[statementKey]counts
	// hidden are the entries whose query id the role may not see. They cannot
	// be followed one by one.
	hidden []counts
	info   *statementsInfo // nil before extension 1.9
}

// newSnapshot sorts the rows; own are the monitor's statements, left out.
func newSnapshot(at time.Time, rows []statementRow, info *statementsInfo, own map[statementKey]bool) *snapshot {
	s := &snapshot{at: at, keyed: make(map[statementKey]counts, len(rows)), info: info}
	for _, row := range rows {
		c := counts{calls: row.Calls, totalMs: row.TotalMs, maxMs: row.MaxMs}
		if row.QueryID == nil {
			s.hidden = append(s.hidden, c)
			continue
		}
		key := statementKey{row.UserID, *row.QueryID, row.TopLevel}
		if !own[key] {
			s.keyed[key] = c
		}
	}
	return s
}

func (s *snapshot) sum() (sum counts) {
	for _, c := range s.keyed {
		sum.add(c)
	}
	for _, c := range s.hidden {
		sum.add(c)
	}
	return sum
}

func (c *counts) add(d counts) {
	c.calls += d.calls
	c.totalMs += d.totalMs
	c.maxMs = max(c.maxMs, d.maxMs)
}

// finished is a statement that ran since the last snapshot. ms is the longest
// run that can be proved: the maximum, where it rose, else the mean.
type finished struct {
	key    statementKey
	hidden bool
	ms     float64
}

// window is what happened between two snapshots. When known is false, nothing
// can be said: it was the first, or the entries could not be followed.
type window struct {
	known   bool
	calls   int64
	totalMs float64
	elapsed time.Duration
	ran     []finished
}

// tracker turns snapshots into windows. Sums are never compared: when the
// table is full, entries leave it and the sum falls while calls are made.
type tracker struct {
	last  *snapshot
	total uint64 // calls, from the first snapshot's sum on; it never falls
	began bool
}

// forget drops the last snapshot: the next one is a new base.
func (t *tracker) forget() { t.last = nil }

// observe compares the next snapshot with the last one.
func (t *tracker) observe(now *snapshot) window {
	last := t.last
	t.last = now
	if !t.began {
		t.began = true
		t.total = uint64(max(0, now.sum().calls))
	}
	if last == nil {
		return window{}
	}
	if wasReset(last, now) {
		// Whatever is there now happened since the reset. What happened between
		// the last snapshot and the reset is lost, so rates are a little low.
		last = &snapshot{at: last.at, info: now.info}
	}
	w := window{known: true, elapsed: now.at.Sub(last.at)}
	w.followKeyed(last, now)
	if !w.followHidden(last, now) {
		return window{}
	}
	t.total += uint64(max(0, w.calls))
	return w
}

func wasReset(last, now *snapshot) bool {
	return last.info != nil && now.info != nil && !equal(last.info.StatsReset, now.info.StatsReset)
}

func equal(a, b *float64) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// followKeyed adds each key's own change. An entry that fell was reset, or left
// the table and came back: its present value is all new. So is that of a key
// that the last snapshot, which is always a whole one, did not have.
func (w *window) followKeyed(last, now *snapshot) {
	for key, c := range now.keyed {
		before := last.keyed[key]
		if c.calls < before.calls || c.totalMs < before.totalMs {
			before = counts{}
		}
		calls := c.calls - before.calls
		if calls <= 0 {
			continue
		}
		totalMs := c.totalMs - before.totalMs
		f := finished{key: key, ms: totalMs / float64(calls)}
		// A maximum that fell was reset alone (PostgreSQL 17): it is new.
		if c.maxMs != before.maxMs {
			f.ms = max(f.ms, c.maxMs)
		}
		w.calls += calls
		w.totalMs += totalMs
		w.ran = append(w.ran, f)
	}
}

// followHidden adds the change of the entries without query id, as one. Their
// sum can be trusted only while no entry can have left the table: the server
// counts none deallocated, there are not fewer, and each of the last ones finds
// a present one that is not below it. Otherwise it says false.
func (w *window) followHidden(last, now *snapshot) bool {
	if len(last.hidden) == 0 && len(now.hidden) == 0 {
		return true
	}
	if last.info == nil || now.info == nil || last.info.Dealloc != now.info.Dealloc && len(last.hidden) > 0 ||
		!grew(last.hidden, now.hidden) {
		return false
	}
	var before, after counts
	for _, c := range last.hidden {
		before.add(c)
	}
	for _, c := range now.hidden {
		after.add(c)
	}
	calls, totalMs := after.calls-before.calls, after.totalMs-before.totalMs
	if calls <= 0 {
		return true
	}
	f := finished{hidden: true, ms: totalMs / float64(calls)}
	if after.maxMs > before.maxMs {
		f.ms = max(f.ms, after.maxMs)
	}
	w.calls += calls
	w.totalMs += totalMs
	w.ran = append(w.ran, f)
	return true
}

// grew says whether every entry of before can be one of after with no counter
// fallen: sorted by a counter, the n-th of after is not below the n-th of
// before.
func grew(before, after []counts) bool {
	return dominates(before, after, func(c counts) float64 { return float64(c.calls) }) &&
		dominates(before, after, func(c counts) float64 { return c.totalMs })
}

func dominates(before, after []counts, field func(counts) float64) bool {
	if len(after) < len(before) {
		return false
	}
	b, a := descending(before, field), descending(after, field)
	for i := range b {
		if a[i] < b[i] {
			return false
		}
	}
	return true
}

func descending(cs []counts, field func(counts) float64) []float64 {
	values := make([]float64, len(cs))
	for i, c := range cs {
		values[i] = field(c)
	}
	slices.Sort(values)
	slices.Reverse(values)
	return values
}
