//go:build unix

package main_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"
)

func TestRedisKilledIsOneCriticalAndNoFalseRecovery(t *testing.T) {
	t.Parallel()
	w, server, slack, hook := newCacheWorld(t)
	w.write("rules.yaml", "rules:"+hitRateRule+`
  - id: redis-down
    category: cache
    metric: redis.up
    critical: {when: value == 0, for: 1s}
    message: 'Redis connection failed ({{ .Labels.source }})'
`)
	d := w.start()
	app := startApplication(t, server.Client(t), map[string]int{"USER_PROFILE": 95, "USER_RUNS": 78})
	both := func(rule string, told ...string) {
		t.Helper()
		slack.awaitTold(rule, told...)
		hook.awaitTold(rule, told...)
	}
	both("cache-hit-rate", "warning firing")
	before := d.firing("cache-hit-rate")

	server.Kill()
	both("redis-down", "critical firing")
	d.awaitPolls("cache", 5)
	both("cache-hit-rate", "warning firing")
	if now := d.firing("cache-hit-rate"); !slices.Equal(now, before) {
		t.Errorf("while Redis is down %v fire, before it %v did", now, before)
	}
	wantAlerts(t, d, `"summary":{"critical":1,"warning":1,"info":0,"total":2}`, `"message":"Redis connection failed (cache)"`)
	if code, text, err := d.do("GET", "/api/health", ""); err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("/api/health: status %d, %v", code, err)
	} else {
		wantText(t, string(text), `"status":"unhealthy"`, `"cache":"unhealthy"`)
	}

	server.Restart(t) // with an empty memory: the counters begin at zero
	both("redis-down", "critical firing", "critical resolved")
	d.awaitPolls("cache", 5)
	both("cache-hit-rate", "warning firing")
	app.become(d, map[string]int{"USER_PROFILE": 95, "USER_RUNS": 95})
	both("cache-hit-rate", "warning firing", "warning resolved")
	both("redis-down", "critical firing", "critical resolved")
	d.stop()
}

// hastyRules are the repository's rules with seconds in the place of minutes.
func hastyRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`\n +warm_up: [^\n]*`).ReplaceAllString(string(text), "")
	rules = regexp.MustCompile(`\bfor: \d+[smh]`).ReplaceAllString(rules, "for: 1s")
	return regexp.MustCompile(`(avg|sum|max)\([15]m\)`).ReplaceAllString(rules, "$1(1s)")
}

func TestRedisKilledUnderTheRepositorysRules(t *testing.T) {
	t.Parallel()
	w, server, slack, hook := newCacheWorld(t)
	w.write("rules.yaml", hastyRules(t))
	w.write("tocsin.yaml", tellBoth+`
inhibit:
  - {source: ['alertname = redis-down'], target: ['category = cache', 'alertname != redis-down'], equal: [source]}
`)
	d := w.start()
	startApplication(t, server.Client(t), map[string]int{"USER_PROFILE": 88, "USER_RUNS": 60})
	for _, in := range []*inbox{slack, hook} {
		in.awaitTold("cache-hit-rate-user-profile", "warning firing") // under 90%
		in.awaitTold("cache-hit-rate-user-runs", "critical firing")   // under 70%
		in.awaitTold("cache-hit-rate", "warning firing")              // 74% over both
	}
	before := d.firing("")
	slices.Sort(before)

	server.Kill()
	for _, in := range []*inbox{slack, hook} {
		in.awaitTold("redis-down", "critical firing")
	}
	d.awaitPolls("cache", 10)
	now := d.firing("")
	slices.Sort(now)
	now = slices.DeleteFunc(now, func(id string) bool { return slices.Contains(d.firing("redis-down"), id) })
	if !slices.Equal(now, before) {
		t.Errorf("while Redis is down %v fire, before it %v did", now, before)
	}
	if slack.messages() != hook.messages() {
		t.Errorf("%d messages to Slack, %d to the webhook", slack.messages(), hook.messages())
	}

	server.Restart(t)
	for _, in := range []*inbox{slack, hook} {
		in.awaitTold("redis-down", "critical firing", "critical resolved")
		in.awaitTold("cache-hit-rate-user-profile", "warning firing")
		in.awaitTold("cache-hit-rate-user-runs", "critical firing")
		in.awaitTold("cache-hit-rate", "warning firing")
	}
	d.stop()
}
