//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestExplainAsksTheRunningDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env["READ_TOKEN"] = "read-0123456789abcdef"
	w.write("tocsin.yaml", `
server: {tokens: [{name: eye, token: "${READ_TOKEN}", scope: read}, {name: app, token: app-0123456789abcdef, scope: operate}]}
rules: [rules.yaml]
sources:
  - {name: app, type: push, interval: 1h, stale_after: 2h}
receivers:
  - {name: out, type: console}
route: {receivers: [out]}
`)
	w.write("rules.yaml", `
rules:
  - id: hit-rate
    metric: cache.hit_rate
    match: ['strategy != ""']
    critical: value < 50
    warning: {when: value < 85, for: 1h}
  - {id: quiet, metric: redis.up, critical: value == 0}
  - {id: off, metric: redis.up, critical: value == 0, disabled: true}
`)
	d := w.serve()
	push := func(body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", d.base+"/api/v1/ingest", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer app-0123456789abcdef")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
	}
	await(t, "the daemon to be ready", func() bool { return d.status("GET", "/-/ready") == http.StatusOK })
	push(`{"instance":"web-1","seq":1,"strategies":{"A":{"hits":0,"misses":0},"B":{"hits":0,"misses":0}}}`)
	push(`{"instance":"web-1","seq":2,"strategies":{"A":{"hits":78,"misses":22},"B":{"hits":40,"misses":60}}}`)

	// Explain runs beside the daemon, as an operator's shell does.
	explain := func(wantCode int, args ...string) string {
		t.Helper()
		code, out := w.run(append([]string{"explain"}, args...)...)
		if code != wantCode {
			t.Errorf("explain %v: exit code %d, want %d:\n%s", args, code, wantCode, out)
		}
		return out
	}
	at := []string{"--url", d.base, "--config", "tocsin.yaml"}
	var text string
	await(t, "the samples to be judged", func() bool {
		text = explain(0, append([]string{"hit-rate"}, at...)...)
		return strings.Count(text, "value = ") == 4
	})
	wantText(t, text, `strategy="B"}  FIRING critical for `, "critical   value < 50\n             in force\n               true value = 40% < 50\n",
		`strategy="A"}  PENDING warning for `, "warning    value < 85, for 1h\n", "fires when it has for 1h, in ", "true value = 78% < 85\n", "samples    78 %")
	if strings.Index(text, "FIRING") > strings.Index(text, "PENDING") {
		t.Errorf("the worst is not first:\n%s", text)
	}
	text = explain(0, append([]string{"hit-rate", "strategy=~A|C", "strategy!=C", "-o", "json"}, at...)...)
	var doc struct {
		Total  int
		Series []struct{ State string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Total != 1 || doc.Series[0].State != "pending" {
		t.Errorf("%v: %s", err, text)
	}
	wantText(t, explain(1, append([]string{"hit-rate", "strategy=C"}, at...)...), "no series matches; the rule judges ")
	wantText(t, explain(0, append([]string{"quiet"}, at...)...), "no sample of redis.up has come since the start")
	wantText(t, explain(0, append([]string{"off"}, at...)...), "the rule is disabled")
	wantText(t, explain(1, append([]string{"hitrate"}, at...)...), `tocsin: there is no rule "hitrate"; did you mean "hit-rate"?`)
	wantText(t, explain(2, "hit-rate", "--url", d.base), "wants a token")
	wantText(t, explain(2, "hit-rate", "--url", d.base, "--token", "another-0123456789"), "does not know the token")
	w.env["TOCSIN_TOKEN"] = w.env["READ_TOKEN"]
	wantText(t, explain(0, "quiet", "--url", d.base), "no sample of redis.up")
	d.stop()
}
