package configs_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/configs/packs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// packed compiles the rules of packs, those that ship switched off too.
func packed(t testing.TB, names ...string) (*configs.RuleSet, []*rule.Rule) {
	t.Helper()
	var mu sync.Mutex // guards compiled
	compiled := map[string]*rule.Rule{}
	catalog := source.NewCatalog(nil, false)
	for i := range names {
		names[i] = packs.Prefix + names[i]
	}
	set, mistakes := configs.LoadRules(names, configs.Input{}, func(spec rule.Spec) problem.List {
		spec.Disabled = false
		r, problems := rule.Compile(spec, catalog)
		mu.Lock()
		defer mu.Unlock()
		compiled[r.ID] = r
		return problems
	})
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	var rules []*rule.Rule
	for _, r := range set.Rules {
		rules = append(rules, compiled[r.Spec.ID])
	}
	return set, rules
}

func TestEveryPackIsReadWithoutAWord(t *testing.T) {
	var names []string
	for _, p := range packs.All() {
		names = append(names, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			set, _ := packed(t, p.Name)
			if len(set.Rules) == 0 || len(set.Paths) > 0 || p.About == "" {
				t.Errorf("%d rules, files %v, %q", len(set.Rules), set.Paths, p.About)
			}
			if strings.Contains(p.Text, "$") {
				t.Error("a $ would be taken for a variable of whoever uses the pack")
			}
			for _, r := range set.Rules {
				if r.Spec.Message == "" || r.Spec.Category == "" {
					t.Errorf("rule %s lacks a message or a category", r.Spec.ID)
				}
			}
		})
	}
	if !slices.IsSorted(names) {
		t.Errorf("not by name: %v", names)
	}
	set, _ := packed(t, names...)
	if len(set.Rules) < 45 {
		t.Errorf("together they have %d rules", len(set.Rules))
	}
}

// A rule that two packs have is one rule, so that they go together.
func TestPacksAgreeOnTheRulesThatTheyShare(t *testing.T) {
	guide := map[string]rule.Spec{}
	set, _ := packed(t, "guide")
	for _, r := range set.Rules {
		guide[r.Spec.ID] = r.Spec
	}
	shared := map[string][]string{}
	for _, p := range packs.All() {
		if p.Name == "guide" {
			continue
		}
		set, _ := packed(t, p.Name)
		for _, r := range set.Rules {
			want, ok := guide[r.Spec.ID]
			if !ok {
				continue
			}
			shared[p.Name] = append(shared[p.Name], r.Spec.ID)
			if diff := cmp.Diff(want, r.Spec); diff != "" {
				t.Errorf("pack:%s has another %s than pack:guide:\n%s", p.Name, r.Spec.ID, diff)
			}
		}
	}
	want := map[string][]string{
		"redis":    {"redis-down", "redis-hit-rate"},
		"postgres": {"postgres-down", "database-connection-pool", "database-query-time", "database-query-time-change", "database-slow-queries"},
		"http":     {"http-down", "api-response-time", "http-error-rate"},
	}
	if diff := cmp.Diff(want, shared); diff != "" {
		t.Error(diff)
	}
}

// No window is longer than the for beside it, but for those that ask what is
// usual: else one bad poll fires the rule.
func TestOneTerriblePollFiresNothing(t *testing.T) {
	for _, name := range []string{"redis", "postgres", "http", "host"} {
		t.Run(name, func(t *testing.T) {
			for metric := range quietValues() {
				terrible := steady(1e12)
				if strings.HasSuffix(metric, "_rate") || strings.HasSuffix(metric, ".up") || strings.HasSuffix(metric, "_up") ||
					strings.HasSuffix(metric, "expiry") || strings.HasSuffix(metric, "uptime") || strings.HasSuffix(metric, "_free") {
					terrible = steady(0)
				}
				w := quietWorld()
				w.during(2*time.Hour, 2*time.Hour+packPoll, metric, terrible)
				for id, seen := range w.run(t, name, 3*time.Hour) {
					if id != "redis-restarted" {
						t.Errorf("one poll of %s = %v fired %s: %+v", metric, terrible(0), id, seen)
					}
				}
			}
		})
	}
}

const (
	packPoll = 10 * time.Second
	packMB   = 1 << 20
	packGB   = 1 << 30
)

