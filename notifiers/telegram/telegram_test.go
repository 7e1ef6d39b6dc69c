package telegram

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

const token = "123456789:AAs3cr3t-token_of_a_bot"

func config(url string) Config {
	cfg := Default()
	cfg.BotToken, cfg.ChatID, cfg.APIURL = secret.New(token), "-1001234567890", secret.NewURL(url)
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
		notifiertest.Secrets(token, "AAs3cr3t-token_of_a_bot"))
}

func TestPayloadsReadAsTheGoldenFilesShow(t *testing.T) {
	notifiertest.Payloads(t, newNotifier(t, config("https://telegram.test")))
}

// bot answers as Telegram does: what it answers next is taken from a list, else it
// numbers the messages.
type bot struct {
	t testing.TB

	mu    sync.Mutex
	calls []string // the method and what matters of the message
	next  []answer
}

type answer struct {
	status int
	body   string
}

func (b *bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/bot"+token+"/") {
		b.t.Errorf("path %s", r.URL.Path)
	}
	var m message
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &m); err != nil {
		b.t.Error(err)
	}
	call := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if m.MessageID != 0 {
		call += fmt.Sprintf(" %d", m.MessageID)
	}
	if m.ReplyTo != nil {
		call += fmt.Sprintf(" replies to %d", m.ReplyTo.MessageID)
	}
	if m.DisableNotification {
		call += " silently"
	}
	if m.Keyboard == nil {
		call += " without buttons"
	}
	if m.ChatID != "-1001234567890" {
		call += " in " + m.ChatID
	}
	b.calls = append(b.calls, call)
	if len(b.next) > 0 {
		a := b.next[0]
		b.next = b.next[1:]
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		return
	}
	_, _ = fmt.Fprintf(w, `{"ok":true,"result":{"text":"%s","message_id":%d}}`, strings.Repeat(`\\u00fc`, 4096), 40+len(b.calls))
}

func serve(t *testing.T, next ...answer) (*bot, *Notifier) {
	t.Helper()
	b := &bot{t: t, next: next}
	r := notifiertest.NewReceiver(t)
	r.Answer = func(w http.ResponseWriter, req *http.Request) {
		req.Body = io.NopCloser(strings.NewReader(string(r.Messages()[len(r.Messages())-1].Body)))
		b.ServeHTTP(w, req)
	}
	return b, newNotifier(t, config(r.URL))
}

// The life of a group: its news are replies to its first message, which is changed
// at the end.
func TestAGroupIsOneThreadOfReplies(t *testing.T) {
	b, w := serve(t)
	reference := ""
	tell := func(n alert.Notification) {
		t.Helper()
		n.Reference = reference
		receipt, err := w.Notify(t.Context(), n)
		if err != nil || receipt.Note != "" {
			t.Fatal(err, receipt.Note)
		}
		reference = receipt.Reference
	}
	firing := notifiertest.Sample(alert.Firing, 2)
	tell(firing)
	if reference != "-1001234567890:41" {
		t.Fatalf("reference %q", reference)
	}
	worse := notifiertest.Sample(alert.Firing, 1)
	tell(worse)
	quiet := firing
	quiet.Quiet = true
	tell(quiet)
	one := worse
	one.Quiet, one.StillFiring = true, 1
	tell(one)
	tell(notifiertest.Sample(alert.Resolved, 2))
	want := []string{
		"sendMessage", "sendMessage replies to 41", "editMessageText 41", "sendMessage replies to 41 silently",
		"editMessageText 41", "sendMessage replies to 41 silently",
	}
	for i := range b.calls {
		b.calls[i] = strings.TrimSuffix(b.calls[i], " without buttons")
	}
	if diff := cmp.Diff(want, b.calls); diff != "" || reference != "-1001234567890:41" {
		t.Errorf("reference %q: %s", reference, diff)
	}
}

func TestWhatIsNoNewsOfAGroupTakesNoMessagesPlace(t *testing.T) {
	_, w := serve(t)
	for _, name := range []string{"test", "warning", "digest"} {
		receipt, err := w.Notify(t.Context(), notifiertest.Kinds()[name])
		if err != nil || receipt.Reference != "" {
			t.Errorf("%s: reference %q, error %v", name, receipt.Reference, err)
		}
	}
}

