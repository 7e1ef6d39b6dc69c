package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
	"github.com/tocsin-dev/tocsin/notifiers/slack/slacktest"
)

// pressed posts a message, presses a button on it and reads the press.
func pressed(t *testing.T, fake *slacktest.Slack, s *Notifier, n alert.Notification, label string) notifiers.Press {
	t.Helper()
	_, ts, _ := strings.Cut(tell(t, s, fresh(n)), ":")
	r, err := fake.Press(t.Context(), "http://tocsin.test/", "#ops", ts, label, "ada")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.ReadPress(r.Header, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPressSaysWhatIsWantedOfWhat(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	n := notifiertest.Sample(alert.Firing, 1)
	ack := pressed(t, fake, s, n, "Acknowledge")
	if ack.Action != notifiers.ActAcknowledge || ack.By != "ada" || len(ack.Target.Alerts) != 1 || ack.Target.Alerts[0] != n.Alerts[0].ID || ack.Target.Receiver != "ops" {
		t.Errorf("%+v", ack)
	}
	silence := pressed(t, fake, s, n, "Silence 1h")
	if silence.Action != notifiers.ActSilence || silence.For != time.Hour || silence.Key == "" || silence.Key == ack.Key {
		t.Errorf("%+v", silence)
	}
	for _, label := range []string{"Runbook", "Open"} { // Slack tells of these too
		if p := pressed(t, fake, s, n, label); p.Action != "" {
			t.Errorf("%s: %+v", label, p)
		}
	}
}

func TestWhatCameOfAPressIsTold(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	p := pressed(t, fake, s, notifiertest.Sample(alert.Firing, 1), "Acknowledge")
	if err := p.Answer(t.Context(), notifiers.Outcome{Text: "ada acknowledged <!channel>"}); err != nil {
		t.Fatal(err)
	}
	m := fake.Messages("#ops")[0]
	if got := labels(&m); got != "Silence 1h Runbook Open" {
		t.Errorf("buttons %s", got)
	}
	if raw := string(m.Raw); !strings.Contains(raw, "ada acknowledged") || strings.Contains(raw, "<!channel>") || m.Header() == "" || len(m.Attachments) == 0 {
		t.Errorf("message %s", m.Raw)
	}
	if len(m.Thread) != 0 {
		t.Errorf("thread %+v: it learns of it as of every acknowledgement", m.Thread)
	}
	silenced := pressed(t, fake, s, fresh(notifiertest.Sample(alert.Firing, 1)), "Silence 1h")
	if err := silenced.Answer(t.Context(), notifiers.Outcome{Text: "ada silenced <!channel>"}); err != nil {
		t.Fatal(err)
	}
	all := fake.Messages("#ops")
	if last := all[len(all)-1]; len(last.Thread) != 1 || !strings.Contains(last.Thread[0].Text, "ada silenced &lt;!channel&gt;") {
		t.Errorf("thread %+v", last.Thread)
	}
	if err := p.Answer(t.Context(), notifiers.Outcome{Text: "nothing of it fires any more", Failed: true}); err != nil {
		t.Fatal(err)
	}
	if told := fake.Ephemeral(); len(told) != 1 || !strings.Contains(told[0], "nothing of it fires") || fake.Messages("#ops")[0].Edits != 1 {
		t.Errorf("told %q", told)
	}
}

func TestASignatureIsVerified(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	webhook, err := New(Config{WebhookURL: secret.NewURL(fake.WebhookURL("#ops"))}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := botConfig(fake)
	c.SigningSecret = secret.String{}
	unsigned := newBot(t, c)
	body := url.Values{"payload": {`{"type":"block_actions","actions":[]}`}}.Encode()
	for _, row := range []struct {
		name   string
		s      *Notifier
		secret string
		age    time.Duration
		spoil  func(http.Header)
		signed bool
	}{
		{"as Slack signs", s, testSigningSecret, 0, nil, true},
		{"four minutes ago", s, testSigningSecret, 4 * time.Minute, nil, true},
		{"six minutes ago", s, testSigningSecret, 6 * time.Minute, nil, false},
		{"six minutes ahead", s, testSigningSecret, -6 * time.Minute, nil, false},
		{"another secret", s, "another", 0, nil, false},
		{"a webhook has none", webhook, testSigningSecret, 0, nil, false},
		{"none is set", unsigned, "", 0, nil, false},
		{"no signature", s, testSigningSecret, 0, func(h http.Header) { h.Del("X-Slack-Signature") }, false},
		{"no time", s, testSigningSecret, 0, func(h http.Header) { h.Del("X-Slack-Request-Timestamp") }, false},
		{"another version", s, testSigningSecret, 0, func(h http.Header) {
			h.Set("X-Slack-Signature", "v1="+strings.TrimPrefix(h.Get("X-Slack-Signature"), "v0="))
		}, false},
		{"a cut one", s, testSigningSecret, 0, func(h http.Header) { h.Set("X-Slack-Signature", h.Get("X-Slack-Signature")[:20]) }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := slacktest.Sign(t.Context(), "http://tocsin.test/", row.secret, body, time.Now().Add(-row.age))
			if err != nil {
				t.Fatal(err)
			}
			if row.spoil != nil {
				row.spoil(r.Header)
			}
			if _, err := row.s.ReadPress(r.Header, []byte(body)); errors.Is(err, notifiers.ErrNotSigned) == row.signed {
				t.Errorf("err = %v", err)
			}
			if _, err := row.s.ReadPress(r.Header, []byte(body+"&x=1")); !errors.Is(err, notifiers.ErrNotSigned) {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

func TestWhatIsSignedAndNotUnderstood(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	for _, row := range []struct {
		body string
		err  bool
	}{
		{"payload=%7B%22type%22%3A%22shortcut%22%7D", false},
		{"payload=nonsense", true},
		{"", true},
		{"%zz", true},
		{url.Values{"payload": {`{"type":"block_actions","actions":[{"action_id":"tocsin_ack","value":"x"}]}`}}.Encode(), true},
		{url.Values{"payload": {`{"type":"block_actions","actions":[{"action_id":"tocsin_ack","value":"{}"}]}`}}.Encode(), true},
		{url.Values{"payload": {`{"type":"block_actions","actions":[{"action_id":"another_apps","value":"{}"}]}`}}.Encode(), false},
	} {
		r, err := slacktest.Sign(t.Context(), "http://tocsin.test/", testSigningSecret, row.body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.ReadPress(r.Header, []byte(row.body))
		if (err != nil) != row.err || p.Action != "" || errors.Is(err, notifiers.ErrNotSigned) {
			t.Errorf("%s: %+v, %v", row.body, p, err)
		}
	}
}

func TestAResponseURLLeadsToSlackOrNowhere(t *testing.T) {
	for _, row := range []struct {
		api, response string
		want          destination
	}{
		{"", "https://hooks.slack.com/actions/T/1/x", slackHooks},
		{"https://slack.com/api", "https://hooks.slack.com/actions/T/1/x", slackHooks},
		{"https://slack-gov.com/api", "https://hooks.slack-gov.com/actions/x", slackHooks},
		{"https://slack-gov.com/api", "https://hooks.slack.com/actions/x", nowhere},
		{"", "http://hooks.slack.com/actions/T/1/x", nowhere},
		{"", "https://hooks.slack.com:8443/actions", nowhere},
		{"", "https://hooks.slack.com.evil.example/", nowhere},
		{"", "https://hooks.slack.com@evil.example/", nowhere},
		{"", "https://user@hooks.slack.com/", nowhere},
		{"", "http://169.254.169.254/latest/meta-data", nowhere},
		{"", "https://slack.com/api/chat.postMessage", nowhere},
		{"", "", nowhere},
		{"", "%", nowhere},
		{"http://127.0.0.1:8080/api", "http://127.0.0.1:8080/actions/1", apiHost},
		{"http://127.0.0.1:8080/api", "http://127.0.0.1:8081/actions/1", nowhere},
		{"http://127.0.0.1:8080/api", "https://hooks.slack.com/actions/1", nowhere},
	} {
		b := &bot{cfg: Config{APIURL: secret.NewURL(row.api)}}
		if got := b.leadsTo(row.response); got != row.want {
			t.Errorf("api_url %q, response_url %q: %d, want %d", row.api, row.response, got, row.want)
		}
	}
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer elsewhere.Close()
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	in := interaction{ResponseURL: elsewhere.URL}
	if err := s.bot.answer(t.Context(), &in, notifiers.ActAcknowledge, notifiers.Outcome{Failed: true}); err == nil || asked != 0 {
		t.Errorf("err = %v, asked %d times", err, asked)
	}
}

func TestAWebhookHasLinks(t *testing.T) {
	fake := startSlack(t)
	s, err := New(Config{WebhookURL: secret.NewURL(fake.WebhookURL("#ops"))}, nil, notifiers.NewLinks([]byte("a key that tests know")))
	if err != nil {
		t.Fatal(err)
	}
	n := notifiertest.Sample(alert.Firing, 1)
	for _, one := range []alert.Notification{n, notifiertest.Sample(alert.Resolved, 1), notifiertest.Sample(alert.Firing, 60)} {
		if _, err := s.Notify(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	all := fake.Messages("#ops")
	for _, want := range []string{"|Acknowledge", "|Snooze 1h", "|Snooze 8h", "https://tocsin.example.com/l/"} {
		if !strings.Contains(string(all[0].Raw), want) || strings.Contains(string(all[1].Raw), want) || !strings.Contains(string(all[2].Raw), want) {
			t.Errorf("%s: %s\n%s", want, all[0].Raw, all[1].Raw)
		}
	}
	notifiertest.GoldenJSON(t, "webhook_links.json", webhookMessage(compose(&n, linksOf(&n, s.links), words{})))
}

// FuzzReadPress reads what is signed and may be anything: no panic, and a press
// is one that can be answered.
func FuzzReadPress(f *testing.F) {
	f.Add(`{"type":"block_actions","user":{"id":"U1","name":"ada"},"actions":[{"action_id":"tocsin_ack","value":"{\"a\":[\"1\"]}"}]}`)
	f.Add(`{"type":"block_actions","actions":[null],"message":{"blocks":[null,1,{"block_id":"tocsin_actions","elements":[null]}]}}`)
	c := Default()
	c.Token, c.SigningSecret, c.Channel = secret.New(testToken), secret.New(testSigningSecret), "#ops"
	s, err := New(c, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		body := url.Values{"payload": {payload}}.Encode()
		r, err := slacktest.Sign(t.Context(), "http://tocsin.test/", testSigningSecret, body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.ReadPress(r.Header, []byte(body))
		if errors.Is(err, notifiers.ErrNotSigned) {
			t.Fatal(err)
		}
		if p.Action != "" && (p.Target.Empty() || p.By == "" || p.Key == "" || p.Answer == nil) {
			t.Errorf("%+v", p)
		}
		var m original
		if json.Unmarshal([]byte(payload), &m) == nil {
			if _, err := json.Marshal(m.noting(notifiers.ActAcknowledge, "done")); err != nil {
				t.Error(err)
			}
		}
	})
}