// quietValues is one value of each metric for a service that is well.
func quietValues() map[string]float64 {
	return map[string]float64{
		"redis.up": 1, "redis.loading": 0, "redis.memory_usage": 60, "redis.evictions_per_sec": 0, "redis.ops_per_sec": 1000,
		"redis.client_usage": 20, "redis.rejected_per_sec": 0, "redis.replica_link_up": 1, "redis.errors_per_sec": 0.2,
		"redis.ping": 0.4, "redis.hit_rate": 95, "redis.uptime": 1e6,
		"postgres.up": 1, "postgres.pool_usage": 40, "postgres.pool_waiting": 0, "postgres.connection_usage": 30, "postgres.connect_time": 1,
		"postgres.avg_query_time": 12, "postgres.queries_per_sec": 50, "postgres.slow_queries": 0, "postgres.lock_waiting": 0,
		"postgres.oldest_transaction": 3, "postgres.deadlocks_per_min": 0, "postgres.rollback_rate": 0.5, "postgres.replay_lag": 0,
		"postgres.block_hit_rate": 99, "postgres.temp_bytes_per_sec": 1000,
		"http.up": 1, "http.response_time": 90, "http.error_rate": 0, "http.tls_expiry": 60 * 24 * 3600,
		"host.cpu": 40, "host.load_per_cpu": 0.5, "host.memory_usage": 60, "host.swap_usage": 5, "host.disk_usage": 50,
		"host.disk_free": 100 * packGB, "host.open_files": 5000, "process.open_files_usage": 3,
	}
}

// world gives each metric a value at each moment since it began.
type world map[string]func(at time.Duration) float64

func steady(v float64) func(time.Duration) float64 { return func(time.Duration) float64 { return v } }

func quietWorld() world {
	w := world{}
	for metric, v := range quietValues() {
		w[metric] = steady(v)
	}
	return w
}

func (w world) during(from, to time.Duration, metric string, value func(time.Duration) float64) {
	before := w[metric]
	w[metric] = func(at time.Duration) float64 {
		if at >= from && at < to {
			return value(at)
		}
		return before(at)
	}
}

// sighting is what became of one rule: the first moment of each severity, and
// the message then.
type sighting struct {
	at       map[alert.Severity]time.Duration
	messages map[alert.Severity]string
	resolved bool
}

// run lets a world pass before the rules of a pack.
func (w world) run(t *testing.T, pack string, length time.Duration) map[string]*sighting {
	t.Helper()
	_, rules := packed(t, pack)
	e := rule.NewEvaluator(rules)
	began := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	out := map[string]*sighting{}
	note := func(ts []rule.Transition, at time.Duration) {
		for _, tr := range ts {
			s := out[tr.Alert.Rule]
			switch tr.Kind {
			case alert.EventFiring, alert.EventSeverity:
				if s == nil {
					s = &sighting{at: map[alert.Severity]time.Duration{}, messages: map[alert.Severity]string{}}
					out[tr.Alert.Rule] = s
				}
				if _, known := s.at[tr.Alert.Severity]; !known {
					s.at[tr.Alert.Severity], s.messages[tr.Alert.Severity] = at, tr.Alert.Message
				}
				s.resolved = false
			case alert.EventResolved:
				if s != nil {
					s.resolved = true
				}
			default:
			}
		}
	}
	labels := map[string]alert.Labels{
		"http": alert.LabelsOf("check", "shop", "source", "it"), "process": alert.LabelsOf("process", "tocsin", "source", "it"),
		"host.disk_usage": alert.LabelsOf("mount", "/", "source", "it"), "host.disk_free": alert.LabelsOf("mount", "/", "source", "it"),
	}
	var samples []alert.Sample
	for _, metric := range slices.Sorted(maps.Keys(w)) {
		family, _, _ := strings.Cut(metric, ".")
		set := alert.LabelsOf("source", "it")
		for _, name := range []string{family, metric} {
			if l, ok := labels[name]; ok {
				set = l
			}
		}
		samples = append(samples, alert.Sample{Metric: metric, Labels: set})
	}
	for at := time.Duration(0); at <= length; at += packPoll {
		now := began.Add(at)
		for due := e.NextDue(); !due.IsZero() && due.Before(now); due = e.NextDue() {
			note(e.Tick(due), due.Sub(began))
		}
		for i := range samples {
			samples[i].Value, samples[i].At = w[samples[i].Metric](at), now
		}
		note(e.Observe(slices.Clone(samples), rule.Context{Interval: packPoll}, now), at)
	}
	return out
}

