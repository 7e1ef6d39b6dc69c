package teams

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	w := newNotifier(t, config("https://chat.test/hook"))
	kinds := notifiertest.Kinds()
	kinds["hostile"] = notifiertest.Hostile()
	for name, n := range kinds {
		p, err := w.Preview(n)
		if err != nil || p.Note != "" {
			t.Fatal(err, p.Note)
		}
		notifiertest.GoldenJSON(t, name+".json", json.RawMessage(p.Body))
	}
}

// What the service answers, as its documents and its servers word it.
func TestAnswers(t *testing.T) {
	for _, row := range []struct {
		status    int
		body      string
		permanent bool
		wait      time.Duration
		says      string
	}{
		{429, "", false, 0, "429"},
		{404, `{"error":{"code":"WorkflowNotFound","message":"The workflow 'x' could not be found."}}`, false, 0, "the workflow is gone"},
		{401, `{"error":{"code":"DirectApiAuthorizationRequired","message":"The request must be authenticated only by Shared Access scheme."}}`, false, 0, "let anyone trigger"},
		{400, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow"}}`, true, 0, "turned off"},
		{413, "", true, 0, "413"},
	} {
		t.Run(row.says, func(t *testing.T) {
			r := notifiertest.NewReceiver(t)
			r.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}
			_, err := newNotifier(t, config(r.URL)).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
			wait, _ := notifiers.WaitOf(err)
			if err == nil || notifiers.IsPermanent(err) != row.permanent || wait != row.wait || !strings.Contains(err.Error(), row.says) {
				t.Errorf("permanent %t, wait %v: %v", notifiers.IsPermanent(err), wait, err)
			}
		})
	}
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*\"[🔥]@>", 200)
	}
	p, err := newNotifier(t, config("https://chat.test/hook")).Preview(n)
	if err != nil || len(p.Body) > 28_000 || !strings.Contains(string(p.Body), " more") {
		t.Errorf("%d bytes, %v", len(p.Body), err)
	}
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
