package mattermost

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func config(url string) Config {
	cfg := Default()
	cfg.WebhookURL = secret.NewURL(url)
	return cfg
}

func newNotifier(t testing.TB, cfg Config) *Notifier {
	t.Helper()
	n, err := New(cfg, nil, notifiers.NewLinks([]byte("a key")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConformance(t *testing.T) {
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) })
}

func TestPayloadsReadAsTheGoldenFilesShow(t *testing.T) {
	notifiertest.Payloads(t, newNotifier(t, config("https://chat.test/hook")))
}

func TestAnswers(t *testing.T) {
	notifiertest.Answers(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) }, []notifiertest.Answer{
		{Status: 400, Body: `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook","status_code":400}`, Permanent: true, Says: "make a new one"},
		{Status: 403, Body: `{"id":"web.incoming_webhook.channel_locked.app_error","message":"This webhook is not permitted to post","status_code":403}`, Says: "take channel away"},
		{Status: 404, Body: `{"id":"web.incoming_webhook.channel.app_error","message":"Couldn't find the channel.","status_code":404}`, Says: "no such channel"},
		{Status: 501, Body: `{"id":"web.incoming_webhook.disabled.app_error","message":"Incoming webhooks have been disabled by the system admin.","status_code":501}`, Says: "turned incoming webhooks off"},
	})
}

func TestATemplateMentionsNobody(t *testing.T) {
	cfg := config("https://chat.test/hook")
	cfg.Message = notifiers.TextFrom("@channel {{ (index .Alerts 0).Message }}")
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].Message = "@all"
	m, _ := newNotifier(t, cfg).render(&n)
	if got := m.Attachments[0].Text; got != "@\u200bchannel @\u200ball" {
		t.Errorf("%q", got)
	}
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	notifiertest.Fits(t, newNotifier(t, config("https://chat.test/hook")), 16_383)
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.WebhookURL = secret.URL{} }, "webhook_url: missing"},
		{func(c *Config) { c.Channel = "#ops" }, `channel: "#ops" is not the name`},
		{func(c *Config) { c.IconURL = "x" }, "icon_url: "},
		{func(c *Config) { c.Title = notifiers.TextFrom("{{ .Sevrity }}") }, "title: bad template"},
		{func(c *Config) { c.Message = notifiers.TextFrom("{{ nope }}") }, "message: bad template"},
	} {
		cfg := config("https://chat.test/hook")
		row.change(&cfg)
		_, err := New(cfg, nil, nil)
		if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
			t.Errorf("err = %v, want %q", err, row.want)
		}
	}
}
