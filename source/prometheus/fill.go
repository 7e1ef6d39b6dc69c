package prometheus

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// mapping fills one metric of the catalog.
type mapping struct {
	metric source.Metric
	from   selector
}

func newMappings(m map[string]string) ([]mapping, error) {
	catalog := source.NewCatalog(nil, false)
	mapped := make([]mapping, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		metric, ok := catalog.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("map: %q is not a metric of the catalog", name)
		}
		from, err := parseSelector(m[name])
		if err != nil {
			return nil, fmt.Errorf("map.%s: %w", name, err)
		}
		mapped = append(mapped, mapping{metric, from})
	}
	return mapped, nil
}

// fill writes the catalog's metrics into a reading, each at most once: what
// the configuration maps comes first, and conventions fill what is left.
type fill struct {
	source  *Source
	snap    *snapshot
	reading *source.Reading
	values  map[string]float64 // of the metrics without labels, by name
	taken   map[int]bool       // points that were renamed
}

// set adds a metric of the catalog that has no value yet.
func (f *fill) set(metric string, value float64) {
	if _, has := f.values[metric]; has || f.isMapped(metric) {
		return
	}
	f.put(metric, value)
}

func (f *fill) put(metric string, value float64) {
	f.values[metric] = value
	f.reading.Add(metric, value)
}

// isMapped says whether the configuration speaks for a metric: then a
// convention does not, even while the mapped series has no value.
func (f *fill) isMapped(metric string) bool {
	_, ok := f.source.cfg.Map[metric]
	return ok
}

// mapped fills what the configuration maps.
func (f *fill) mapped() {
	for _, m := range f.source.maps {
		sel := m.from
		if m.metric.Unit == "/s" && f.isCounter(sel) {
			sel.name += ":rate" // a metric a second of a counter can mean nothing else
		}
		sum, found := 0.0, false
		for _, i := range f.snap.byName[sel.name] {
			p := &f.snap.points[i]
			if sel.matchers.Matches(p.labels) {
				sum, found = sum+p.value, true
				f.taken[i] = true
			}
		}
		switch {
		case found:
			f.put(m.metric.Name, sum*sel.scaleTo(m.metric.Unit))
		case !f.onPage(sel):
			f.reading.Problems = append(f.reading.Problems, source.Problem{
				Query: "map." + m.metric.Name,
				Err:   fmt.Errorf("the page has no %s%s", sel.name, braces(sel.matchers)),
			})
		}
	}
}

func braces(ms alert.Matchers) string {
	if len(ms) == 0 {
		return ""
	}
	return ms.String()
}

func (f *fill) isCounter(sel selector) bool {
	at := f.snap.byName[sel.name]
	return len(at) > 0 && f.snap.points[at[0]].counter
}

// onPage says whether the page has what a selector's series are made of: then
// they are missing for want of a second poll or of traffic.
func (f *fill) onPage(sel selector) bool {
	if sel.base() == sel.name {
		return false
	}
	for _, h := range f.snap.histograms[sel.base()] {
		if sel.matchers.Matches(h.labels) {
			return true
		}
	}
	for _, i := range f.snap.byName[sel.base()] {
		if sel.matchers.Matches(f.snap.points[i].labels) {
			return true
		}
	}
	return false
}

// sum adds up the points of a name whose labels are accepted; nil accepts all.
func (s *snapshot) sum(name string, accept func(alert.Labels) bool) (float64, bool) {
	total := 0.0
	found := false
	for _, i := range s.byName[name] {
		if p := &s.points[i]; accept == nil || accept(p.labels) {
			total, found = total+p.value, true
		}
	}
	return total, found
}

// start is when the process began, and a name for its run.
type start struct {
	at  time.Time
	run string
}

// startedAt reads the start time. A page of several processes, or a start in
// the future, tells none.
func (s *snapshot) startedAt() start {
	points := s.byName["process_start_time_seconds"]
	if len(points) != 1 {
		return start{}
	}
	seconds := s.points[points[0]].value
	if seconds <= 0 || seconds > float64(s.now.Add(time.Minute).Unix()) {
		return start{}
	}
	return start{at: time.UnixMilli(int64(seconds * 1000)), run: formatFloat(seconds)}
}

// app fills app.* from the names that the usual client libraries give.
func (f *fill) app(started start) {
	if used, ok := f.snap.sum("process_resident_memory_bytes", nil); ok {
		f.set("app.memory_used", used)
	}
	f.memoryLimit()
	if used, limit := f.values["app.memory_used"], f.values["app.memory_limit"]; used > 0 && limit > 0 {
		f.set("app.memory_usage", 100*used/limit)
	}
	for _, heap := range [...]struct{ name, area string }{
		{"nodejs_heap_size_used_bytes", ""},
		{"go_memstats_heap_inuse_bytes", ""},
		{"jvm_memory_used_bytes", "heap"}, // Micrometer, client_java 1
		{"jvm_memory_bytes_used", "heap"}, // simpleclient
	} {
		accept := func(ls alert.Labels) bool { return heap.area == "" || ls.Get("area") == heap.area }
		if used, ok := f.snap.sum(heap.name, accept); ok {
			f.set("app.heap_used", used)
			break
		}
	}
	if !started.at.IsZero() {
		f.set("app.uptime", max(0, f.snap.now.Sub(started.at).Seconds()))
	} else if up, ok := f.snap.sum("process_uptime_seconds", nil); ok && len(f.snap.byName["process_uptime_seconds"]) == 1 {
		f.set("app.uptime", up)
	}
	f.requests()
}

