//go:build unix

package main_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/internal/redistest"
)

// tellBoth is a configuration that watches one Redis and tells Slack and a
// webhook.
const tellBoth = `
server: {external_url: "http://tocsin.test"}
rules: [rules.yaml]
sources:
  - name: cache
    type: redis
    url: ${REDIS_URL}
    interval: 200ms
    strategies: {USER_PROFILE: {ttl: 15m}, USER_RUNS: {ttl: 5m}}
    strategy_stats: {redis_hash: "cachestats:{strategy}"}
receivers:
  - {name: ops, type: slack, webhook_url: "${SLACK_URL}"}
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
route:
  receivers: [ops, hooks]
  group_wait: 100ms
  group_interval: 200ms
`

const hitRateRule = `
  - id: cache-hit-rate
    category: cache
    metric: cache.hit_rate
    match: ['strategy != ""']
    critical: {when: value < 70, for: 500ms}
    warning: {when: value < 85, for: 500ms}
    clear: value >= 87
    message: 'Cache hit rate {{ .Verb }} {{ .Threshold }}% for {{ .Labels.strategy }} strategy'
`

// newCacheWorld is a world with Slack, a webhook and a Redis.
func newCacheWorld(t *testing.T) (w *world, server *redistest.Server, slack, hook *inbox) {
	t.Helper()
	server = redistest.Start(t)
	w, slack, hook = newWorld(t), newSlack(t), newHook(t)
	w.env["REDIS_URL"], w.env["SLACK_URL"], w.env["HOOK_URL"], w.env["HOOK_SECRET"] = server.URL(), slack.URL, hook.URL, hookSecret
	w.write("tocsin.yaml", tellBoth)
	return w, server, slack, hook
}

// application looks things up in its cache and counts hits and misses in
// Redis, as the guide's application does.
type application struct {
	client *redis.Client
	mu     sync.Mutex // guards rates
	rates  map[string]int
}

// startApplication runs until the test ends. Rates are hits of 100 lookups.
func startApplication(t *testing.T, client *redis.Client, rates map[string]int) *application {
	t.Helper()
	a := &application{client: client, rates: rates}
	done := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			a.work(ctx)
			time.Sleep(10 * time.Millisecond) // its users' pace
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return a
}

// work counts atomically, so that every poll sees the same rate.
func (a *application) work(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pipe := a.client.TxPipeline()
	for strategy, rate := range a.rates {
		pipe.HIncrBy(ctx, "cachestats:"+strategy, "hits", int64(rate))
		pipe.HIncrBy(ctx, "cachestats:"+strategy, "misses", int64(100-rate))
	}
	_, _ = pipe.Exec(ctx) // Redis may be down
}

// become changes the rates. Between the old and the new ones the daemon polls,
// so that no poll sees a mixture of both.
func (a *application) become(d *daemon, rates map[string]int) {
	d.t.Helper()
	a.mu.Lock()
	a.rates = nil
	a.mu.Unlock()
	d.awaitPolls("cache", 2)
	a.mu.Lock()
	a.rates = rates
	a.mu.Unlock()
}

func TestCacheMissesBringWarningThenCriticalThenResolution(t *testing.T) {
	t.Parallel()
	w, server, slack, hook := newCacheWorld(t)
	w.write("rules.yaml", "rules:"+hitRateRule)
	d := w.start()
	app := startApplication(t, server.Client(t), map[string]int{"USER_PROFILE": 95, "USER_RUNS": 95})
	d.awaitPolls("cache", 3)

	app.become(d, map[string]int{"USER_PROFILE": 95, "USER_RUNS": 78})
	told := []string{"warning firing"}
	slack.awaitTold("cache-hit-rate", told...)
	hook.awaitTold("cache-hit-rate", told...)

	app.become(d, map[string]int{"USER_PROFILE": 95, "USER_RUNS": 50})
	told = append(told, "critical firing")
	slack.awaitTold("cache-hit-rate", told...)
	hook.awaitTold("cache-hit-rate", told...)
	wantAlerts(t, d, `{"alerts":[{"type":"critical","category":"cache","message":"Cache hit rate below 70% for USER_RUNS strategy","metric":"hit_rate","value":50,"threshold":70,"timestamp":"`,
		`"summary":{"critical":1,"warning":0,"info":0,"total":1}}`)

	app.become(d, map[string]int{"USER_PROFILE": 95, "USER_RUNS": 95})
	told = append(told, "critical resolved")
	slack.awaitTold("cache-hit-rate", told...)
	hook.awaitTold("cache-hit-rate", told...)
	wantAlerts(t, d, `{"alerts":[],"summary":{"critical":0,"warning":0,"info":0,"total":0}}`)

	rows := d.history("rule=cache-hit-rate&state=firing,resolved")
	if len(rows) != 1 || rows[0].State != "resolved" || rows[0].Worst != "critical" || rows[0].EndsAt == nil || rows[0].Reason == "" {
		t.Fatalf("history: %+v", rows)
	}
	for _, n := range append(slack.news(), hook.news()...) {
		if n.Alert != rows[0].ID {
			t.Errorf("told of alert %s, the history has %s", n.Alert, rows[0].ID)
		}
	}
	wantStory(t, d, rows[0].ID)
	d.awaitPolls("cache", 5) // nothing more comes
	if slack.messages() != 3 || hook.messages() != 3 {
		t.Errorf("%d messages to Slack, %d to the webhook, want 3 each", slack.messages(), hook.messages())
	}
	d.stop()
}

// wantAlerts holds /api/performance/alerts against pieces of its text.
func wantAlerts(t *testing.T, d *daemon, pieces ...string) {
	t.Helper()
	wantText(t, d.get("/api/performance/alerts", nil), pieces...)
}

// wantStory reads an alert's events: every step is there and says why.
func wantStory(t *testing.T, d *daemon, id string) {
	t.Helper()
	var doc struct {
		Events []struct {
			Kind, Receiver, Reason string
			DeliveryID             string `json:"delivery_id"`
		}
	}
	await(t, "the deliveries to be settled", func() bool {
		text := d.get("/api/v1/alerts/"+id, &doc)
		return strings.Count(text, `"kind":"sent"`) == 6
	})
	var states []string
	counts := map[string]int{}
	for _, e := range doc.Events {
		if e.Reason == "" {
			t.Errorf("no reason: %+v", e)
		}
		counts[e.Kind]++
		if slices.Contains([]string{"pending", "firing", "severity", "resolved"}, e.Kind) {
			states = append(states, e.Kind)
		}
	}
	if want := []string{"pending", "firing", "severity", "resolved"}; !slices.Equal(states, want) {
		t.Errorf("events %v, want %v", states, want)
	}
	if counts["queued"] != 6 || counts["grouped"] != 2 {
		t.Errorf("events %v, want 6 queued and 2 grouped", counts)
	}
}