// What Telegram answers, as its documents and its servers word it.
func TestAnswers(t *testing.T) {
	refused := func(status int, description, more string) answer {
		return answer{status, fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q%s}`, status, description, more)}
	}
	for _, row := range []struct {
		name      string
		answer    answer
		permanent bool
		wait      time.Duration
		says      string
	}{
		{"flood", refused(429, "Too Many Requests: retry after 35", `,"parameters":{"retry_after":35}`), false, 35 * time.Second, "429"},
		{"a long flood", refused(429, "Too Many Requests: retry after 90000", `,"parameters":{"retry_after":90000}`), false, time.Hour, "429"},
		{"no such chat", refused(400, "Bad Request: chat not found", ""), true, 0, "chat_id is wrong"},
		{"blocked", refused(403, "Forbidden: bot was blocked by the user", ""), false, 0, "unblock the bot"},
		{"kicked", refused(403, "Forbidden: bot was kicked from the supergroup chat", ""), false, 0, "add the bot"},
		{"revoked", refused(401, "Unauthorized", ""), false, 0, "bot_token was revoked"},
		{"wrong token", refused(404, "Not Found", ""), false, 0, "bot_token is wrong"},
		{"no such topic", refused(400, "Bad Request: message thread not found", ""), true, 0, "message_thread_id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, w := serve(t, row.answer)
			_, err := w.Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
			wait, _ := notifiers.WaitOf(err)
			if err == nil || notifiers.IsPermanent(err) != row.permanent || wait != row.wait || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("permanent %t, wait %v: %v", notifiers.IsPermanent(err), wait, err)
			}
		})
	}
}

func TestWhatTelegramDoesNotTakeOfAMessageIsLeftOut(t *testing.T) {
	for _, row := range []struct {
		name, answer string
		calls        []string
		note         string
	}{
		{
			"a private host",
			`{"ok":false,"error_code":400,"description":"Bad Request: inline keyboard button URL 'http://tocsin:9590/l/x' is invalid: Wrong HTTP URL"}`,
			[]string{"sendMessage", "sendMessage without buttons"},
			"server.external_url",
		},
		{
			"a supergroup",
			`{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009876543210}}`,
			[]string{"sendMessage", "sendMessage in -1009876543210"},
			`chat_id: "-1009876543210"`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, w := serve(t, answer{400, row.answer})
			receipt, err := w.Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
			if diff := cmp.Diff(row.calls, b.calls); err != nil || diff != "" || !strings.Contains(receipt.Note, row.note) {
				t.Errorf("error %v, note %q: %s", err, receipt.Note, diff)
			}
		})
	}
}

func TestAMessageThatIsGoneDoesNotKeepTheNewsBack(t *testing.T) {
	b, w := serve(t, answer{400, `{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}`})
	n := notifiertest.Sample(alert.Resolved, 1)
	n.Reference = "-1001234567890:7"
	receipt, err := w.Notify(t.Context(), n)
	if err != nil || len(b.calls) != 2 || !strings.Contains(receipt.Note, "could not be changed") {
		t.Errorf("%v, %q, %v", b.calls, receipt.Note, err)
	}
	n.Reference = "-1:7" // of the chat before
	if _, err := w.Notify(t.Context(), n); err != nil || b.calls[2] != "sendMessage silently" {
		t.Errorf("%v, %v", b.calls, err)
	}
}

func TestTemplates(t *testing.T) {
	cfg := config("https://telegram.test")
	cfg.Title = notifiers.TextFrom("{{ .Status | upper }} <now> @all")
	if err := cfg.Message.FromScalar("<i>{{ (index .Alerts 0).Message }}</i>\n<a href=\"https://x.test/@a\">x</a> @here"); err != nil {
		t.Fatal(err)
	}
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].Message = "a < b & @channel"
	m, note := newNotifier(t, cfg).render(&n, true)
	want := "<b>FIRING &lt;now&gt; @\u200ball</b>\n\n<i>a &lt; b &amp; @\u200bchannel</i>\n<a href=\"https://x.test/@a\">x</a> @\u200bhere"
	if m.Text != want || note != "" {
		t.Errorf("%q, note %q", m.Text, note)
	}
	if err := cfg.Message.FromScalar(`{{ range 1000 }}{{ (index $.Alerts 0).Message }}{{ end }}`); err != nil {
		t.Fatal(err)
	}
	m, note = newNotifier(t, cfg).render(&n, true)
	if !strings.Contains(note, "longer than the 4096") || !strings.Contains(m.Text, "a &lt; b") {
		t.Errorf("note %q, %q", note, m.Text)
	}
}

func TestAThousandAlertsFitIntoOneMessage(t *testing.T) {
	w := newNotifier(t, config("https://telegram.test"))
	n := notifiertest.Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&🔥>", 200)
	}
	m, _ := w.render(&n, true)
	if size := len([]rune(m.Text)); size > maxText || !strings.Contains(m.Text, "more</a>") || strings.Count(m.Text, "<b>") != strings.Count(m.Text, "</b>") {
		t.Errorf("%d characters: %s", size, m.Text)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.ChatID = "@ops_team" }, ""},
		{func(c *Config) { c.BotToken = secret.String{} }, "bot_token: missing"},
		{func(c *Config) { c.BotToken = secret.New("s3cr3t") }, "bot_token: this is not a bot's token"},
		{func(c *Config) { c.ChatID = "" }, "chat_id: missing"},
		{func(c *Config) { c.ChatID = "ops" }, `chat_id: "ops" is not a chat`},
		{func(c *Config) { c.MessageThreadID = -1 }, "message_thread_id: must not be negative"},
		{func(c *Config) { c.APIURL = secret.NewURL("ftp://x") }, "api_url: does not begin with http"},
		{func(c *Config) { c.Title = notifiers.TextFrom("{{ .Sevrity }}") }, "title: bad template"},
		{func(c *Config) { _ = c.Message.FromScalar("{{ nope }}") }, "message: bad template"},
	} {
		cfg := config("https://telegram.test")
		row.change(&cfg)
		_, err := New(cfg, nil, nil)
		if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
			t.Errorf("err = %v, want %q", err, row.want)
		}
	}
}
