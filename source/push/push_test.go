package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// sink keeps what it is given; while err is set it takes nothing.
type sink struct {
	mu      sync.Mutex
	batches []source.Batch
	err     error
}

func (s *sink) Ingest(_ context.Context, b source.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches = append(s.batches, b)
	return nil
}

// last returns the samples of the last batch, less the source label.
func (s *sink) last() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[string]float64{}
	if len(s.batches) == 0 {
		return m
	}
	for _, x := range s.batches[len(s.batches)-1].Samples {
		m[x.Metric+x.Labels.Without("source").String()] = math.Round(x.Value*1e6) / 1e6
	}
	return m
}

type world struct {
	hub   *Hub
	sink  *sink
	board *source.Board
}

func newWorld(change func(*Config)) *world {
	cfg := Default()
	if change != nil {
		change(&cfg)
	}
	w := &world{sink: &sink{}, board: source.NewBoard()}
	spec := source.Spec{Name: "app", Type: "push", Interval: 10 * time.Second, Labels: alert.LabelsOf("env", "test")}
	w.hub = NewHub(cfg, spec, w.sink, w.board, slog.New(slog.DiscardHandler))
	return w
}

func (w *world) push(t *testing.T, text string) Accepted {
	t.Helper()
	got, err := w.hub.Ingest(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (w *world) status() source.Status { return w.board.All()[0] }

func wantSamples(t *testing.T, got, want map[string]float64) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[name]; !ok || v != want[name] {
			t.Errorf("%s = %v (there: %t), want %v", name, v, ok, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s = %v, want none", name, got[name])
		}
	}
}

const full = `{
  "instance": "web-1", "started_at": "2000-01-01T00:00:00Z", "seq": 1,
  "strategies": {"USER_PROFILE": {"hits": 1245, "misses": 89, "sets": 10}},
  "memory": {"used": 134217728, "limit": 536870912, "heap_used": 1000},
  "pool": {"active": 8, "idle": 2, "total": 10, "waiting": 3, "limit": 16},
  "queries": {"average_ms": 8.3, "slow": [{"query": "SELECT * FROM runs WHERE id = 17 AND name = 'Eve'", "duration_ms": 145, "at": 946684790}]},
  "requests": {"count": 1000, "errors": 10, "p95_ms": 120},
  "metrics": {"queue_depth": 4},
  "counters": {"orders_total": 50},
  "samples": [{"metric": "jobs", "labels": {"kind": "mail"}, "value": 2, "at": 946684795000}]
}`

func TestADocumentBecomesSamplesAndFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01T00:00:00Z
		w := newWorld(func(c *Config) { c.Strategies = map[string]Strategy{"USER_PROFILE": {TTL: 15 * time.Minute}} })
		if s := w.status(); s.Health != source.Unknown || s.Type != "push" {
			t.Errorf("before the first push: %+v", s)
		}
		time.Sleep(time.Minute)
		if got := w.push(t, full); got != (Accepted{Accepted: 19}) {
			t.Errorf("answer %+v", got)
		}
		first := map[string]float64{
			`app.memory_used{env="test", instance="web-1"}`:         134217728,
			`app.memory_limit{env="test", instance="web-1"}`:        536870912,
			`app.memory_usage{env="test", instance="web-1"}`:        25,
			`app.heap_used{env="test", instance="web-1"}`:           1000,
			`app.uptime{env="test", instance="web-1"}`:              60,
			`app.response_time_p95{env="test", instance="web-1"}`:   120,
			`postgres.pool_active{env="test", instance="web-1"}`:    8,
			`postgres.pool_idle{env="test", instance="web-1"}`:      2,
			`postgres.pool_total{env="test", instance="web-1"}`:     10,
			`postgres.pool_waiting{env="test", instance="web-1"}`:   3,
			`postgres.pool_limit{env="test", instance="web-1"}`:     16,
			`postgres.pool_usage{env="test", instance="web-1"}`:     50,
			`postgres.avg_query_time{env="test", instance="web-1"}`: 8.3,
			`postgres.slow_queries{env="test", instance="web-1"}`:   1,
			`queue_depth{env="test", instance="web-1"}`:             4,
			`orders_total{env="test", instance="web-1"}`:            50,
			`jobs{env="test", instance="web-1", kind="mail"}`:       2,
		}
		wantSamples(t, w.sink.last(), first)
		b := w.sink.batches[0]
		if b.Source != "app" || b.Type != "push" || b.Interval != 10*time.Second || b.StartedAt.Year() != 2000 || b.Failed {
			t.Errorf("batch %+v", b)
		}
		for _, s := range b.Samples {
			if s.Labels.Get("source") != "app" {
				t.Errorf("%s%s has no source", s.Metric, s.Labels)
			}
		}

		f := w.status().Facts
		if f.App == nil || *f.App.MemoryUsed != 134217728 || *f.App.AverageQueryMs != 8.3 || f.App.Pool.Active != 8 || *f.App.Pool.Waiting != 3 || f.App.Pool.From != "application" {
			t.Fatalf("facts %+v", f.App)
		}
		if q := f.App.Slow[0]; q.Query != "SELECT * FROM runs WHERE id = ? AND name = ?" || q.DurationMs != 145 {
			t.Errorf("slow query %+v", q)
		}
		if s := f.Strategies["USER_PROFILE"]; s.Hits != 1245 || s.TTL != 15*time.Minute {
			t.Errorf("strategy %+v", s)
		}

		time.Sleep(10 * time.Second)
		w.push(t, strings.NewReplacer(`"seq": 1`, `"seq": 2`, `"count": 1000, "errors": 10`, `"count": 1100, "errors": 15`,
			`"orders_total": 50`, `"orders_total": 70`, `946684795000`, `946684805000`).Replace(full))
		second := maps.Clone(first)
		second[`app.uptime{env="test", instance="web-1"}`] = 70
		second[`postgres.slow_queries{env="test", instance="web-1"}`] = 0 // the same one again
		second[`app.requests_per_sec{env="test", instance="web-1"}`] = 10
		second[`app.error_rate{env="test", instance="web-1"}`] = 5
		second[`orders_total{env="test", instance="web-1"}`] = 70
		second[`orders_total:rate{env="test", instance="web-1"}`] = 2
		for _, metric := range []string{"cache.lookups_per_sec", "cache.errors_per_sec"} { // nothing was looked up
			second[metric+`{env="test", strategy="USER_PROFILE"}`], second[metric+`{env="test"}`] = 0, 0
		}
		for _, op := range []string{"get", "set", "delete", "invalidate"} {
			second[`cache.ops_per_sec{env="test", op="`+op+`"}`] = 0
		}
		wantSamples(t, w.sink.last(), second)

		time.Sleep(time.Second) // a single instance's strategies wait for no tick
		w.push(t, `{"instance": "web-1", "seq": 3, "strategies": {"USER_PROFILE": {"hits": 1248, "misses": 90, "sets": 10}}}`)
		if got := w.sink.last(); got[`cache.hit_rate{env="test", strategy="USER_PROFILE"}`] != 75 || got[`cache.lookups_per_sec{env="test"}`] != 4 {
			t.Errorf("strategies: %v", got)
		}
	})
}

