package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func TestConformance(t *testing.T) {
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier {
		n, err := New(Config{
			WebhookURL: secret.NewURL(url),
			Options:    httpx.Options{Headers: map[string]secret.String{"X-Gateway": secret.New("gateway-s3cr3t")}},
		}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}, notifiertest.Secrets("gateway-s3cr3t"))
}

// render is a webhook's message without links.
func render(n alert.Notification) slack.WebhookMessage {
	return webhookMessage(compose(&n, nil, words{}))
}

func mixed() alert.Notification {
	n := notifiertest.Sample(alert.Firing, 3)
	n.Alerts[2] = notifiertest.Sample(alert.Resolved, 3).Alerts[2]
	n.Alerts[1].Worst, n.Alerts[1].Severity = alert.Critical, alert.Warning
	n.Reason = "severity lowered"
	return n
}

func TestMessagesReadAsTheGoldenFilesShow(t *testing.T) {
	truncated := notifiertest.Sample(alert.Firing, 2)
	truncated.Truncated = 37
	bare := alert.Notification{ID: "bare", Status: alert.Firing, Alerts: []alert.Alert{{
		ID: "a", Rule: "r", State: alert.Firing, Severity: alert.Info,
		Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
	}}}
	for name, n := range map[string]alert.Notification{
		"firing":    notifiertest.Sample(alert.Firing, 1),
		"resolved":  notifiertest.Sample(alert.Resolved, 1),
		"mixed":     mixed(),
		"truncated": truncated,
		"hostile":   notifiertest.Hostile(),
		"bare":      bare,
	} {
		t.Run(name, func(t *testing.T) { notifiertest.GoldenJSON(t, name+".json", render(n)) })
	}
}

// shape is what Slack counts in a message.
type shape struct {
	blocks, chars int
	texts         []string
}

func measure(t *testing.T, msg slack.WebhookMessage) shape {
	t.Helper()
	if len(msg.Attachments) > 20 {
		t.Errorf("%d attachments", len(msg.Attachments))
	}
	sets := [][]slack.Block{msg.Blocks.BlockSet}
	for _, a := range msg.Attachments {
		if len(a.Blocks.BlockSet) > 20 {
			t.Errorf("an attachment has %d blocks", len(a.Blocks.BlockSet))
		}
		sets = append(sets, a.Blocks.BlockSet)
	}
	s := shape{texts: []string{msg.Text}}
	for _, set := range sets {
		s.blocks += len(set)
		s.chars += jsonSize(set)
		for _, b := range set {
			s.texts = append(s.texts, limits(t, b)...)
		}
	}
	return s
}

// limits holds one block against the manual's limits and returns its texts.
func limits(t *testing.T, b slack.Block) (texts []string) {
	t.Helper()
	check := func(what, text string, limit int) {
		if n := length(text); n == 0 || n > limit {
			t.Errorf("%s has %d characters, limit %d: %.80q", what, n, limit, text)
		}
		texts = append(texts, text)
	}
	switch b := b.(type) {
	case *slack.HeaderBlock:
		check("header", b.Text.Text, 150)
	case *slack.SectionBlock:
		check("section", b.Text.Text, 3000)
		if len(b.Fields) > 10 {
			t.Errorf("%d fields", len(b.Fields))
		}
		for _, f := range b.Fields {
			check("field", f.Text, 2000)
		}
	case *slack.ContextBlock:
		if n := len(b.ContextElements.Elements); n == 0 || n > 10 {
			t.Errorf("%d context elements", n)
		}
		for _, e := range b.ContextElements.Elements {
			check("context", e.(*slack.TextBlockObject).Text, 2000)
		}
	case *slack.ActionBlock:
		for _, e := range b.Elements.ElementSet {
			button := e.(*slack.ButtonBlockElement)
			check("button", button.Text.Text, 75)
			if length(button.Value) > 2000 || length(button.URL) > 3000 {
				t.Errorf("%+v", button)
			}
		}
	default:
		t.Errorf("unexpected block %T", b)
	}
	return texts
}

