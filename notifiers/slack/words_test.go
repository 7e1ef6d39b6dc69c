package slack

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func worded(t *testing.T, title, text string) *Notifier {
	t.Helper()
	cfg := Default()
	cfg.WebhookURL = secret.NewURL("http://127.0.0.1:1/")
	cfg.Title, cfg.Text = notifiers.TextFrom(title), notifiers.TextFrom(text)
	s, err := New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shown(t *testing.T, s *Notifier, n alert.Notification) (body, note string) {
	t.Helper()
	p, err := s.Preview(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Body), p.Note
}

// The template's markup counts, an alert's does not: nobody is mentioned by a
// label.
func TestAnOperatorsWordsStandInThePlaceOfOurs(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 2)
	n.Alerts[0].Message = "<!channel> & <@U1>"
	n.Alerts[0].Annotations = map[string]string{"runbook_url": "https://runbooks.example.com/?a=1&b=2"}
	s := worded(t, "{{ .Status | upper }} & more", `<!here> {{ range .Alerts }}*{{ .Message }}* {{ with .Annotations.runbook_url }}<{{ . }}|Runbook>{{ end }}
{{ end }}{{ .Left }}`)
	body, note := shown(t, s, n)
	notifiertest.GoldenJSON(t, "words.json", json.RawMessage(body))
	if note != "" {
		t.Errorf("note %q", note)
	}
	if n.Alerts[0].Message != "<!channel> & <@U1>" {
		t.Errorf("the notification was changed: %q", n.Alerts[0].Message)
	}
}

func TestLongWordsAreCutAtALine(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1)
	line := strings.Repeat("é", 999) + "\n"
	for _, row := range []struct{ lines, sections int }{{1, 1}, {2, 1}, {3, 1}, {4, 2}, {20, 3}} {
		a := wordsAttachment(&n, strings.TrimSpace(strings.Repeat(line, row.lines)))
		if len(a.Blocks.BlockSet) != row.sections {
			t.Errorf("%d lines: %d sections", row.lines, len(a.Blocks.BlockSet))
		}
	}
	one := wordsAttachment(&n, strings.Repeat("é", 100_000))
	for _, b := range one.Blocks.BlockSet {
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var section struct{ Text struct{ Text string } }
		if err := json.Unmarshal(data, &section); err != nil {
			t.Fatal(err)
		}
		if got := utf8.RuneCountInString(section.Text.Text); got > maxSection || !utf8.ValidString(section.Text.Text) {
			t.Errorf("%d characters in a section", got)
		}
	}
}

func TestWordsThatFailGiveWayToOurs(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 3)
	s := worded(t, "", `{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	body, note := shown(t, s, n)
	if !strings.HasPrefix(note, "the template text failed and the default was sent: ") || !strings.Contains(body, "Cache hit rate below 70%") {
		t.Errorf("note %q, body %s", note, body)
	}
}

// A bot says so for a post and for a change of it.
func TestABotSaysWhenItsWordsFail(t *testing.T) {
	cfg := botConfig(startSlack(t))
	cfg.Text = notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	s := newBot(t, cfg)
	posted, err := s.Notify(t.Context(), fresh(notifiertest.Sample(alert.Firing, 3)))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := s.Notify(t.Context(), following(posted.Reference, 2, notifiertest.Sample(alert.Resolved, 3)))
	if err != nil {
		t.Fatal(err)
	}
	for _, receipt := range []notifiers.Receipt{posted, changed} {
		if !strings.HasPrefix(receipt.Note, "the template text failed and the default was sent: ") {
			t.Errorf("%+v", receipt)
		}
	}
}
