package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
)

// requests loads two endpoints with wrk from the same machine, which it shares
// with the daemon.
func requests(ctx context.Context, binary string) error {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		row("requests a second", "10,000", "not measured: wrk is not installed")
		return nil
	}
	d, err := start(ctx, binary, quietConfig, quietRules)
	if err != nil {
		return err
	}
	defer d.stop()
	// Two alerts stand while it is measured, as in the guide.
	body := `{"instance": "bench", "samples": [
		{"metric": "cache.hit_rate", "labels": {"strategy": "USER_RUNS"}, "value": 82.3},
		{"metric": "postgres.avg_query_time", "value": 15.2}]}`
	if err := post(ctx, d.base+"/api/v1/ingest", body); err != nil {
		return err
	}
	for _, path := range []string{"/api/performance", "/api/performance/alerts"} {
		out, err := exec.CommandContext(ctx, wrk, "-t1", "-c32", "-d8s", "--latency", d.base+path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("wrk: %w: %s", err, out)
		}
		rate, p99 := find(out, `Requests/sec:\s+(\S+)`), find(out, `99%\s+(\S+)`)
		bad := find(out, `Non-2xx or 3xx responses: (\d+)`)
		if bad != "" {
			return fmt.Errorf("%s: %s requests were refused", path, bad)
		}
		row("GET "+path+", wrk -t1 -c32", "10,000/s, p99 under 10 ms", rate+"/s, p99 "+p99)
	}
	return nil
}

func find(out []byte, pattern string) string {
	if m := regexp.MustCompile(pattern).FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return ""
}

func post(ctx context.Context, url, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	_, err = send(request)
	return err
}

// send returns the body of an answer that is no refusal.
func send(request *http.Request) ([]byte, error) {
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", request.Method, request.URL, answer.Status, body)
	}
	return body, nil
}
