package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

func TestAForecastDoesNotPassForTheValue(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "forecast(10m, 1m) > 95"}})
	var fired alert.Alert
	for v := 50.0; v < 80 && fired.ID == ""; v += 2 {
		for _, tr := range p.see(v) {
			fired = tr.Alert
		}
	}
	if fired.Value > 80 || fired.Threshold != 95 || fired.Verb != "heading above" || !strings.Contains(fired.Message, ", heading above 95%") {
		t.Errorf("value %v threshold %v verb %q: %s", fired.Value, fired.Threshold, fired.Verb, fired.Message)
	}
	if worse("heading below", 5, 3) != 3 {
		t.Error("the peak of what heads below is its least")
	}
}

func TestAMessageWithoutAThresholdNamesTheCondition(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "count(1m) >=\n  2"}})
	p.see(50)
	for _, tr := range p.see(50) {
		if want := `cache.hit_rate is 50%, and count(1m) >= 2 {source="cache"}`; tr.Alert.Message != want {
			t.Errorf("got %s", tr.Alert.Message)
		}
	}
}

func TestNotInIsTracedAsOneComparison(t *testing.T) {
	c, problems := CompileCondition(`weekday() not in ["sat", "sun"]`, mustMetric("cache.hit_rate"), catalog(), Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	monday := time.Date(2026, 1, 12, 10, 0, 0, 0, time.UTC)
	got := c.Trace(&frame{now: monday.UnixNano(), series: &Series{}})
	if got.Op != "not in" || got.Holds != "true" || len(got.Parts) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWordsForWhatTiredPeopleWrite(t *testing.T) {
	for text, want := range map[string]string{
		"value > 80 for 5m":               "the time stands beside it: {when: value > 80, for: 5m}",
		"weekday() in [sat]":              `a day stands in quotes: "sat"`,
		"value 5m":                        `"5m" cannot stand here`,
		"time() > 9:00":                   `a time of day stands in quotes: "09:00"`,
		`metric("shop_errors_total") > 1`: "names of your own need --config",
		`metric("shop.queue_depth") > 1`:  "a name of your own has no dot",
	} {
		_, problems := CompileCondition(text, mustMetric("cache.hit_rate"), catalog(), Options{})
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

func mustMetric(name string) source.Metric {
	m, _ := catalog().Lookup(name)
	return m
}
