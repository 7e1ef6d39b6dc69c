package push

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// instance is one process that pushes: what it told last, and its counters.
type instance struct {
	name      string
	startedAt time.Time
	run       string // names this run of the process
	seq       *uint64
	last      time.Time // its last document

	memory    memory
	pool      *source.Pool
	averageMs *float64
	slow      []source.SlowQuery
	rates     source.Rates
}

func lateError(n int) error {
	return fmt.Errorf("%d documents came late, with a seq or started_at of before, and were dropped", n)
}

// accept judges by started_at and seq whether a document is newer than what is
// known, and notes both. A new start time begins a new run, with any seq; a
// document of an earlier run is late. Processes that reckon their start from
// their uptime give a slightly different one each time: within a second it is
// the same.
func (in *instance) accept(d *document) bool {
	told := !d.startedAt.IsZero()
	moved := d.startedAt.Sub(in.startedAt)
	restarted := told && (in.startedAt.IsZero() || moved >= restartAtLeast)
	if told && !restarted && moved <= -restartAtLeast {
		return false
	}
	if !restarted && d.seq != nil && in.seq != nil && *d.seq <= *in.seq {
		return false
	}
	if restarted {
		in.startedAt, in.run = d.startedAt, strconv.FormatInt(d.startedAt.UnixMilli(), 10)
	}
	in.seq = d.seq
	return true
}

// reading makes samples of a document, and notes what the facts are made of.
// A part that is not there keeps what was known, but for the slow queries,
// which are those of the last document that told of any.
func (in *instance) reading(d *document, now time.Time) source.Reading {
	in.last = now
	r := &source.Reading{}
	add := func(metric string, value *float64) {
		if value != nil {
			r.Add(metric, *value, "instance", in.name)
		}
	}
	in.addMemory(d.memory, add)
	if !in.startedAt.IsZero() {
		uptime := max(0, now.Sub(in.startedAt).Seconds())
		add("app.uptime", &uptime)
	}
	in.addPool(d.pool, add)
	add("postgres.avg_query_time", d.queries.averageMs)
	if d.queries.averageMs != nil {
		in.averageMs = d.queries.averageMs
	}
	if d.queries.hasSlow {
		fresh := float64(in.noteSlow(d.queries.slow, now))
		add("postgres.slow_queries", &fresh)
	}
	add("app.response_time_p95", d.requests.p95Ms)
	in.addCounters(d, now, add)
	for _, name := range slices.Sorted(maps.Keys(d.metrics)) {
		r.Add(name, d.metrics[name], "instance", in.name)
	}
	for _, s := range d.samples {
		if !s.Labels.Has("instance") {
			s.Labels = s.Labels.With("instance", in.name)
		}
		r.Samples = append(r.Samples, s)
	}
	return *r
}

func (in *instance) addMemory(m memory, add func(string, *float64)) {
	if m.limit == nil {
		m.limit = in.memory.limit // told once, at the start
	}
	add("app.memory_used", m.used)
	add("app.heap_used", m.heap)
	if m.limit != nil && *m.limit > 0 {
		add("app.memory_limit", m.limit)
		if m.used != nil {
			usage := 100 * *m.used / *m.limit
			add("app.memory_usage", &usage)
		}
	} else {
		m.limit = nil
	}
	if m.used == nil {
		m.used = in.memory.used
	}
	in.memory = m
}

func (in *instance) addPool(p *pool, add func(string, *float64)) {
	if p == nil {
		return
	}
	// Of active, idle and total, the third follows from two.
	total, idle := p.total, p.idle
	if total == nil && idle != nil {
		sum := *p.active + *idle
		total = &sum
	}
	if idle == nil && total != nil {
		rest := max(0, *total-*p.active)
		idle = &rest
	}
	add("postgres.pool_active", p.active)
	add("postgres.pool_idle", idle)
	add("postgres.pool_total", total)
	add("postgres.pool_waiting", p.waiting)
	known := source.Pool{Active: int(*p.active), Idle: -1, Total: -1, From: "application"} // -1: not known
	if total != nil {
		known.Idle, known.Total = int(*idle), int(*total)
	}
	if p.waiting != nil {
		n := int(*p.waiting)
		known.Waiting = &n
	}
	if p.limit != nil && *p.limit > 0 {
		known.Limit = int(*p.limit)
		usage := 100 * *p.active / *p.limit
		add("postgres.pool_limit", p.limit)
		add("postgres.pool_usage", &usage)
	}
	in.pool = &known
}

// noteSlow keeps the slow queries of a document and counts those that the one
// before did not have: applications push their last few again and again. One
// without a time is of now, and new.
func (in *instance) noteSlow(slow []source.SlowQuery, now time.Time) int {
	fresh := 0
	for i := range slow {
		if slow[i].At.IsZero() {
			slow[i].At = now
		}
		known := false
		for _, old := range in.slow {
			known = known || old == slow[i]
		}
		if !known {
			fresh++
		}
	}
	in.slow = slow
	return fresh
}

// Prefixes that keep the counters of the application's own apart from ours.
const (
	requestsKey = "requests/"
	counterKey  = "counters/"
)

// addCounters turns what is cumulative into rates. When any counter fell, or
// the process started anew, none has a rate this time.
func (in *instance) addCounters(d *document, now time.Time, add func(string, *float64)) {
	all := map[string]float64{}
	if d.requests.count != nil {
		all[requestsKey+"count"] = *d.requests.count
	}
	if d.requests.errors != nil {
		all[requestsKey+"errors"] = *d.requests.errors
	}
	for name, v := range d.counters {
		all[counterKey+name] = v
	}
	if len(all) == 0 {
		return // a document without counters tells nothing of them
	}
	in.rates.Observe(in.run, now, all)
	if perSecond, ok := in.rates.PerSecond(requestsKey + "count"); ok {
		add("app.requests_per_sec", &perSecond)
	}
	count, ok1 := in.rates.Delta(requestsKey + "count")
	failed, ok2 := in.rates.Delta(requestsKey + "errors")
	if ok1 && ok2 && count > 0 {
		rate := min(100, 100*failed/count)
		add("app.error_rate", &rate)
	}
	catalog := source.NewCatalog(nil, false)
	for _, name := range slices.Sorted(maps.Keys(d.counters)) {
		metric, known := catalog.Lookup(name)
		perSecond, ok := in.rates.PerSecond(counterKey + name)
		if !known {
			v := d.counters[name]
			add(name, &v)
			metric.Name = name + ":rate"
		}
		if metric.Unit == "/min" {
			perSecond *= 60
		}
		if ok {
			add(metric.Name, &perSecond)
		}
	}
}