func TestOneMessageWithinTheLimitsWhateverTheNumberOfAlerts(t *testing.T) {
	for _, row := range []struct{ alerts, more int }{{1, 0}, {3, 0}, {10, 0}, {11, 1}, {60, 50}, {5000, 4990}} {
		for _, state := range []alert.State{alert.Firing, alert.Resolved} {
			msg := render(notifiertest.Sample(state, row.alerts))
			s := measure(t, msg)
			if s.blocks > 50 || s.chars > 13_000 {
				t.Errorf("%d alerts: %d blocks of %d characters", row.alerts, s.blocks, s.chars)
			}
			all := strings.Join(s.texts[1:], "\n")
			want := fmt.Sprintf("|and %d more>", row.more)
			if row.more > 0 != strings.Contains(all, want) {
				t.Errorf("%d alerts: want %q once there is more: %s", row.alerts, want, all)
			}
			if length(msg.Text) > 4000 {
				t.Errorf("the text has %d characters", length(msg.Text))
			}
		}
	}
}

func TestWhatIsLeftOutIsNamedWithoutAnExternalURL(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 2)
	n.Truncated, n.ExternalURL = 37, ""
	where := `and 37 more: GET /api/v1/alerts?match=team%3D%22web%22`
	plain := plainText(&n)
	for name, texts := range map[string][]string{
		"message": measure(t, render(n)).texts, "plain": {plain}, "thread": {newsOf(&n).blocks[1].(*slack.SectionBlock).Text.Text},
	} {
		if !strings.Contains(strings.Join(texts, "\n"), where) {
			t.Errorf("%s: %q", name, texts)
		}
	}
	n.ExternalURL = "https://tocsin.example.com"
	if got := newsOf(&n).blocks[1].(*slack.SectionBlock).Text.Text; !strings.Contains(got, "alerts?match=team%3D%22web%22|and 37 more>") {
		t.Errorf("thread: %s", got)
	}
}

func TestWhatStillFiresIsCountedWhereItIsNotNamed(t *testing.T) {
	n, others := notifiertest.Sample(alert.Firing, 1), notifiertest.Sample(alert.Firing, 3).Alerts[1:]
	n.At = notifiers.Began(&n.Alerts[0]).Add(982 * time.Millisecond)
	for still, want := range map[int]string{2: "", 5: "3 more still firing in this group"} {
		n.StillFiring = still
		body, err := json.Marshal(webhookMessage(compose(&n, nil, words{}, others...)))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(body); strings.Contains(text, "more still firing") != (want != "") || !strings.Contains(text, want) || !strings.Contains(text, "(1s)") {
			t.Errorf("%d: %s", still, text)
		}
	}
}

func TestTenHostileAlertsStayWithinTheLimitsAndAreCounted(t *testing.T) {
	n := notifiertest.Hostile()
	first := n.Alerts[0]
	first.Message = strings.Repeat("&<>", 5000)
	for i := range 60 {
		first.Labels = first.Labels.With(fmt.Sprintf("l%02d", i), strings.Repeat("<", 5000))
	}
	n.Alerts = nil
	for range 40 {
		n.Alerts = append(n.Alerts, first)
	}
	n.Truncated = 100
	msg := render(n)
	s := measure(t, msg)
	if s.blocks > 50 || s.chars > 13_000 {
		t.Errorf("%d blocks of %d characters", s.blocks, s.chars)
	}
	shown := 0
	for _, text := range s.texts {
		shown += strings.Count(text, "🔥 &amp;&lt;")
	}
	if want := fmt.Sprintf("|and %d more>", 140-shown); shown == 0 || !strings.Contains(strings.Join(s.texts, "\n"), want) {
		t.Errorf("%d shown, want %q", shown, want)
	}
}

func TestMarkupInTextsIsInert(t *testing.T) {
	msg := render(notifiertest.Hostile())
	for _, text := range measure(t, msg).texts {
		for _, evil := range []string{"<!channel", "<!here", "<@", "<https://evil", "<script", "<javascript", "\x1b", "\u202e", "\x00"} {
			if strings.Contains(text, evil) {
				t.Errorf("%q stands in %.300q", evil, text)
			}
		}
	}
	data, err := json.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ Parse string }
	if err := json.Unmarshal(data, &raw); err != nil || raw.Parse != "none" {
		t.Errorf("parse = %q, %v", raw.Parse, err)
	}
	if got, want := strings.Count(string(data), `"type":"mrkdwn"`), strings.Count(string(data), `"verbatim":true`); got != want {
		t.Errorf("%d mrkdwn texts, %d of them verbatim", got, want)
	}
}

