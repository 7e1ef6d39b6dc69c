package googlechat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

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
		{429, `{"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}`, false, 0, "429"},
		{400, `{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}`, true, 0, "copy the webhook's URL again"},
		{404, `{"error": {"code": 404, "message": "Space is not found", "status": "NOT_FOUND"}}`, false, 0, "make a new one"},
		{403, `{"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}}`, false, 0, "admin"},
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
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*\"[🔥]@>", 200)
	}
	p, err := newNotifier(t, config("https://chat.test/hook")).Preview(n)
	if err != nil || len(p.Body) > 32_000 || !strings.Contains(string(p.Body), " more") {
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
