//go:build unix

package main_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/notifiers/slack/slacktest"
)

const watchPageBySlack = `
server: {external_url: "http://tocsin.test"}
rules: [rules.yaml]
sources:
  - {name: web, type: prometheus, url: "${PAGE_URL}", interval: 100ms, timeout: 100ms}
receivers:
  - {name: app, type: slack, token: "${SLACK_TOKEN}", channel: "${SLACK_CHANNEL}", signing_secret: "${SLACK_SECRET}", api_url: "${SLACK_API}", timeout: 2s}
  - {name: hook, type: slack, webhook_url: "${SLACK_HOOK}", timeout: 2s}
route: {receivers: [app, hook], group_by: ['...'], group_wait: 0s, group_interval: 100ms}
`

// newSlackWorld is a world that tells an app of Slack and a webhook.
func newSlackWorld(t *testing.T) (w *world, p *page, fake *slacktest.Slack) {
	t.Helper()
	fake = slacktest.Start(t, slacktest.Options{Token: "xoxb-who-has-this-can-post", SigningSecret: "who-has-this-can-press"}, "#app", "#hook")
	w, p = newWorld(t), newPage(t)
	w.env["PAGE_URL"], w.env["SLACK_TOKEN"], w.env["SLACK_SECRET"] = p.URL, fake.Token, fake.SigningSecret
	w.env["SLACK_CHANNEL"] = fake.ID("#app")
	w.env["SLACK_API"], w.env["SLACK_HOOK"] = fake.APIURL(), fake.WebhookURL("#hook")
	w.write("tocsin.yaml", watchPageBySlack)
	w.write("rules.yaml", queueRule)
	return w, p, fake
}

func headed(messages []slacktest.Message, part string) bool {
	return slices.ContainsFunc(messages, func(m slacktest.Message) bool { return strings.Contains(m.Header(), part) })
}

func TestSlackFollowsAnAlertFromItsStartToItsEnd(t *testing.T) {
	t.Parallel()
	w, p, fake := newSlackWorld(t)
	fake.Fail("chat.postMessage", slacktest.Fault{Status: 429, RetryAfter: 1}, slacktest.Fault{Lose: true})
	p.set("mail", 500)
	d := w.start()
	for _, channel := range []string{"#app", "#hook"} {
		await(t, "a message in "+channel, func() bool { return headed(fake.Messages(channel), "CRITICAL: queue-depth") })
	}
	await(t, "the lost answer to be mended", func() bool { return d.metric(`tocsin_notifications_pending{receiver="app"}`) == "0" })
	first := fake.Messages("#app")[0]
	if buttons := first.Buttons(); len(buttons) != 3 || buttons[0].Label() != "Acknowledge" {
		t.Errorf("buttons %+v", buttons)
	}
	pressInDaemon(t, d, fake, first.TS)
	d.kill() // links and messages outlive that
	d = w.start()
	followLink(t, d, fake.Messages("#hook")[0])
	p.set("mail", 0)
	for _, channel := range []string{"#app", "#hook"} {
		await(t, "the end in "+channel, func() bool { return headed(fake.Messages(channel), "RESOLVED: queue-depth") })
	}
	await(t, "the end in the thread", func() bool { return len(fake.Messages("#app")[0].Thread) == 3 })
	all := fake.Messages("#app")
	m := all[0]
	var thread []string
	for _, reply := range m.Thread {
		thread = append(thread, string(reply.Raw))
	}
	if len(all) != 1 || m.TS != first.TS || !strings.Contains(thread[0], "acknowledged by ada") || !strings.Contains(thread[1], "by bob") || !strings.Contains(m.Thread[2].Text, "RESOLVED") {
		t.Errorf("%d messages in the channel, thread %+v", len(all), m.Thread)
	}
	d.stop()
	w.wantNoSecret("the log", d.out.String())
}

// pressInDaemon acknowledges by a button, twice, and lets somebody else try to.
func pressInDaemon(t *testing.T, d *daemon, fake *slacktest.Slack, ts string) {
	t.Helper()
	r, err := fake.Press(t.Context(), d.base+"/api/v1/slack/interactions", "#app", ts, "Acknowledge", "ada")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		body string
		want int
	}{{"payload={}", http.StatusUnauthorized}, {string(payload), http.StatusOK}, {string(payload), http.StatusOK}} {
		sent := r.Clone(t.Context())
		sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(row.body)), int64(len(row.body))
		res, err := http.DefaultClient.Do(sent)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != row.want {
			t.Errorf("status %d, want %d", res.StatusCode, row.want)
		}
	}
	if got := len(fake.Calls("response")); got != 1 || len(fake.Ephemeral()) != 0 {
		t.Errorf("%d answers to the press, want 1; failures %q", got, fake.Ephemeral())
	}
}

// followLink looks at the link of a message as a preview does, at a forged one,
// and then snoozes by it.
func followLink(t *testing.T, d *daemon, m slacktest.Message) {
	t.Helper()
	found := regexp.MustCompile(`http://tocsin\.test(/l/[\w-]+)\|Snooze 1h`).FindStringSubmatch(string(m.Raw))
	if found == nil {
		t.Fatalf("no link in %s", m.Raw)
	}
	await(t, "the alert to be back", func() bool { return len(d.firing("queue-depth")) == 1 })
	wantText(t, d.get(found[1], nil), "<!doctype html>", "Snooze queue-depth?")
	if code := d.status("GET", found[1][:len(found[1])-1]); code != http.StatusNotFound {
		t.Errorf("a link that was cut off: %d", code)
	}
	res, err := http.PostForm(d.base+found[1], url.Values{"name": {"bob"}}) //nolint:noctx // go test's own deadline bounds it
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	wantText(t, string(page), "Done", "bob snoozed queue-depth for 1h")
}
