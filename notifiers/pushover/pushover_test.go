package pushover

import (
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
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

// The keys, as Pushover makes them.
const (
	token = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
	user  = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
)

func config(url string) Config {
	cfg := Default()
	cfg.APIURL, cfg.Token, cfg.UserKey = secret.NewURL(url), secret.New(token), secret.New(user)
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
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) },
		notifiertest.Secrets(token, user))
}

func TestPayloadsReadAsTheGoldenFilesShow(t *testing.T) {
	notifiertest.Payloads(t, newNotifier(t, config("https://chat.test/hook")))
}

func TestAnswers(t *testing.T) {
	notifiertest.Answers(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) }, []notifiertest.Answer{
		{Status: 429, Body: `{"status":0,"errors":["application has exceeded its monthly message limit"]}`, Wait: time.Hour, Says: "the month's messages"},
		{Status: 400, Body: `{"token":"invalid","errors":["application token is invalid"],"status":0,"request":"x"}`, Permanent: true, Says: "token is wrong"},
		{Status: 400, Body: `{"user":"invalid","errors":["user identifier is not a valid user, group, or subscribed user key"],"status":0}`, Permanent: true, Says: "user_key is wrong"},
		{Status: 200, Body: `{"status":0,"errors":["message cannot be blank"]}`, Permanent: true, Says: "did not take the message"},
		{Status: 500, Says: "500"},
	})
}

// An emergency is cancelled when its group ends, or somebody has taken all of it up.
func TestAnEmergencyEnds(t *testing.T) {
	resolved, quiet := notifiertest.Sample(alert.Resolved, 1), notifiertest.Sample(alert.Firing, 1)
	quiet.Quiet = true
	taken := quiet
	taken.Acks = []alert.Ack{{AlertID: quiet.Alerts[0].ID, By: "ada"}}
	const tag = "tocsin-" + "0123456789abcdef0123456789abcdef"
	for _, row := range []struct {
		name      string
		n         alert.Notification
		reference string
		paths     []string
		after     string
	}{
		{"resolved", resolved, referred + tag, []string{"/1/receipts/cancel_by_tag/" + tag + ".json", "/1/messages.json"}, ""},
		{"taken up", taken, referred + tag, []string{"/1/receipts/cancel_by_tag/" + tag + ".json"}, ""},
		{"given back", quiet, referred + tag, nil, referred + tag},
		{"resolved without an emergency", resolved, "", []string{"/1/messages.json"}, ""},
		{"fires", notifiertest.Sample(alert.Firing, 1), "", []string{"/1/messages.json"}, referred + "tocsin-" + notifiers.GroupID(resolved.GroupKey)},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := notifiertest.NewReceiver(t)
			var paths []string
			r.Answer = func(w http.ResponseWriter, req *http.Request) {
				paths = append(paths, req.URL.Path)
				_, _ = io.WriteString(w, `{"status":1,"request":"x"}`)
			}
			cfg := config(r.URL + "/1")
			cfg.Priority.Critical = emergency
			n := row.n
			n.Reference = row.reference
			receipt, err := newNotifier(t, cfg).Notify(t.Context(), n)
			if diff := cmp.Diff(row.paths, paths); err != nil || diff != "" || receipt.Reference != row.after {
				t.Errorf("reference %q, error %v: %s", receipt.Reference, err, diff)
			}
		})
	}
}

func TestAnEmergencyThatCannotBeCancelledIsTriedAgain(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	r.Answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	n := notifiertest.Sample(alert.Resolved, 1)
	n.Reference = referred + "tocsin-x"
	if _, err := newNotifier(t, config(r.URL)).Notify(t.Context(), n); err == nil || notifiers.IsPermanent(err) || len(r.Messages()) != 1 {
		t.Errorf("%v, %d requests", err, len(r.Messages()))
	}
}

func TestEmergenciesComeAgain(t *testing.T) {
	cfg := config("https://chat.test/hook")
	cfg.Priority.Critical = emergency
	w := newNotifier(t, cfg)
	n := notifiertest.Sample(alert.Firing, 1)
	m, _ := w.render(&n)
	if m.Priority != 2 || m.Retry != 60 || m.Expire != 3600 || !strings.HasPrefix(m.Tags, "tocsin-") || !w.cfg.TellsAcks() {
		t.Errorf("%+v", m)
	}
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("é🔥", 600)
	}
	m, _ := newNotifier(t, config("https://chat.test/hook")).render(&n)
	if size := chat.Runes(m.Message); size > 1024 || !strings.Contains(m.Message, " more: https://") || !strings.Contains(m.Message, n.ID) {
		t.Errorf("%d characters: %s", size, m.Message)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Token = secret.String{} }, "token: missing"},
		{func(c *Config) { c.UserKey = secret.New("s3cr3t") }, "user_key: want 30"},
		{func(c *Config) { c.Device = "a b" }, "device: "},
		{func(c *Config) { c.Priority.Warning = 3 }, "priority.warning: 3 is not between"},
		{func(c *Config) { c.Priority.Resolved = 2 }, "priority.resolved: what is resolved"},
		{func(c *Config) { c.Retry = 10 * time.Second }, "retry: must be between 30s"},
		{func(c *Config) { c.Expire = 4 * time.Hour }, "expire: must be between"},
		{func(c *Config) { c.APIURL = secret.NewURL("ftp://x") }, "api_url: does not begin with http"},
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
