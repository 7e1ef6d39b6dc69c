//go:build unix

package main_test

import (
	"context"
	"io"
	"net/http"
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
  - {name: app, type: slack, token: "${SLACK_TOKEN}", channel: "#app", signing_secret: "${SLACK_SECRET}", api_url: "${SLACK_API}", timeout: 2s}
  - {name: hook, type: slack, webhook_url: "${SLACK_HOOK}", timeout: 2s}
route: {receivers: [app, hook], group_by: ['...'], group_wait: 0s, group_interval: 100ms}
`

// newSlackWorld is a world that tells an app of Slack and a webhook.
func newSlackWorld(t *testing.T) (w *world, p *page, fake *slacktest.Slack) {
	t.Helper()
	fake = slacktest.Start(t, slacktest.Options{Token: "xoxb-who-has-this-can-post", SigningSecret: "who-has-this-can-press"}, "#app", "#hook")
	w, p = newWorld(t), newPage(t)
	w.env["PAGE_URL"], w.env["SLACK_TOKEN"], w.env["SLACK_SECRET"] = p.URL, fake.Token, fake.SigningSecret
	w.env["SLACK_API"], w.env["SLACK_HOOK"] = fake.APIURL(), fake.WebhookURL("#hook")
	w.write("tocsin.yaml", watchPageBySlack)
	w.write("rules.yaml", queueRule)
	return w, p, fake
}

func headed(messages []slacktest.Message, part string) bool {
	return slices.ContainsFunc(messages, func(m slacktest.Message) bool { return strings.Contains(m.Header(), part) })
}

func TestSlackIsToldByAppAndByWebhook(t *testing.T) {
	t.Parallel()
	w, p, fake := newSlackWorld(t)
	fake.Fail("chat.postMessage", slacktest.Fault{Status: 429, RetryAfter: 1}, slacktest.Fault{Lose: true})
	p.set("mail", 500)
	d := w.start()
	for _, channel := range []string{"#app", "#hook"} {
		await(t, "a message in "+channel, func() bool { return headed(fake.Messages(channel), "CRITICAL: queue-depth") })
	}
	first := fake.Messages("#app")[0]
	if buttons := first.Buttons(); len(buttons) != 3 || buttons[0].Label() != "Acknowledge" {
		t.Errorf("buttons %+v", buttons)
	}
	pressInDaemon(t, d, fake, first.TS)
	followLink(t, d, fake.Messages("#hook")[0])
	p.set("mail", 0)
	for _, channel := range []string{"#app", "#hook"} {
		await(t, "the end in "+channel, func() bool { return headed(fake.Messages(channel), "RESOLVED: queue-depth") })
	}
	d.stop()
	w.wantNoSecret("the log", d.out.String())
}

// pressInDaemon presses a button, and lets somebody else try to.
func pressInDaemon(t *testing.T, d *daemon, fake *slacktest.Slack, ts string) {
	t.Helper()
	target := d.base + "/api/v1/slack/interactions"
	r, err := fake.Press(context.Background(), target, "#app", ts, "Acknowledge", "ada")
	if err != nil {
		t.Fatal(err)
	}
	forged := r.Clone(t.Context())
	forged.Body, forged.ContentLength = io.NopCloser(strings.NewReader("payload={}")), int64(len("payload={}"))
	for _, row := range []struct {
		request *http.Request
		want    int
	}{{forged, http.StatusUnauthorized}, {r, http.StatusOK}} {
		res, err := http.DefaultClient.Do(row.request)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != row.want {
			t.Errorf("status %d, want %d", res.StatusCode, row.want)
		}
	}
	if got := len(fake.Calls("response")); got != 1 {
		t.Errorf("%d answers to the press, want 1", got)
	}
}

// followLink looks at the link of a message as a preview does, and at a forged
// one.
func followLink(t *testing.T, d *daemon, m slacktest.Message) {
	t.Helper()
	found := regexp.MustCompile(`http://tocsin\.test(/l/[\w-]+)`).FindStringSubmatch(string(m.Raw))
	if found == nil {
		t.Fatalf("no link in %s", m.Raw)
	}
	wantText(t, d.get(found[1], nil), "<!doctype html>")
	if code := d.status("GET", found[1][:len(found[1])-1]); code != http.StatusNotFound {
		t.Errorf("a link that was cut off: %d", code)
	}
}
