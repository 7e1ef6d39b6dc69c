package rule

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// shipped compiles the rules.yaml that Tocsin is shipped with.
func shipped(t testing.TB) []*Rule {
	t.Helper()
	text, err := os.ReadFile("../../rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	lengthenShortForms(&root)
	var file File
	if err := root.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var rules []*Rule
	seen := map[string]bool{}
	for _, spec := range file.Rules {
		if seen[spec.ID] {
			t.Errorf("two rules are called %s", spec.ID)
		}
		seen[spec.ID] = true
		r, problems := Compile(spec, source.NewCatalog(nil, false))
		if len(problems) > 0 {
			t.Fatalf("rule %s: %v", spec.ID, problems.Err())
		}
		rules = append(rules, r)
	}
	return rules
}

// lengthenShortForms makes `critical: value < 70` a mapping, as the strict
// decoder of the configuration does by FromScalar.
func lengthenShortForms(n *yaml.Node) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && child.Kind == yaml.ScalarNode &&
			slices.Contains([]string{"critical", "warning", "info"}, n.Content[i-1].Value) {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "when"}
			n.Content[i] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, child}}
			continue
		}
		lengthenShortForms(child)
	}
}

// world is a web application with its cache and database. Each series is a
// function of the time since the world began; ok is false for no sample.
type world map[string]func(at time.Duration) (value float64, ok bool)

const (
	poll = 5 * time.Second
	mb   = 1 << 20
)

func steady(v float64) func(time.Duration) (float64, bool) {
	return func(time.Duration) (float64, bool) { return v, true }
}

func noisy(seed uint64, v, spread float64) func(time.Duration) (float64, bool) {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(time.Duration) (float64, bool) { return v + spread*(2*random.Float64()-1), true }
}

// during gives other values for a while, and those of before around it.
func (w world) during(from, to time.Duration, series string, v float64) world {
	before := w[series]
	w[series] = func(at time.Duration) (float64, bool) {
		if at >= from && at < to {
			return v, true
		}
		return before(at)
	}
	return w
}

// silent takes a series' samples away for a while.
func (w world) silent(from, to time.Duration, series ...string) world {
	for _, name := range series {
		before := w[name]
		w[name] = func(at time.Duration) (float64, bool) {
			if at >= from && at < to {
				return 0, false
			}
			return before(at)
		}
	}
	return w
}

// goodDay is a busy site that is well, with the noise that a busy site has.
func goodDay() world {
	w := world{
		"redis.up{source=cache}": steady(1), "redis.loading{source=cache}": steady(0),
		"redis.ping{source=cache}": noisy(1, 0.4, 0.3), "redis.ops_per_sec{source=cache}": noisy(2, 2600, 400),
		"redis.hit_rate{source=cache}":                 noisy(3, 60, 20),
		"cache.hit_rate{source=cache}":                 noisy(4, 93, 4),
		"cache.lookups_per_sec{source=cache}":          noisy(5, 300, 50),
		"postgres.up{source=database}":                 steady(1),
		"postgres.avg_query_time{source=database}":     noisy(6, 20, 3),
		"postgres.queries_per_sec{source=database}":    noisy(7, 60, 20),
		"postgres.slow_queries{source=database}":       steady(0),
		"postgres.pool_usage{source=database}":         noisy(8, 35, 15),
		"postgres.pool_waiting{source=database}":       steady(0),
		"http.up{source=site,check=home}":              steady(1),
		"http.response_time{source=site,check=home}":   noisy(9, 90, 40),
		"http.error_rate{source=site,check=home}":      steady(0),
		"app.memory_used{source=web,instance=a}":       noisy(10, 400*mb, 30*mb),
		"app.memory_usage{source=web,instance=a}":      noisy(11, 40, 3),
		"app.requests_per_sec{source=web,instance=a}":  noisy(12, 100, 10),
		"app.response_time_p95{source=web,instance=a}": noisy(13, 150, 60),
		"app.error_rate{source=web,instance=a}":        noisy(14, 0.03, 0.03),
	}
	for i, s := range []string{"USER_PROFILE", "USER_RUNS", "LEADERBOARD", "SOCIAL_FEED", "SEARCH"} {
		w["cache.hit_rate{source=cache,strategy="+s+"}"] = noisy(20+uint64(i), []float64{95, 92, 98, 90, 92}[i], 2)
		w["cache.lookups_per_sec{source=cache,strategy="+s+"}"] = noisy(30+uint64(i), 60, 10)
	}
	for name, kind := range map[string]string{"cache": "redis", "database": "postgres", "web": "prometheus", "site": "http"} {
		w["source.up{source="+name+",type="+kind+"}"] = steady(1)
		w["source.blind{source="+name+",type="+kind+"}"] = steady(0)
	}
	return w
}