// verdict is one row: from the third hour on a metric has a value, and the rule
// says so at its severity, after its `for`, alone, and in these words; at the
// good value it does not.
type verdict struct {
	pack, rule string
	severity   alert.Severity
	metric     string
	bad, good  float64
	says       string
	// with are other metrics that have another value all the time, whileBad
	// those that have it beside the bad one.
	with, whileBad map[string]float64
	// pace makes bad and good a change in an hour, for so long.
	pace time.Duration
	// rises says that the same value is graver after longer.
	rises bool
}

func TestEveryRuleOfThePacksJudgesRightly(t *testing.T) {
	const day = 24 * 3600.0
	disk := func(usage float64) map[string]float64 { return map[string]float64{"host.disk_usage": usage} }
	free := func(gb float64) map[string]float64 { return map[string]float64{"host.disk_free": gb * packGB} }
	verdicts := []verdict{
		{pack: "redis", rule: "redis-memory", severity: alert.Warning, metric: "redis.memory_usage", bad: 91, good: 90, says: "Redis memory above 90% (91%)"},
		{pack: "redis", rule: "redis-memory", severity: alert.Critical, metric: "redis.memory_usage", bad: 99, good: 97, whileBad: map[string]float64{"redis.errors_per_sec": 5}, says: "Redis memory above 97% (99%): it evicts nothing, and refuses commands"},
		{pack: "redis", rule: "redis-evictions", severity: alert.Warning, metric: "redis.evictions_per_sec", bad: 101, good: 100, says: "Redis evicts 101 keys/sec for want of memory"},
		{pack: "redis", rule: "redis-evictions", severity: alert.Warning, metric: "redis.evictions_per_sec", bad: 1, good: 0.9, with: map[string]float64{"redis.ops_per_sec": 5}, says: "Redis evicts 1 keys/sec"},
		{pack: "redis", rule: "redis-clients", severity: alert.Warning, metric: "redis.client_usage", bad: 81, good: 80, says: "Redis clients above 80% of maxclients (81%)"},
		{pack: "redis", rule: "redis-clients", severity: alert.Critical, metric: "redis.client_usage", bad: 96, good: 95, says: "Redis clients above 95% of maxclients (96%)"},
		{pack: "redis", rule: "redis-rejected-connections", severity: alert.Critical, metric: "redis.rejected_per_sec", bad: 0.1, good: 0, says: "Redis turns connections away at maxclients"},
		{pack: "redis", rule: "redis-replica-link", severity: alert.Warning, metric: "redis.replica_link_up", bad: 0, good: 1, rises: true, says: "Redis replica it has lost its master"},
		{pack: "redis", rule: "redis-replica-link", severity: alert.Critical, metric: "redis.replica_link_up", bad: 0, good: 1, says: "Redis replica it has lost its master"},
		{pack: "redis", rule: "redis-errors", severity: alert.Warning, metric: "redis.errors_per_sec", bad: 11, good: 10, says: "Redis answers 11 commands/sec with errors"},
		{pack: "redis", rule: "redis-errors", severity: alert.Critical, metric: "redis.errors_per_sec", bad: 101, good: 100, says: "Redis answers 101 commands/sec with errors"},
		{pack: "redis", rule: "redis-errors", severity: alert.Warning, metric: "redis.errors_per_sec", bad: 1, good: 0.9, with: map[string]float64{"redis.ops_per_sec": 10}, says: "Redis answers 1 commands/sec with errors"},
		{pack: "redis", rule: "redis-ping", severity: alert.Warning, metric: "redis.ping", bad: 11, good: 10, says: "Redis PING takes 11ms (above 10ms)"},
		{pack: "redis", rule: "redis-ping", severity: alert.Critical, metric: "redis.ping", bad: 101, good: 100, says: "Redis PING takes 101ms (above 100ms)"},
		{pack: "redis", rule: "redis-restarted", severity: alert.Info, metric: "redis.uptime", bad: 299, good: 300, says: "Redis was restarted (it)"},
		{pack: "postgres", rule: "postgres-connections", severity: alert.Warning, metric: "postgres.connection_usage", bad: 81, good: 80, says: "Database connections above 80% of max_connections (81%)"},
		{pack: "postgres", rule: "postgres-connections", severity: alert.Critical, metric: "postgres.connection_usage", bad: 96, good: 95, says: "Database connections above 95% of max_connections (96%)"},
		{pack: "postgres", rule: "postgres-round-trip", severity: alert.Warning, metric: "postgres.connect_time", bad: 101, good: 100, says: "Database answers SELECT 1 in 101ms (above 100ms)"},
		{pack: "postgres", rule: "postgres-round-trip", severity: alert.Critical, metric: "postgres.connect_time", bad: 1001, good: 1000, says: "Database answers SELECT 1 in 1001ms"},
		{pack: "postgres", rule: "postgres-lock-waiting", severity: alert.Warning, metric: "postgres.lock_waiting", bad: 5, good: 4, says: "5 statements wait for locks"},
		{pack: "postgres", rule: "postgres-lock-waiting", severity: alert.Critical, metric: "postgres.lock_waiting", bad: 20, good: 19, says: "20 statements wait for locks"},
		{pack: "postgres", rule: "postgres-long-transaction", severity: alert.Warning, metric: "postgres.oldest_transaction", bad: 3700, good: 3600, says: "A transaction has been open for 1h1m"},
		{pack: "postgres", rule: "postgres-long-transaction", severity: alert.Critical, metric: "postgres.oldest_transaction", bad: 6*3600 + 60, good: 6 * 3600, says: "A transaction has been open for 6h1m"},
		{pack: "postgres", rule: "postgres-deadlocks", severity: alert.Warning, metric: "postgres.deadlocks_per_min", bad: 1, good: 0.9, says: "1 deadlocks a minute"},
		{pack: "postgres", rule: "postgres-rollbacks", severity: alert.Warning, metric: "postgres.rollback_rate", bad: 11, good: 10, says: "11% of the transactions are rolled back"},
		{pack: "postgres", rule: "postgres-replay-lag", severity: alert.Warning, metric: "postgres.replay_lag", bad: 31, good: 30, says: "Standby it is 31s behind"},
		{pack: "postgres", rule: "postgres-replay-lag", severity: alert.Critical, metric: "postgres.replay_lag", bad: 301, good: 300, says: "Standby it is 5m1s behind"},
		{pack: "postgres", rule: "postgres-block-hit-rate", severity: alert.Warning, metric: "postgres.block_hit_rate", bad: 89, good: 90, says: "Database finds 89% of its blocks in shared buffers (below 90%)"},
		{pack: "postgres", rule: "postgres-temp-files", severity: alert.Warning, metric: "postgres.temp_bytes_per_sec", bad: 10 * packMB, good: 10e6, says: "Database writes 10MB/s of temporary files"},
		{pack: "http", rule: "http-tls-expiry", severity: alert.Info, metric: "http.tls_expiry", bad: 29 * day, good: 30 * day, says: "Certificate of shop expires in 29d"},
		{pack: "http", rule: "http-tls-expiry", severity: alert.Warning, metric: "http.tls_expiry", bad: 13 * day, good: 14 * day, says: "Certificate of shop expires in 13d"},
		{pack: "http", rule: "http-tls-expiry", severity: alert.Critical, metric: "http.tls_expiry", bad: 2 * day, good: 3 * day, says: "Certificate of shop expires in 2d"},
		{pack: "http", rule: "http-tls-expiry", severity: alert.Critical, metric: "http.tls_expiry", bad: -60, good: 3 * day, says: "Certificate of shop has expired"},
		{pack: "host", rule: "host-cpu", severity: alert.Warning, metric: "host.cpu", bad: 91, good: 90, says: "CPU above 90% for 15 minutes (91%)"},
		{pack: "host", rule: "host-load", severity: alert.Warning, metric: "host.load_per_cpu", bad: 2.1, good: 2, says: "Load is 2.1 for each core (above 2)"},
		{pack: "host", rule: "host-load", severity: alert.Critical, metric: "host.load_per_cpu", bad: 4.1, good: 4, whileBad: map[string]float64{"host.cpu": 100}, says: "Load is 4.1 for each core (above 4)"},
		{pack: "host", rule: "host-memory", severity: alert.Warning, metric: "host.memory_usage", bad: 91, good: 90, says: "Memory of the machine above 90% (91%)"},
		{pack: "host", rule: "host-memory", severity: alert.Critical, metric: "host.memory_usage", bad: 98, good: 97, says: "Memory of the machine above 97% (98%)"},
		{pack: "host", rule: "host-swap", severity: alert.Warning, metric: "host.swap_usage", bad: 81, good: 80, with: map[string]float64{"host.memory_usage": 85}, says: "Swap above 80% while memory is short"},
		{pack: "host", rule: "host-swap", severity: alert.Warning, metric: "host.memory_usage", bad: 81, good: 80, with: map[string]float64{"host.swap_usage": 90}, says: "Swap above 80% while memory is short"},
		{pack: "host", rule: "host-disk", severity: alert.Warning, metric: "host.disk_usage", bad: 86, good: 85, with: free(40), says: "Disk / above 85% (86%)"},
		{pack: "host", rule: "host-disk", severity: alert.Critical, metric: "host.disk_usage", bad: 96, good: 95, with: free(10), says: "Disk / above 95% (96%)"},
		{pack: "host", rule: "host-disk-filling", severity: alert.Warning, metric: "host.disk_free", bad: -6 * packGB, good: -2 * packGB, with: disk(61), pace: 5*time.Hour + 30*time.Minute, says: "Disk / will be full within a day ("},
		{pack: "host", rule: "host-disk-filling", severity: alert.Critical, metric: "host.disk_free", bad: -30 * packGB, good: -10 * packGB, with: disk(81), pace: 100 * time.Minute, says: "Disk / will be full within 4 hours ("},
		{pack: "host", rule: "process-open-files", severity: alert.Warning, metric: "process.open_files_usage", bad: 71, good: 70, says: "tocsin has above 70% of its file descriptors open (71%)"},
		{pack: "host", rule: "process-open-files", severity: alert.Critical, metric: "process.open_files_usage", bad: 91, good: 90, says: "tocsin has above 90% of its file descriptors open (91%)"},
		{pack: "host", rule: "host-open-files", severity: alert.Info, metric: "host.open_files", bad: 15001, good: 15000, says: "15001 files are open, an hour ago 5000"},
	}
	judged := map[string]bool{}
	for _, v := range verdicts {
		judged[v.rule+" "+v.severity.String()] = true
		t.Run(fmt.Sprint(v.rule, "/", v.severity, "/", v.bad), func(t *testing.T) {
			t.Parallel()
			v.check(t)
		})
	}
	_, guide := packed(t, "guide")
	for _, name := range []string{"redis", "postgres", "http", "host"} {
		_, rules := packed(t, name)
		for _, r := range rules {
			ofGuide := slices.ContainsFunc(guide, func(g *rule.Rule) bool { return g.ID == r.ID })
			for _, severity := range alert.Severities() {
				if _, has := r.Condition(severity); has && !ofGuide && !judged[r.ID+" "+severity.String()] {
					t.Errorf("nothing judges %s of %s", severity, r.ID)
				}
			}
		}
	}
}

