// Package prometheus scrapes an exposition page (text 0.0.4, OpenMetrics,
// protobuf) and yields what stands there:
//
//   - every gauge, counter and untyped sample under its own name;
//   - for each counter, and each _count of a histogram or summary, name:rate:
//     its rise a second since the last poll;
//   - for each histogram name_count, name_sum, and name:p50, name:p95 and
//     name:p99 of the observations since the last poll, in the histogram's own
//     unit; no value without observations;
//   - for each summary name_count, name_sum, and its quantiles under its own
//     name with the label quantile;
//   - the catalog's app.*, cache.* and postgres.pool_* metrics where the page
//     has their usual names or the configuration maps them.
//
// It is called by cmd, which wires it into the poll loop. It never stores,
// judges, or follows a page's own timestamps further than five minutes back.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/source/internal/page"
)

// Source scrapes one page. It implements source.Source and is not safe for
// concurrent polls, as the loop promises none.
type Source struct {
	cfg        Config
	page       *page.Fetcher
	keep, drop *regexp.Regexp
	maps       []mapping
	deltas     deltas
	strategies source.StrategyTracker
	// Sums of a database's histogram at the last poll, for its average.
	lastSum, lastCount float64
}

// New makes a source of a valid configuration.
func New(cfg Config) (*Source, error) {
	fetcher, err := page.New(cfg.URL, cfg.Options, accept, int64(cfg.MaxBodyBytes))
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, page: fetcher}
	if s.keep, err = compile(cfg.Keep); err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	if s.drop, err = compile(cfg.Drop); err != nil {
		return nil, fmt.Errorf("drop: %w", err)
	}
	if s.maps, err = newMappings(cfg.Map); err != nil {
		return nil, err
	}
	return s, nil
}

// Close drops the idle connection.
func (s *Source) Close() error {
	s.page.Close()
	return nil
}

// Poll scrapes the page once. Its error is a *source.Fault.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	body, contentType, err := s.page.Get(ctx)
	if err != nil {
		return source.Reading{}, err
	}
	families, err := parse(body, contentType)
	if err == nil && len(families) == 0 {
		err = errors.New("the page holds no metrics")
	}
	if err != nil {
		return source.Reading{}, &source.Fault{Kind: source.Garbled, Err: err}
	}
	return s.read(flatten(families, time.Now())), nil
}

// read makes a reading of a page.
func (s *Source) read(snap *snapshot) source.Reading {
	var r source.Reading
	started := snap.startedAt()
	fell := s.deltas.observe(started.run, snap.now, snap.counters())
	if len(fell) > 0 {
		r.Problems = append(r.Problems, fellProblem(fell))
	}
	s.deltas.derive(snap)

	f := fill{source: s, snap: snap, reading: &r, values: map[string]float64{}, taken: map[int]bool{}}
	f.mapped()
	f.app(started)
	f.pool()
	f.cache(started.run)
	f.facts(started)
	r.StartedAt = started.at

	s.own(snap, f.taken, &r)
	r.Problems = append(r.Problems, snap.left.problems()...)
	return r
}

// own yields what stands on the page under its own name, but for the series
// that the configuration has mapped to another.
func (s *Source) own(snap *snapshot, taken map[int]bool, r *source.Reading) {
	over := 0
	yielded := 0
	for i := range snap.points {
		p := &snap.points[i]
		if taken[i] || !s.wanted(p) {
			continue
		}
		if yielded >= s.cfg.MaxSeries {
			over++
			continue
		}
		yielded++
		r.Add(p.name, p.value)
		last := &r.Samples[len(r.Samples)-1]
		last.Labels, last.At = p.labels, p.at
	}
	if over > 0 {
		r.Problems = append(r.Problems, source.Problem{Query: "max_series", Err: fmt.Errorf(
			"the page makes %d series, %d more than max_series; the rest was left out, see keep and drop", yielded+over, over)})
	}
}

// wanted asks keep and drop, by the name of the sample or of its family.
func (s *Source) wanted(p *point) bool {
	matches := func(re *regexp.Regexp) bool { return re.MatchString(p.name) || re.MatchString(p.family) }
	return (s.keep == nil || matches(s.keep)) && (s.drop == nil || !matches(s.drop))
}
