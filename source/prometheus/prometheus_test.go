package prometheus

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

func newSource(t *testing.T, change func(*Config)) *Source {
	t.Helper()
	cfg := Default()
	cfg.URL = secret.NewURL("http://127.0.0.1:1/metrics")
	if change != nil {
		change(&cfg)
	}
	if ps := cfg.Validate(); len(ps) > 0 {
		t.Fatal(ps.Err())
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// noon is when the pages of these tests are read.
func noon() time.Time { return time.Date(2024, 1, 15, 12, 0, 0, 0, time.UTC) }

func (s *Source) readText(t *testing.T, text string, at time.Time) source.Reading {
	t.Helper()
	families, err := parse([]byte(text), "text/plain; version=0.0.4")
	if err != nil {
		t.Fatal(err)
	}
	return s.read(flatten(families, at))
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines writes a reading as name{labels} value, one a line.
func lines(r source.Reading) map[string]float64 {
	m := map[string]float64{}
	for _, s := range r.Samples {
		name := s.Metric
		if len(s.Labels) > 0 {
			name += s.Labels.String()
		}
		m[name] = s.Value
	}
	return m
}

// want checks lines: `name value`, and `name -` for no value.
func want(t *testing.T, r source.Reading, wanted string) {
	t.Helper()
	got := lines(r)
	for line := range strings.Lines(wanted) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		name, value := line[:at], line[at+1:]
		v, has := got[name]
		if value == "-" {
			if has {
				t.Errorf("%s = %v, want no value", name, v)
			}
			continue
		}
		var w float64
		if _, err := fmt.Sscan(value, &w); err != nil {
			t.Fatal(err)
		}
		if !has || math.Abs(v-w) > 1e-9*math.Max(1, math.Abs(w)) {
			t.Errorf("%s = %v (there: %t), want %v", name, v, has, w)
		}
	}
	if t.Failed() {
		for _, name := range slices.Sorted(mapsKeys(got)) {
			t.Logf("%s %v", name, got[name])
		}
	}
}

func mapsKeys(m map[string]float64) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func wantProblems(t *testing.T, r source.Reading, wanted ...string) {
	t.Helper()
	var got []string
	for _, p := range r.Problems {
		got = append(got, p.Query+": "+p.Err.Error())
	}
	if len(got) != len(wanted) {
		t.Fatalf("problems %q, want %q", got, wanted)
	}
	for i := range wanted {
		if !strings.Contains(got[i], wanted[i]) {
			t.Errorf("problem %q, want %q", got[i], wanted[i])
		}
	}
}

func TestANodePageFillsTheCatalog(t *testing.T) {
	s := newSource(t, func(c *Config) {
		c.MemoryLimit = units.ByteSize(512 << 20)
		c.Strategies = map[string]Strategy{"USER_PROFILE": {TTL: 15 * time.Minute}}
	})
	first := s.readText(t, testdata(t, "node_prom_client.txt"), noon())
	want(t, first, `
		app.memory_used 134217728
		app.memory_limit 536870912
		app.memory_usage 25
		app.heap_used 47395635
		app.uptime 7200
		app.requests_per_sec -
		app.response_time_p95 -
		app.error_rate -
		cache.hit_rate -
		postgres.pool_active 3
		postgres.pool_idle 7
		postgres.pool_total 10
		postgres.pool_waiting 0
		postgres.pool_usage -
		process_resident_memory_bytes 134217728
		process_cpu_user_seconds_total 12.407131
		process_cpu_user_seconds_total:rate -
		nodejs_gc_duration_seconds_count{kind="minor"} 332`)
	wantProblems(t, first)
	if !first.StartedAt.Equal(time.Unix(1705312800, 0)) {
		t.Errorf("started at %v", first.StartedAt)
	}
	if st := first.Facts.Strategies["USER_PROFILE"]; st.Hits != 1245 || st.Misses != 89 || st.Sets != 89 || st.TTL != 15*time.Minute {
		t.Errorf("strategy %+v", st)
	}
	if first.Facts.App.AverageQueryMs != nil {
		t.Error("an average query time from one page")
	}

	second := s.readText(t, testdata(t, "node_prom_client_later.txt"), noon().Add(10*time.Second))
	// 100 requests since: 40 to 0.1 s, 80 to 0.3 s, 100 to 1 s. Rank 95 is
	// three quarters between 0.3 s and 1 s.
	want(t, second, `
		app.memory_usage 75
		app.requests_per_sec 10
		app.error_rate 5
		app.response_time_p95 825
		process_cpu_user_seconds_total:rate 0.05
		nodejs_gc_duration_seconds:p95{kind="minor"} -
		nodejs_gc_duration_seconds_count:rate{kind="minor"} 0
		cache.hit_rate{strategy="USER_PROFILE"} 80
		cache.hit_rate{strategy="USER_RUNS"} -
		cache.hit_rate 80
		cache.ops_per_sec{op="get"} 10
		cache.ops_per_sec{op="set"} 2
		postgres.pool_active 9
		postgres.pool_waiting 4`)
	if ms := second.Facts.App.AverageQueryMs; ms == nil || *ms != 8.3 {
		t.Errorf("average query %v, want 8.3 ms", ms)
	}
	if p := second.Facts.App.Pool; p == nil || p.Active != 9 || p.Total != 10 || p.Waiting == nil || *p.Waiting != 4 || p.From != "application" {
		t.Errorf("pool %+v", p)
	}
}

func TestCountersBecomeRates(t *testing.T) {
	page := func(started int, values ...any) string {
		text := ""
		if started > 0 {
			text = fmt.Sprintf("process_start_time_seconds %d\n", started)
		}
		return text + fmt.Sprintf("# TYPE c counter\nc{x=\"a\"} %v\nc{x=\"b\"} %v\n", values...)
	}
	for _, tt := range []struct {
		name          string
		before, after string
		a, b          string
		problem       string
	}{
		{"both rise", page(1, 10, 20), page(1, 20, 50), "1", "3", ""},
		{"nothing happens", page(1, 10, 20), page(1, 10, 20), "0", "0", ""},
		{"the process started anew, and had more already", page(1, 10, 20), page(2, 30, 40), "-", "-", ""},
		{"one fell: all begin again", page(1, 10, 20), page(1, 30, 5), "-", "-", "1 counters fell though the process runs on, for example c{x=\"b\"}"},
		{"one fell, and no start time says why", page(0, 10, 20), page(0, 30, 5), "-", "-", ""},
		{"a series appears: it counts from 0", "process_start_time_seconds 1\n# TYPE c counter\nc{x=\"a\"} 10\n", page(1, 20, 50), "1", "5", ""},
		{"a series appears, and no start time says that it is new", "# TYPE c counter\nc{x=\"a\"} 10\n", page(0, 20, 50), "1", "-", ""},
		{"a page without types", "c_total 1\n", "c_total 21\n", "-", "-", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSource(t, nil)
			want(t, s.readText(t, tt.before, noon()), "c:rate{x=\"a\"} -\nc:rate{x=\"b\"} -")
			r := s.readText(t, tt.after, noon().Add(10*time.Second))
			want(t, r, "c:rate{x=\"a\"} "+tt.a+"\nc:rate{x=\"b\"} "+tt.b)
			if tt.before == "c_total 1\n" {
				want(t, r, "c_total:rate 2")
			}
			if tt.problem == "" {
				wantProblems(t, r)
			} else {
				wantProblems(t, r, tt.problem)
			}
		})
	}
}

func TestASeriesThatVanishedAndCameBackHasNoRate(t *testing.T) {
	s := newSource(t, nil)
	with := "process_start_time_seconds 1\n# TYPE c counter\nc{x=\"a\"} 10\nc{x=\"b\"} 5000\n"
	without := "process_start_time_seconds 1\n# TYPE c counter\nc{x=\"a\"} 10\n"
	for i, text := range []string{with, without, with} {
		r := s.readText(t, text, noon().Add(time.Duration(i)*10*time.Second))
		want(t, r, `c:rate{x="b"} -`)
	}
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		name    string
		q       float64
		buckets []bucket
		want    float64 // NaN for none
	}{
		{"in the first bucket, from 0", 0.5, []bucket{{1, 10}, {2, 10}, {inf, 10}}, 0.5},
		{"in the second", 0.75, []bucket{{1, 10}, {3, 20}, {inf, 20}}, 2},
		{"beyond the last bound", 0.99, []bucket{{1, 10}, {2, 10}, {inf, 100}}, 2},
		{"below a first bound that is not positive", 0.5, []bucket{{-1, 10}, {inf, 10}}, -1},
		{"no observations", 0.5, []bucket{{1, 0}, {inf, 0}}, math.NaN()},
		{"no bounds", 0.5, []bucket{{inf, 5}}, math.NaN()},
		{"counts that are not monotonic", 0.5, []bucket{{1, 10}, {2, 8}, {inf, 10}}, 0.5},
		{"in any order", 0.75, []bucket{{inf, 20}, {3, 20}, {1, 10}}, 2},
	} {
		got, ok := quantile(tt.q, tt.buckets)
		if ok == math.IsNaN(tt.want) || ok && math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, %t; want %v", tt.name, got, ok, tt.want)
		}
	}
}

