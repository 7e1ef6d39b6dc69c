package teams

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
		{Status: 429, Says: "429"},
		{Status: 404, Body: `{"error":{"code":"WorkflowNotFound","message":"The workflow 'x' could not be found."}}`, Says: "the workflow is gone"},
		{Status: 401, Body: `{"error":{"code":"DirectApiAuthorizationRequired","message":"The request must be authenticated only by Shared Access scheme."}}`, Says: "let anyone trigger"},
		{Status: 400, Body: `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow"}}`, Permanent: true, Says: "turned off"},
		{Status: 413, Permanent: true, Says: "413"},
	})
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	notifiertest.Fits(t, newNotifier(t, config("https://chat.test/hook")), 28_000)
}

func TestATemplateIsMarkdownOfItsOwn(t *testing.T) {
	cfg := config("https://chat.test/hook")
	cfg.Message = notifiers.TextFrom("**{{ len .Alerts }}** alerts")
	n := notifiertest.Sample(alert.Firing, 2)
	body, note, err := newNotifier(t, cfg).body(&n)
	if err != nil || note != "" || !strings.Contains(string(body), `{"type":"TextBlock","text":"**2** alerts","wrap":true}`) {
		t.Errorf("%s, %q, %v", body, note, err)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.WebhookURL = secret.URL{} }, "webhook_url: missing"},
		{func(c *Config) { c.WebhookURL = secret.NewURL("https://x.webhook.office.com/webhookb2/s3cr3t") }, "webhook_url: is an Office 365 connector's, which Microsoft has retired"},
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
