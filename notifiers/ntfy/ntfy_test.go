package ntfy

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
		{429, `{"code":42908,"http":429,"error":"limit reached: too many messages","link":"https://ntfy.sh/docs/publish/#limitations"}`, false, time.Hour, "the day's messages"},
		{429, `{"code":42901,"http":429,"error":"limit reached: too many requests, please be nice"}`, false, 0, "429"},
		{401, `{"code":40101,"http":401,"error":"unauthorized"}`, false, 0, "bearer_token"},
		{403, `{"code":40301,"http":403,"error":"forbidden"}`, false, 0, "may not write"},
		{404, "", false, 0, "not an ntfy server's"},
		{413, `{"code":41303,"http":413,"error":"JSON body too large"}`, true, 0, "JSON body too large"},
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
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*\"[🔥]@>", 200)
	}
	p, err := newNotifier(t, config("https://chat.test/hook")).Preview(n)
	if err != nil || len(p.Body) > 8192 || !strings.Contains(string(p.Body), " more") {
		t.Errorf("%d bytes, %v", len(p.Body), err)
	}
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
