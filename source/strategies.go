package source

import (
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// StrategyTracker turns the cumulative counters of cache strategies, kept by
// one or many instances of the application, into the cache.* samples. Each
// source that reads such counters owns one. It is not safe for concurrent use.
type StrategyTracker struct {
	instances map[string]*instanceCounters
}

// instanceCounters is what is known of one instance: its last counters, and
// what changed since the last Flush in the time that the changes took.
type instanceCounters struct {
	rates   Rates
	latest  Strategies
	changes map[string]strategyChange
	elapsed time.Duration
}

type strategyChange struct{ hits, misses, sets, deletes, invalidations, errors float64 }

// Observe takes one instance's counters. run names that instance's run: when
// it changes, or any counter fell, the instance is rebased and adds no change.
func (t *StrategyTracker) Observe(instance, run string, at time.Time, s Strategies) {
	if t.instances == nil {
		t.instances = map[string]*instanceCounters{}
	}
	in := t.instances[instance]
	if in == nil {
		in = &instanceCounters{changes: map[string]strategyChange{}}
		t.instances[instance] = in
	}
	in.latest = s
	if !in.rates.Observe(run, at, counters(s)) {
		return
	}
	in.elapsed += in.rates.elapsed
	for name := range s {
		c := in.changes[name]
		for field, into := range map[string]*float64{
			"hits": &c.hits, "misses": &c.misses, "sets": &c.sets,
			"deletes": &c.deletes, "invalidations": &c.invalidations, "errors": &c.errors,
		} {
			if d, ok := in.rates.Delta(name + "/" + field); ok {
				*into += d
			}
		}
		in.changes[name] = c
	}
}

// Forget drops an instance that is gone.
func (t *StrategyTracker) Forget(instance string) {
	delete(t.instances, instance)
}

// Totals returns the strategies' counters summed over the instances.
func (t *StrategyTracker) Totals() Strategies {
	total := Strategies{}
	for _, in := range t.instances {
		for name, s := range in.latest {
			sum := total[name]
			sum.TTL = max(sum.TTL, s.TTL)
			sum.Hits += s.Hits
			sum.Misses += s.Misses
			sum.Sets += s.Sets
			sum.Deletes += s.Deletes
			sum.Invalidations += s.Invalidations
			sum.Errors += s.Errors
			total[name] = sum
		}
	}
	return total
}

// Flush returns the samples of everything that changed since the last Flush,
// and begins anew. A strategy without lookups has no hit rate, and a tracker
// that has seen one snapshot only has no samples at all. Rates are over the
// time between the snapshots of each instance, summed over the instances: an
// instance that was rebased makes the others' no slower. The loop
// gives the samples their time.
func (t *StrategyTracker) Flush(time.Time) []alert.Sample {
	sums := map[string]strategySum{}
	for _, in := range t.instances {
		for name, c := range in.changes {
			sum := sums[name]
			sum.add(c, in.elapsed.Seconds())
			sums[name] = sum
		}
		clear(in.changes)
		in.elapsed = 0
	}
	if len(sums) == 0 {
		return nil
	}
	r, all := Reading{}, strategySum{}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[name]
		sum.report(&r, "strategy", name)
		all.addSum(sum)
	}
	all.report(&r)
	r.Add("cache.ops_per_sec", all.rate.hits+all.rate.misses, "op", "get")
	r.Add("cache.ops_per_sec", all.rate.sets, "op", "set")
	r.Add("cache.ops_per_sec", all.rate.deletes, "op", "delete")
	r.Add("cache.ops_per_sec", all.rate.invalidations, "op", "invalidate")
	return r.Samples
}

// strategySum sums changes over instances: lookups as they are, for the ratio,
// and everything a second.
type strategySum struct {
	hits, misses float64
	rate         strategyChange
}

func (s *strategySum) add(c strategyChange, seconds float64) {
	s.addSum(strategySum{hits: c.hits, misses: c.misses, rate: strategyChange{
		hits: c.hits / seconds, misses: c.misses / seconds, sets: c.sets / seconds,
		deletes: c.deletes / seconds, invalidations: c.invalidations / seconds, errors: c.errors / seconds,
	}})
}

func (s *strategySum) addSum(o strategySum) {
	s.hits += o.hits
	s.misses += o.misses
	s.rate.hits += o.rate.hits
	s.rate.misses += o.rate.misses
	s.rate.sets += o.rate.sets
	s.rate.deletes += o.rate.deletes
	s.rate.invalidations += o.rate.invalidations
	s.rate.errors += o.rate.errors
}

func (s *strategySum) report(r *Reading, labels ...string) {
	if lookups := s.hits + s.misses; lookups > 0 {
		r.Add("cache.hit_rate", 100*s.hits/lookups, labels...)
	}
	r.Add("cache.lookups_per_sec", s.rate.hits+s.rate.misses, labels...)
	r.Add("cache.errors_per_sec", s.rate.errors, labels...)
}

func counters(s Strategies) map[string]float64 {
	m := make(map[string]float64, 6*len(s))
	for name, c := range s {
		m[name+"/hits"] = float64(c.Hits)
		m[name+"/misses"] = float64(c.Misses)
		m[name+"/sets"] = float64(c.Sets)
		m[name+"/deletes"] = float64(c.Deletes)
		m[name+"/invalidations"] = float64(c.Invalidations)
		m[name+"/errors"] = float64(c.Errors)
	}
	return m
}
