package rule

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

func compiled(t *testing.T, metric, text string, o Options) *Condition {
	t.Helper()
	c, problems := CompileCondition(text, mustLookup(t, metric), source.NewCatalog(nil, false), o)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", text, problems.Err())
	}
	return c
}

func mustLookup(t *testing.T, name string) source.Metric {
	t.Helper()
	m, ok := source.NewCatalog(nil, false).Lookup(name)
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	return m
}

func TestMistakesInTheLanguage(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"time() - value > 25h", "now() is seconds since 1970"},
		{"-time() > 25h", "now() is seconds since 1970"},
		{"time() * 2 > 25h", "one cannot calculate"},
		{"time() > 9", `write 9h or "09:00"`},
		{"time() > 25h", "a time of day is from 0h to 24h"},
		{"-1h < time()", "a time of day is from 0h to 24h"},
		{"weekday() == 7", "the days are 0 (Sunday) to 6"},
		{"weekday() in [6, 7]", "the days are 0 (Sunday) to 6"},
		{`time() > "25:00"`, `"25:00" is not a time of day`},
		{`time("Europe/Berlinn") > 9h`, `unknown time zone "Europe/Berlinn"`},
		{`time("Local") > 9h`, `unknown time zone "Local"`},
		{"time(5m) > 9h", "wants at most a time zone"},
		{"now(1) > 9h", "now wants nothing"},
		{`weekday() == "mondey"`, `did you mean "monday"?`},
		{`weekday() in ["sat", "sonntag"]`, `"sonntag" is not a day of the week`},
		{"weekday() + 1 == 2", "one cannot calculate"},
		{"forecast(4h, 9d) < 5", "a window is longer than 0 and at most 8d"},
		{"forecast(30d) < 5", "say over what window, as in forecast(30d, 7d)"},
		{"forecast() < 5", "write forecast(4h)"},
		{"value < baseline(1h)", "baseline wants a width and a period"},
		{"value < baseline(1h, 36h)", "a period is whole days"},
		{"value < baseline(1h, 36d)", "a period is longer than 0 and at most 35d"},
		{"value < baseline(13h, 7d)", "a width is longer than 0 and at most 12h"},
		{"value < baseline(5m, 7d)", "a width is at least 10m"},
		{"zscore() > 3", "zscore wants one window"},
		{"zscore(1h, 7d) > 5ms", "does not go with a time"},
		{"baseline(1h, 7d) > 5MB", "does not go with a size in bytes"},
		{"forecst(4h) > 5", `did you mean "forecast"?`},
		{`sum(metric("redis.ops_per_sec")) > 5`, "to join series, make a derived metric"},
		{`metric("redis.ping").forecast(4x) > 5`, `unknown unit in "4x"`},
	} {
		_, problems := CompileCondition(tc.text, mustLookup(t, "cache.hit_rate"), source.NewCatalog(nil, false), Options{})
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", tc.text, err, tc.want)
		}
	}
}

func TestTheClockInConditions(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text, at string // UTC
		want     Truth
	}{
		{"time() >= 9h and time() < 17h30m", "2026-01-15T08:00:00Z", True}, // 9:00 in Berlin
		{"time() >= 9h and time() < 17h30m", "2026-01-15T07:59:59Z", False},
		{"time() >= 9h and time() < 17h30m", "2026-07-15T15:29:59Z", True},
		{"time() >= 9h and time() < 17h30m", "2026-07-15T15:30:00Z", False},
		{`time() >= "09:00" and "17:30" > time()`, "2026-07-15T07:00:00Z", True},
		{`time("UTC") == "07:00:30"`, "2026-07-15T07:00:30Z", True},
		{`time("America/New_York") < 4h`, "2026-07-15T07:00:00Z", True},
		{`weekday() in ["sat", "Sunday"]`, "2026-01-16T23:00:00Z", True}, // Saturday in Berlin
		{`weekday() in ["sat", "sun"]`, "2026-01-16T22:59:59Z", False},
		{`weekday("UTC") == "friday" and weekday() == 6 and weekday() != "fri"`, "2026-01-16T23:00:00Z", True},
		{`now() == 1768604400 and now() - value > 25h`, "2026-01-16T23:00:00Z", True},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		s := &Series{}
		s.Append(at, 90)
		metric := "cache.hit_rate"
		if strings.Contains(tc.text, "now()") {
			metric = "postgres.oldest_transaction"
		}
		c := compiled(t, metric, tc.text, Options{Zone: berlin})
		if got := c.eval(&frame{now: at.UnixNano(), series: s}); got != tc.want {
			t.Errorf("%s at %s is %v, want %v", tc.text, tc.at, got, tc.want)
		}
	}
}