func TestTheMapRenames(t *testing.T) {
	s := newSource(t, func(c *Config) {
		c.Map = map[string]string{
			"app.memory_used":         `rss_bytes{pid="1"}`,
			"app.response_time_p95":   "latency_seconds:p95",
			"app.requests_per_sec":    "hits_total",
			"app.memory_usage":        "memory_ratio",
			"app.heap_used":           "no_such_metric",
			"postgres.avg_query_time": "query_seconds",
			"app.error_rate":          `errors_total:rate{kind=~"5.."}`,
		}
	})
	page := `# TYPE latency_seconds histogram
latency_seconds_bucket{le="1"} %d
latency_seconds_bucket{le="+Inf"} %[1]d
latency_seconds_sum 1
latency_seconds_count %[1]d
# TYPE hits_total counter
hits_total{x="a"} %[1]d
hits_total{x="b"} %[1]d
# TYPE errors_total counter
errors_total{kind="500"} %[1]d
process_resident_memory_bytes 7
rss_bytes{pid="1"} 100
rss_bytes{pid="2"} 200
memory_ratio 0.5
query_seconds 0.012
`
	first := s.readText(t, fmt.Sprintf(page, 10), noon())
	want(t, first, `
		app.memory_used 100
		rss_bytes{pid="1"} -
		rss_bytes{pid="2"} 200
		process_resident_memory_bytes 7
		app.memory_usage 50
		postgres.avg_query_time 12
		app.requests_per_sec -
		app.response_time_p95 -`)
	wantProblems(t, first, "map.app.heap_used: the page has no no_such_metric")
	second := s.readText(t, fmt.Sprintf(page, 30), noon().Add(10*time.Second))
	want(t, second, `
		app.requests_per_sec 4
		app.response_time_p95 950
		app.error_rate 2
		hits_total{x="a"} 30
		hits_total:rate{x="a"} -`)
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	s := newSource(t, func(c *Config) { c.Drop, c.MaxSeries = []string{"go_.*"}, 3 })
	old, soon := noon().Add(-6*time.Minute).UnixMilli(), noon().Add(time.Minute).UnixMilli()
	r := s.readText(t, fmt.Sprintf(`
a NaN
b +Inf
c{x="1"} 1
c{x="1"} 2
d 1 %d
e 1 %d
f 1 9999999999999
go_x 1
y 1
z{a="b"} 1
`, old, soon), noon())
	want(t, r, `
		a -
		b -
		c{x="1"} 1
		d -
		e 1
		f -
		go_x -
		y 1
		z{a="b"} -`)
	wantProblems(t, r,
		"max_series: the page makes 4 series, 1 more than max_series",
		"page: 2 samples are NaN or infinite and have no value, for example a",
		"page: 1 series stand on the page twice; the first was taken, for example c{x=\"1\"}",
		"page: 1 samples are older than 5m by their own timestamp and were left out, for example d",
		"page: 1 samples are from the future by their own timestamp and were left out, for example f")
	for _, x := range r.Samples {
		if x.Metric == "e" && !x.At.Equal(noon().Add(time.Minute)) {
			t.Errorf("e is of %v", x.At)
		}
	}
	keep := newSource(t, func(c *Config) { c.Keep = []string{"h", "y"} })
	text := "y 1\nz 1\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"
	want(t, keep.readText(t, text, noon()), "y 1\nz -\nh_count 1\nh_sum 1")
}

