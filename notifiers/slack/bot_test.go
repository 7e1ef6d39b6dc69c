package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
	"github.com/tocsin-dev/tocsin/notifiers/slack/slacktest"
)

const (
	testToken         = "xoxb-0000-s3cr3t-token"
	testSigningSecret = "8f742231b10e8888abcd99yyyzzz85a5"
)

func startSlack(t *testing.T) *slacktest.Slack {
	t.Helper()
	return slacktest.Start(t, slacktest.Options{Token: testToken, SigningSecret: testSigningSecret}, "#ops", "#other")
}

func botConfig(fake *slacktest.Slack) Config {
	c := Default()
	c.Token, c.SigningSecret = secret.New(testToken), secret.New(testSigningSecret)
	c.Channel, c.APIURL = fake.ID("#ops"), secret.NewURL(fake.APIURL())
	return c
}

func newBot(t *testing.T, c Config) *Notifier {
	t.Helper()
	n, err := New(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fresh is a notification that no process before this one has tried.
func fresh(n alert.Notification) alert.Notification {
	n.At = time.Now().Add(time.Hour)
	return n
}

// tell notifies as the outbox does, and returns the reference.
func tell(t *testing.T, s *Notifier, n alert.Notification) string {
	t.Helper()
	receipt, err := s.Notify(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Reference
}

func following(reference string, seq int64, n alert.Notification) alert.Notification {
	n = fresh(n)
	n.ID, n.Seq, n.Reference = fmt.Sprintf("msg_%d", seq), seq, reference
	return n
}

func TestAGroupIsOneMessageThatFollowsItToItsEnd(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	first := tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
	if want := fake.ID("#ops") + ":" + fake.Messages("#ops")[0].TS; first != want {
		t.Fatalf("reference %q, want %q", first, want)
	}
	more := following(first, 2, notifiertest.Sample(alert.Firing, 2))
	more.Alerts, more.StillFiring, more.Reason = more.Alerts[1:], 1, "1 new"
	second := tell(t, s, more)
	m := fake.Messages("#ops")[0]
	if !strings.Contains(m.Header(), "CRITICAL") || !strings.Contains(m.Header(), "2 firing") || !strings.Contains(string(m.Raw), "Still firing, told before*\\n🔥 critical since") {
		t.Errorf("header %q, %s", m.Header(), m.Raw)
	}
	ended := following(second, 3, notifiertest.Sample(alert.Resolved, 2))
	ended.Reason = "2 resolved"
	if third := tell(t, s, ended); third != first || second != first {
		t.Errorf("references %s, %s, %s", first, second, third)
	}
	all := fake.Messages("#ops")
	if len(all) != 1 {
		t.Fatalf("%d messages, want 1", len(all))
	}
	m = all[0]
	if m.Edits != 2 || len(m.Thread) != 2 || !strings.Contains(m.Header(), "✅ RESOLVED") || m.Attachments[0].Color != "#2eb886" {
		t.Errorf("%d edits, %d replies, header %q, colour %s", m.Edits, len(m.Thread), m.Header(), m.Attachments[0].Color)
	}
	for i, want := range []string{"1 new", "2 resolved"} {
		if text := m.Thread[i].Blocks[0].Text.Text; !strings.Contains(text, want) {
			t.Errorf("reply %d: %q, want %q", i, text, want)
		}
	}
	if got := labels(&m); got != "Runbook Open" {
		t.Errorf("the buttons of what is resolved: %s", got)
	}
}

func labels(m *slacktest.Message) string {
	var out []string
	for _, e := range m.Buttons() {
		out = append(out, e.Label())
	}
	return strings.Join(out, " ")
}

func TestButtonsAreThereWhereAPressIsBelieved(t *testing.T) {
	fake := startSlack(t)
	tell(t, newBot(t, botConfig(fake)), fresh(notifiertest.Sample(alert.Firing, 1)))
	c := botConfig(fake)
	c.SigningSecret = secret.String{}
	s, err := New(c, nil, notifiers.NewLinks([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
	all := fake.Messages("#ops")
	if got := labels(&all[0]); got != "Acknowledge Silence 1h Runbook Open" {
		t.Errorf("with a signing secret: %s", got)
	}
	if got := labels(&all[1]); got != "" || !strings.Contains(string(all[1].Raw), "|Acknowledge") {
		t.Errorf("without one: buttons %q, %s", got, all[1].Raw)
	}
}

func TestALostMessageIsReplacedByANewOne(t *testing.T) {
	for name, lose := range map[string]func(*slacktest.Slack, string){
		"deleted":         func(f *slacktest.Slack, ts string) { f.Delete("#ops", ts) },
		"too old to edit": func(f *slacktest.Slack, _ string) { f.Fail("chat.update", slacktest.Fault{Code: "edit_window_closed"}) },
		"another app's": func(f *slacktest.Slack, _ string) {
			f.Fail("chat.update", slacktest.Fault{Code: "cant_update_message"})
		},
		"the channel is gone": func(f *slacktest.Slack, _ string) { f.Fail("chat.update", slacktest.Fault{Code: "channel_not_found"}) },
		"its thread is no more": func(f *slacktest.Slack, _ string) {
			f.Fail("chat.postMessage", slacktest.Fault{Code: "thread_not_found"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := startSlack(t)
			s := newBot(t, botConfig(fake))
			first := tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
			_, ts, _ := strings.Cut(first, ":")
			lose(fake, ts)
			second := tell(t, s, following(first, 2, notifiertest.Sample(alert.Resolved, 1)))
			all := fake.Messages("#ops")
			last := all[len(all)-1]
			if second == first || second != fake.ID("#ops")+":"+last.TS || !strings.Contains(last.Header(), "RESOLVED") {
				t.Errorf("reference %s after %s, last header %q", second, first, last.Header())
			}
		})
	}
}

func TestALostAnswerIsLookedUpBeforeAnythingIsPostedAgain(t *testing.T) {
	for _, row := range []struct {
		name      string
		fault     slacktest.Fault
		noHistory bool
		messages  int
	}{
		{"it was posted", slacktest.Fault{Lose: true}, false, 1},
		{"it was not", slacktest.Fault{Status: 503}, false, 1},
		{"the app may not look", slacktest.Fault{Lose: true}, true, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			fake := startSlack(t)
			fake.NoHistory = row.noHistory
			s := newBot(t, botConfig(fake))
			fake.Fail("chat.postMessage", row.fault)
			n := fresh(notifiertest.Sample(alert.Firing, 1))
			n.At = time.Now().Add(time.Second)
			if _, err := s.Notify(t.Context(), n); err == nil || notifiers.IsPermanent(err) {
				t.Fatalf("the answer was lost, and yet: %v", err)
			}
			reference := tell(t, s, n)
			all := fake.Messages("#ops")
			if len(all) != row.messages || reference != fake.ID("#ops")+":"+all[len(all)-1].TS {
				t.Errorf("%d messages, reference %q", len(all), reference)
			}
			tell(t, s, following(reference, 2, notifiertest.Sample(alert.Resolved, 1)))
			if asked := len(fake.Calls("conversations.history")); asked != 1 {
				t.Errorf("the history was asked %d times", asked)
			}
		})
	}
}

func TestWhatAProcessBeforePostedIsFound(t *testing.T) {
	fake := startSlack(t)
	n := notifiertest.Sample(alert.Firing, 1)
	n.At = time.Now()
	first := tell(t, newBot(t, botConfig(fake)), n) // killed before it was noted
	if again := tell(t, newBot(t, botConfig(fake)), n); again != first || len(fake.Messages("#ops")) != 1 {
		t.Errorf("reference %q after %q, %d messages", again, first, len(fake.Messages("#ops")))
	}
	news := notifiertest.Sample(alert.Resolved, 1)
	news.ID, news.Reference, news.At = "msg_2", first, time.Now()
	tell(t, newBot(t, botConfig(fake)), news)
	tell(t, newBot(t, botConfig(fake)), news)
	if m := fake.Messages("#ops")[0]; len(m.Thread) != 1 {
		t.Errorf("%d replies, want 1", len(m.Thread))
	}
}

func TestARetryDoesNotRepeatWhatWasDone(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	news := following(tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1))), 2, notifiertest.Sample(alert.Resolved, 1))
	news.At = time.Now().Add(time.Second)
	fake.Fail("chat.postMessage", slacktest.Fault{Status: 429, RetryAfter: 7}, slacktest.Fault{Lose: true})
	if _, err := s.Notify(t.Context(), news); err == nil {
		t.Fatal("no error")
	} else if wait, ok := notifiers.WaitOf(err); !ok || wait != 7*time.Second {
		t.Errorf("wait %v of %v", wait, err)
	}
	if _, err := s.Notify(t.Context(), news); err == nil {
		t.Fatal("no error")
	}
	tell(t, s, news)
	m := fake.Messages("#ops")[0]
	if m.Edits != 1 || len(m.Thread) != 1 {
		t.Errorf("%d edits, %d replies", m.Edits, len(m.Thread))
	}
}

func TestAHangEndsWithTheDeadline(t *testing.T) {
	fake := startSlack(t)
	fake.Fail("chat.postMessage", slacktest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := newBot(t, botConfig(fake)).Notify(ctx, fresh(notifiertest.Sample(alert.Firing, 1))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}

func TestErrorsOfTheWebAPIAreSorted(t *testing.T) {
	for _, row := range []struct {
		code      string
		permanent bool
		says      string
	}{
		{"ratelimited", false, "ratelimited"},
		{"internal_error", false, "internal_error"},
		{"service_unavailable", false, ""},
		{"channel_not_found", false, "invite the app"},
		{"not_in_channel", false, "invite the app"},
		{"is_archived", false, "unarchive"},
		{"invalid_auth", false, "install the app again"},
		{"token_revoked", false, "install the app again"},
		{"missing_scope", false, "chat:write"},
		{"nobody_has_heard_of_it", false, "nobody_has_heard_of_it"},
		{"<b>" + testToken + "</b>", false, "without a name"},
		{"invalid_arguments", true, "invalid_arguments"},
		{"invalid_json", true, "invalid_json"},
	} {
		fake := startSlack(t)
		fake.Fail("chat.postMessage", slacktest.Fault{Code: row.code})
		_, err := newBot(t, botConfig(fake)).Notify(t.Context(), fresh(notifiertest.Sample(alert.Firing, 1)))
		if err == nil || notifiers.IsPermanent(err) != row.permanent || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: %v", row.code, err)
		}
	}
}

func TestWhatSlackDoesNotTakeIsSaidPlainlyAtOnce(t *testing.T) {
	for _, code := range []string{"invalid_blocks", "msg_too_long", "msg_blocks_too_long", "invalid_attachments", "metadata_too_large"} {
		fake := startSlack(t)
		s := newBot(t, botConfig(fake))
		fake.Fail("chat.postMessage", slacktest.Fault{Code: code})
		n := fresh(notifiertest.Sample(alert.Firing, 40))
		n.Truncated = 10
		reference := tell(t, s, n)
		m := fake.Messages("#ops")[0]
		if reference == "" || len(m.Blocks) != 0 || !strings.Contains(m.Text, "CRITICAL") || !strings.Contains(m.Text, n.ID) || length(m.Text) > 4000 {
			t.Errorf("%s: reference %q, %d blocks, %q", code, reference, len(m.Blocks), m.Text)
		}
	}
	fake := startSlack(t)
	fake.Fail("chat.postMessage", slacktest.Fault{Code: "invalid_blocks"}, slacktest.Fault{Code: "msg_too_long"})
	if _, err := newBot(t, botConfig(fake)).Notify(t.Context(), fresh(notifiertest.Sample(alert.Firing, 1))); !notifiers.IsPermanent(err) {
		t.Errorf("not even plainly: %v", err)
	}
}

func TestWhatIsNoNewsOfAGroupChangesNoMessage(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	first := tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
	digest := following(first, 2, notifiertest.Sample(alert.Firing, 3))
	digest.Digest = &alert.Digest{Groups: 214, Alerts: 1031}
	test := following(first, 3, notifiertest.Sample(alert.Firing, 1))
	test.Kind = alert.KindTest
	for _, n := range []alert.Notification{digest, test} {
		if reference := tell(t, s, n); reference != "" {
			t.Errorf("%s has the reference %q: a group could take its place", n.ID, reference)
		}
	}
	all := fake.Messages("#ops")
	if len(all) != 3 || all[0].Edits != 0 || strings.Contains(labels(&all[1])+labels(&all[2]), "Acknowledge") {
		t.Errorf("%d messages, %d edits", len(all), all[0].Edits)
	}
	if !strings.Contains(all[1].Header(), "214 groups, 1,031 alerts") || !strings.Contains(string(all[1].Raw), "and 1028 more") {
		t.Errorf("digest %s", all[1].Raw)
	}
}

func TestWhatIsShownInTheChannelToo(t *testing.T) {
	warning := notifiertest.Sample(alert.Firing, 1)
	warning.Alerts[0].Severity = alert.Warning
	for _, row := range []struct {
		setting                     string
		critical, warning, resolved bool
	}{
		{"", true, false, false},
		{BroadcastCritical, true, false, false},
		{BroadcastFiring, true, true, false},
		{BroadcastNone, false, false, false},
	} {
		fake := startSlack(t)
		c := botConfig(fake)
		c.Broadcast = row.setting
		s := newBot(t, c)
		first := tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
		for i, n := range []alert.Notification{notifiertest.Sample(alert.Firing, 1), warning, notifiertest.Sample(alert.Resolved, 1)} {
			tell(t, s, following(first, int64(i+2), n))
		}
		thread := fake.Messages("#ops")[0].Thread
		if got := [3]bool{thread[0].Broadcast, thread[1].Broadcast, thread[2].Broadcast}; got != [3]bool{row.critical, row.warning, row.resolved} {
			t.Errorf("%q: %v", row.setting, got)
		}
	}
}

func TestAChannelByNameIsLookedUpOnceItsIDIsKnown(t *testing.T) {
	fake := startSlack(t)
	c := botConfig(fake)
	c.Channel = "#ops"
	s := newBot(t, c)
	tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
	fake.Fail("chat.postMessage", slacktest.Fault{Lose: true})
	n := following("", 2, notifiertest.Sample(alert.Firing, 1))
	n.At = time.Now().Add(time.Second)
	if _, err := s.Notify(t.Context(), n); err == nil {
		t.Fatal("no error")
	}
	tell(t, s, n)
	if got := len(fake.Messages("#ops")); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

func TestAMessageNamesAllThatFiresAsLongAsItIsKnown(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	all := notifiertest.Sample(alert.Firing, 3)
	ended := notifiertest.Sample(alert.Resolved, 3)
	show := func(s *Notifier, reference string, seq int64, still int, alerts ...alert.Alert) (string, string) {
		n := following(reference, seq, notifiertest.Sample(alert.Firing, 1))
		n.Alerts, n.StillFiring = alerts, still
		reference = tell(t, s, n)
		messages := fake.Messages("#ops")
		return reference, string(messages[len(messages)-1].Raw)
	}
	names := func(raw string) (known []bool) {
		for i := range all.Alerts {
			known = append(known, strings.Contains(raw, all.Alerts[i].ID))
		}
		return known
	}
	reference, raw := show(s, "", 1, 0, all.Alerts[0])
	if got := names(raw); fmt.Sprint(got) != "[true false false]" {
		t.Errorf("first: %v", got)
	}
	reference, raw = show(s, reference, 2, 1, all.Alerts[1])
	if got := names(raw); fmt.Sprint(got) != "[true true false]" {
		t.Errorf("second: %v", got)
	}
	reference, raw = show(s, reference, 3, 1, ended.Alerts[0], all.Alerts[2])
	if got := names(raw); fmt.Sprint(got) != "[true true true]" {
		t.Errorf("third: %v", got)
	}
	reference, raw = show(s, reference, 4, 1, ended.Alerts[1])
	if got := names(raw); fmt.Sprint(got) != "[false true true]" {
		t.Errorf("fourth, the first is forgotten: %v", got)
	}
	other := newBot(t, botConfig(fake))
	reference, raw = show(other, reference, 5, 1, all.Alerts[0])
	if got := names(raw); fmt.Sprint(got) != "[true false false]" || !strings.Contains(raw, "1 more still firing") {
		t.Errorf("another process counts what it does not know: %v", got)
	}
	_, raw = show(other, reference, 6, 1, all.Alerts[2])
	if got := names(raw); fmt.Sprint(got) != "[true false true]" {
		t.Errorf("until it knows: %v", got)
	}
}

func TestRostersAreBounded(t *testing.T) {
	var r roster
	for i := range 2 * maxRosters {
		n := notifiertest.Sample(alert.Firing, 1)
		r.told(fmt.Sprint(i), &n)
	}
	many := notifiertest.Sample(alert.Firing, maxRoster+1)
	r.told("many", &many)
	if len(r.groups) != maxRosters || len(r.order) != maxRosters || r.groups["many"] != nil {
		t.Errorf("%d groups, %d in order", len(r.groups), len(r.order))
	}
}

func TestValidateByToken(t *testing.T) {
	for _, row := range []struct {
		c    func(*Config)
		want string
	}{
		{func(*Config) {}, "[]"},
		{func(c *Config) { c.Token = secret.New("xoxe.xoxb-1") }, "[]"},
		{func(c *Config) { c.Token = secret.New("xapp-1") }, "[token]"},
		{func(c *Config) { c.Token = secret.New("xoxp-1") }, "[token]"},
		{func(c *Config) { c.Token = secret.New("xoxb-1\n") }, "[token]"},
		{func(c *Config) { c.Token = secret.String{} }, "[token]"},
		{func(c *Config) { c.Token, c.Channel = secret.String{}, "" }, "[webhook_url signing_secret]"},
		{func(c *Config) { c.WebhookURL = secret.NewURL("https://hooks.slack.com/x") }, "[token]"},
		{func(c *Config) { c.Channel = "" }, "[channel]"},
		{func(c *Config) { c.Channel = "the ops" }, "[channel]"},
		{func(c *Config) { c.Broadcast = "all" }, "[broadcast]"},
		{func(c *Config) { c.SigningSecret = secret.New("s\n") }, "[signing_secret]"},
		{func(c *Config) { c.APIURL = secret.NewURL("slack.com") }, "[api_url]"},
		{func(c *Config) { c.BearerToken = secret.New("b") }, "[bearer_token]"},
		{func(c *Config) { c.BasicAuth.Username = "u" }, "[basic_auth]"},
	} {
		c := Default()
		c.Token, c.Channel, c.SigningSecret = secret.New("xoxb-1"), "#ops", secret.New("s")
		row.c(&c)
		var paths []string
		for _, p := range c.Validate() {
			paths = append(paths, p.Path)
		}
		if got := fmt.Sprint(paths); got != row.want {
			t.Errorf("%s, want %s", got, row.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory("")
	for i := range 3 * maxRemembered {
		m.note(fmt.Sprint(i), func(p *progress) { p.unanswered = true })
	}
	m.forget(fmt.Sprint(3*maxRemembered - 1))
	m.forget("unknown")
	if len(m.known) != maxRemembered-1 || len(m.order) != len(m.known) {
		t.Errorf("%d known, %d in order", len(m.known), len(m.order))
	}
}

// okay makes Slack's answer of what the suite's server answers.
type okay struct{ http.RoundTripper }

func (o okay) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "conversations.") {
		return respondWith(r, `{"ok":false,"error":"missing_scope"}`), nil
	}
	resp, err := o.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode >= 300 {
		return resp, err
	}
	_ = resp.Body.Close()
	status := resp.StatusCode
	resp = respondWith(r, `{"ok":true,"channel":"C0000001","ts":"1700000000.000100"}`)
	resp.StatusCode = status
	return resp, nil
}

func respondWith(r *http.Request, body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func TestConformanceByToken(t *testing.T) {
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier {
		c := Default()
		c.Token, c.SigningSecret = secret.New(testToken), secret.New(testSigningSecret)
		c.Channel, c.APIURL = "C0000001", secret.NewURL(url)
		c.Options = httpx.Options{Headers: map[string]secret.String{"X-Gateway": secret.New("gateway-s3cr3t")}}
		n, err := New(c, &http.Client{Transport: okay{&http.Transport{MaxResponseHeaderBytes: 1 << 20}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}, notifiertest.Secrets("gateway-s3cr3t", testToken, testSigningSecret))
}

func TestMessagesByTokenReadAsTheGoldenFilesShow(t *testing.T) {
	raised := notifiertest.Sample(alert.Firing, 2)
	raised.Alerts[0].SeverityAt = raised.Alerts[0].StartsAt.Add(5 * time.Minute)
	raised.Alerts[1] = notifiertest.Sample(alert.Resolved, 2).Alerts[1]
	raised.StillFiring, raised.Reason = 2, "1 severity raised, 1 resolved"
	digest := notifiertest.Sample(alert.Firing, 2)
	digest.Digest, digest.Reason = &alert.Digest{Groups: 214, Alerts: 1031}, "more than 30 messages a minute"
	kind := func(k alert.NotificationKind, reason string) alert.Notification {
		n := notifiertest.Sample(alert.Firing, 1)
		n.Kind, n.Reason = k, reason
		return n
	}
	b := &bot{cfg: Config{Channel: "#ops", SigningSecret: secret.New("s")}}
	linked := &bot{cfg: Config{Channel: "#ops"}, links: notifiers.NewLinks([]byte("a key that tests know"))}
	for name, row := range map[string]struct {
		bot    *bot
		c      func(*bot, *alert.Notification, []alert.Alert) content
		n      alert.Notification
		others []alert.Alert
	}{
		"bot_firing":    {b, (*bot).content, notifiertest.Sample(alert.Firing, 1), nil},
		"bot_resolved":  {b, (*bot).content, notifiertest.Sample(alert.Resolved, 1), nil},
		"bot_update":    {b, (*bot).content, raised, notifiertest.Sample(alert.Firing, 4).Alerts[2:]},
		"bot_uncounted": {b, (*bot).content, raised, nil},
		"bot_links":     {linked, (*bot).content, notifiertest.Sample(alert.Firing, 1), nil},
		"bot_digest":    {b, (*bot).content, digest, nil},
		"bot_test":      {b, (*bot).content, kind(alert.KindTest, "a test was asked for"), nil},
		"bot_canary":    {b, (*bot).content, kind(alert.KindCanary, "the schedule asks"), nil},
		"bot_warning":   {b, (*bot).content, kind(alert.KindWarning, "the silence ends in 10m"), nil},
		"bot_thread":    {b, func(_ *bot, n *alert.Notification, _ []alert.Alert) content { return newsOf(n) }, raised, nil},
	} {
		t.Run(name, func(t *testing.T) {
			notifiertest.GoldenJSON(t, name+".json", row.bot.message(&row.n, row.c(row.bot, &row.n, row.others)))
		})
	}
}

// TestSlackTakesEverySize lets slacktest hold what is sent against the limits.
func TestSlackTakesEverySize(t *testing.T) {
	hostile := notifiertest.Hostile()
	for len(hostile.Alerts) < 60 {
		hostile.Alerts = append(hostile.Alerts, hostile.Alerts[0])
	}
	hostile.GroupLabels = alert.LabelsOf("team", strings.Repeat("<&>", 1000))
	hostile.GroupKey = strings.Repeat("k", 10_000)
	for name, n := range map[string]alert.Notification{
		"one": notifiertest.Sample(alert.Firing, 1), "forty": notifiertest.Sample(alert.Firing, 40),
		"many": notifiertest.Sample(alert.Firing, 5000), "hostile": hostile,
	} {
		fake := startSlack(t)
		s := newBot(t, botConfig(fake))
		first := tell(t, s, fresh(n))
		tell(t, s, following(first, 2, n))
		for _, c := range fake.Calls("") {
			if c.Error != "" {
				t.Errorf("%s: %s answered %s", name, c.Method, c.Error)
			}
		}
		m := fake.Messages("#ops")[0]
		if !strings.HasPrefix(labels(&m), "Acknowledge") {
			t.Errorf("%s: buttons %s", name, labels(&m))
		}
		var target notifiers.Target
		if err := json.Unmarshal([]byte(m.Buttons()[0].Value), &target); err != nil || target.Empty() || target.Receiver != n.Receiver {
			t.Errorf("%s: value %s, %v", name, m.Buttons()[0].Value, err)
		}
	}
}

func TestWithAllThereIsAMessageStaysWithinTheLimits(t *testing.T) {
	n := notifiertest.Hostile()
	n.Alerts = append(n.Alerts, notifiertest.Sample(alert.Firing, 40).Alerts...)
	n.Alerts[0].Annotations["runbook_url"] = "https://example.com/" + strings.Repeat("x", 2900)
	others := notifiertest.Hostile().Alerts
	for len(others) < maxRoster {
		others = append(others, others[0])
	}
	n.StillFiring = len(others)
	for _, b := range []*bot{
		{cfg: Config{SigningSecret: secret.New("s")}},
		{links: notifiers.NewLinks([]byte("key"))},
	} {
		for _, c := range []content{b.content(&n, others), newsOf(&n)} {
			if s := measure(t, webhookMessage(c)); s.blocks > 50 || s.chars > 13_200 {
				t.Errorf("%d blocks of %d characters", s.blocks, s.chars)
			}
		}
	}
}
