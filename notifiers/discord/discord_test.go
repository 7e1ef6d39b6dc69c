package discord

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
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
		{Status: 429, Body: `{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}`, Wait: 64570 * time.Millisecond, Says: "429"},
		{Status: 404, Body: `{"message": "Unknown Webhook", "code": 10015}`, Permanent: true, Says: "was deleted"},
		{Status: 401, Body: `{"message": "Invalid Webhook Token", "code": 50027}`, Permanent: true, Says: "token is wrong"},
		{Status: 400, Body: `{"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": ["x"]}}`, Permanent: true, Says: "does not take a part"},
		{Status: 400, Body: `{"message": "Webhooks posted to forum channels must have a thread_name or thread_id", "code": 220001}`, Permanent: true, Says: "thread_id"},
	})
}

// The life of a group: news are messages, and the last that fires shows the end.
func TestTheGroupsLastMessageShowsItsEnd(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	var calls []string
	r.Answer = func(w http.ResponseWriter, req *http.Request) {
		calls = append(calls, req.Method+" "+req.URL.RequestURI())
		_, _ = fmt.Fprintf(w, `{"content":"%s","id":"%d","embeds":[]}`, strings.Repeat(`\\u00fc`, 6000), 40+len(calls))
	}
	cfg := config(r.URL + "/api/webhooks/1/abc")
	cfg.ThreadID = "99"
	d := newNotifier(t, cfg)
	reference := ""
	tell := func(n alert.Notification, want string) {
		t.Helper()
		n.Reference = reference
		receipt, err := d.Notify(t.Context(), n)
		if err != nil || receipt.Note != "" || receipt.Reference != want {
			t.Fatalf("reference %q, note %q, error %v", receipt.Reference, receipt.Note, err)
		}
		reference = receipt.Reference
	}
	firing := notifiertest.Sample(alert.Firing, 2)
	quiet := firing
	quiet.Quiet = true
	tell(firing, "41")
	tell(notifiertest.Sample(alert.Firing, 1), "42")
	tell(quiet, "42")
	tell(notifiertest.Sample(alert.Resolved, 2), "42")
	want := []string{
		"POST /api/webhooks/1/abc?thread_id=99&wait=true", "POST /api/webhooks/1/abc?thread_id=99&wait=true",
		"PATCH /api/webhooks/1/abc/messages/42?thread_id=99",
		"PATCH /api/webhooks/1/abc/messages/42?thread_id=99", "POST /api/webhooks/1/abc?thread_id=99&wait=true",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

func TestAMessageThatIsGoneDoesNotKeepTheNewsBack(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	r.Answer = func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPatch {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message": "Unknown Message", "code": 10008}`)
		}
	}
	n := notifiertest.Sample(alert.Resolved, 1)
	n.Reference = "7"
	receipt, err := newNotifier(t, config(r.URL)).Notify(t.Context(), n)
	if err != nil || len(r.Messages()) != 2 || !strings.Contains(receipt.Note, "could not be changed") {
		t.Errorf("%d messages, %q, %v", len(r.Messages()), receipt.Note, err)
	}
}

// Discord counts all texts of an embed together: 6,000 characters.
func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*[🔥]@>", 200)
	}
	m, _ := newNotifier(t, config("https://chat.test/hook")).render(&n)
	e := m.Embeds[0]
	if size := chat.UTF16(e.Title + e.Description + e.Footer.Text); size > 6000 || chat.UTF16(e.Description) > 4096 || !strings.Contains(e.Description, " more](") {
		t.Errorf("%d characters", size)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.WebhookURL = secret.URL{} }, "webhook_url: missing"},
		{func(c *Config) { c.WebhookURL = secret.NewURL("https://discord.com/api/webhooks/1/s3cr3t/slack") }, "webhook_url: takes the payload of another service"},
		{func(c *Config) { c.ThreadID = "ops" }, `thread_id: "ops" is not the number`},
		{func(c *Config) { c.Username = strings.Repeat("x", 81) }, "username: longer than 80"},
		{func(c *Config) { c.AvatarURL = "x" }, "avatar_url: "},
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

// What the receiver called its messages before it was changed to Discord names none
// of Discord's: it must neither be asked for nor hold the news up.
func TestAReferenceOfAnotherServiceIsNone(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method)
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"id":"77"}`)
	}))
	defer server.Close()
	cfg := config(server.URL)
	n := notifiertest.Sample(alert.Resolved, 1)
	n.Reference = "C0123/1700000000.1"
	receipt, err := newNotifier(t, cfg).Notify(t.Context(), n)
	if err != nil || receipt.Reference != "77" || len(asked) != 1 {
		t.Errorf("%+v, %v, asked %v", receipt, err, asked)
	}
}
