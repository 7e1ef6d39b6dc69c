package rocketchat

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
		{Status: 429, Body: `{"success":false,"error":"Error, too many requests. Please slow down. You must wait 42 seconds before trying this endpoint again. [error-too-many-requests]"}`, Wait: 42 * time.Second, Says: "429"},
		{Status: 400, Body: `{"success":false,"error":"Invalid integration id or token provided."}`, Permanent: true, Says: "copy its URL again"},
		{Status: 400, Body: `{"success":false,"error":"invalid-channel"}`, Permanent: true, Says: "no such channel"},
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
		{func(c *Config) { c.Channel = "ops team" }, `channel: "ops team" is not the name`},
		{func(c *Config) { c.Emoji = "bell" }, `emoji: "bell" is not the name`},
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