func TestOrderWithinAnInstance(t *testing.T) {
	type step struct {
		start, seq string // JSON; "" for none
		taken      bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"seq rises", []step{{"100", "1", true}, {"100", "2", true}}},
		{"the same seq is dropped", []step{{"100", "1", true}, {"100", "1", false}}},
		{"an older seq is dropped", []step{{"100", "5", true}, {"100", "4", false}, {"100", "6", true}}},
		{"a new start takes any seq", []step{{"100", "5", true}, {"200", "1", true}, {"200", "1", false}}},
		{"a document of the run before is dropped", []step{{"200", "1", true}, {"100", "9", false}}},
		{"a start that is reckoned anew is the same", []step{{"100.2", "5", true}, {"100.9", "5", false}, {"99.4", "6", true}}},
		{"without seq everything is taken", []step{{"100", "", true}, {"100", "", true}}},
		{"without start seq alone judges", []step{{"", "2", true}, {"", "1", false}, {"", "3", true}}},
		{"a start that is not told is the same", []step{{"100", "2", true}, {"", "2", false}, {"", "3", true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(nil)
			for i, s := range tt.steps {
				text := `{"instance": "a", "metrics": {"x": 1}`
				if s.start != "" {
					text += `, "started_at": ` + s.start
				}
				if s.seq != "" {
					text += `, "seq": ` + s.seq
				}
				got := w.push(t, text+"}")
				if (got.Accepted > 0) != s.taken || (got.Dropped > 0) == s.taken {
					t.Errorf("step %d: %+v, want taken %t", i, got, s.taken)
				}
			}
		})
	}
}