// fired is one firing alert: the rule and its series' strategy, if any, and
// the worst severity that it had.
type fired map[string]alert.Severity

// observed is what a world brought about.
type observed struct {
	fired    fired
	first    map[string]time.Duration // when it first fired
	messages map[string]string        // at its worst
	left     int                      // alerts that fire at the end
}

// run lets a world pass before the shipped rules. started says when the
// process behind a source was started.
func (w world) run(t *testing.T, length time.Duration, started map[string]time.Duration) observed {
	t.Helper()
	type series struct {
		sample alert.Sample
		value  func(time.Duration) (float64, bool)
	}
	bySource := map[string][]series{}
	for _, name := range slices.Sorted(maps.Keys(w)) {
		metric, rest, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		labels := map[string]string{}
		for pair := range strings.SplitSeq(rest, ",") {
			k, v, _ := strings.Cut(pair, "=")
			labels[k] = v
		}
		bySource[labels["source"]] = append(bySource[labels["source"]],
			series{alert.Sample{Metric: metric, Labels: alert.FromMap(labels)}, w[name]})
	}
	e := NewEvaluator(shipped(t))
	out := observed{fired: fired{}, first: map[string]time.Duration{}, messages: map[string]string{}}
	note := func(ts []Transition, at time.Duration) {
		for _, tr := range ts {
			if tr.Kind != alert.EventFiring && tr.Kind != alert.EventSeverity {
				continue
			}
			key := tr.Alert.Rule
			if _, known := out.first[key]; !known {
				out.first[key] = at
			}
			if tr.Alert.Severity >= out.fired[key] {
				out.fired[key], out.messages[key] = tr.Alert.Severity, tr.Alert.Message
			}
		}
	}
	for at := time.Duration(0); at <= length; at += poll {
		now := epoch.Add(at)
		for due := e.NextDue(); !due.IsZero() && due.Before(now); due = e.NextDue() {
			note(e.Tick(due), due.Sub(epoch))
		}
		for _, name := range slices.Sorted(maps.Keys(bySource)) {
			var batch []alert.Sample
			for _, s := range bySource[name] {
				if v, ok := s.value(at); ok {
					s.sample.Value, s.sample.At = v, now
					batch = append(batch, s.sample)
				}
			}
			from := Context{Interval: poll}
			if s, ok := started[name]; ok && s <= at {
				from.StartedAt = epoch.Add(s)
			}
			note(e.Observe(batch, from, now), at)
		}
	}
	for _, a := range e.Alerts() {
		if a.Active() {
			out.left++
		}
	}
	return out
}

const hour = time.Hour