func TestAMarginHoldsLonger(t *testing.T) {
	for _, tc := range []struct {
		text   string
		margin Margin
		value  float64
		want   Truth
	}{
		{"value < 70", Margin{}, 71, False},
		{"value < 70", Margin{Absolute: 2}, 71, True},
		{"value < 70", Margin{Absolute: 2}, 72, False},
		{"value <= 70", Margin{Absolute: 2}, 72, True},
		{"70 > value", Margin{Absolute: 2}, 71, True},
		{"value > 70", Margin{Absolute: 2}, 69, True},
		{"value >= 70", Margin{Absolute: 2}, 67, False},
		{"value > 70", Margin{Relative: 0.1}, 64, True},
		{"value > -70", Margin{Relative: 0.1}, -76, True},
		{"avg(5m) < 70 and value > 10", Margin{Relative: 0.1}, 76, True},
		{"not (value >= 70)", Margin{Absolute: 2}, 71, True},
		{"not (not (value < 70))", Margin{Absolute: 2}, 71, True},
		{"value == 70", Margin{Absolute: 2}, 71, False},
		{"value < 70 ? true : false", Margin{Absolute: 2}, 71, False},
		{`metric("redis.up") < 70`, Margin{Absolute: 2}, 71, False},
		{"count(5m) > 1", Margin{Absolute: 2}, 71, False},
	} {
		s := &Series{}
		s.Append(epoch, tc.value)
		c := compiled(t, "cache.hit_rate", tc.text, Options{Margin: tc.margin})
		if got := c.eval(&frame{now: epoch.UnixNano(), series: s, other: func(string, alert.Labels) *Series { return s }}); got != tc.want {
			t.Errorf("%s with %+v over %v is %v, want %v", tc.text, tc.margin, tc.value, got, tc.want)
		}
	}
	// The margin is in the metric's unit, whatever the threshold is written in.
	s := &Series{}
	s.Append(epoch, 195)
	c := compiled(t, "postgres.avg_query_time", "value > 0.2s", Options{Margin: Margin{Absolute: 10}})
	if got := c.eval(&frame{now: epoch.UnixNano(), series: s}); got != True {
		t.Errorf("195 ms > 0.2s with 10 ms of margin is %v", got)
	}
}

