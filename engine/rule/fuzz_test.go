package rule

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// FuzzCompileCondition: no text makes the compiler panic, every problem stands
// within the text, and what compiles can be judged over any series.
func FuzzCompileCondition(f *testing.F) {
	for _, r := range shipped(f) {
		for _, when := range [...]string{r.Spec.Critical.When, r.Spec.Warning.When, r.Spec.Info.When, r.Spec.Clear} {
			f.Add(when, r.Metric.Name, []byte("\x01\x00\x00\x00\x00\x00\xf0?seed of the series"))
		}
	}
	for _, text := range [...]string{
		"", "value <", "< 70", "value < 5mz", `labels.x in ["a", 1]`, "1..5", "let x = 1; x", "value ?? 1 > 2", "((((", "5m(3)", "labels.5m == ''",
		"value < (age > 5m ? 70 : 85%)", "not (value in [1, 2, 3])", "`a", "'\\", "if value > 1 {true} else {false}", "value < 1e400", "µs", "avg(5µs) < 1",
		"value | abs < 1", "#.x", "{a: 1}", "[1][0]", "value ** 9999 > 1", "p99(1h) - p1(1h) > 0", "\xff < 1", "value < 70 // comment", "sum(8d) > 1", "!(value < 70%)",
		"forecast(4h) > 95 or forecast(30d, 8d) > 95", "value < baseline(1h, 7d) * 0.7", "zscore(10m, 1d) < -3 and spread(12h, 35d) > 1", "zscore(1h) > 3",
		`time() >= 9h and time("Europe/Berlin") < "17:30"`, `weekday() in ["sat", "sun"] and not (weekday("UTC") == 6)`, "now() - value > 25h", `time("") < 1h`,
		`metric("redis.ping").forecast(4h) > 1ms`, `sum(metric("redis.keys")) > 1`, `sum(metric("redis.keys").rate(5m))`, `max(avg(metric("redis.keys"), 1m)) / 2`, `metric("redis.keys") + 1`,
	} {
		f.Add(text, "cache.hit_rate", []byte{})
	}
	f.Fuzz(func(t *testing.T, text, metric string, data []byte) {
		m, ok := catalog().Lookup(metric)
		if !ok {
			m, _ = catalog().Lookup("postgres.avg_query_time")
		}
		fuzzExpression(t, text, data)
		CompileCondition(text, m, catalog(), Options{Margin: Margin{Absolute: 1, Relative: 0.1}})
		c, problems := CompileCondition(text, m, catalog(), Options{})
		for _, p := range problems {
			if p.Offset < 0 || p.Offset > len(text) {
				t.Fatalf("%q: offset %d lies outside: %v", text, p.Offset, p)
			}
			if p.Message == "" {
				t.Fatalf("%q: a problem without a message", text)
			}
		}
		if c == nil {
			if len(problems) == 0 {
				t.Fatalf("%q: neither a condition nor a problem", text)
			}
			return
		}
		s := &Series{Labels: alert.LabelsOf("source", "cache", "strategy", "A")}
		s.Keep(c.windows[m.Name])
		s.KeepCoarse(c.baselines[m.Name])
		frame := &frame{series: s, other: func(string, alert.Labels) *Series { return s }}
		now := epoch
		frame.now = now.UnixNano()
		c.eval(frame)
		c.Trace(frame)
		for len(data) >= 8 {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data))
			now = now.Add(time.Duration(data[0]) * 7 * time.Second)
			data = data[8:]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			s.Append(now, v)
			frame.now = now.UnixNano()
			got := c.eval(frame)
			if c.eval(frame) != got {
				t.Fatalf("%q: judged twice, said twice something else", text)
			}
			c.explain(frame, got == True)
			if trace := c.Trace(frame); trace.Holds != got.String() {
				t.Fatalf("%q is %s, and its trace says %s", text, got, trace.Holds)
			}
		}
		c.Comparisons()
	})
}

// fuzzExpression does the same with the text as a derived metric's expression.
func fuzzExpression(t *testing.T, text string, data []byte) {
	t.Helper()
	e, problems := CompileExpression(text, catalog(), Options{})
	if (e == nil) != (len(problems) > 0) {
		t.Fatalf("%q: expression %v, problems %v", text, e, problems)
	}
	for _, p := range problems {
		if p.Offset < 0 || p.Offset > len(text) || p.Message == "" {
			t.Fatalf("%q: a problem that stands nowhere, or says nothing: %v", text, p)
		}
	}
	if e == nil {
		return
	}
	group := []*Series{{}, {}}
	for i, b := range data {
		group[i%2].Append(epoch.Add(time.Duration(i)*time.Second), float64(b))
	}
	for n := range 3 {
		if v := e.Eval(epoch.Add(time.Minute), func(string) []*Series { return group[:n] }); math.IsInf(v, 0) {
			t.Fatalf("%q is infinite", text)
		}
	}
}

