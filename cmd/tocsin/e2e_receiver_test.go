//go:build unix

package main_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestReceiverDownForAWhileIsToldAllOfItInOrder(t *testing.T) {
	t.Parallel()
	w, p, slack, _ := newPageWorld(t, "route: {receivers: [ops, hooks], group_wait: 0s, group_interval: 100ms}\n")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil { // nobody answers there now
		t.Fatal(err)
	}
	w.env["HOOK_URL"] = "http://" + addr
	p.set("mail", 500)
	d := w.start()
	slack.awaitTold("queue-depth", "critical firing")
	p.set("mail", 0)
	slack.awaitTold("queue-depth", "critical firing", "critical resolved")
	wantText(t, d.get("/api/v1/receivers", nil), `"name":"hooks","type":"webhook"`, `"pending":2`, `connection refused`)

	hook := newHookOn(t, addr)
	hook.awaitTold("queue-depth", "critical firing", "critical resolved")
	await(t, "the outbox to be empty", func() bool { return d.metric(`tocsin_notifications_pending{receiver="hooks"}`) == "0" })
	hook.awaitTold("queue-depth", "critical firing", "critical resolved")
	d.stop()
}

func TestTwoHundredLabelSets(t *testing.T) {
	t.Parallel()
	const queues = 200
	for _, tt := range []struct {
		groupBy  string
		messages int // at least, of firing and resolved together
	}{
		{"['...']", 2 * queues},
		{"[category]", 2},
	} {
		t.Run(tt.groupBy, func(t *testing.T) {
			w, p, _, hook := newPageWorld(t, fmt.Sprintf("route: {receivers: [ops, hooks], group_by: %s, group_wait: 500ms, group_interval: 500ms}\n", tt.groupBy))
			for i := range queues {
				p.set(fmt.Sprint("q", i), 500)
			}
			d := w.start()
			await(t, "every alert to be told", func() bool { return len(hook.told("queue-depth")) >= queues })
			for i := range queues {
				p.set(fmt.Sprint("q", i), 0)
			}
			await(t, "every end to be told", func() bool { return len(hook.told("queue-depth")) >= 2*queues })
			await(t, "every alert to end", func() bool { return len(d.firing("")) == 0 })
			fired := d.history("state=resolved")
			if len(fired) != queues {
				t.Errorf("%d alerts in the history, want %d", len(fired), queues)
			}
			wantEachOnce(t, d, hook, fired)
			if n := hook.messages(); n < tt.messages || tt.messages == 2 && n > 8 {
				t.Errorf("%d messages, want about %d", n, tt.messages)
			}
			d.stop()
		})
	}
}

func TestAReceiverThatIsGoneIsAnAlertToTheOthers(t *testing.T) {
	t.Parallel()
	w, p, slack, hook := newPageWorld(t, "route: {receivers: [ops, hooks], group_by: ['...'], group_wait: 0s, group_interval: 100ms}\n")
	hook.set(func(int) (int, time.Duration) { return http.StatusGone, 0 })
	p.set("mail", 500)
	d := w.start()
	slack.awaitTold("queue-depth", "critical firing")
	slack.awaitTold("receiver-disabled", "critical firing")
	wantText(t, d.get("/api/v1/receivers", nil), `"disabled":true`, `answered 410 Gone`)
	if status, body := d.post("/api/v1/receivers/hooks/test", ""); status != http.StatusBadGateway {
		t.Errorf("a test of it answers %d: %s", status, body)
	}
	if got := hook.told("queue-depth"); len(got) != 0 {
		t.Errorf("it took %q", got)
	}

	hook.set(nil)
	if code, out := w.run("receivers", "test", "hooks", "--url", d.base); code != 0 || !strings.Contains(out, "answered 200") {
		t.Errorf("the test of one that is back: %d, %s", code, out)
	}
	hook.awaitTold("queue-depth", "critical firing")
	hook.awaitTold("TocsinTest", "info firing")
	slack.awaitTold("receiver-disabled", "critical firing", "critical resolved")
	d.stop()
}

func TestADeadManPingIsSentWhileTheDaemonWorks(t *testing.T) {
	t.Parallel()
	var pings atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/uuid" {
			pings.Add(1)
		}
	}))
	defer other.Close()
	w, _, _, _ := newPageWorld(t, "route: {receivers: [ops, hooks]}\ndeadman: {url: '"+other.URL+"/uuid', every: 1s}\n")
	d := w.start()
	await(t, "three pings", func() bool { return pings.Load() >= 3 })
	await(t, "the metric", func() bool { return d.metric(`tocsin_deadman_pings_total{outcome="sent"}`) >= "3" })
	d.stop()
	after := pings.Load()
	if strings.Contains(d.out.String(), "uuid") {
		t.Error("the ping's URL is printed")
	}
	if pings.Load() != after {
		t.Error("it pings after its end")
	}
}

func TestTheLedgerTellsOfEachNotificationAndSendsItAgain(t *testing.T) {
	t.Parallel()
	w, p, slack, hook := newPageWorld(t, "route: {receivers: [hooks], group_wait: 0s, group_interval: 100ms}\ncanary: {every: 1h, receivers: [hooks]}\n")
	refuse := true
	hook.set(func(int) (int, time.Duration) {
		if refuse {
			return http.StatusBadRequest, 0
		}
		return http.StatusOK, 0
	})
	d := w.start()
	var page struct {
		Deliveries []struct {
			ID, Kind, State string
			Alerts          []struct{ Rule string }
			Attempts        []struct {
				Status int
				Answer string
			}
		}
	}
	await(t, "the canary to be dead", func() bool {
		d.get("/api/v1/deliveries?state=dead", &page)
		return len(page.Deliveries) == 1
	})
	canary := page.Deliveries[0]
	if canary.Kind != "canary" || len(canary.Attempts) != 1 || canary.Attempts[0].Status != 400 || !strings.Contains(canary.Attempts[0].Answer, "answered 400") {
		t.Errorf("%+v", canary)
	}
	hook.mu.Lock()
	refuse = false
	hook.mu.Unlock()
	if code, out := w.run("deliveries", "redeliver", canary.ID, "--url", d.base); code != 0 {
		t.Errorf("%d: %s", code, out)
	}
	hook.awaitTold("TocsinTest", "info firing")
	p.set("mail", 500)
	hook.awaitTold("queue-depth", "critical firing")
	// Others may be among them: a machine that is busy lets the page answer late,
	// and that is an alert of its own.
	queue := ""
	await(t, "both to be settled", func() bool {
		d.get("/api/v1/deliveries?state=sent&receiver=hooks&since=1h", &page)
		again := false
		for _, sent := range page.Deliveries {
			again = again || sent.ID == canary.ID
			if len(sent.Alerts) > 0 && sent.Alerts[0].Rule == "queue-depth" {
				queue = sent.ID
			}
		}
		return again && queue != ""
	})
	if code, out := w.run("deliveries", "--state", "sent", "--url", d.base); code != 0 || !strings.Contains(out, queue) || !strings.Contains(out, canary.ID) {
		t.Errorf("%d: %s", code, out)
	}
	if got := slack.news(); len(got) > 0 {
		t.Errorf("slack got %v", got)
	}
	// A restart goes on with the canary's schedule.
	d.stop()
	d = w.start()
	await(t, "two polls", func() bool { return d.polls("web") > 2 })
	d.get("/api/v1/deliveries?group=canary:hooks", &page)
	if len(page.Deliveries) != 1 {
		t.Errorf("%d canaries after a restart", len(page.Deliveries))
	}
	d.stop()
}
