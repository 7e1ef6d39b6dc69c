package push

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// What one document may hold. The body's own size is bounded by the API and
// again here.
const (
	maxBodyBytes   = 1 << 20
	maxValues      = 10_000 // metrics, counters and samples together
	maxStrategies  = 500
	maxSlow        = 100
	maxLabels      = 30
	maxNameBytes   = 200
	maxLabelBytes  = 1000
	maxQueryBytes  = 2000
	maxProblems    = 20 // told in one answer
	oldest         = time.Hour
	newest         = 10 * time.Minute
	restartAtLeast = time.Second // start times closer than this are the same
)

// document is what an application pushes of itself, checked. A nil pointer is
// a field that was not there.
type document struct {
	instance  string
	startedAt time.Time // zero when not told
	seq       *uint64

	strategies source.Strategies // nil when not told
	memory     memory
	pool       *pool
	queries    queries
	requests   requests
	metrics    map[string]float64
	counters   map[string]float64
	samples    []alert.Sample

	values int // how many numbers the document holds
}

type memory struct{ used, limit, heap *float64 }

type pool struct{ active, idle, total, waiting, limit *float64 }

type queries struct {
	averageMs *float64
	slow      []source.SlowQuery
	hasSlow   bool
}

type requests struct{ count, errors, p95Ms *float64 }

// parse reads and checks a document; now judges its times. Every mistake is
// reported at once, as a *BadDocument.
func parse(body []byte, now time.Time) (*document, error) {
	if len(body) > maxBodyBytes {
		return nil, bad("", "the document is longer than 1 MiB")
	}
	r := &reader{now: now}
	top, ok := r.document(body)
	d := &document{}
	if ok {
		d.read(top)
	}
	if len(r.problems) > 0 {
		return nil, &BadDocument{Problems: r.problems}
	}
	d.values = r.values
	return d, nil
}

func (d *document) read(top *object) {
	d.instance = top.text("instance", maxNameBytes)
	if d.instance == "" {
		top.problem("instance", "missing: name the process that pushes, for example its host and port")
	}
	d.startedAt = top.moment("started_at")
	if !d.startedAt.IsZero() && d.startedAt.After(top.r.now.Add(newest)) {
		top.problem("started_at", "is in the future")
	}
	if v := top.count("seq"); v != nil {
		seq := uint64(*v)
		d.seq = &seq
		top.r.values-- // tells of the document, not of the application
	}
	d.readStrategies(top)
	if o := top.object("memory"); o != nil {
		d.memory = memory{used: o.positive("used"), limit: o.positive("limit"), heap: o.positive("heap_used")}
		o.done()
	}
	if o := top.object("pool"); o != nil {
		d.pool = &pool{active: o.count("active"), idle: o.count("idle"), total: o.count("total"), waiting: o.count("waiting"), limit: o.count("limit")}
		if d.pool.active == nil {
			o.problem("active", "missing")
		}
		o.done()
	}
	d.readQueries(top)
	d.readRequests(top)
	d.readNamed(top)
	d.readSamples(top)
	top.done()
}

func (d *document) readStrategies(top *object) {
	all := top.object("strategies")
	if all == nil {
		return
	}
	d.strategies = source.Strategies{}
	names := all.names(maxStrategies)
	for _, name := range names {
		all.checkName(name)
		o := all.object(name)
		if o == nil {
			continue
		}
		var s source.Strategy
		for _, f := range [...]struct {
			name string
			into *uint64
		}{
			{"hits", &s.Hits},
			{"misses", &s.Misses},
			{"sets", &s.Sets},
			{"deletes", &s.Deletes},
			{"invalidations", &s.Invalidations},
			{"errors", &s.Errors},
		} {
			if v := o.count(f.name); v != nil {
				*f.into = uint64(*v)
			}
		}
		o.done()
		d.strategies[name] = s
	}
}

func (d *document) readQueries(top *object) {
	o := top.object("queries")
	if o == nil {
		return
	}
	d.queries.averageMs = o.positive("average_ms")
	items, ok := o.list("slow", maxSlow)
	d.queries.hasSlow = ok
	for _, item := range items {
		q := source.SlowQuery{Query: redact(item.textUpTo("query", maxQueryBytes)), At: item.moment("at")}
		if ms := item.positive("duration_ms"); ms != nil {
			q.DurationMs = *ms
		} else {
			item.problem("duration_ms", "missing")
		}
		if q.At.After(top.r.now.Add(newest)) {
			item.problem("at", "is in the future")
		}
		item.done()
		d.queries.slow = append(d.queries.slow, q)
	}
	o.done()
}

func (d *document) readRequests(top *object) {
	o := top.object("requests")
	if o == nil {
		return
	}
	d.requests = requests{count: o.count("count"), errors: o.count("errors"), p95Ms: o.positive("p95_ms")}
	if c, e := d.requests.count, d.requests.errors; e != nil && (c == nil || *e > *c) {
		o.problem("errors", "are more than count, of which they are a part")
	}
	o.done()
}

// readNamed reads the maps of names to numbers.
func (d *document) readNamed(top *object) {
	for _, m := range [...]struct {
		field string
		into  *map[string]float64
	}{{"metrics", &d.metrics}, {"counters", &d.counters}} {
		o := top.object(m.field)
		if o == nil {
			continue
		}
		*m.into = map[string]float64{}
		for _, name := range o.names(maxValues) {
			o.checkMetric(name, m.field == "counters")
			if v := o.number(name); v != nil {
				(*m.into)[name] = *v
				if m.field == "counters" && *v < 0 {
					o.problem(name, "a counter is not negative")
				}
			}
		}
	}
}

func (d *document) readSamples(top *object) {
	items, _ := top.list("samples", maxValues)
	if len(items)+len(d.metrics)+len(d.counters) > maxValues {
		top.problem("samples", "metrics, counters and samples are more than %d together", maxValues)
		return
	}
	for _, item := range items {
		s := alert.Sample{Metric: item.text("metric", maxNameBytes), Labels: item.labels("labels"), At: item.moment("at")}
		item.checkMetricAt("metric", s.Metric, false)
		if v := item.number("value"); v != nil {
			s.Value = *v
		} else {
			item.problem("value", "missing")
		}
		if !s.At.IsZero() {
			item.checkTime("at", s.At)
		}
		item.done()
		d.samples = append(d.samples, s)
	}
}