func TestShippedRulesAreQuiet(t *testing.T) {
	tests := []struct {
		name    string
		world   func() world
		length  time.Duration
		started map[string]time.Duration
	}{
		{"a good day", goodDay, 3 * hour, nil},
		{"every metric has one terrible poll", func() world {
			w := goodDay()
			for i, name := range slices.Sorted(maps.Keys(w)) {
				at := hour + 10*time.Minute + time.Duration(i)*3*time.Minute
				w.during(at, at+poll, name, terrible(name))
			}
			return w
		}, 4 * hour, nil},
		{"the traffic ends for the night", func() world {
			w := goodDay()
			quiet, end := 90*time.Minute, 5*hour
			for name := range w {
				if strings.Contains(name, "hit_rate") || strings.Contains(name, "avg_query_time") || strings.Contains(name, "p95") || strings.Contains(name, "app.error_rate") {
					w.silent(quiet, end, name)
				}
				if strings.Contains(name, "per_sec") {
					w.during(quiet, end, name, 0)
				}
			}
			return w.during(quiet, end, "redis.ops_per_sec{source=cache}", 3)
		}, 4 * hour, nil},
		{"a handful of requests with bad luck", func() world {
			w := goodDay()
			for name := range w {
				switch {
				case strings.Contains(name, "cache.hit_rate"):
					w.during(0, 5*hour, name, 40)
				case strings.Contains(name, "avg_query_time") || strings.Contains(name, "p95"):
					w.during(0, 5*hour, name, 1500)
				case strings.Contains(name, "app.error_rate"):
					w.during(0, 5*hour, name, 10)
				case strings.Contains(name, "redis.ops_per_sec"):
					w.during(0, 5*hour, name, 127)
				case strings.Contains(name, "per_sec"):
					w.during(0, 5*hour, name, 0.2)
				}
			}
			return w
		}, 2 * hour, nil},
		{"the traffic halves, and Redis' work with it", func() world {
			return goodDay().during(90*time.Minute, 5*hour, "redis.ops_per_sec{source=cache}", 450).
				during(90*time.Minute, 5*hour, "app.requests_per_sec{source=web,instance=a}", 20)
		}, 4 * hour, nil},
		{"Redis restarts with an empty cache", func() world {
			w := goodDay()
			restart := 90 * time.Minute
			for name := range w {
				if !strings.Contains(name, "cache.hit_rate") {
					continue
				}
				before := w[name]
				w[name] = func(at time.Duration) (float64, bool) {
					v, ok := before(at)
					if since := at - restart; since >= 0 && since < 8*time.Minute {
						v *= since.Seconds() / (8 * time.Minute).Seconds()
					}
					return v, ok
				}
			}
			return w
		}, 5 * hour, map[string]time.Duration{"cache": 90 * time.Minute}},
		{"everything starts at once, the daemon too", func() world {
			w := goodDay()
			for name, before := range w {
				w[name] = func(at time.Duration) (float64, bool) {
					v, ok := before(at)
					share := min(1, at.Minutes()/9)
					switch {
					case strings.Contains(name, "hit_rate"):
						v *= share
					case strings.Contains(name, "memory"):
						v *= 0.2 + 0.8*share
					case strings.Contains(name, "ops_per_sec"):
						v *= share
					}
					return v, ok
				}
			}
			return w
		}, 3 * hour, map[string]time.Duration{"cache": 0, "database": 0, "web": 0, "site": 0}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.world().run(t, tc.length, tc.started)
			if len(got.fired) > 0 {
				t.Errorf("fired %v at %v: %v", got.fired, got.first, got.messages)
			}
		})
	}
}

// terrible is a value of the metric that could not be worse.
func terrible(series string) float64 {
	for part, v := range map[string]float64{
		"hit_rate": 0, ".up": 0, "loading": 1, "blind": 1, "per_sec": 0, "_usage": 100, "memory_used": 4096 * mb, "error_rate": 2,
	} {
		if strings.Contains(series, part) {
			return v
		}
	}
	return 30000
}