// FuzzMessage: no template panics, hangs or floods.
func FuzzMessage(f *testing.F) {
	for _, r := range shipped(f) {
		f.Add(r.Spec.Message, 82.3, "USER_RUNS")
	}
	for _, text := range [...]string{
		"{{", "{{ .Nope }}", "{{ range .Labels }}{{ . }}{{ end }}", "{{ range 9999999999 }}{{ end }}", `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
		`{{ printf "%999999d" 1 }}`, "{{ .StartsAt.In nil }}", "{{ duration .Value }}", "{{ bytes .Threshold }}", "{{ index .Labels 3 }}", "  ", "{{ with $x := .Value }}{{ $x.Float }}{{ end }}",
		"{{ range $k, $v := .Labels }}{{ $k }}={{ $v }} {{ end }}", "{{ range $.Labels }}{{ range $.Labels }}{{ end }}{{ end }}", "{{ block \"x\" . }}{{ end }}",
	} {
		f.Add(text, math.NaN(), "")
	}
	f.Fuzz(func(t *testing.T, text string, value float64, strategy string) {
		r, problems := Compile(Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 85"}, Message: text, Annotations: map[string]string{"note": text}}, catalog())
		if (r == nil) != (len(problems) > 0) {
			t.Fatalf("rule %v, problems %v", r, problems)
		}
		if r == nil {
			return
		}
		a := alert.Alert{Labels: alert.LabelsOf("strategy", strategy), Value: alert.Number(value), Threshold: alert.Unknown(), Severity: alert.Warning}
		r.Describe(&a)
		if len(a.Message) > maxMessageBytes+2*maxTemplateBytes+1024+len(strategy)*4 {
			t.Fatalf("a message of %d bytes", len(a.Message))
		}
	})
}

// FuzzCompile: no rule panics, each comes out compiled or with problems whose
// paths are fields of a rule, and what compiles can be played.
func FuzzCompile(f *testing.F) {
	for _, r := range shipped(f) {
		s := r.Spec
		f.Add(s.ID, s.Category, s.Metric, strings.Join(s.Match, "\n"), s.Critical.When, s.Warning.When, s.Clear, s.NoData, s.Message, "team", int64(s.For), int64(s.WarmUp))
	}
	f.Add("", "", "", "=", "", "", "", "never", "{{", "severity", int64(-1), int64(-1))
	f.Add("r", "c", "cache.hit_rate", "strategy =~ (", "value < 1", "age > 5s", "value ?? 0 > 1", "critical", "", "strategy", int64(math.MaxInt64), int64(1))
	f.Fuzz(func(t *testing.T, id, category, metric, match, critical, warning, clearWhen, noData, message, label string, hold, warmUp int64) {
		spec := Spec{
			ID: id, Category: category, Metric: metric, Critical: When{When: critical}, Warning: When{When: warning, For: duration(time.Duration(hold))},
			Clear: clearWhen, NoData: noData, Message: message, Labels: map[string]string{label: "x"}, For: time.Duration(hold), WarmUp: time.Duration(warmUp),
		}
		if match != "" {
			spec.Match = strings.Split(match, "\n")
		}
		r, problems := Compile(spec, catalog())
		if (r == nil) != (len(problems) > 0) {
			t.Fatalf("rule %v, problems %v", r, problems)
		}
		for _, p := range problems {
			field, _, _ := strings.Cut(p.Path, ".")
			field, _, _ = strings.Cut(field, "[")
			switch field {
			case "", "id", "metric", "match", "critical", "warning", "info", "clear", "for", "no_data", "no_data_after", "warm_up", "message", "labels", "annotations":
			default:
				t.Fatalf("a problem at %q: %v", p.Path, p)
			}
		}
		if r == nil {
			return
		}
		e := NewEvaluator([]*Rule{r})
		now := epoch
		for i := range 12 {
			now = now.Add(20 * time.Second)
			if due := e.NextDue(); !due.IsZero() && !due.After(now) {
				e.Tick(now)
			}
			e.Observe([]alert.Sample{{Metric: r.Metric.Name, Labels: alert.LabelsOf("source", "s", "strategy", "A"), Value: float64(i*37%100) - 10, At: now}}, Context{Interval: 20 * time.Second, StartedAt: epoch}, now)
			if len(e.Alerts()) > 1 {
				t.Fatal("two alerts of one series")
			}
		}
		alerts := e.Alerts()
		next := NewEvaluator([]*Rule{r})
		if out := next.Restore(alerts, now); len(out) > 0 {
			t.Fatalf("not restored: %+v", out)
		}
		if len(next.Alerts()) != len(alerts) {
			t.Fatal("a restart lost an alert")
		}
	})
}
