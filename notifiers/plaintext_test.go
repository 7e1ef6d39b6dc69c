package notifiers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func TestPlainTextReadsAsTheGoldenFilesShow(t *testing.T) {
	for name, n := range notifiertest.Kinds() {
		notifiertest.Golden(t, "plain_"+name+".txt", []byte(notifiers.PlainText(&n, 10_000)))
	}
}

func TestPlainTextIsBoundedAndCountsWhatItLeavesOut(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 100)
	n.Truncated = 3
	for _, limit := range []int{0, 2, 10, 100, 1000, 5000, 100_000} {
		text := notifiers.PlainText(&n, limit)
		if len(text) > limit || !utf8.ValidString(text) {
			t.Errorf("%d bytes of %d", len(text), limit)
		}
		if limit < 1500 {
			continue
		}
		told := strings.Count(text, "  Rule: ")
		if want := fmt.Sprintf("and %d more: https://tocsin.example.com/", 103-told); !strings.Contains(text, want) || !strings.HasSuffix(text, "Sent because: new alert\n") {
			t.Errorf("limit %d, %d told: %s", limit, told, text)
		}
	}
	hostile := notifiertest.Hostile()
	if text := notifiers.PlainText(&hostile, 100_000); strings.ContainsAny(text, "\x1b\x00\r\u202e") || len(text) > 20_000 {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestLinksThatAMessageMayLeadTo(t *testing.T) {
	for text, want := range map[string]string{
		"https://r.example.com/a b": "https://r.example.com/a%20b",
		" http://r.example.com ":    "http://r.example.com",
		`https://r.example.com/"><`: "https://r.example.com/%22%3E%3C",
		"javascript:alert(1)":       "",
		"//r.example.com/":          "",
		"https://u:p@r.example.com": "", // a message is no place for a password
		"/relative":                 "",
		"https:///path":             "",
		"http://[::1":               "",
		"https://r.example.com/" + strings.Repeat("a", 3000): "",
	} {
		if got := notifiers.WebURL(text); got != want {
			t.Errorf("%.50q: %q, want %q", text, got, want)
		}
	}
	a := alert.Alert{Annotations: map[string]string{
		"runbook_url": "https://a", "grafana_panel": "https://b", "über_url": "https://c", "_url": "https://d", "summary": "no link",
	}}
	if got := fmt.Sprint(notifiers.AnnotationURLs(&a)); got != "[{Grafana panel https://b} {Link https://d} {Runbook https://a} {Über https://c}]" {
		t.Error(got)
	}
	n := notifiertest.Sample(alert.Firing, 6)
	if got := notifiers.LinksOf(&n, 3); len(got) != 3 || got[0].Name != "Alerts" {
		t.Errorf("%v", got)
	}
	n = notifiertest.Sample(alert.Firing, 1)
	n.ExternalURL = ""
	if got := fmt.Sprint(notifiers.LinksOf(&n, 3)); got != "[{Runbook https://runbooks.example.com/cache-hit-rate}]" {
		t.Error(got)
	}
}

func TestWhoHasTakenAnAlertUp(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 2)
	if notifiers.AckOf(&n, &n.Alerts[0]) != "" || notifiers.AllTaken(&n) {
		t.Error("nobody has")
	}
	n.Acks = []alert.Ack{{AlertID: n.Alerts[0].ID, By: "ada\n", Comment: "looking"}, {AlertID: n.Alerts[1].ID, Until: n.At.Add(time.Hour)}}
	if got := notifiers.AckOf(&n, &n.Alerts[0]); got != "acknowledged by ada: looking" {
		t.Error(got)
	}
	if got := notifiers.AckOf(&n, &n.Alerts[1]); got != "snoozed until 2024-01-15 11:00 UTC" {
		t.Error(got)
	}
	if notifiers.AllTaken(&n) {
		t.Error("a snooze is no acknowledgement")
	}
	n.Acks[1].Until = time.Time{}
	if !notifiers.AllTaken(&n) {
		t.Error("both are acknowledged")
	}
	for _, unlisted := range []*int{&n.StillFiring, &n.Truncated} {
		if *unlisted = 1; notifiers.AllTaken(&n) {
			t.Error("one that is not listed is not")
		}
		*unlisted = 0
	}
	if n.Alerts[0].State = alert.Resolved; notifiers.AckOf(&n, &n.Alerts[0]) != "" {
		t.Error("what is over needs nobody")
	}
}

func TestRedactTakesSecretsOut(t *testing.T) {
	if got := notifiers.Redact("a\r\nhunter2hunter2 \x1b[31mhunter2", "hunter2", "", "hunter2hunter2"); got != "a  *** [31m***" {
		t.Errorf("%q", got)
	}
}

func TestControlChecksWhatIsDialed(t *testing.T) {
	for _, row := range []struct {
		private, address string
		refused          bool
	}{
		{"", "127.0.0.1:25", false},
		{"refuse", "127.0.0.1:25", true},
		{"", "169.254.169.254:25", true},
		{"refuse", "8.8.8.8:25", false},
		{"", "nonsense", true},
	} {
		if err := (notifiers.Addresses{PrivateAddresses: row.private}).Control("tcp", row.address, nil); (err != nil) != row.refused {
			t.Errorf("%+v: %v", row, err)
		}
	}
}