func TestRunSumsUpStrategiesAndLetsSilentInstancesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.hub.Run(ctx) }()
		text := func(instance string, seq, hits, misses int) string {
			return fmt.Sprintf(`{"instance": %q, "started_at": 946684000, "seq": %d, "strategies": {"A": {"hits": %d, "misses": %d}}}`, instance, seq, hits, misses)
		}
		time.Sleep(25 * time.Second)
		if len(w.sink.batches) != 0 {
			t.Fatalf("before the first push: %+v", w.sink.batches)
		}
		w.push(t, text("one", 1, 100, 0))
		w.push(t, text("two", 1, 500, 0))
		time.Sleep(2 * time.Second) // 27 s
		w.push(t, text("one", 2, 180, 10))
		w.push(t, text("two", 2, 500, 10))
		w.push(t, text("two", 2, 900, 10)) // late
		time.Sleep(4 * time.Second)        // 31 s: one tick
		got := w.sink.last()
		if got[`cache.hit_rate{env="test", strategy="A"}`] != 80 || got[`cache.hit_rate{env="test"}`] != 80 ||
			got[`source.up{env="test", type="push"}`] != 1 || got[`source.age{env="test", type="push"}`] != 3 {
			t.Errorf("after a tick: %v", got)
		}
		if s := w.status(); len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Err.Error(), "1 documents came late") || s.Facts.Strategies["A"].Hits != 680 {
			t.Errorf("status %+v", s)
		}

		time.Sleep(20 * time.Second) // 51 s
		w.push(t, text("two", 3, 600, 10))
		time.Sleep(10 * time.Second) // 61 s: one is silent for 34 s
		if s := w.status(); !s.Up || s.Facts.Strategies["A"].Hits != 600 {
			t.Errorf("one instance gone: %+v", s)
		}
		time.Sleep(30 * time.Second) // 91 s: so is two
		got = w.sink.last()
		if got[`source.up{env="test", type="push"}`] != 0 || got[`source.age{env="test", type="push"}`] != 39 || len(got) != 2 {
			t.Errorf("all gone: %v", got)
		}
		if s := w.status(); s.Up || s.Health != source.Unhealthy || s.Facts.Strategies["A"].Hits != 600 || !w.sink.batches[len(w.sink.batches)-1].Failed {
			t.Errorf("all gone: %+v", s)
		}

		w.push(t, text("two", 4, 700, 10))
		if s := w.status(); !s.Up || s.Error != "" {
			t.Errorf("back again: %+v", s)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
		if len(w.board.All()) != 0 {
			t.Error("still on the board")
		}
		if _, err := w.hub.Ingest(t.Context(), []byte(text("two", 5, 1, 1))); !errors.Is(err, errStopped) || len(w.board.All()) != 0 {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestADocumentThatTheSinkDidNotTakeMayComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		text := func(seq, n int) string {
			return fmt.Sprintf(`{"instance": "a", "seq": %d, "counters": {"n": %d}}`, seq, n)
		}
		w.push(t, text(1, 0))
		time.Sleep(time.Second)
		w.sink.err = context.DeadlineExceeded
		if _, err := w.hub.Ingest(t.Context(), []byte(text(2, 100))); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		w.sink.err = nil
		time.Sleep(time.Millisecond)
		w.push(t, text(2, 100))
		wantSamples(t, w.sink.last(), map[string]float64{`n{env="test", instance="a"}`: 100}) // and no rate of 0
	})
}

