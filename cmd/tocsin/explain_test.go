package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// explained plays values of a metric, one every 10 s, and explains the rule a
// while after the last; NaN is no sample.
func explained(t *testing.T, spec rule.Spec, after time.Duration, series map[string][]float64) *rule.Explained {
	t.Helper()
	r, problems := rule.Compile(spec, source.NewCatalog(nil, false))
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	e := rule.NewEvaluator([]*rule.Rule{r})
	now := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	for i := range 12 {
		now = now.Add(10 * time.Second)
		e.Tick(now)
		var batch []alert.Sample
		for name, values := range series {
			metric, strategy, _ := strings.Cut(name, "/")
			if i < len(values) {
				batch = append(batch, alert.Sample{Metric: metric, Labels: alert.LabelsOf("source", "cache", "strategy", strategy), Value: values[i], At: now})
			}
		}
		e.Observe(batch, rule.Context{Source: "cache", Interval: 10 * time.Second}, now)
	}
	out, ok := e.Explain(spec.ID, nil, 2, now.Add(after))
	if !ok {
		t.Fatal("no such rule")
	}
	text, err := json.Marshal(out) // as it comes over HTTP
	if err != nil {
		t.Fatal(err)
	}
	var doc rule.Explained
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

func fall(from float64, by ...float64) []float64 {
	values := []float64{from}
	for _, b := range by {
		from -= b
		values = append(values, from)
	}
	return values
}

// TestExplainText compares with testdata/explain/*.txt; UPDATE=1 rewrites them.
func TestExplainText(t *testing.T) {
	minute := time.Minute
	hitRate := rule.Spec{
		ID: "cache-hit-rate", Metric: "cache.hit_rate", For: 2 * time.Minute,
		Critical: rule.When{When: `avg(1m) < 70 and (metric("cache.lookups_per_sec").avg(1m) ?? 1) >= 1`, For: &minute},
		Warning:  rule.When{When: "avg(1m) < 85"}, Clear: "value >= 90",
	}
	falling := fall(91.2, 0.4, 0.2, 6.5, 3, 3, 3, 1, 1, 0.2, 0.1, 0.3)
	for _, tc := range []struct {
		name    string
		spec    rule.Spec
		after   time.Duration
		series  map[string][]float64
		colours bool
	}{
		{"pending", hitRate, 3 * time.Second, map[string][]float64{"cache.hit_rate/USER_RUNS": falling, "cache.lookups_per_sec/USER_RUNS": {57, 58, 57, 57, 58, 59, 51, 50, 57.3, 58, 57, 56}}, false},
		{"firing", rule.Spec{
			ID: "low", Metric: "cache.hit_rate", Critical: rule.When{When: "value < 80", Polls: rule.Polls{Need: 2, Of: 3}}, Warning: rule.When{When: "value < 84.97"},
			ClearMargin: rule.MarginSpec{Text: "5", Value: 5}, MinVolume: `metric("cache.lookups_per_sec") >= 1 or labels.strategy in ["USER_RUNS", "X"]`,
		}, time.Second, map[string][]float64{"cache.hit_rate/USER_RUNS": falling, "cache.hit_rate/A": {60, 90, 86}, "cache.hit_rate/C": {84.974}, "cache.hit_rate/B": {99}}, true},
		{"unknown", rule.Spec{
			ID: "memory", Metric: "redis.memory_used",
			Warning: rule.When{When: `(change_pct(1h) > 50 or not (labels.strategy == "A")) and value > 64MB`},
		}, 2 * time.Second, map[string][]float64{"redis.memory_used/A": {50 << 20, 60 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20, 70 << 20}}, false},
		{"nothing", hitRate, 0, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got strings.Builder
			if err := writeExplained(&got, explained(t, tc.spec, tc.after, tc.series), tc.colours); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "explain", tc.name+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// writeConfig writes a configuration with some lines of a server and no more.
func writeConfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte("server:\n"+server+"\nrules: []\nsources: []\nreceivers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhereTheDaemonIs(t *testing.T) {
	const tokens = "  tokens:\n    - {name: a, token: push-0123456789abcdef, scope: operate}\n    - {name: r, token: read-0123456789abcdef, scope: read}"
	for _, tt := range []struct {
		name, server       string
		where              where
		environ            []string
		want, token, wrong string
	}{
		{"nothing is said", "", where{}, nil, "http://127.0.0.1:9590", "", ""},
		{"a URL", "", where{url: "https://x:1/t", token: "t"}, []string{"TOCSIN_TOKEN=e"}, "https://x:1/t", "t", ""},
		{"the environment's token", "", where{url: "http://x"}, []string{"TOCSIN_TOKEN=e"}, "http://x", "e", ""},
		{"a configuration", "  listen: 127.0.0.1:1234", where{}, nil, "http://127.0.0.1:1234", "", ""},
		{"every interface, and the weakest token", "  listen: 0.0.0.0:1\n" + tokens, where{}, nil, "http://127.0.0.1:1", "read-0123456789abcdef", ""},
		{"every interface of IPv6", "  listen: '[::]:1'\n" + tokens, where{}, nil, "http://[::1]:1", "read-0123456789abcdef", ""},
		{"beside the external URL", "  external_url: https://tocsin.example.com/\n  listen: :1\n" + tokens, where{}, nil, "http://127.0.0.1:1 https://tocsin.example.com", "read-0123456789abcdef", ""},
		{"a URL, and the configuration's token", tokens, where{url: "http://x"}, nil, "http://x", "read-0123456789abcdef", ""},
		{"a variable that is not set here", "  tokens: [{name: a, token: '${NOT_SET}', scope: read}]", where{}, nil, "", "", "give --token"},
		{"one token that is set here", "  tokens: [{name: a, token: '${NOT_SET}', scope: read}, {name: b, token: push-0123456789abcdef, scope: operate}]", where{}, nil, "http://127.0.0.1:9590", "push-0123456789abcdef", ""},
		{"a variable that is not needed here", "  tokens: [{name: a, token: '${NOT_SET}', scope: read}]", where{token: "t"}, nil, "http://127.0.0.1:9590", "t", ""},
		{"any port", "  listen: 127.0.0.1:0", where{}, nil, "", "", `server.listen is "127.0.0.1:0"`},
		{"no file", "", where{config: "/nowhere.yaml"}, nil, "", "", "give --url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.server != "" {
				tt.where.config = writeConfig(t, tt.server)
			}
			places, token, err := tt.where.places(world{environ: tt.environ, stderr: &strings.Builder{}, kinds: kindsOf(nil)}, configs.ScopeRead)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if tt.wrong != "" || err != nil {
				if tt.wrong == "" || !strings.Contains(got, tt.wrong) {
					t.Errorf("error %q, want %q", got, tt.wrong)
				}
				return
			}
			if got := strings.Join(places, " "); got != tt.want || token.Reveal() != tt.token {
				t.Errorf("%s with %q, want %s with %q", got, token.Reveal(), tt.want, tt.token)
			}
		})
	}
}

// What a daemon that is asked may answer, and what becomes of it.
func TestExplainSaysWhyItCannotTell(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, tt := range []struct {
		name   string
		handle http.HandlerFunc
		args   []string
		code   int
		want   string
	}{
		{"no token", answer(401, `{"error":{"code":"unauthorized","message":"x"}}`), nil, 2, "wants a token; give --token, or --config with its tokens, or set TOCSIN_TOKEN"},
		{"an unknown token", answer(401, `{"error":{"code":"unauthorized","message":"x"}}`), []string{"--token", "s3cret"}, 2, "does not know the token; it comes from --token"},
		{"another host's name", answer(403, `{"error":{"code":"host_not_allowed","message":"only loopback"}}`), nil, 2, "refuses: only loopback"},
		{"no such rule", answer(404, `{"error":{"code":"not_found","message":"there is no rule \"a\"; did you mean \"b\"?"}}`), nil, 1, `there is no rule "a"; did you mean "b"?`},
		{"an older daemon", answer(404, `{"error":{"code":"not_found","message":"no such path; GET / lists what there is"}}`), nil, 2, "no such path"},
		{"another server", answer(404, `<html>`), nil, 2, "is not a Tocsin, or one of another version: it says 404 Not Found"},
		{"another page", answer(200, `<html>`), nil, 2, "is not a Tocsin: its answer is no JSON"},
		{"a redirect", http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP, nil, 2, "it says 302 Found"},
		{"nothing matches", answer(200, `{"rule":"a","total":0,"notes":["no series matches"]}`), []string{"x=y"}, 1, "no series matches"},
		{"there is nothing", answer(200, `{"rule":"a","total":0,"notes":["no sample has come"]}`), nil, 0, "no sample has come"},
		{"a bad matcher", nil, []string{"x"}, 2, "no operator; want =, !=, =~ or !~; write for example strategy=USER_RUNS"},
		{"a bad limit", nil, []string{"--limit", "0"}, 2, "--limit 0 is not from 1 to 100"},
		{"a bad format", nil, []string{"-o", "yaml"}, 2, `--output "yaml" is not one of text, json`},
		{"a bad URL", nil, []string{"--url", "127.0.0.1:9590"}, 2, "--url: want a URL such as http://127.0.0.1:9590"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"explain", "a"}, tt.args...)
			if tt.handle != nil {
				server := httptest.NewServer(tt.handle)
				defer server.Close()
				args = append(args, "--url", server.URL)
			}
			var out strings.Builder
			root := newRoot(world{stdout: &out, stderr: &out, kinds: kindsOf(nil)})
			root.SetArgs(args)
			code := 0
			if err := root.ExecuteContext(t.Context()); err != nil {
				out.WriteString(err.Error())
				code = exitUnread
				if exit, ok := err.(*exitError); ok { //nolint:errorlint // it is never wrapped
					code = exit.code
				}
			}
			if code != tt.code || !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "s3cret") {
				t.Errorf("exit %d, want %d with %q:\n%s", code, tt.code, tt.want, out.String())
			}
		})
	}
}
