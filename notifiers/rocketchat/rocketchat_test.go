package rocketchat

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
		{429, `{"success":false,"error":"Error, too many requests. Please slow down. You must wait 42 seconds before trying this endpoint again. [error-too-many-requests]"}`, false, 42 * time.Second, "429"},
		{400, `{"success":false,"error":"Invalid integration id or token provided."}`, true, 0, "copy its URL again"},
		{400, `{"success":false,"error":"invalid-channel"}`, true, 0, "no such channel"},
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
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*\"[🔥]@>", 200)
	}
	p, err := newNotifier(t, config("https://chat.test/hook")).Preview(n)
	if err != nil || len(p.Body) > 16_383 || !strings.Contains(string(p.Body), " more") {
		t.Errorf("%d bytes, %v", len(p.Body), err)
	}
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