func TestMistakesAreToldAtTheirField(t *testing.T) {
	now := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ name, json, want string }{
		{"no JSON", `{"instance": `, "not JSON: unexpected end of JSON input, at byte 13"},
		{"no object", `[]`, "want an object, not an array"},
		{"no instance", `{}`, "instance: missing: name the process"},
		{"a wrong type", `{"instance": 7}`, "instance: want a string, not a number; instance: missing"},
		{"an unknown field", `{"instance": "a", "strategie": {}}`, `strategie: unknown field; did you mean "strategies"?`},
		{"an unknown field below", `{"instance": "a", "strategies": {"A": {"hit": 1}}}`, `strategies.A.hit: unknown field; did you mean "hits"?`},
		{"a text for a number", `{"instance": "a", "memory": {"used": "1"}}`, "memory.used: want a number, not a string"},
		{"a negative counter", `{"instance": "a", "strategies": {"A": {"hits": -1}}}`, "strategies.A.hits: must not be negative"},
		{"a fraction of a hit", `{"instance": "a", "strategies": {"A": {"hits": 1.5}}}`, "strategies.A.hits: want a whole number"},
		{"a number too large", `{"instance": "a", "metrics": {"x": 1e999}}`, "metrics.x: the number is too large"},
		{"a pool without active", `{"instance": "a", "pool": {"idle": 1}}`, "pool.active: missing"},
		{"more errors than requests", `{"instance": "a", "requests": {"count": 1, "errors": 2}}`, "requests.errors: are more than count"},
		{"a metric that is reserved", `{"instance": "a", "metrics": {"app.memory_usde": 1}}`, `metrics.app.memory_usde: no metric "app.memory_usde" in the catalog, whose app.* are reserved; did you mean "app.memory_used"?`},
		{"a metric of the daemon's own", `{"instance": "a", "samples": [{"metric": "source.up", "value": 1}]}`, "samples[0].metric: source.* are the daemon's own"},
		{"a metric with a dot", `{"instance": "a", "metrics": {"shop.orders": 1}}`, "metrics.shop.orders: a metric of one's own has no dot; write shop_orders"},
		{"a counter of what is no rate", `{"instance": "a", "counters": {"app.memory_used": 1}}`, "counters.app.memory_used: app.memory_used is no rate, so no counter makes it; write it under metrics"},
		{"no metric's name", `{"instance": "a", "metrics": {"a b": 1}}`, `metrics.a b: "a b" is not a metric's name`},
		{"a label's name", `{"instance": "a", "samples": [{"metric": "x", "value": 1, "labels": {"a-b": "c"}}]}`, "samples[0].labels.a-b: is not a label's name"},
		{"a label that is ours", `{"instance": "a", "samples": [{"metric": "x", "value": 1, "labels": {"source": "c"}}]}`, "samples[0].labels.source: this label is set by Tocsin"},
		{"a sample without value", `{"instance": "a", "samples": [{"metric": "x"}]}`, "samples[0].value: missing"},
		{"a sample of the future", `{"instance": "a", "samples": [{"metric": "x", "value": 1, "at": "2024-01-15T10:10:01Z"}]}`, "samples[0].at: is more than 10 minutes in the future"},
		{"a sample of long ago", `{"instance": "a", "samples": [{"metric": "x", "value": 1, "at": "2024-01-15T08:59:59Z"}]}`, "samples[0].at: is older than an hour"},
		{"no time", `{"instance": "a", "started_at": "yesterday"}`, "started_at: want a time"},
		{"a start to come", `{"instance": "a", "started_at": "2025-01-15T10:00:00Z"}`, "started_at: is in the future"},
		{"several at once", `{"instance": "a", "seq": -1, "bogus": 1}`, "seq: must not be negative; bogus: unknown field"},
		{"too many samples", `{"instance": "a", "samples": [` + strings.Repeat(`{"metric":"x","value":1},`, 10000) + `{}]}`, "samples: holds 10001 items, more than 10000"},
		{"a long label", `{"instance": "a", "samples": [{"metric": "x", "value": 1, "labels": {"a": "` + strings.Repeat("x", 1001) + `"}}]}`, "samples[0].labels.a: is longer than 1000 bytes"},
		{"too long", strings.Repeat(" ", 1<<20+1), "the document is longer than 1 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse([]byte(tt.json), now)
			var refused *BadDocument
			if !errors.As(err, &refused) || !refused.BadRequest() || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	many, err := parse([]byte(`{"instance": "a", "metrics": {`+strings.Repeat(`"x": "y", `, 100)+`"z": 1}}`), now)
	if err == nil || many != nil {
		t.Error("wrong numbers were taken")
	}
}

func TestARefusedDocumentChangesNothing(t *testing.T) {
	w := newWorld(func(c *Config) { c.MaxInstances = 1 })
	if _, err := w.hub.Ingest(t.Context(), []byte(`{"instance": "a", "bogus": 1}`)); err == nil || w.hub.instances["a"] != nil {
		t.Fatal("a refused document made an instance")
	}
	w.push(t, `{"instance": "a"}`)
	var refused *BadDocument
	if _, err := w.hub.Ingest(t.Context(), []byte(`{"instance": "b"}`)); !errors.As(err, &refused) || len(w.hub.instances) != 1 {
		t.Fatalf("one instance too many: %v", err)
	}
}

func TestPoolsAddUp(t *testing.T) {
	w := newWorld(nil)
	w.push(t, `{"instance": "a", "pool": {"active": 3, "total": 5, "waiting": 1, "limit": 10}}`)
	w.push(t, `{"instance": "b", "pool": {"active": 1, "idle": 1, "waiting": 0, "limit": 10}}`)
	p := w.status().Facts.App.Pool
	if p.Active != 4 || p.Idle != 3 || p.Total != 7 || p.Waiting == nil || *p.Waiting != 1 || p.Limit != 20 {
		t.Errorf("%+v", p)
	}
	w.push(t, `{"instance": "b", "pool": {"active": 1}}`)
	if p := w.status().Facts.App.Pool; p.Active != 4 || p.Total != -1 || p.Waiting != nil || p.Limit != 0 {
		t.Errorf("one of them tells less: %+v", p)
	}
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`SELECT * FROM "Runs" WHERE id = $1`, `SELECT * FROM "Runs" WHERE id = $1`},
		{`SELECT 'it''s', 17, 1.5e3, t1.c2, 0xff`, `SELECT ?, ?, ?, t1.c2, ?`},
		{`WHERE a=E'x\'y' AND b='z\'`, `WHERE a=E? AND b=?`},
		{`SELECT $$secret$$, $tag$a $1 'b'$tag$ + $2`, `SELECT ?, ? + $2`},
		{`WHERE name = 'cut off`, `WHERE name = ?`},
		{`SELECT $a$cut`, `SELECT ?`},
		{`SELECT "cut`, `SELECT "…`},
		{`name = 'é' -- ünï 9`, `name = ? -- ünï ?`},
		{``, ``},
	} {
		if got := redact(tt.query); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.query, got, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	c := Default()
	if ps := c.Validate(); len(ps) != 0 || !c.OpensCatalog() {
		t.Errorf("the default: %v", ps)
	}
	c = Config{StaleAfter: -1, Strategies: map[string]Strategy{"A": {TTL: -1}}}
	var paths []string
	for _, p := range c.Validate() {
		paths = append(paths, p.Path)
	}
	if !slices.Equal(paths, []string{"strategies.A.ttl", "stale_after", "max_instances"}) {
		t.Errorf("%v", paths)
	}
}

// FuzzIngest: no body panics; what is refused tells a path or why; what is
// taken yields finite samples with a source, and is taken once only.
func FuzzIngest(f *testing.F) {
	f.Add([]byte(full))
	for _, text := range []string{`{`, `null`, `{"instance":"a","seq":1e300}`, `{"instance":"\ud800","samples":[{"metric":"x","value":-0}]}`, `{"instance":"a","pool":{"active":9007199254740992}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := newWorld(nil)
		_, err := w.hub.Ingest(t.Context(), body)
		if err != nil {
			var refused *BadDocument
			if !errors.As(err, &refused) || err.Error() == "" || len(err.Error()) > 20_000 {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, s := range w.sink.batches[0].Samples {
			if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Labels.Get("source") != "app" || s.At.IsZero() {
				t.Fatalf("%+v", s)
			}
		}
		d, err := parse(body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.hub.Ingest(t.Context(), body); err != nil || d.seq != nil && got.Accepted > 0 {
			t.Fatalf("again: %+v, %v", got, err)
		}
	})
}
