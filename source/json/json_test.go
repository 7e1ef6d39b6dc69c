package json

import (
	stdjson "encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

func newSource(t *testing.T, url string, change func(*Config)) *Source {
	t.Helper()
	cfg := Default()
	cfg.URL = secret.NewURL(url)
	change(&cfg)
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

func got(r source.Reading) map[string]float64 {
	m := map[string]float64{}
	for _, s := range r.Samples {
		name := s.Metric
		if len(s.Labels) > 0 {
			name += s.Labels.String()
		}
		m[name] = math.Round(s.Value*1e6) / 1e6
	}
	return m
}

func wantValues(t *testing.T, r source.Reading, want map[string]float64) {
	t.Helper()
	if g := got(r); !maps.Equal(g, want) {
		t.Errorf("got  %v\nwant %v", g, want)
	}
}

// The guide's own document, as an application would serve it.
const performance = `{
  "status": "healthy", "uptime": 123456, "startedAt": "2024-01-15T08:00:00Z",
  "memory": {"used": "45.2 MB", "total": "512 MB", "percentage": 8.8},
  "database": {
    "healthy": true, "averageQueryTime": "12ms", "totalQueries": 1000,
    "pool": {"active": 3, "idle": 7, "total": 10, "waiting": 1, "limit": 12},
    "tableStats": {"Users": {"rows": 156, "size": "2.1MB"}, "Runs": {"rows": 3245, "size": null}}
  },
  "queues": [{"name": "mail", "depth": 4}, {"name": "push", "depth": "7"}],
  "a.b": {"c d": [10, 20]},
  "cache": {"cacheStrategies": {
    "USER_PROFILE": {"ttl": 900, "hits": 1245, "misses": 89, "hitRate": 93.3},
    "BROKEN": {"hits": "many"}
  }}
}`

func TestTheGuidesDocument(t *testing.T) {
	s := newSource(t, "http://127.0.0.1:1", func(c *Config) {
		c.Values = []Value{
			{Metric: "app.memory_used", Path: "$.memory.used"},
			{Metric: "app.memory_limit", Path: "$.memory.total", Unit: "bytes"},
			{Metric: "postgres.avg_query_time", Path: "$.database.averageQueryTime"},
			{Metric: "postgres.pool_active", Path: "$.database.pool.active"},
			{Metric: "postgres.pool_idle", Path: "$.database.pool.idle"},
			{Metric: "postgres.pool_waiting", Path: "$.database.pool.waiting"},
			{Metric: "postgres.pool_limit", Path: "$.database.pool.limit"},
			{Metric: "database_ok", Path: "$.database.healthy"},
			{Metric: "quoted", Path: `$["a.b"]['c d'][1]`, Scale: 0.5},
			{Metric: "queue_depth", Each: "$.queues", Path: "$.depth", Labels: map[string]string{"queue": "$.name", "kind": "fixed"}},
			{Metric: "mail_depth", Path: `queues.#(name=="mail").depth`},
			{Metric: "postgres.table_size", Each: "$.database.tableStats", Path: "$.size", Labels: map[string]string{"table": "$key"}},
			{Metric: "gone", Path: "$.nowhere"},
			{Metric: "queries", Path: "$.database.totalQueries", Counter: true},
		}
		c.Strategies.Path = "$.cache.cacheStrategies"
		c.Strategies.TTL = map[string]time.Duration{"USER_PROFILE": 15 * time.Minute}
		c.StartedAt = "$.startedAt"
	})
	now := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	r := s.read(gjson.Parse(performance), now)
	want := map[string]float64{
		"app.memory_used": 45.2 * (1 << 20), "app.memory_limit": 512 << 20, "app.memory_usage": 8.828125,
		"postgres.avg_query_time": 12, "postgres.pool_active": 3, "postgres.pool_idle": 7,
		"postgres.pool_waiting": 1, "postgres.pool_limit": 12, "postgres.pool_usage": 25,
		"database_ok": 1, "quoted": 10, "mail_depth": 4,
		`queue_depth{kind="fixed", queue="mail"}`: 4, `queue_depth{kind="fixed", queue="push"}`: 7,
		`postgres.table_size{table="Users"}`: math.Round(2.1*(1<<20)*1e6) / 1e6,
	}
	want["app.memory_used"] = math.Round(want["app.memory_used"]*1e6) / 1e6
	wantValues(t, r, want)

	var problems []string
	for _, p := range r.Problems {
		problems = append(problems, p.Query+": "+p.Err.Error())
	}
	wantProblems := []string{
		"postgres.table_size $.size: 1 of 2 elements: element Runs: is null",
		"gone $.nowhere: nothing stands there",
		"strategies BROKEN: hits is not a count",
	}
	if !slices.Equal(problems, wantProblems) {
		t.Errorf("problems %q, want %q", problems, wantProblems)
	}
	app := r.Facts.App
	if app == nil || *app.AverageQueryMs != 12 || *app.Pool.Waiting != 1 || app.Pool.Total != 10 || app.Pool.Limit != 12 {
		t.Fatalf("app %+v", app)
	}
	if st := r.Facts.Strategies["USER_PROFILE"]; st.Hits != 1245 || st.Misses != 89 || st.TTL != 15*time.Minute {
		t.Errorf("strategy %+v", st)
	}
	if !r.StartedAt.Equal(time.Date(2024, 1, 15, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("started at %v", r.StartedAt)
	}

	later := strings.NewReplacer(`"totalQueries": 1000`, `"totalQueries": 1050`, `"hits": 1245, "misses": 89`, `"hits": 1275, "misses": 99`).Replace(performance)
	want["queries"] = 5
	want[`cache.hit_rate{strategy="USER_PROFILE"}`], want["cache.hit_rate"] = 75, 75
	r = s.read(gjson.Parse(later), now.Add(10*time.Second))
	g := got(r)
	for name, v := range want {
		if g[name] != v {
			t.Errorf("second poll: %s = %v, want %v", name, g[name], v)
		}
	}

	restarted := strings.NewReplacer(`T08:00:00Z`, `T09:59:00Z`, `"totalQueries": 1000`, `"totalQueries": 9000`).Replace(performance)
	if g := got(s.read(gjson.Parse(restarted), now.Add(20*time.Second))); has(g, "queries") || has(g, "cache.hit_rate") {
		t.Errorf("rates across a restart: %v", g)
	}
}

func has(m map[string]float64, key string) bool {
	_, ok := m[key]
	return ok
}

func TestTextsConvertToTheDeclaredUnit(t *testing.T) {
	for _, tt := range []struct {
		json, unit string
		want       float64
		err        string
	}{
		{`12`, "ms", 12, ""},
		{`"12ms"`, "ms", 12, ""},
		{`"1.5s"`, "ms", 1500, ""},
		{`"250 µs"`, "ms", 0.25, ""},
		{`"1h5m"`, "s", 3900, ""},
		{`"45.2 MB"`, "bytes", 45.2 * (1 << 20), ""},
		{`"2.1MB"`, "bytes/s", 2.1 * (1 << 20), ""},
		{`"88.9%"`, "%", 88.9, ""},
		{`"-3"`, "", -3, ""},
		{`"1e3"`, "", 1000, ""},
		{`"true"`, "", 1, ""},
		{`false`, "", 0, ""},
		{`"12ms"`, "", 0, "declare unit"},
		{`"12ms"`, "bytes", 0, "no quantity in bytes"},
		{`"healthy"`, "", 0, "not a number"},
		{`"NaN"`, "", 0, "not a number"},
		{`"Infinity"`, "", 0, "not a number"},
		{`"0x10"`, "", 0, "not a number"},
		{`""`, "ms", 0, "not a number"},
		{`1e999`, "", 0, "not a finite"},
		{`null`, "", 0, "is null"},
		{`{}`, "", 0, "object or array"},
	} {
		v, err := number(gjson.Parse(tt.json), tt.unit)
		switch {
		case tt.err == "" && (err != nil || math.Abs(v-tt.want) > 1e-9*math.Abs(tt.want)):
			t.Errorf("%s in %q = %v, %v; want %v", tt.json, tt.unit, v, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s in %q = %v, %v; want %q", tt.json, tt.unit, v, err, tt.err)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct{ path, want, err string }{
		{"$", performance, ""},
		{"$.memory.percentage", "8.8", ""},
		{"$.queues[1].name", `"push"`, ""},
		{`$["memory"]["percentage"]`, "8.8", ""},
		{"queues.1.name", `"push"`, ""},
		{"queues.#", "2", ""},
		{"", "", "empty"},
		{"$.", "", "character 2: a dot wants a name"},
		{"$..a", "", "a dot wants"},
		{"$.a[", "", "does not close"},
		{"$.a[-1]", "", "index from 0"},
		{"$.a[01]", "", "index from 0"},
		{"$.a[*]", "", "index from 0"},
		{`$["a]`, "", "quotes do not close"},
		{`$["a"`, "", "want a name in quotes"},
		{`$a`, "", "want . or ["},
		{`$.a b`, "", "a dot wants"},
	} {
		p, err := parsePath(tt.path)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.path, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.path, err)
		} else if raw := p.in(gjson.Parse(performance)).Raw; raw != tt.want {
			t.Errorf("%q: %s, want %s", tt.path, raw, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"fine", func(*Config) {}, ""},
		{"no url", func(c *Config) { c.URL = secret.URL{} }, "url: missing"},
		{"nothing to take", func(c *Config) { c.Values = nil }, "values: nothing is taken"},
		{"no path", func(c *Config) { c.Values[0].Path = "" }, "values[0].path: missing"},
		{"a wrong path", func(c *Config) { c.Values[0].Path = "$.a[" }, `values[0].path: path "$.a[": at character 4`},
		{"a wrong label path", func(c *Config) { c.Values[0].Labels = map[string]string{"q": "$["} }, "values[0].labels.q: path"},
		{"a wrong unit", func(c *Config) { c.Values[0].Unit = "byte" }, `values[0].unit: no such unit "byte"; want %, ms, s, bytes, /s, /min, bytes/s; did you mean "bytes"?`},
		{"another unit than the catalog's", func(c *Config) { c.Values[0] = Value{Metric: "app.memory_used", Path: "a", Unit: "ms"} }, `values[0].unit: app.memory_used is in "bytes"`},
		{"a name that is reserved", func(c *Config) { c.Values[0].Metric = "app.memory_usd" }, `values[0].metric: no metric "app.memory_usd" in the catalog, whose app.* are reserved; did you mean "app.memory_used"?`},
		{"the daemon's own", func(c *Config) { c.Values[0].Metric = "source.up" }, "values[0].metric: source.* are the daemon's own"},
		{"no name", func(c *Config) { c.Values[0].Metric = "a b" }, "values[0].metric: \"a b\" is not"},
		{"a name with a dot of one's own", func(c *Config) { c.Values[0].Metric = "shop.orders" }, ""},
		{"time to live without path", func(c *Config) { c.Strategies.TTL = map[string]time.Duration{"A": 1} }, "strategies.path: missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.URL = secret.NewURL("http://127.0.0.1/x")
			c.Values = []Value{{Metric: "depth", Path: "$.depth"}}
			tt.change(&c)
			ps := c.Validate()
			switch {
			case tt.want == "" && len(ps) > 0:
				t.Fatal(ps.Err())
			case tt.want != "" && (len(ps) != 1 || !strings.HasPrefix(ps[0].Error(), tt.want)):
				t.Fatalf("got %v, want %s", ps, tt.want)
			}
		})
	}
}

func TestDeclaredMetricsAreThoseTheCatalogLacks(t *testing.T) {
	c := Config{Values: []Value{
		{Metric: "app.memory_used", Path: "a"},
		{Metric: "shop.orders", Path: "$.orders", Counter: true, Labels: map[string]string{"shop": "$key"}},
		{Metric: "lag", Path: "$.lag", Unit: "ms", Description: "how far it is behind"},
		{Metric: "lag", Path: "$.other"},
	}}
	m := c.Metrics()
	if len(m) != 2 || m[0].Name != "shop.orders" || m[0].Unit != "/s" || !slices.Equal(m[0].Labels, []string{"shop"}) ||
		m[1].Unit != "ms" || m[1].Description != "how far it is behind" {
		t.Fatalf("%+v", m)
	}
}

func TestWhatCannotBeReadIsAFault(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		kind    source.FaultKind
		want    string
	}{
		{"500", status(500), source.Busy, "answers 500"},
		{"401", status(401), source.Blind, "answers 401"},
		{"404", status(404), source.Garbled, "answers 404"},
		{"HTML", write("text/html", "<html>"), source.Garbled, "is HTML"},
		{"empty", write("application/json", ""), source.Garbled, "is empty"},
		{"cut off", write("application/json", `{"a": 1`), source.Garbled, "cut off"},
		{"too long", write("application/json", `"`+strings.Repeat("x", 2000)+`"`), source.Garbled, "longer than 1024 bytes; see max_body_bytes"},
		{"too deep", write("application/json", strings.Repeat("[", 300)+strings.Repeat("]", 300)), source.Garbled, "nested deeper"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"a"`))
		}, source.Down, "breaks off after 4 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			s := newSource(t, srv.URL+"/?token=hunter2", func(c *Config) {
				c.MaxBodyBytes = 1024
				c.Values = []Value{{Metric: "a", Path: "$.a"}}
			})
			_, err := s.Poll(t.Context())
			var fault *source.Fault
			if !errors.As(err, &fault) || fault.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v (%s), want %s %q", err, source.KindOf(err), tt.kind, tt.want)
			}
		})
	}
	s := newSource(t, "http://127.0.0.1:1/?token=hunter2", func(c *Config) { c.Values = []Value{{Metric: "a", Path: "a"}} })
	if _, err := s.Poll(t.Context()); source.KindOf(err) != source.Down || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("refused: %v", err)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func write(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(body))
	}
}

// FuzzPath: no path and no document panics, and a path that parses finds the
// member that it names.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"$", "$.memory.used", `$["a.b"]['c d'][1]`, "queues.#(depth>3)#.name", "@this|@pretty", "a.#.b", `\`, "$.é", `!"x"`, "..0"} {
		f.Add(path, performance)
	}
	f.Fuzz(func(t *testing.T, text, doc string) {
		if len(text) > 200 || len(doc) > 4096 {
			return
		}
		p, err := parsePath(text)
		if err == nil && check([]byte(doc), "") == nil {
			_, _ = number(p.in(gjson.Parse(doc)), "ms")
		}
		if !strings.HasPrefix(text, "$") {
			return
		}
		// Any name in brackets finds the member of that name.
		name := strings.ToValidUTF8(text, "")
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
		p, err = parsePath(`$["` + quoted + `"]`)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if v := p.in(object(name)); v.Num != 42 {
			t.Fatalf("%q (gjson %q) finds %v", name, p.gjson, v)
		}
	})
}

// object is {name: 42}.
func object(name string) gjson.Result {
	key, err := stdjson.Marshal(name)
	if err != nil {
		panic(err)
	}
	return gjson.Parse(`{` + string(key) + `:42}`)
}
