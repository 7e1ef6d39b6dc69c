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
