package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// latencyConfig sends each alert by itself and at once; the store is what serve
// uses, with an fsync for every commit.
const latencyConfig = `
server: {listen: LISTEN}
store: {path: STORE}
rules: [rules.yaml]
sources: [{name: push, type: push, interval: 10s}]
receivers: [{name: hook, type: webhook, url: "HOOK"}]
route: {receivers: [hook], group_by: ['...'], group_wait: 0s}
log: {level: warn}
`

const latencyRules = `
rules:
  - {id: high, metric: bench_load, critical: value > 1}
`

// latency pushes one new alert every ten milliseconds and takes the time from
// before the push to the arrival of its webhook.
func latency(ctx context.Context, binary string) error {
	const alerts, every = 1500, 10 * time.Millisecond
	sent, arrived := make([]time.Time, alerts), make([]time.Time, alerts)
	var mu sync.Mutex
	left, done := alerts, make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		now := time.Now()
		var payload struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&payload); err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, a := range payload.Alerts {
			n, err := strconv.Atoi(a.Labels["n"])
			if err != nil || a.Status != "firing" || n >= alerts || !arrived[n].IsZero() {
				continue
			}
			arrived[n] = now
			if left--; left == 0 {
				close(done)
			}
		}
	}))
	defer hook.Close()
	d, err := start(ctx, binary, strings.ReplaceAll(latencyConfig, "HOOK", hook.URL), latencyRules)
	if err != nil {
		return err
	}
	defer d.stop()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := range alerts {
		<-ticker.C
		body := fmt.Sprintf(`{"instance": "bench", "samples": [{"metric": "bench_load", "labels": {"n": "%d"}, "value": 2}]}`, n)
		sent[n] = time.Now()
		if err := post(ctx, d.base+"/api/v1/ingest", body); err != nil {
			return err
		}
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		mu.Lock()
		defer mu.Unlock()
		return fmt.Errorf("%d of %d alerts did not arrive\n%s", left, alerts, d.output.String())
	}
	took := make([]time.Duration, alerts)
	for n := range took {
		took[n] = arrived[n].Sub(sent[n])
	}
	slices.Sort(took)
	row("sample pushed to webhook received, 100 alerts/s, synchronous=FULL", "p50 under 5 ms, p99 under 20 ms",
		fmt.Sprintf("p50 %s, p99 %s", milliseconds(took[alerts/2]), milliseconds(took[alerts*99/100])))
	return nil
}
