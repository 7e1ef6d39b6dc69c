package chat

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func formats() map[string]Format {
	return map[string]Format{"markdown": Markdown(), "html": HTML(), "plain": Plain(Bytes), "json": Plain(JSONBytes), "runes": Plain(Runes)}
}

// A text that is cut is a beginning of the whole one, and ends between escapes.
func TestNothingIsCutInHalf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab<>&\"*_[]()`@\\|~#é日🔥\n")), 0, 60, -1).Draw(t, "text")
		limit := rapid.IntRange(3, 80).Draw(t, "limit")
		for name, f := range formats() {
			whole, cut := f.Inert(text, 10_000), f.Inert(text, limit)
			if !utf8.ValidString(cut) || f.Size(cut) > limit {
				t.Fatalf("%s: %q is %d long, %d are allowed", name, cut, f.Size(cut), limit)
			}
			if cut == whole {
				continue
			}
			begin, ok := strings.CutSuffix(cut, "…")
			if !ok || !strings.HasPrefix(whole, begin) {
				t.Fatalf("%s: %q is no beginning of %q", name, cut, whole)
			}
			ends := false // where one of the characters of the text ends
			for i := range notifiers.Plain(text) + "x" {
				ends = ends || f.Inert(notifiers.Plain(text)[:min(i, len(notifiers.Plain(text)))], 10_000) == begin || strings.TrimSpace(begin) != begin
			}
			if !ends {
				t.Fatalf("%s: %q of %q is cut within an escape", name, cut, whole)
			}
		}
	})
}

func TestNoTextOfAnAlertIsMarkup(t *testing.T) {
	n := notifiertest.Hostile()
	n.Alerts[0].Message += " [click](https://evil.example) @everyone <@&1> **x** <users/all> ||y|| ```z"
	n.Acks = []alert.Ack{{AlertID: n.Alerts[0].ID, By: "@here", Comment: "</b>"}}
	mention := regexp.MustCompile(`@[A-Za-z0-9&!]`)
	for name, f := range formats() {
		body := Body(&n, &f, 4000)
		if name == "markdown" || name == "html" {
			if m := mention.FindString(body); m != "" {
				t.Errorf("%s: %q could mention somebody: %s", name, m, body)
			}
		}
	}
	markdown := Markdown()
	code := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(Body(&n, &markdown, 4000), "code")
	link := regexp.MustCompile(`\[(Runbook|Alert|and \d+ more)\]\(https://[a-z.]*example\.com[^)<>"]*\)`)
	if rest := link.ReplaceAllString(code, ""); regexp.MustCompile(`(^|[^\\])[<\[\]|~]`).MatchString(rest) {
		t.Errorf("something is not escaped: %s", rest)
	}
}

// Telegram refuses a message whose tags do not close.
func TestHTMLIsWellFormedHoweverItIsCut(t *testing.T) {
	n := notifiertest.Hostile()
	for limit := 200; limit < 3000; limit += 7 {
		f := HTML()
		body := Body(&n, &f, limit)
		if limit > 400 && f.Size(body) > limit {
			t.Fatalf("%d long, %d are allowed: %s", f.Size(body), limit, body)
		}
		d := xml.NewDecoder(strings.NewReader("<x>" + body + "</x>"))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("limit %d: %v: %s", limit, err, body)
			}
			if start, ok := token.(xml.StartElement); ok && !strings.Contains(" x b code a ", " "+start.Name.Local+" ") {
				t.Fatalf("a tag <%s>: %s", start.Name.Local, body)
			}
		}
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 50)
	n.Truncated = 7
	f := Plain(Runes)
	blocks, left := Blocks(&n, &f, 100_000)
	if len(blocks) != maxAlerts || !strings.HasPrefix(left, "and 37 more: https://tocsin.example.com/api/v1/alerts?match=") {
		t.Errorf("%d blocks, %q", len(blocks), left)
	}
	n.ExternalURL = ""
	if _, left := Blocks(&n, &f, 1000); !strings.Contains(left, "more: GET /api/v1/alerts") {
		t.Errorf("%q", left)
	}
	one := notifiertest.Sample(alert.Firing, 1)
	if _, left := Blocks(&one, &f, 100_000); left != "" {
		t.Errorf("%q", left)
	}
}

