package sqlite

import (
	"container/heap"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

const (
	// sampleBatch bounds a transaction of samples, so that a change which
	// comes meanwhile waits a few milliseconds at most.
	sampleBatch = 1000
	// samplePage is how much of one series is read at a time. Short reads let
	// the checkpointer empty the log in between.
	samplePage = 512
)

type seriesKey struct {
	metric      string
	fingerprint alert.Fingerprint
}

// AppendSamples keeps samples for the windows of rules after a restart and for
// later baselines. Their times are cut to the millisecond; one whose series
// already has a value at that time, or whose value is NaN, is passed over.
//
// The samples are written in small transactions behind the changes that wait.
// They are in the database when it returns nil, but the last moments of them
// may be lost when the power fails. After an error, some may be written:
// appending them again does no harm.
func (s *Store) AppendSamples(ctx context.Context, samples []alert.Sample) error {
	for len(samples) > 0 {
		batch := samples[:min(sampleBatch, len(samples))]
		samples = samples[len(batch):]
		err := s.writer.queue.do(ctx, false, len(batch), func(w *writer) error { return w.appendSamples(batch) })
		if err != nil {
			return s.fail("append samples", err)
		}
	}
	return ctx.Err()
}

func (w *writer) appendSamples(batch []alert.Sample) error {
	added := int64(0)
	for i := range batch {
		sample := &batch[i]
		if math.IsNaN(sample.Value) {
			continue
		}
		id, err := w.seriesID(sample)
		if err != nil {
			return fmt.Errorf("series %s%s: %w", sample.Metric, sample.Labels, err)
		}
		n, err := w.count(w.stmts.sample, id, sample.At.UnixMilli(), sample.Value)
		if err != nil {
			return fmt.Errorf("sample of %s%s: %w", sample.Metric, sample.Labels, err)
		}
		added += n
	}
	if added == 0 {
		return nil
	}
	return w.run1(w.stmts.addSamples, added)
}

// seriesID finds or makes the series of a sample.
func (w *writer) seriesID(sample *alert.Sample) (int64, error) {
	key := seriesKey{sample.Metric, sample.Labels.Fingerprint()}
	if id, ok := w.series[key]; ok {
		return id, nil
	}
	var id int64
	fingerprint := int64(key.fingerprint) //nolint:gosec // the same 64 bits
	row := w.stmts.findSeries.QueryRowContext(context.Background(), key.metric, fingerprint)
	switch err := row.Scan(&id); {
	case err == nil:
	case isNoRows(err):
		labels, err := json.Marshal(sample.Labels)
		if err != nil {
			return 0, err
		}
		res, err := w.stmts.series.ExecContext(context.Background(), key.metric, fingerprint, string(labels))
		if err != nil {
			return 0, err
		}
		if id, err = res.LastInsertId(); err != nil {
			return 0, err
		}
	default:
		return 0, err
	}
	w.series[key] = id
	return id, nil
}

// LoadSamples hands the samples of a metric that are not older than since to
// fn, in the order of time; a zero since means all of them. It ends with the
// first error of fn and returns that. Between two calls of fn no lock is held:
// a slow one delays nobody.
func (s *Store) LoadSamples(ctx context.Context, metric string, since time.Time, fn func(alert.Sample) error) error {
	streams, err := s.streams(ctx, metric, since)
	if err != nil {
		return s.fail("load samples of "+metric, err)
	}
	for len(streams) > 0 {
		next := streams[0]
		if err := fn(next.sample(metric)); err != nil {
			return err
		}
		more, err := next.advance(ctx, s.readers)
		switch {
		case err != nil:
			return s.fail("load samples of "+metric, err)
		case more:
			heap.Fix(&streams, 0)
		default:
			heap.Pop(&streams)
		}
	}
	return nil
}

// streams opens each series of a metric at its first sample.
func (s *Store) streams(ctx context.Context, metric string, since time.Time) (merge, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, labels FROM series WHERE metric = ? ORDER BY id`, metric)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all merge
	for rows.Next() {
		st := &stream{after: math.MinInt64}
		if !since.IsZero() {
			// Up to the millisecond that since is cut to, exclusively.
			st.after = since.Add(time.Millisecond-1).UnixMilli() - 1
		}
		var labels []byte
		if err := rows.Scan(&st.series, &labels); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(labels, &st.labels); err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	filled := all[:0]
	for _, st := range all {
		more, err := st.advance(ctx, s.readers)
		if err != nil {
			return nil, err
		}
		if more {
			filled = append(filled, st)
		}
	}
	heap.Init(&filled)
	return filled, nil
}

// stream reads one series in the order of time, a page at a time.
type stream struct {
	series int64
	labels alert.Labels
	page   []point // the first is the present one
	after  int64   // the last moment read, in ms
	ended  bool
}

type point struct {
	at    int64 // ms
	value float64
}

func (st *stream) sample(metric string) alert.Sample {
	p := st.page[0]
	return alert.Sample{Metric: metric, Labels: st.labels, Value: p.value, At: time.UnixMilli(p.at).UTC()}
}

// advance goes to the next sample, and says whether there is one.
func (st *stream) advance(ctx context.Context, db querier) (bool, error) {
	if len(st.page) > 1 {
		st.page = st.page[1:]
		return true, nil
	}
	st.page = st.page[:0]
	if st.ended {
		return false, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT at_ms, value FROM samples
		WHERE series = ? AND at_ms > ? ORDER BY at_ms LIMIT ?`, st.series, st.after, samplePage)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var p point
		if err := rows.Scan(&p.at, &p.value); err != nil {
			return false, err
		}
		st.page = append(st.page, p)
		st.after = p.at
	}
	st.ended = len(st.page) < samplePage
	return len(st.page) > 0, rows.Err()
}

// merge is a heap of streams, the one with the earliest sample on top; at the
// same moment the older series comes first.
type merge []*stream

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*stream)) } //nolint:forcetypeassert // container/heap's form

func (m merge) Less(i, j int) bool {
	if a, b := m[i].page[0].at, m[j].page[0].at; a != b {
		return a < b
	}
	return m[i].series < m[j].series
}

func (m *merge) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}

// SampleStats says how many samples are kept, and over which time.
func (s *Store) SampleStats(ctx context.Context) (store.SampleStats, error) {
	var (
		st             store.SampleStats
		oldest, newest sql.NullInt64
	)
	// One look at either end of each series, and no walk over the samples.
	err := s.readers.QueryRowContext(ctx, `SELECT count(*), (SELECT n FROM counters WHERE name = 'samples'),
			min((SELECT min(at_ms) FROM samples WHERE series = series.id)),
			max((SELECT max(at_ms) FROM samples WHERE series = series.id))
		FROM series`).Scan(&st.Series, &st.Samples, &oldest, &newest)
	if oldest.Valid {
		st.Oldest, st.Newest = time.UnixMilli(oldest.Int64).UTC(), time.UnixMilli(newest.Int64).UTC()
	}
	return st, s.fail("sample stats", err)
}