func TestDerivedMetrics(t *testing.T) {
	series := func(values ...float64) *Series {
		s := &Series{}
		s.Keep(time.Hour)
		for i, v := range values {
			s.Append(epoch.Add(time.Duration(i-len(values)+1)*10*time.Second), v)
		}
		return s
	}
	groups := map[string][]*Series{
		"redis.ops_per_sec":       {series(10, 20), series(5, 45), series(70)},
		"redis.memory_used":       {series(512 << 20)},
		"redis.memory_max":        {series(1 << 30)},
		"redis.keys":              {series(100, 120, 140), series(0, 10, 20)},
		"postgres.avg_query_time": {series(1500)},
	}
	for _, tc := range []struct {
		text string
		want float64
		unit string
	}{
		{`sum(metric("redis.ops_per_sec"))`, 135, ""},
		{`avg(metric("redis.ops_per_sec"))`, 45, ""},
		{`min(metric("redis.ops_per_sec")) + max(metric("redis.ops_per_sec"))`, 90, ""},
		{`count(metric("redis.ops_per_sec"))`, 3, ""},
		{`count(metric("postgres.slow_queries"))`, 0, ""},
		{`sum(metric("postgres.slow_queries"))`, math.NaN(), ""},
		{`metric("redis.ops_per_sec")`, math.NaN(), ""}, // which of the three?
		{`metric("redis.memory_used")`, 512 << 20, "bytes"},
		{`metric("redis.memory_used") / 1GB * 100`, 50, ""},
		{`sum(metric("redis.keys").rate(1m))`, 3, ""},
		{`max(avg(metric("redis.keys"), 1m))`, 120, ""},
		{`max(metric("redis.ops_per_sec").max(1m))`, 70, ""},
		{`metric("postgres.avg_query_time").avg(1m)`, 1500, "ms"},
		{`min(sum(metric("redis.keys")), 7)`, 7, ""},
	} {
		e, problems := CompileExpression(tc.text, source.NewCatalog(nil, false), Options{})
		if len(problems) > 0 {
			t.Errorf("%s: %v", tc.text, problems.Err())
			continue
		}
		got := e.Eval(epoch, func(metric string) []*Series { return groups[metric] })
		if got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) || e.Unit() != tc.unit {
			t.Errorf("%s is %v %q, want %v %q", tc.text, got, e.Unit(), tc.want, tc.unit)
		}
	}
	e, _ := CompileExpression(`metric("postgres.avg_query_time")`, source.NewCatalog(nil, false), Options{})
	inSeconds, ok := e.In("s")
	if !ok || inSeconds.Eval(epoch, func(metric string) []*Series { return groups[metric] }) != 1.5 {
		t.Error("1500 ms are not 1.5 s")
	}
	if _, ok := e.In("bytes"); ok {
		t.Error("a time passes as a size")
	}
	e, _ = CompileExpression(`sum(metric("redis.keys").avg(5m)) / metric("redis.memory_used")`, source.NewCatalog(nil, false), Options{})
	if diff := cmp.Diff([]Read{{"redis.keys", true}, {"redis.memory_used", false}}, e.Reads()); diff != "" {
		t.Error(diff)
	}
	if got := e.Lookback()["redis.keys"]; got != 5*time.Minute {
		t.Errorf("the window over redis.keys is %s", got)
	}
	for text, want := range map[string]string{
		"value * 2":                              "value is not there in a derived metric",
		"avg(5m)":                                "no series of its own to look back over",
		`labels.x == "a" ? 1 : 2`:                "labels is not there",
		"age":                                    "age is not there",
		`sum(sum(metric("redis.keys")))`:         "sum joins the series already",
		`metric("redis.keys") > 1`:               "not a number",
		"1 + 1":                                  "reads no metric",
		"":                                       "empty expression",
		`metric("redis.keyz")`:                   "did you mean",
		`sum(metric("redis.memory_used")) < 5ms`: "does not go with",
	} {
		_, problems := CompileExpression(text, source.NewCatalog(nil, false), Options{})
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
}

func TestTraceTellsWhy(t *testing.T) {
	s := &Series{Labels: alert.LabelsOf("strategy", "A")}
	s.Keep(time.Hour)
	s.Append(epoch, 60)
	c := compiled(t, "cache.hit_rate", `< 70  and not ((value + 1) / (value - 60) > 85%) and (change_pct( 1h ) > 5 or metric("redis.ping").avg(5m) > 10ms or labels.strategy in ["B", "A)"])`, Options{})
	got := c.Trace(&frame{now: epoch.UnixNano(), series: s, other: func(string, alert.Labels) *Series { return nil }})
	want := `unknown  < 70 and not ((value + 1) / (value - 60) > 85%) and (change_pct(1h) > 5 or metric("redis.ping").avg(5m) > 10ms or labels.strategy in ["B", "A)"])
  true  value < 70  [value = 60 % | 70 = 70 % fixed]
  unknown  not ((value + 1) / (value - 60) > 85%)
    unknown  (value + 1) / (value - 60) > 85%  [(value + 1) / (value - 60) = null %: division by zero | 85% = 85 % fixed]
  unknown  change_pct(1h) > 5 or metric("redis.ping").avg(5m) > 10ms or labels.strategy in ["B", "A)"]
    unknown  change_pct(1h) > 5  [change_pct(1h) = null %: no sample of cache.hit_rate from 1h ago | 5 = 5 % fixed]
    unknown  metric("redis.ping").avg(5m) > 10ms  [metric("redis.ping").avg(5m) = null ms: no sample of redis.ping | 10ms = 10 ms fixed]
    false  labels.strategy in ["B", "A)"]  [labels.strategy = null is A]
`
	if diff := cmp.Diff(want, written(t, got, "")); diff != "" {
		t.Error(diff)
	}
}