func TestNamesWithDotsCannotPassForTheCatalogs(t *testing.T) {
	s := newSource(t, nil)
	r := s.readText(t, "{\"http.up\",\"a.b\"=\"c\"} 1\n", noon())
	want(t, r, "http.up -\nhttp_up{a_b=\"c\"} 1")
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"fine", func(*Config) {}, ""},
		{"no url", func(c *Config) { c.URL = secret.URL{} }, "url: missing; write for example"},
		{"a url without scheme", func(c *Config) { c.URL = secret.NewURL("127.0.0.1:3000/metrics") }, "url: not a URL"},
		{"a map to nothing", func(c *Config) { c.Map = map[string]string{"app.memory_usde": "x"} }, `map.app.memory_usde: "app.memory_usde" is not a metric of the catalog; did you mean "app.memory_used"?`},
		{"a map of nothing", func(c *Config) { c.Map = map[string]string{"app.memory_used": "a b"} }, "map.app.memory_used: \"a b\" does not begin"},
		{"a selector that does not close", func(c *Config) { c.Map = map[string]string{"app.memory_used": `x{a="b"`} }, "map.app.memory_used: \"x{a=\\\"b\\\"\": the brace"},
		{"a selector without operator", func(c *Config) { c.Map = map[string]string{"app.memory_used": `x{a}`} }, "map.app.memory_used: matcher"},
		{"an expression", func(c *Config) { c.Keep = []string{"("} }, "keep: error parsing regexp"},
		{"no series", func(c *Config) { c.MaxSeries = 0 }, "max_series: must be at least 1"},
		{"a proxy", func(c *Config) { c.ProxyURL = secret.NewURL("proxy") }, "proxy_url: does not begin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.URL = secret.NewURL("http://127.0.0.1/metrics")
			tt.change(&c)
			ps := c.Validate()
			if tt.want == "" && len(ps) > 0 || tt.want != "" && (len(ps) != 1 || !strings.HasPrefix(ps[0].Error(), tt.want)) {
				t.Fatalf("got %v, want %s", ps, tt.want)
			}
		})
	}
}

func TestErrorsComeFromTheCounterWhereTheHistogramHasNoStatus(t *testing.T) {
	s := newSource(t, nil)
	page := func(good, bad int) string {
		return fmt.Sprintf(`# TYPE http_requests_total counter
http_requests_total{status="200"} %d
http_requests_total{status="500"} %d
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="+Inf"} %d
http_request_duration_seconds_count %d
http_request_duration_seconds_sum 1
`, good, bad, good+bad, good+bad)
	}
	want(t, s.readText(t, page(100, 0), noon()), "app.error_rate -")
	want(t, s.readText(t, page(190, 10), noon().Add(10*time.Second)), `app.requests_per_sec 10
		app.error_rate 10`)
}