func (v verdict) check(t *testing.T) {
	_, rules := packed(t, v.pack)
	r := rules[slices.IndexFunc(rules, func(r *rule.Rule) bool { return r.ID == v.rule })]
	condition, ok := r.Condition(v.severity)
	if !ok {
		t.Fatalf("%s has no %s", v.rule, v.severity)
	}
	const begins = 8 * time.Hour
	ends := begins + condition.For + 12*time.Minute // no window beside them is longer than 10m
	if v.pace > 0 {
		ends = begins + v.pace
	}
	value := func(wanted float64) func(time.Duration) float64 {
		if v.pace == 0 {
			return steady(wanted)
		}
		from := quietValues()[v.metric]
		return func(at time.Duration) float64 { return from + wanted*(at-begins).Hours() }
	}
	world := func(wanted float64) world {
		w := quietWorld()
		for metric, value := range v.with {
			w[metric] = steady(value)
		}
		w.during(begins, ends, v.metric, value(wanted))
		for metric, value := range v.whileBad {
			w.during(begins, ends, metric, steady(value))
		}
		return w
	}
	bad := world(v.bad).run(t, v.pack, ends+2*time.Hour)
	seen := bad[v.rule]
	if seen == nil {
		t.Fatalf("%s = %v fires nothing", v.metric, v.bad)
	}
	at, fired := seen.at[v.severity]
	switch {
	case !fired:
		t.Errorf("%s = %v is not %s: %+v", v.metric, v.bad, v.severity, seen.at)
	case at-begins < condition.For:
		t.Errorf("fired after %s, before its for of %s", at-begins, condition.For)
	}
	if message := seen.messages[v.severity]; !strings.HasPrefix(message, v.says) {
		t.Errorf("message %q, want %q", message, v.says)
	}
	for severity := range seen.at {
		if severity > v.severity && !v.rises {
			t.Errorf("%s = %v is even %s", v.metric, v.bad, severity)
		}
	}
	if !seen.resolved {
		t.Errorf("two hours after the end it still fires")
	}
	for other, s := range bad {
		if other != v.rule {
			t.Errorf("%s fires beside it: %+v", other, s.messages)
		}
	}
	if good := world(v.good).run(t, v.pack, ends)[v.rule]; good != nil {
		if _, fired := good.at[v.severity]; fired {
			t.Errorf("%s = %v is %s: %+v", v.metric, v.good, v.severity, good.messages)
		}
	}
}