// written writes a trace one part a line: holds, text, and the two sides.
func written(t *testing.T, part Trace, indent string) string {
	t.Helper()
	line := indent + part.Holds + "  " + part.Text
	var sides []string
	for _, side := range [...]*TraceValue{part.Left, part.Right} {
		if side == nil {
			continue
		}
		value, err := json.Marshal(side.Value)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(side.Text + " = " + string(value) + " " + side.Unit)
		switch {
		case side.Why != "":
			text += ": " + side.Why
		case side.Is != nil:
			text += " is " + *side.Is
		case side.Fixed:
			text += " fixed"
		}
		sides = append(sides, text)
	}
	if len(sides) > 0 {
		line += "  [" + strings.Join(sides, " | ") + "]"
	}
	line += "\n"
	for _, inner := range part.Parts {
		line += written(t, inner, indent+"  ")
	}
	return line
}

func TestWhyAConditionIsUnknown(t *testing.T) {
	for text, want := range map[string]string{
		"forecast(4h, 1h) > 90":               "less than 30m of history of cache.hit_rate",
		"value < baseline(1h, 7d)":            "cache.hit_rate has samples around this time of day on 0 of the 7 days before; it takes 3",
		"zscore(1h) > 3":                      "all samples are the same",
		"stddev(10s) > 3":                     "only one sample of cache.hit_rate in the last 10s",
		`metric("redis.ping") > 3`:            "the last sample of redis.ping is 10m old",
		`metric("redis.up") > 3`:              "no sample of redis.up",
		"change(30m) > 3":                     "no sample of cache.hit_rate from 30m ago",
		"sqrt(value - 100) > 3":               "sqrt of a number that has none",
		"(avg(10s) > 1 ? zscore(1h) : 0) > 3": "all samples are the same",
		"-abs(zscore(1h)) + 1 < 3":            "all samples are the same",
	} {
		s, old := &Series{}, &Series{}
		for i := range 5 {
			s.Append(epoch.Add(time.Duration(i-4)*time.Minute), 60)
		}
		s.Keep(time.Hour)
		for i := range 5 {
			s.Append(epoch.Add(time.Duration(i+1)*time.Minute), 60)
		}
		old.Append(epoch.Add(-5*time.Minute), 1)
		c := compiled(t, "cache.hit_rate", text, Options{})
		trace := c.Trace(&frame{now: epoch.Add(5 * time.Minute).UnixNano(), series: s, other: func(metric string, _ alert.Labels) *Series {
			if metric == "redis.ping" {
				return old
			}
			return nil
		}})
		why := trace.Left.Why + trace.Right.Why
		if why != want || trace.Holds != "unknown" {
			t.Errorf("%s is %s: %q, want %q", text, trace.Holds, why, want)
		}
	}
}

func TestFormOfConditions(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []Comparison
		join FormKind
	}{
		{"< 70", []Comparison{{"value", "<", 70, "%"}}, FormCompare},
		{"70 >= avg( 5m )", []Comparison{{"avg(5m)", "<=", 70, "%"}}, FormCompare},
		{"value > 10 and value < 70 and count(5m) > 3", []Comparison{{"value", ">", 10, "%"}, {"value", "<", 70, "%"}, {"count(5m)", ">", 3, ""}}, FormAnd},
		{"(value > 10) || (value < 2 * 3)", []Comparison{{"value", ">", 10, "%"}, {"value", "<", 6, "%"}}, FormOr},
		{"value > 10 or value < 5 and age > 5m", nil, FormOr},
		{"not (value > 10)", nil, FormNot},
		{`labels.x matches "a"`, nil, FormOther},
	} {
		got, join := compiled(t, "cache.hit_rate", tc.text, Options{}).Comparisons()
		if diff := cmp.Diff(tc.want, got); diff != "" || join != tc.join {
			t.Errorf("%s: joined by %s\n%s", tc.text, join, diff)
		}
	}
	list, _ := compiled(t, "postgres.avg_query_time", "value > 0.2s", Options{}).Comparisons()
	if diff := cmp.Diff([]Comparison{{"value", ">", 200, "ms"}}, list); diff != "" {
		t.Error(diff)
	}
}
