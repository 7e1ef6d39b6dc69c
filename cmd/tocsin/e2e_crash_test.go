//go:build unix

package main_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// page is an application's page of metrics: one gauge with a label.
type page struct {
	URL string

	mu     sync.Mutex // guards what follows
	values map[string]float64
	more   string // further lines
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{values: map[string]float64{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL + "/metrics"
	return p
}

// set puts a value up; the queues are watched by queueRule.
func (p *page) set(queue string, depth float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[queue] = depth
}

// ServeHTTP writes the page.
func (p *page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	var b strings.Builder
	b.WriteString("# TYPE queue_depth gauge\n")
	for queue, depth := range p.values {
		fmt.Fprintf(&b, "queue_depth{queue=%q} %g\n", queue, depth)
	}
	_, _ = io.WriteString(w, b.String()+p.more)
}

const queueRule = `rules:
  - id: queue-depth
    category: queues
    metric: queue_depth
    critical: value > 100
    clear: value < 50
    message: 'Queue {{ .Labels.queue }} is {{ .Verb }} {{ .Threshold }}'
`

const watchPage = `
server: {external_url: "http://tocsin.test"}
rules: [rules.yaml]
sources:
  - {name: web, type: prometheus, url: "${PAGE_URL}", interval: 100ms, timeout: 100ms}
receivers:
  - {name: ops, type: slack, webhook_url: "${SLACK_URL}", timeout: 500ms}
  - {name: hooks, type: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}", timeout: 500ms}
`

// newPageWorld is a world that watches a page and tells Slack and a webhook.
func newPageWorld(t *testing.T, route string) (w *world, p *page, slack, hook *inbox) {
	t.Helper()
	w, p, slack, hook = newWorld(t), newPage(t), newSlack(t), newHook(t)
	w.env["PAGE_URL"], w.env["SLACK_URL"], w.env["HOOK_URL"], w.env["HOOK_SECRET"] = p.URL, slack.URL, hook.URL, hookSecret
	w.write("tocsin.yaml", watchPage+route)
	w.write("rules.yaml", queueRule)
	return w, p, slack, hook
}

// unreliable fails half of the requests, and hangs in every sixth.
func unreliable(int) (int, time.Duration) {
	switch rand.N(6) {
	case 0, 1, 2:
		return http.StatusServiceUnavailable, 0
	case 3:
		return http.StatusOK, time.Minute
	}
	return http.StatusOK, 0
}

func TestSigkillInTheMiddleLosesNothingAndTellsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, groupBy := range []string{"['...']", "[category]"} {
		t.Run(groupBy, func(t *testing.T) {
			t.Parallel()
			sigkillInTheMiddle(t, groupBy)
		})
	}
}

func sigkillInTheMiddle(t *testing.T, groupBy string) {
	const rounds, queues = 10, 5
	w, p, slack, hook := newPageWorld(t, fmt.Sprintf("route: {receivers: [ops, hooks], group_by: %s, group_wait: 0s, group_interval: 100ms}\n", groupBy))
	slack.set(unreliable)
	hook.set(unreliable)
	for range rounds {
		d := w.serve()
		p.upsAndDowns(queues, rand.N(time.Second))
		d.kill()
	}
	d := w.start()
	p.calm(d, queues, slack, hook)
	fired := d.history("state=firing,resolved")
	if len(fired) < queues {
		t.Fatalf("%d alerts fired: too few to show anything", len(fired))
	}
	t.Logf("%d alerts fired; %d requests to Slack, %d to the webhook", len(fired), len(slack.news()), len(hook.news()))
	for _, in := range []*inbox{slack, hook} {
		wantEachOnce(t, d, in, fired)
	}
	d.stop()
}

// upsAndDowns moves the queues at random for a while.
func (p *page) upsAndDowns(queues int, during time.Duration) {
	for end := time.Now().Add(during); time.Now().Before(end); {
		depth := 0.0
		if rand.N(2) == 0 {
			depth = 500
		}
		p.set(fmt.Sprint("q", rand.N(queues)), depth)
		time.Sleep(rand.N(60 * time.Millisecond)) // the world's own pace
	}
}

// calm lets every queue run empty and every receiver work, and waits until
// all of it is told.
func (p *page) calm(d *daemon, queues int, receivers ...*inbox) {
	d.t.Helper()
	for _, in := range receivers {
		in.set(nil)
	}
	for i := range queues {
		p.set(fmt.Sprint("q", i), 0)
	}
	d.awaitPolls("web", 2)
	await(d.t, "every alert to resolve", func() bool { return len(d.firing("")) == 0 })
	for _, in := range receivers {
		await(d.t, "every end to be told to "+in.name, func() bool {
			told := map[string]bool{}
			for _, n := range in.news() {
				told[n.Alert] = told[n.Alert] || n.Taken && n.Status == "resolved"
			}
			return !slices.ContainsFunc(d.history("state=resolved"), func(row historyRow) bool { return !told[row.ID] })
		})
	}
}

func TestReloadsInTheMiddleTellNothingTwice(t *testing.T) {
	t.Parallel()
	const rounds, queues = 20, 5
	routes := []string{
		"route: {receivers: [ops, hooks], group_by: ['...'], group_wait: 0s, group_interval: 100ms}\n",
		"route: {receivers: [ops, hooks], group_by: [category], group_wait: 50ms, group_interval: 100ms}\n",
		"route: {receivers: [ops, hooks], group_wait: 0s, group_interval: 100ms, routes: [{match: ['queue =~ \"q[0-2]\"'], group_by: [queue]}]}\n",
	}
	w, p, slack, hook := newPageWorld(t, routes[0])
	slack.set(unreliable)
	hook.set(unreliable)
	d := w.start()
	for i := range rounds {
		p.upsAndDowns(queues, rand.N(300*time.Millisecond))
		w.write("tocsin.yaml", watchPage+routes[(i+1)%len(routes)])
		if code, text := d.post("/-/reload", ""); code != http.StatusOK {
			t.Fatalf("status %d: %s", code, text)
		}
	}
	p.calm(d, queues, slack, hook)
	fired := d.history("state=firing,resolved")
	t.Logf("%d alerts fired; %d requests to Slack, %d to the webhook", len(fired), len(slack.news()), len(hook.news()))
	for _, in := range []*inbox{slack, hook} {
		wantEachOnce(t, d, in, fired)
	}
	d.stop()
}

// wantEachOnce holds what a receiver got against the alerts that fired: each
// was told as firing and as resolved, in that order, each in one notification,
// of which there may be several copies.
func wantEachOnce(t *testing.T, d *daemon, in *inbox, fired []historyRow) {
	t.Helper()
	type key struct{ alert, status string }
	messages, taken := map[key][]string{}, map[key]bool{}
	copies, last := map[string]bool{}, map[string]string{}
	for _, n := range in.news() {
		k := key{n.Alert, n.Status}
		if n.Status == "firing" && taken[key{n.Alert, "resolved"}] && !copies[n.Message] {
			t.Errorf("%s: %s was told as firing after it was told as resolved", in.name, n.Alert)
		}
		if !slices.Contains(messages[k], n.Message) {
			messages[k] = append(messages[k], n.Message)
		}
		if n.Taken {
			taken[k], copies[n.Message], last[n.Alert] = true, true, n.Status
		}
	}
	known := map[string]bool{}
	for _, row := range fired {
		known[row.ID] = true
		if last[row.ID] != "resolved" {
			t.Errorf("%s: the last that it heard of %s is %q", in.name, row.ID, last[row.ID])
		}
		for _, status := range []string{"firing", "resolved"} {
			k := key{row.ID, status}
			if status == "firing" && len(messages[k]) == 0 {
				// It ended while its group waited for its next message.
				wantText(t, d.get("/api/v1/alerts/"+row.ID, nil), "fired and resolved meanwhile")
				continue
			}
			if !taken[k] || len(messages[k]) != 1 {
				t.Errorf("%s: %s was told as %s in the messages %v, taken: %v", in.name, row.ID, status, messages[k], taken[k])
			}
		}
	}
	for k := range messages {
		if !known[k.alert] {
			t.Errorf("%s: was told of %s, which the history does not know", in.name, k.alert)
		}
	}
}
