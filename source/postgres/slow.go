package postgres

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

const (
	keptSlow     = 20
	shownRunning = 50 // running statements over the threshold that one poll counts
	hiddenText   = "(not shown: the role lacks pg_monitor)"
	lostText     = "(text no longer kept by pg_stat_statements)"
)

// slowLog remembers the most recent slow statements, running and finished.
type slowLog struct {
	entries []slowEntry // newest first
}

type slowEntry struct {
	source.SlowQuery
	query   int64 // 0 when not known
	pid     int32 // of a running one
	started float64
}

// running takes the statements over the threshold that run now. One seen
// before grows older in place; one that is gone has ended, after at least the
// time it was last seen with.
func (l *slowLog) running(rows []runningRow, at time.Time) {
	for i := range l.entries {
		l.entries[i].Running = false
	}
	for _, row := range rows {
		i := slices.IndexFunc(l.entries, func(e slowEntry) bool {
			return e.pid == row.PID && e.started == row.Started
		})
		if i < 0 {
			l.add(slowEntry{SlowQuery: source.SlowQuery{Query: hiddenText}, pid: row.PID, started: row.Started})
			i = 0
			if row.Query != nil {
				l.entries[i].Query = redact(*row.Query)
			}
		}
		e := &l.entries[i]
		e.DurationMs, e.At, e.Running = max(e.DurationMs, row.DurationMs), at, true
		if row.QueryID != nil {
			e.query = *row.QueryID
		}
	}
	l.trim()
}

// finished takes the slow statements that ended since the last poll, with
// their texts by query id. One that was seen running is not told twice.
func (l *slowLog) finished(ran []finished, texts map[int64]string, at time.Time) {
	for _, f := range ran {
		text := hiddenText
		if !f.hidden {
			var ok bool
			if text, ok = texts[f.key.query]; !ok {
				text = lostText
			}
		}
		i := slices.IndexFunc(l.entries, func(e slowEntry) bool {
			return !f.hidden && e.pid != 0 && !e.Running && e.query == f.key.query
		})
		if i < 0 {
			l.add(slowEntry{query: f.key.query})
			i = 0
		}
		e := &l.entries[i]
		e.Query, e.DurationMs, e.At, e.pid = text, max(e.DurationMs, f.ms), at, 0
	}
	l.trim()
}

func (l *slowLog) add(e slowEntry) { l.entries = slices.Insert(l.entries, 0, e) }

func (l *slowLog) trim() {
	slices.SortStableFunc(l.entries, func(a, b slowEntry) int { return b.At.Compare(a.At) })
	if len(l.entries) > keptSlow {
		l.entries = l.entries[:keptSlow]
	}
}

// list returns a copy, newest first.
func (l *slowLog) list() []source.SlowQuery {
	out := make([]source.SlowQuery, len(l.entries))
	for i, e := range l.entries {
		out[i] = e.SlowQuery
	}
	return out
}

// textOf returns a text already known, so that it need not be fetched again.
func (l *slowLog) textOf(query int64) (string, bool) {
	for _, e := range l.entries {
		if e.query == query && e.pid == 0 && e.Query != lostText && e.Query != hiddenText {
			return e.Query, true
		}
	}
	return "", false
}