func (f *fill) memoryLimit() {
	if f.source.cfg.MemoryLimit > 0 {
		f.set("app.memory_limit", float64(f.source.cfg.MemoryLimit))
		return
	}
	// cAdvisor gives one a container, and 0 for no limit: only a page of one
	// container speaks of the application.
	name := "container_spec_memory_limit_bytes"
	if limit, ok := f.snap.sum(name, nil); ok && limit > 0 && len(f.snap.byName[name]) == 1 {
		f.set("app.memory_limit", limit)
	}
}

// requests fills the rate, the response time and the share of errors from the
// first histogram, summary or counter of requests that the page has.
func (f *fill) requests() {
	d := &f.source.deltas
	for _, conv := range [...]struct {
		name  string
		scale float64 // to milliseconds
	}{
		{"http_request_duration_seconds", 1000},
		{"http_server_requests_seconds", 1000},         // Micrometer
		{"http_server_request_duration_seconds", 1000}, // OpenTelemetry
		{"http_request_duration_ms", 1},
		{"http_request_duration_milliseconds", 1},
	} {
		histograms, isHistogram := f.snap.histograms[conv.name]
		if !isHistogram && !f.snap.summaries[conv.name] {
			continue
		}
		f.requestCounts(conv.name + "_count")
		if p95, ok := quantile(0.95, d.merge(histograms)); ok {
			f.set("app.response_time_p95", p95*conv.scale)
		}
		f.errorRate(requestCounter) // where the histogram has no status
		return
	}
	f.requestCounts(requestCounter)
}

const requestCounter = "http_requests_total"

func (f *fill) requestCounts(counter string) {
	d := &f.source.deltas
	all, ok := d.sumRises(f.snap, counter, nil)
	if !ok {
		return
	}
	f.set("app.requests_per_sec", d.perSecond(all))
	f.errorRate(counter)
}

// errorRate fills the share of errors among the requests whose status a
// counter tells.
func (f *fill) errorRate(counter string) {
	d := &f.source.deltas
	judged, ok := d.sumRises(f.snap, counter, func(ls alert.Labels) bool { return statusOf(ls) != "" })
	if !ok || judged <= 0 {
		return
	}
	failed, _ := d.sumRises(f.snap, counter, func(ls alert.Labels) bool {
		status := statusOf(ls)
		return len(status) == 3 && status[0] == '5'
	})
	f.set("app.error_rate", 100*failed/judged)
}

// statusOf returns the HTTP status by the labels that libraries use: 500, or
// 5xx.
func statusOf(ls alert.Labels) string {
	for _, name := range [...]string{"status", "code", "status_code", "http_status_code", "http_response_status_code", "statusCode"} {
		if status := ls.Get(name); status != "" {
			return strings.ToLower(status)
		}
	}
	return ""
}

// facts tells the documents of the guide what the samples tell the rules.
func (f *fill) facts(started start) {
	app := f.reading.Facts.App
	if app == nil {
		app = &source.App{}
	}
	known := app.Pool != nil || !started.at.IsZero()
	app.StartedAt = started.at
	if used, ok := f.values["app.memory_used"]; ok {
		app.MemoryUsed, known = &used, true
	}
	if limit, ok := f.values["app.memory_limit"]; ok {
		app.MemoryLimit, known = &limit, true
	}
	if ms, ok := f.averageQuery(); ok {
		app.AverageQueryMs, known = &ms, true
	}
	if known {
		f.reading.Facts.App = app
	}
}

// averageQuery is the mean time of the database's queries since the last poll,
// in milliseconds, where the page has a histogram or summary of them.
func (f *fill) averageQuery() (float64, bool) {
	s := f.source
	for _, conv := range [...]struct {
		name  string
		scale float64
	}{
		{"prisma_client_queries_duration_histogram_ms", 1},
		{"db_client_operation_duration_seconds", 1000}, // OpenTelemetry
		{"db_query_duration_seconds", 1000},
	} {
		sum, ok := f.snap.sum(conv.name+"_sum", nil)
		if !ok {
			continue
		}
		count, _ := f.snap.sum(conv.name+"_count", nil)
		rise, calls := sum-s.lastSum, count-s.lastCount
		s.lastSum, s.lastCount = sum, count
		if !s.deltas.valid || calls <= 0 || rise < 0 {
			return 0, false
		}
		return rise / calls * conv.scale, true
	}
	return 0, false
}