func TestEscape(t *testing.T) {
	for _, row := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 10, "plain"},
		{"a<b>&c", 100, "a&lt;b&gt;&amp;c"},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abcde…"},
		{"ab&", 6, "ab…"}, // never half an entity
		{"🔥🔥🔥", 6, "🔥🔥🔥"},
		{"🔥🔥🔥🔥", 6, "🔥🔥…"},
		{"a\nb\x1b[0m", 20, "a b[0m"},
		{"&&", 5, "…"},
	} {
		if got := escape(row.in, row.limit); got != row.want || length(got) > row.limit {
			t.Errorf("escape(%q, %d) = %q, want %q", row.in, row.limit, got, row.want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a<!channel>&amp;🔥\xff", 7)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 1 || limit > 5000 {
			t.Skip()
		}
		got := escape(text, limit)
		if strings.ContainsAny(got, "<>\n\x1b") || length(got) > limit {
			t.Errorf("escape(%q, %d) = %q", text, limit, got)
		}
	})
}

func TestLink(t *testing.T) {
	for _, row := range []struct{ url, want string }{
		{"https://h/p?a=1&b=2", "<https://h/p?a=1&amp;b=2|x>"},
		{"https://h/a|b>c", "<https://h/a%7Cb%3Ec|x>"},
		{"javascript:alert(1)", ""},
		{"/relative", ""},
		{"see the wiki", ""},
		{"", ""},
		{"https://h/" + strings.Repeat("x", 600), ""},
	} {
		if got := link(row.url, "x"); got != row.want {
			t.Errorf("link(%q) = %q, want %q", row.url, got, row.want)
		}
	}
}

func TestSlackAnswersAreSortedAndExplained(t *testing.T) {
	for _, row := range []struct {
		status    int
		body      string
		permanent bool
		says      string
	}{
		{400, "invalid_payload", true, "invalid_payload"},
		{400, "no_text", true, "no_text"},
		{403, "action_prohibited", true, "admin"},
		{404, "channel_not_found", true, "does not exist"},
		{404, "no_service", true, "removed"},
		{410, "channel_is_archived", true, "unarchive"},
		{429, "rate_limited", false, "rate_limited"},
		{500, "rollup_error", false, "rollup_error"},
	} {
		r := notifiertest.NewReceiver(t)
		r.Answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, row.body)
		}
		n, err := New(Config{WebhookURL: secret.NewURL(r.URL)}, http.DefaultClient, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.Notify(context.Background(), notifiertest.Sample(alert.Firing, 1))
		if err == nil || notifiers.IsPermanent(err) != row.permanent || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%d %s: %v, want permanent %t and %q", row.status, row.body, err, row.permanent, row.says)
		}
	}
}

func TestLegacyFieldsAreSent(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	n, err := New(Config{WebhookURL: secret.NewURL(r.URL), Channel: "#ops", Username: "tocsin", IconEmoji: ":bell:"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Notify(t.Context(), notifiertest.Sample(alert.Firing, 1)); err != nil {
		t.Fatal(err)
	}
	var got slack.WebhookMessage
	if err := json.Unmarshal(r.Messages()[0].Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Channel != "#ops" || got.Username != "tocsin" || got.IconEmoji != ":bell:" {
		t.Errorf("%+v", got)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	cfg := Default()
	cfg.WebhookURL = secret.NewURL("ftp://hooks.example/s3cr3t")
	cfg.IconEmoji = "bell"
	cfg.BasicAuth.Password = secret.New("p")
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	if got, want := fmt.Sprint(paths), "[webhook_url icon_emoji basic_auth.username]"; got != want {
		t.Errorf("paths = %s, want %s", got, want)
	}
	_, err := New(cfg, nil, nil)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("err = %v", err)
	}
}
