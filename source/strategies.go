package source

import (
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// StrategyTracker turns the cumulative counters of cache strategies, kept by
// one or many instances of the application, into the cache.* samples. Each
// source that reads such counters owns one. It is not safe for concurrent use.
type StrategyTracker struct {
	instances map[string]*Rates
	latest    map[string]Strategies
	changes   map[string]strategyChange
	from      time.Time // changes are counted since
}

type strategyChange struct{ hits, misses, sets, deletes, invalidations, errors float64 }

// Observe takes one instance's counters. run names that instance's run: when
// it changes, or any counter fell, the instance is rebased and adds no change.
func (t *StrategyTracker) Observe(instance, run string, at time.Time, s Strategies) {
	if t.instances == nil {
		t.instances, t.latest, t.changes = map[string]*Rates{}, map[string]Strategies{}, map[string]strategyChange{}
		t.from = at
	}
	rates := t.instances[instance]
	if rates == nil {
		rates = &Rates{}
		t.instances[instance] = rates
	}
	t.latest[instance] = s
	if !rates.Observe(run, at, counters(s)) {
		return
	}
	for name := range s {
		c := t.changes[name]
		for field, into := range map[string]*float64{
			"hits": &c.hits, "misses": &c.misses, "sets": &c.sets,
			"deletes": &c.deletes, "invalidations": &c.invalidations, "errors": &c.errors,
		} {
			if d, ok := rates.Delta(name + "/" + field); ok {
				*into += d
			}
		}
		t.changes[name] = c
	}
}

// Forget drops an instance that is gone.
func (t *StrategyTracker) Forget(instance string) {
	delete(t.instances, instance)
	delete(t.latest, instance)
}

// Totals returns the strategies' counters summed over the instances.
func (t *StrategyTracker) Totals() Strategies {
	total := Strategies{}
	for _, strategies := range t.latest {
		for name, s := range strategies {
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
// that has seen one snapshot only has no samples at all.
func (t *StrategyTracker) Flush(now time.Time) []alert.Sample {
	seconds := now.Sub(t.from).Seconds()
	if len(t.changes) == 0 || seconds <= 0 {
		return nil
	}
	var r Reading
	var all strategyChange
	names := make([]string, 0, len(t.changes))
	for name := range t.changes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := t.changes[name]
		addStrategy(&r, c, seconds, "strategy", name)
		all.hits += c.hits
		all.misses += c.misses
		all.sets += c.sets
		all.deletes += c.deletes
		all.invalidations += c.invalidations
		all.errors += c.errors
	}
	addStrategy(&r, all, seconds)
	r.Add("cache.ops_per_sec", (all.hits+all.misses)/seconds, "op", "get")
	r.Add("cache.ops_per_sec", all.sets/seconds, "op", "set")
	r.Add("cache.ops_per_sec", all.deletes/seconds, "op", "delete")
	r.Add("cache.ops_per_sec", all.invalidations/seconds, "op", "invalidate")
	clear(t.changes)
	t.from = now
	return r.Samples
}

func addStrategy(r *Reading, c strategyChange, seconds float64, labels ...string) {
	if lookups := c.hits + c.misses; lookups > 0 {
		r.Add("cache.hit_rate", 100*c.hits/lookups, labels...)
	}
	r.Add("cache.lookups_per_sec", (c.hits+c.misses)/seconds, labels...)
	r.Add("cache.errors_per_sec", c.errors/seconds, labels...)
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
