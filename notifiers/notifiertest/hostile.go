package notifiertest

import (
	"net"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
)

// Hostile returns a notification whose texts are what strangers may write:
// several scripts, markup of Slack and HTML, terminal escapes, invalid UTF-8,
// marks that turn the writing around, and a label of 10 KB.
func Hostile() alert.Notification {
	n := Sample(alert.Firing, 2)
	a := &n.Alerts[0]
	a.Message = "Überlastung 日本語 🔥 <!channel> <@U123> <https://evil.example|click> & \"quoted\" `code`\x1b[31mred\x1b[0m\x00\r\nsecond line"
	a.Labels = a.Labels.Merge(alert.LabelsOf(
		"attack", "<!channel> <!here|x> <script>alert(1)</script> *bold* `tick` @channel #general",
		"escape", "\x1b]0;title\x07\x1b[2J\u009b31m",
		"turned", "abc\u202edcba\u2066",
		"broken", "a\xffb",
		"huge", strings.Repeat("0123456789", 1024),
	))
	a.Fingerprint = a.Labels.Fingerprint()
	a.Annotations = map[string]string{
		"runbook_url": "https://runbooks.example.com/a|b>c?x=<!channel>",
		"script_url":  "javascript:alert(1)",
		"note":        strings.Repeat("long & <note> ", 500),
	}
	return n
}

// freeAddress returns a loopback address where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
