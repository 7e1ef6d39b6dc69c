package ntfy

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
	cfg.URL, cfg.Topic, cfg.BearerToken = secret.NewURL(url), secret.New("tocsin-s3cr3t-topic"), secret.New("tk_s3cr3t")
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
		notifiertest.Secrets("tocsin-s3cr3t-topic", "tk_s3cr3t"))
}

func TestPayloadsReadAsTheGoldenFilesShow(t *testing.T) {
	notifiertest.Payloads(t, newNotifier(t, config("https://chat.test/hook")))
}

func TestAnswers(t *testing.T) {
	notifiertest.Answers(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) }, []notifiertest.Answer{
		{Status: 429, Body: `{"code":42908,"http":429,"error":"limit reached: too many messages","link":"https://ntfy.sh/docs/publish/#limitations"}`, Wait: time.Hour, Says: "the day's messages"},
		{Status: 429, Body: `{"code":42901,"http":429,"error":"limit reached: too many requests, please be nice"}`, Says: "429"},
		{Status: 401, Body: `{"code":40101,"http":401,"error":"unauthorized"}`, Says: "bearer_token"},
		{Status: 403, Body: `{"code":40301,"http":403,"error":"forbidden"}`, Says: "may not write"},
		{Status: 404, Says: "not an ntfy server's"},
		{Status: 413, Body: `{"code":41303,"http":413,"error":"JSON body too large"}`, Permanent: true, Says: "JSON body too large"},
	})
}

func TestTheNewsOfAGroupAreOneNotification(t *testing.T) {
	w := newNotifier(t, config("https://chat.test/hook"))
	sequence := func(n alert.Notification) string { m, _ := w.render(&n); return m.SequenceID }
	firing, again := notifiertest.Sample(alert.Firing, 1), notifiertest.Sample(alert.Firing, 1)
	again.Opened = again.At
	test := notifiertest.Kinds()["test"]
	if a, b := sequence(firing), sequence(notifiertest.Sample(alert.Resolved, 3)); a != b || len(a) > 64 {
		t.Errorf("%q, %q", a, b)
	}
	if sequence(firing) == sequence(again) || sequence(firing) == sequence(test) {
		t.Error("what is another thing takes the place of the group")
	}
	w.cfg.Update = false
	if got := sequence(firing); got != "" {
		t.Errorf("%q", got)
	}
}

func TestPriorities(t *testing.T) {
	w := newNotifier(t, config("https://chat.test/hook"))
	firing := notifiertest.Sample(alert.Firing, 1)
	for s, want := range map[alert.Severity]int{alert.Critical: 5, alert.Warning: 4, alert.Info: 2} {
		firing.Alerts[0].Severity = s
		if m, _ := w.render(&firing); m.Priority != want {
			t.Errorf("%v: %d", s, m.Priority)
		}
	}
	resolved := notifiertest.Sample(alert.Resolved, 1)
	if m, _ := w.render(&resolved); m.Priority != 3 {
		t.Errorf("resolved: %d", m.Priority)
	}
}

// ntfy makes a file of a longer message, and refuses a request of more than 8,192
// bytes.
func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	notifiertest.Fits(t, newNotifier(t, config("https://chat.test/hook")), 8192)
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.URL = secret.URL{} }, "url: missing"},
		{func(c *Config) { c.URL = secret.NewURL("https://ntfy.sh/s3cr3t") }, "url: has a topic in it"},
		{func(c *Config) { c.Topic = secret.String{} }, "topic: missing"},
		{func(c *Config) { c.Topic = secret.New("s3cr3t/topic") }, "topic: want at most 64"},
		{func(c *Config) { c.Priority.Info = 0 }, "priority.info: 0 is not between 1"},
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

// The notification on the phone takes the place of the one before: while others of the
// group fire it must not look as if all were over.
func TestAnEndWhileOthersFireDoesNotReadAsTheGroupsEnd(t *testing.T) {
	n := notifiers.Sample(alert.Resolved, 1)
	n.Status, n.StillFiring = alert.Firing, 1
	m, _ := newNotifier(t, config("https://ntfy.test")).render(&n)
	if !strings.HasPrefix(m.Title, "FIRING: ") || !strings.HasSuffix(m.Title, " (1 firing, 1 resolved)") || m.Tags[0] != "bell" {
		t.Fatal(m.Title, m.Tags)
	}
}

func TestARunbookIsAButtonBeforeASecondSnooze(t *testing.T) {
	w := newNotifier(t, config("https://ntfy.test"))
	for _, row := range []struct {
		runbook string
		want    string
	}{
		{"https://runbooks.example.com/x", "Acknowledge Snooze 1h Runbook"},
		{"", "Acknowledge Snooze 1h Snooze 8h"},
	} {
		n := notifiers.Sample(alert.Firing, 1)
		n.Alerts[0].Annotations = map[string]string{"runbook_url": row.runbook}
		m, _ := w.render(&n)
		var got []string
		for _, a := range m.Actions {
			got = append(got, a.Label)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q: %q, want %q", row.runbook, got, row.want)
		}
	}
}