func TestPacksAreQuiet(t *testing.T) {
	const from, until = 2 * time.Hour, 30 * time.Hour
	sleeps := func(at time.Duration) bool { return at > 20*time.Hour }
	for name, tc := range map[string]struct {
		pack  string
		world map[string]func(time.Duration) float64
	}{
		"a cache that is full, and evicts by day": {"redis", map[string]func(time.Duration) float64{
			"redis.memory_usage": steady(99.9),
			"redis.evictions_per_sec": func(at time.Duration) float64 {
				if sleeps(at) {
					return 0
				}
				return 30
			},
		}},
		"a Redis that nobody asks": {"redis", map[string]func(time.Duration) float64{
			"redis.ops_per_sec": steady(0.2), "redis.errors_per_sec": steady(0.1), "redis.evictions_per_sec": steady(0),
		}},
		"a driver that ends every read with a ROLLBACK": {"postgres", map[string]func(time.Duration) float64{"postgres.rollback_rate": steady(60)}},
		"a report that writes 2 GB of files now and then": {"postgres", map[string]func(time.Duration) float64{
			"postgres.temp_bytes_per_sec": func(at time.Duration) float64 {
				if at%time.Hour < 3*time.Minute {
					return 12e6
				}
				return 0
			},
		}},
		"few queries, read from the disk": {"postgres", map[string]func(time.Duration) float64{
			"postgres.queries_per_sec": steady(2), "postgres.block_hit_rate": steady(40),
		}},
		"a nightly dump of 40 minutes": {"postgres", map[string]func(time.Duration) float64{
			"postgres.oldest_transaction": func(at time.Duration) float64 { return min(2400, max(0, (at-from).Seconds())) },
		}},
		"a certificate that is renewed a day after it may be": {"http", map[string]func(time.Duration) float64{
			"http.tls_expiry": func(at time.Duration) float64 {
				if left := 30*24*time.Hour + 5*time.Hour - at; left > 29*24*time.Hour {
					return left.Seconds()
				}
				return 90 * 24 * 3600
			},
		}},
		"a disk of 10 TB, 90% full": {"host", map[string]func(time.Duration) float64{
			"host.disk_usage": steady(90), "host.disk_free": steady(1000 * packGB),
		}},
		"old pages in the swap": {"host", map[string]func(time.Duration) float64{"host.swap_usage": steady(100)}},
		"a backup is copied, and removed": {"host", map[string]func(time.Duration) float64{
			"host.disk_usage": steady(82),
			"host.disk_free": func(at time.Duration) float64 {
				if since := at - 10*time.Hour; since > 0 && since < 25*time.Minute {
					return (100 - 60*since.Minutes()/25) * packGB
				}
				return 100 * packGB
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := quietWorld()
			for metric, value := range tc.world {
				w.during(0, until, metric, value)
			}
			for id, seen := range w.run(t, tc.pack, until) {
				t.Errorf("%s: %+v", id, seen)
			}
		})
	}
}