func TestEachIncidentBringsItsAlert(t *testing.T) {
	start, end := 70*time.Minute, 85*time.Minute
	strategy := func(name string) string { return "cache.hit_rate{source=cache,strategy=" + name + "}" }
	tests := []struct {
		name   string
		world  func() world
		want   fired
		within time.Duration // of the first alert; zero: not asked
		says   string
	}{
		{"Redis is down", func() world {
			w := goodDay().during(start, end, "redis.up{source=cache}", 0).during(start, end, "source.up{source=cache,type=redis}", 0)
			for name := range w {
				if strings.Contains(name, "source=cache") && !strings.Contains(name, ".up{") && !strings.HasPrefix(name, "source.") {
					w.silent(start, end, name)
				}
			}
			return w
		}, fired{"redis-down": alert.Critical}, 10 * time.Second, "Redis connection failed (cache)"},
		{
			"Redis loads its dataset", func() world { return goodDay().during(start, end, "redis.loading{source=cache}", 1) },
			fired{"redis-down": alert.Warning},
			0, "Redis is loading",
		},
		{"PostgreSQL is down", func() world {
			w := goodDay().during(start, end, "postgres.up{source=database}", 0).during(start, end, "source.up{source=database,type=postgres}", 0)
			return w.silent(start, end, "postgres.avg_query_time{source=database}", "postgres.pool_usage{source=database}")
		}, fired{"postgres-down": alert.Critical}, 10 * time.Second, "Database connection failed (database)"},
		{"the password changed under the monitor", func() world {
			return goodDay().during(start, end, "source.blind{source=cache,type=redis}", 1).during(start, end, "source.up{source=cache,type=redis}", 0).
				silent(start, end, "redis.up{source=cache}")
		}, fired{"source-blind": alert.Warning}, time.Minute, "Source cache does not let the monitor look"},
		{
			"the application's metrics cannot be read", func() world { return goodDay().during(start, end, "source.up{source=web,type=prometheus}", 0) },
			fired{"source-down": alert.Warning},
			time.Minute, "Source web cannot be read",
		},
		{"the site's check fails", func() world {
			return goodDay().during(start, end, "http.up{source=site,check=home}", 0).during(start, end+5*time.Minute, "http.error_rate{source=site,check=home}", 40).
				during(start, end, "http.response_time{source=site,check=home}", 2000)
		}, fired{"http-down": alert.Critical}, 30 * time.Second, "Check home fails"},
		{
			"the cache misses", func() world { return goodDay().during(start, end, "cache.hit_rate{source=cache}", 60) },
			fired{"cache-hit-rate": alert.Critical},
			2 * time.Minute, "Cache hit rate below 70%",
		},
		{
			"the cache misses somewhat", func() world { return goodDay().during(start, end, "cache.hit_rate{source=cache}", 82) },
			fired{"cache-hit-rate": alert.Warning},
			3 * time.Minute, "Cache hit rate below 85%",
		},
		{
			"one strategy misses somewhat", func() world { return goodDay().during(start, end, strategy("USER_RUNS"), 82.3) },
			fired{"cache-hit-rate-user-runs": alert.Warning},
			3 * time.Minute, "Cache hit rate below 85% for USER_RUNS strategy",
		},
		{
			"a strategy that the guide does not name misses", func() world { return goodDay().during(start, end, strategy("SEARCH"), 30) },
			fired{"cache-hit-rate-strategy": alert.Critical},
			2 * time.Minute, "Cache hit rate below 70% for SEARCH strategy",
		},
		{
			"Redis does less while the requests go on", func() world { return goodDay().during(start, end, "redis.ops_per_sec{source=cache}", 800) },
			fired{"redis-operations": alert.Warning},
			6 * time.Minute, "Redis operations below 1000/sec (800/sec)",
		},
		{"Redis does little and answers slowly", func() world {
			return goodDay().during(start, end, "redis.ops_per_sec{source=cache}", 300).during(start, end, "redis.ping{source=cache}", 40).
				silent(0, 5*hour, "app.requests_per_sec{source=web,instance=a}")
		}, fired{"redis-operations": alert.Critical}, 3 * time.Minute, "Redis operations below 500/sec (300/sec)"},
		{
			"queries are slow", func() world { return goodDay().during(start, end, "postgres.avg_query_time{source=database}", 231) },
			fired{"database-query-time": alert.Warning},
			4 * time.Minute, "Average query time increased to",
		},
		{
			"queries are very slow", func() world { return goodDay().during(start, end, "postgres.avg_query_time{source=database}", 900) },
			fired{"database-query-time": alert.Critical},
			3 * time.Minute, "Average query time increased to",
		},
		{
			"queries take twice as long as an hour ago", func() world { return goodDay().during(start, end, "postgres.avg_query_time{source=database}", 45) },
			fired{"database-query-time-change": alert.Info},
			6 * time.Minute, "Average query time increased to 45ms",
		},
		{
			"slow queries", func() world { return goodDay().during(start, end, "postgres.slow_queries{source=database}", 1) },
			fired{"database-slow-queries": alert.Warning},
			20 * time.Second, "Slow queries detected: ",
		},
		{
			"the pool fills", func() world { return goodDay().during(start, end, "postgres.pool_usage{source=database}", 88) },
			fired{"database-connection-pool": alert.Warning},
			2 * time.Minute, "Database connection pool above 80% used",
		},
		{
			"the pool is full", func() world { return goodDay().during(start, end, "postgres.pool_usage{source=database}", 100) },
			fired{"database-connection-pool": alert.Critical},
			30 * time.Second, "Database connection pool exhausted",
		},
		{
			"clients wait for the pool", func() world { return goodDay().during(start, end, "postgres.pool_waiting{source=database}", 4) },
			fired{"database-connection-pool": alert.Critical},
			30 * time.Second, "Database connection pool exhausted: clients wait for a connection",
		},
		{
			"the site is slow", func() world { return goodDay().during(start, end, "http.response_time{source=site,check=home}", 400) },
			fired{"api-response-time": alert.Warning},
			2 * time.Minute, "API response time above 300ms (400ms) for home",
		},
		{
			"the application is very slow", func() world {
				return goodDay().during(start, end, "app.response_time_p95{source=web,instance=a}", 1500)
			},
			fired{"api-response-time-p95": alert.Critical},
			2 * time.Minute, "API response time above 1000ms",
		},
		{
			"requests fail", func() world { return goodDay().during(start, end, "app.error_rate{source=web,instance=a}", 3) },
			fired{"api-error-rate": alert.Warning},
			6 * time.Minute, "Error rate above 0.1%",
		},
		{
			"some checks fail", func() world { return goodDay().during(start, end, "http.error_rate{source=site,check=home}", 10) },
			fired{"http-error-rate": alert.Warning},
			11 * time.Minute, "Error rate above 0.1% for check home (10%)",
		},
		{"memory is short", func() world {
			return goodDay().during(start, end, "app.memory_usage{source=web,instance=a}", 80).during(start, end, "app.memory_used{source=web,instance=a}", 800*mb)
		}, fired{"memory-usage": alert.Warning}, 2 * time.Minute, "Memory usage above 75%"},
		{"memory is all but used up", func() world {
			return goodDay().during(start, end, "app.memory_usage{source=web,instance=a}", 97).during(start, end, "app.memory_used{source=web,instance=a}", 1100*mb)
		}, fired{"memory-usage": alert.Critical}, time.Minute, "Memory usage above 90%"},
		{"much memory where no limit is known", func() world {
			return goodDay().silent(0, 5*hour, "app.memory_usage{source=web,instance=a}").during(start, end, "app.memory_used{source=web,instance=a}", 1100*mb)
		}, fired{"memory-used": alert.Critical}, time.Minute, "Memory usage above 1GB (1.1GB)"},
		{
			"memory grows", func() world { return goodDay().during(start, end, "app.memory_used{source=web,instance=a}", 600*mb) },
			fired{"memory-change": alert.Info},
			6 * time.Minute, "Memory usage increased to 600MB",
		},
		{"the hit rate changes", func() world {
			return goodDay().during(0, start, "cache.hit_rate{source=cache}", 99).during(start, 5*hour, "cache.hit_rate{source=cache}", 88)
		}, fired{"cache-hit-rate-change": alert.Info}, 6 * time.Minute, "Cache hit rate decreased to 88% (an hour ago 99%)"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.world().run(t, 4*hour, nil)
			if diff := cmp.Diff(tc.want, got.fired); diff != "" {
				t.Errorf("fired at %v %v\n%s", got.first, got.messages, diff)
			}
			for id := range tc.want {
				if tc.within > 0 && got.first[id]-start > tc.within {
					t.Errorf("%s fired %s after the beginning, want %s at most", id, got.first[id]-start, tc.within)
				}
				if !strings.HasPrefix(got.messages[id], tc.says) {
					t.Errorf("message %q, want %q", got.messages[id], tc.says)
				}
			}
			if got.left > 0 {
				t.Errorf("%d alerts still fire hours after the end", got.left)
			}
		})
	}
}