func TestSteps(t *testing.T) {
	firing, resolved := notifiertest.Sample(alert.Firing, 1), notifiertest.Sample(alert.Resolved, 1)
	with := func(n alert.Notification, change func(*alert.Notification)) alert.Notification { change(&n); return n }
	known := func(n *alert.Notification) { n.Reference = "1" }
	for _, row := range []struct {
		name       string
		n          alert.Notification
		edit, send bool
	}{
		{"the first", firing, false, true},
		{"more fires", with(firing, known), false, true},
		{"all is over", with(resolved, known), true, true},
		{"it is over, and was never told of here", resolved, false, true},
		{"a part is over", with(resolved, func(n *alert.Notification) { known(n); n.Status, n.StillFiring = alert.Firing, 1 }), false, true},
		{"all is taken up", with(firing, func(n *alert.Notification) { known(n); n.Quiet = true }), true, false},
		{"a part is taken up", with(firing, func(n *alert.Notification) { known(n); n.Quiet, n.StillFiring = true, 1 }), false, true},
		{"taken up, and there is no message", with(firing, func(n *alert.Notification) { n.Quiet = true }), false, false},
		{"a test", with(notifiertest.Kinds()["test"], known), false, true},
		{"a digest", with(notifiertest.Kinds()["digest"], known), false, true},
	} {
		if edit, send := Steps(&row.n); edit != row.edit || send != row.send {
			t.Errorf("%s: edit %t, send %t", row.name, edit, send)
		}
	}
}

func TestWebURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://x.test/a b<c>?d=\"|": "https://x.test/a%20b%3Cc%3E?d=%22%7C", "http://x.test": "http://x.test",
		"javascript:alert(1)": "", "//x.test": "", "x": "", "https://user:pass@x.test/": "", "https://x.test/" + strings.Repeat("a", 1000): "", "": "",
	} {
		if got := WebURL(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestWaitSeconds(t *testing.T) {
	flood := &notifiers.AnswerError{Host: "https://x", Status: 429}
	for _, row := range []struct {
		err     error
		seconds float64
		want    time.Duration
	}{
		{flood, 1.5, 1500 * time.Millisecond},
		{flood, 0, 0},
		{flood, -3, 0},
		{flood, 1e300, time.Hour},
		{notifiers.RetryAfter(flood, time.Second), 9, time.Second},
		{&notifiers.AnswerError{Host: "https://x", Status: 500}, 9, 0},
	} {
		if got, _ := notifiers.WaitOf(WaitSeconds(row.err, row.seconds)); got != row.want {
			t.Errorf("%v, %v: %v", row.err, row.seconds, got)
		}
	}
	if n, ok := Number(`{"a":"b", "retry_after" : 64.57, "x`, "retry_after"); !ok || n != 64.57 {
		t.Errorf("%v, %t", n, ok)
	}
	if _, ok := Number(`{"retry_after":"soon"}`, "retry_after"); ok {
		t.Error("soon is a number")
	}
}

// What a phone shows of a message before it is opened.
func TestTheFirstLineSaysHowTheGroupStands(t *testing.T) {
	for _, row := range []struct {
		state   alert.State
		others  int
		title   string
		summary string
	}{
		{alert.Firing, 0, "🔥 CRITICAL: cache-hit-rate", ": Cache hit rate"},
		{alert.Firing, 1, "🔥 CRITICAL: cache-hit-rate (2 firing)", ": Cache hit rate"},
		{alert.Resolved, 1, "🔔 FIRING: cache-hit-rate (1 firing, 1 resolved)", ": resolved: Cache hit rate"},
		{alert.Resolved, 0, "✅ RESOLVED: cache-hit-rate", ": Cache hit rate"},
	} {
		n := notifiers.Sample(row.state, 1)
		n.GroupLabels, n.StillFiring = nil, row.others
		if row.others > 0 {
			n.Status = alert.Firing
		}
		if title := Title(&n); title != row.title || !strings.HasPrefix(Summary(title, &n), row.title+row.summary) {
			t.Errorf("%q, %q, want %q", title, Summary(title, &n), row.title)
		}
	}
}
