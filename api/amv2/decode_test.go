package amv2

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// prometheusBody is a batch as Prometheus writes it: some 350 bytes an alert,
// with five labels and two annotations.
func prometheusBody(alerts int) string {
	type wire struct {
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     time.Time         `json:"startsAt"`
		EndsAt       time.Time         `json:"endsAt"`
		GeneratorURL string            `json:"generatorURL"`
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC)
	list := make([]wire, alerts)
	for i := range list {
		list[i] = wire{
			map[string]string{"alertname": "HighLatency", "instance": fmt.Sprintf("10.0.%d.%d:9100", i/256, i%256), "job": "node", "severity": "warning", "team": "web"},
			map[string]string{"summary": "Latency is high", "description": fmt.Sprintf("Latency of %d is above 100 ms", i)},
			at, at.Add(4 * time.Minute), "http://prometheus:9090/graph?g0.expr=latency+%3E+100&g0.tab=1",
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestABatchOfPrometheusIsReadWithoutEncodingJSON(t *testing.T) {
	var d Decoder
	for _, body := range []string{
		prometheusBody(64),
		`[]`, " [ ] ",
		"[\n {\"labels\" : { \"b\":\"2\" , \"a\":\"1\" },\t\"startsAt\":\"\"} ]",
		`[{"labels":{"a":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"},"startsAt":"2024-02-29T10:00:00+01:00"}]`,
		`[{"labels":{"a":"1","a":"2","b":"","c":"x","c":""}}]`,
		`[{"labels":{}},{"labels":{},"annotations":{"e":""}}]`,
	} {
		if !d.fast(body) {
			t.Errorf("not read: %.200s", body)
			continue
		}
		same(t, body, d.alerts)
	}
}

// same holds alerts against what encoding/json reads of the body.
func same(t *testing.T, body string, got []alert.Posted) {
	t.Helper()
	want, err := decodeSlowly(body, nil)
	if err != nil {
		t.Fatalf("%.200s: read, and encoding/json says %v", body, err)
	}
	if !slices.EqualFunc(got, want, equal) {
		t.Fatalf("%.200s:\n%.500s\nwant\n%.500s", body, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func equal(a, b alert.Posted) bool {
	return a.Labels.Equal(b.Labels) && a.Annotations.Equal(b.Annotations) && a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) && a.GeneratorURL == b.GeneratorURL
}

func TestWhatTheScannerDoesNotKnowIsReadAllTheSame(t *testing.T) {
	labels := func(pairs ...string) []alert.Posted { return []alert.Posted{{Labels: alert.LabelsOf(pairs...)}} }
	for body, want := range map[string][]alert.Posted{
		`[{"labels":{"a":"x"},"foo":{"deep":[1,{"er":null}]},"LABELS":{"b":"y"}}]`: labels("a", "x", "b", "y"),
		`[{"labels":{"a":"x"},"labels":{"b":"y"}}]`:                                labels("a", "x", "b", "y"),
		`[{"labels":{"a":"x","a":null}}]`:                                          {{Labels: alert.Labels{}}},
		"[{\"labels\":{\"a\":\"x\xff\"}}]":                                         labels("a", "x\ufffd"),
		`[{"labels":{"a":"\ud800x"}}]`:                                             labels("a", "\ufffdx"),
		`null`:                                                                     {},
	} {
		var d Decoder
		got, err := d.Decode(body)
		if err != nil || !slices.EqualFunc(got, want, equal) {
			t.Errorf("%s: %+v %v, want %+v", body, got, err, want)
		}
	}
}

func TestADecoderForgets(t *testing.T) {
	var d Decoder
	bodies := []string{
		prometheusBody(3), prometheusBody(10_000), prometheusBody(9), `[{"labels":{"b":"1","a":"","a":"2","b":""}},{"labels":{}}]`,
		strings.Replace(prometheusBody(8), `"generatorURL"`, `"GeneratorURL"`, 5), prometheusBody(8)[:2900], prometheusBody(2),
	}
	for _, body := range bodies {
		_, _ = d.Decode(body)
		d.Forget()
		for _, a := range d.alerts[:cap(d.alerts)] {
			if !reflect.DeepEqual(a, alert.Posted{}) {
				t.Fatal("it keeps an alert of the last body")
			}
		}
		for _, l := range d.pairs[:cap(d.pairs)] {
			if l != (alert.Label{}) {
				t.Fatal("it keeps a label of the last body")
			}
		}
		if d.body != "" || cap(d.pairs) > 1<<16 || cap(d.alerts) > 1<<13 {
			t.Fatal("it keeps much memory, or the body")
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "1970-01-01T00:00:00Z",
		"2026-11-23T10:00:00Z":            "2026-11-23T10:00:00Z",
		"2026-11-23T10:00:00.1Z":          "2026-11-23T10:00:00.1Z",
		"2026-11-23T10:00:00.123456789Z":  "2026-11-23T10:00:00.123456789Z",
		"2026-11-23T10:00:00.1234567891Z": "2026-11-23T10:00:00.123456789Z",
		"2026-11-23T10:00:00.123+02:00":   "2026-11-23T08:00:00.123Z",
		"2026-11-23T10:00:00.123+0200":    "2026-11-23T08:00:00.123Z",
		"2026-11-23T10:00:00":             "2026-11-23T10:00:00Z",
		"2026-11-23T10:00Z":               "2026-11-23T10:00:00Z",
		"2026-11-23 10:00:00":             "2026-11-23T10:00:00Z",
		"2026-11-23":                      "2026-11-23T00:00:00Z",
		"2024-02-29T00:00:00Z":            "2024-02-29T00:00:00Z",
		"2026-02-29T00:00:00Z":            "",
		"2026-11-23T24:00:00Z":            "",
		"2026-11-23T10:00:60Z":            "",
		"2026-13-23T10:00:00Z":            "",
		"2026-11-23T10:00:00.Z":           "",
		"yesterday":                       "",
	} {
		got, err := parseTime(text)
		if fast, ok := parseUTC(text); ok && (err != nil || !fast.Equal(got)) {
			t.Errorf("%q: %s, and %s %v", text, fast, got, err)
		}
		if (err != nil) != (want == "") || err == nil && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s %v, want %s", text, got, err, want)
		}
	}
}

func TestPlainURLsAreURIs(t *testing.T) {
	for text, plain := range map[string]bool{
		"http://prometheus:9090/graph?g0.expr=a+%3E+1&g0.tab=1": true,
		"https://x.example.com":                                 true,
		"http://x/a%20b":                                        false,
		"http://x/a%zz":                                         false,
		"http://x:port/":                                        false,
		"http://[::1]:9090/":                                    false,
		"http://x/\x01":                                         false,
		"ftp://x/":                                              false,
		"/graph":                                                false,
		"http://x?a=%zz":                                        false,
		"http://x/?a=%zz":                                       true,
	} {
		if got := isPlainURL(text); got != plain || got && !isURI(text) {
			t.Errorf("%q: plain %t, URI %t", text, got, isURI(text))
		}
	}
}

// FuzzDecode holds the scanner against encoding/json: what one accepts the
// other accepts, with the same values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		prometheusBody(2), `[]`, `null`, ``, `[{}]`, `[null]`, `[{"labels":{"a":"b"}},]`, `[{"labels":{"a":"b"}} {"labels":{}}]`,
		`[{"labels":{"a":"\u00e9\ud83d\ude00\ud800\u+123","b":""}}] x`, "[{\"labels\":{\"a\":\"\x7f\xff\x01\"}}]",
		`[{"labels":{"b":"1","a":"2","b":"3","":"x"},"annotations":{"x":""},"startsAt":"2026-02-28T23:59:59.000000001Z","endsAt":"2026-02-30T00:00:00Z"}]`,
		`[{"labels":{},"labels":null,"Labels":{"a":"b"},"generatorURL":"http://x/%zz","endsAt":null,"deep":[[[{}]]]}]`,
		`[{"labels":{"a":"b"},"generatorURL":"http://a.b:90x/?q=%zz#f"}]`, `[{"labels":{"a":"b"},"startsAt":"2026-11-23"}]`,
	} {
		f.Add(seed)
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, body string) {
		if d.fast(body) {
			same(t, body, d.alerts)
		}
		got, err := d.Decode(body)
		want, wantErr := decodeSlowly(body, nil)
		if (err != nil) != (wantErr != nil) || !slices.EqualFunc(got, want, equal) {
			t.Fatalf("%q: %+v %v\nwant %+v %v", body, got, err, want, wantErr)
		}
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("not a refusal: %v", err)
		}
		valid, _ := Valid(got, time.Now(), time.Minute)
		for i := range valid {
			if !slices.IsSortedFunc(valid[i].Labels, func(a, b alert.Label) int { return strings.Compare(a.Name, b.Name) }) || len(valid[i].Labels) == 0 {
				t.Fatalf("%q: labels %v", body, valid[i].Labels)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	const alerts = 64
	body := prometheusBody(alerts)
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/alerts, "ns/alert")
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
	}
	b.Run("scanner", func(b *testing.B) {
		var d Decoder
		for b.Loop() {
			if got, err := d.Decode(body); err != nil || len(got) != alerts {
				b.Fatal(err)
			}
			d.Forget()
		}
		report(b)
	})
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			if got, err := decodeSlowly(body, nil); err != nil || len(got) != alerts {
				b.Fatal(err)
			}
		}
		report(b)
	})
}