// limit is a cell of a table such as <85% or >300ms.
type limit struct {
	below bool
	value float64 // in the metric's unit
}

var cell = regexp.MustCompile(`^([<>])(\d+)(%|ms|/sec|MB)`)

func parseLimit(t *testing.T, text string) limit {
	t.Helper()
	m := cell.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("cell %q of the guide is not understood", text)
	}
	v, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		t.Fatal(err)
	}
	if m[3] == "MB" {
		v *= mb
	}
	return limit{below: m[1] == "<", value: v}
}

// beyond is a value just past the limit, short of it one that is not.
func (l limit) beyond() float64 {
	if l.below {
		return l.value * 0.999
	}
	return l.value * 1.001
}

// tableRows reads the body of the guide's table below a heading: the cells,
// without the asterisks.
func tableRows(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, ok := strings.Cut(string(text), "\n### "+heading+"\n")
	if !ok {
		t.Fatalf("the guide has no heading %q", heading)
	}
	section, _, _ := strings.Cut(below, "\n#")
	var rows [][]string
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "| **") {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.Trim(cells[i], " *")
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// holdSteady gives a series one value for a while after a good hour, and
// returns the severity that the rule took.
func holdSteady(t *testing.T, rule, series string, v float64, without ...string) alert.Severity {
	t.Helper()
	w := goodDay().silent(0, 5*hour, without...).during(65*time.Minute, 5*hour, series, v)
	return w.run(t, 80*time.Minute, nil).fired[rule]
}

func TestEveryRowOfTheTargetsHasItsRule(t *testing.T) {
	type judge struct{ rule, series string }
	rulesOf := map[string][]judge{
		"Cache Hit Rate":      {{"cache-hit-rate", "cache.hit_rate{source=cache}"}},
		"API Response Time":   {{"api-response-time", "http.response_time{source=site,check=home}"}, {"api-response-time-p95", "app.response_time_p95{source=web,instance=a}"}},
		"Database Query Time": {{"database-query-time", "postgres.avg_query_time{source=database}"}},
		"Redis Operations":    {{"redis-operations", "redis.ops_per_sec{source=cache}"}},
		"Memory Usage":        {{"memory-used", "app.memory_used{source=web,instance=a}"}},
		"Connection Pool":     {{"database-connection-pool", "postgres.pool_usage{source=database}"}},
	}
	rows := tableRows(t, "Expected Performance Targets")
	if len(rows) != len(rulesOf) {
		t.Errorf("the guide has %d rows, this test %d", len(rows), len(rulesOf))
	}
	for _, row := range rows {
		warning, critical := parseLimit(t, row[2]), parseLimit(t, row[3])
		for _, j := range rulesOf[row[0]] {
			t.Run(row[0]+"/"+j.rule, func(t *testing.T) {
				t.Parallel()
				for _, step := range []struct {
					value float64
					want  alert.Severity
				}{
					{warning.value, alert.OK},
					{warning.beyond(), alert.Warning},
					{critical.value, alert.Warning},
					{critical.beyond(), alert.Critical},
				} {
					if got := holdSteady(t, j.rule, j.series, step.value); got != step.want {
						t.Errorf("%s = %v: %s, want %s", j.series, step.value, got, step.want)
					}
				}
			})
		}
		if rulesOf[row[0]] == nil {
			t.Errorf("row %q of the guide has no rule", row[0])
		}
	}
}

func TestEveryStrategyHasItsRule(t *testing.T) {
	rows := tableRows(t, "Cache Strategy Performance Expectations")
	if len(rows) != 4 {
		t.Errorf("the guide has %d strategies", len(rows))
	}
	for _, row := range rows {
		name, expected := row[0], parseLimit(t, row[2])
		rule := "cache-hit-rate-" + strings.ReplaceAll(strings.ToLower(name), "_", "-")
		series := "cache.hit_rate{source=cache,strategy=" + name + "}"
		for value, want := range map[float64]alert.Severity{
			expected.value: alert.OK, expected.value * 0.999: alert.Warning, 70: alert.Warning, 69.9: alert.Critical,
		} {
			t.Run(fmt.Sprint(name, "/", value), func(t *testing.T) {
				t.Parallel()
				if got := holdSteady(t, rule, series, value); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestEveryAutomatedAlertConditionHasItsRule(t *testing.T) {
	type check struct {
		rule, series string
		bad, good    float64
	}
	checks := map[string]check{
		"Critical: Cache hit rate below 70%":           {"cache-hit-rate", "cache.hit_rate{source=cache}", 69.9, 70},
		"Critical: Average query time above 500ms":     {"database-query-time", "postgres.avg_query_time{source=database}", 501, 500},
		"Critical: Memory usage above 90%":             {"memory-usage", "app.memory_usage{source=web,instance=a}", 90.1, 90},
		"Critical: Redis connection failures":          {"redis-down", "redis.up{source=cache}", 0, 1},
		"Critical: Database connection pool exhausted": {"database-connection-pool", "postgres.pool_usage{source=database}", 100, 90},
		"Warning: Cache hit rate below 85%":            {"cache-hit-rate", "cache.hit_rate{source=cache}", 84.9, 85},
		"Warning: Average query time above 200ms":      {"database-query-time", "postgres.avg_query_time{source=database}", 201, 200},
		"Warning: Memory usage above 75%":              {"memory-usage", "app.memory_usage{source=web,instance=a}", 75.1, 75},
		"Warning: Slow queries detected (>100ms)":      {"database-slow-queries", "postgres.slow_queries{source=database}", 1, 0},
		"Info: Cache hit rate changes >10%":            {"cache-hit-rate-change", "cache.hit_rate{source=cache}", 89.9, 90.1},
		"Info: Query time increases >50%":              {"database-query-time-change", "postgres.avg_query_time{source=database}", 15.2, 14.9},
		"Info: Memory usage increases >25%":            {"memory-change", "app.memory_used{source=web,instance=a}", 501 * mb, 499 * mb},
	}
	baseline := map[string]float64{"cache-hit-rate-change": 100, "database-query-time-change": 10, "memory-change": 400 * mb}
	for _, name := range automatedConditions(t) {
		c, ok := checks[name]
		if !ok {
			t.Errorf("%q of the guide has no rule", name)
			continue
		}
		delete(checks, name)
		severity, err := alert.ParseSeverity(strings.ToLower(strings.Split(name, ":")[0]))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, side := range []struct {
				value float64
				holds bool
			}{{c.bad, true}, {c.good, false}} {
				w := goodDay()
				if v, ok := baseline[c.rule]; ok {
					w[c.series] = steady(v)
				}
				got := w.during(65*time.Minute, 5*hour, c.series, side.value).run(t, 80*time.Minute, nil).fired[c.rule]
				if holds := got >= severity; holds != side.holds {
					t.Errorf("%s = %v: %s", c.series, side.value, got)
				}
			}
		})
	}
	for name := range checks {
		t.Errorf("%q is not in the guide", name)
	}
}

// automatedConditions reads the guide's list as "Critical: Cache hit rate …".
func automatedConditions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), "### Automated Alert Conditions\n")
	section, _, _ := strings.Cut(below, "\n#")
	var out []string
	severity := ""
	for line := range strings.SplitSeq(section, "\n") {
		if s, ok := strings.CutSuffix(line, " Alerts**:"); ok {
			severity = strings.TrimPrefix(s, "**")
		} else if item, ok := strings.CutPrefix(line, "- "); ok {
			out = append(out, severity+": "+item)
		}
	}
	return out
}

func TestTheGuidesCategoriesAreServed(t *testing.T) {
	got := map[string]int{}
	for _, r := range shipped(t) {
		got[r.Category]++
	}
	for _, want := range []string{"cache", "database", "memory", "api", "monitoring"} {
		if got[want] == 0 {
			t.Errorf("no rule is of category %s", want)
		}
	}
}
