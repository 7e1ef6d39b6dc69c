package googlechat

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{Status: 429, Body: `{"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}`, Says: "429"},
		{Status: 400, Body: `{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}`, Permanent: true, Says: "copy the webhook's URL again"},
		{Status: 404, Body: `{"error": {"code": 404, "message": "Space is not found", "status": "NOT_FOUND"}}`, Says: "make a new one"},
		{Status: 403, Body: `{"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}}`, Says: "admin"},
	})
}

func TestAGroupHasAThreadAndAMessageAName(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	var queries []string
	r.Answer = func(w http.ResponseWriter, req *http.Request) {
		queries = append(queries, req.URL.RawQuery)
		if req.URL.Query().Has("requestId") && len(queries) == 3 {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error": {"code": 400, "message": "Invalid value at 'request_id'"}}`)
		}
	}
	g := newNotifier(t, config(r.URL+"/v1/spaces/A/messages?key=k&token=t"))
	n := notifiertest.Sample(alert.Firing, 1)
	for _, n := range []alert.Notification{n, notifiertest.Kinds()["test"], n} {
		if _, err := g.Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	const thread = "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
	want := []string{
		"key=k" + thread + "&requestId=" + n.ID + "&token=t", "key=k&requestId=msg_test&token=t",
		"key=k" + thread + "&requestId=" + n.ID + "&token=t", "key=k" + thread + "&token=t",
	}
	if diff := cmp.Diff(want, queries); diff != "" {
		t.Error(diff)
	}
}

func TestATemplateMentionsNobody(t *testing.T) {
	cfg := config("https://chat.test/hook")
	cfg.Message = notifiers.TextFrom("<users/all> *{{ (index .Alerts 0).Message }}*")
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].Message = "<users/all>"
	m, _ := newNotifier(t, cfg).render(&n)
	if strings.Contains(m.Text, "<users/") || !strings.Contains(m.Text, "users/all>*") {
		t.Errorf("%q", m.Text)
	}
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	notifiertest.Fits(t, newNotifier(t, config("https://chat.test/hook")), 32_000)
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.WebhookURL = secret.URL{} }, "webhook_url: missing"},
		{func(c *Config) {
			c.WebhookURL = secret.NewURL("https://chat.googleapis.com/v1/spaces/s3cr3t/messages?key=x")
		}, "webhook_url: has no key and token"},
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
