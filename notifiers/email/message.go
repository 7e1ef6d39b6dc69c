package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

const (
	// maxSubject is ours: more is not shown anywhere.
	maxSubject = 200
	// maxTextBytes bounds the text part, and with maxListed the HTML part: Gmail
	// shows the first 102 KB of a message.
	maxTextBytes = 64 << 10
	maxListed    = 40
)

// rendered is one mail.
type rendered struct {
	raw  []byte
	id   string // the Message-ID, with its brackets
	note string // for the receipt
}

// render makes the mail: the same notification gives the same bytes. In one that is
// shown to a person nothing is encoded.
func (e *Notifier) render(n *alert.Notification, shown bool) (rendered, error) {
	encoding := gomail.EncodingQP
	if shown {
		encoding = gomail.NoEncoding
	}
	texts := notifiers.TextsOf(n)
	m := gomail.NewMsg(gomail.WithEncoding(encoding), gomail.WithNoDefaultUserAgent(), gomail.WithBoundary("tocsin-"+hashOf(n.ID)))
	m.Subject(e.subject(n, texts))
	m.SetDateWithValue(n.At)
	id := hashOf("message", n.ID) + "@" + e.domain()
	m.SetMessageIDWithValue(id)
	if err := e.addressTo(m); err != nil {
		return rendered{}, err
	}
	e.setHeaders(m, n)
	m.SetBodyString(gomail.TypeTextPlain, crlf(texts.Text("text", &e.cfg.Text, func() string { return notifiers.PlainText(n, maxTextBytes) })))
	m.AddAlternativeString(gomail.TypeTextHTML, crlf(texts.Text("html", &e.cfg.HTML.Text, func() string { return e.htmlOf(n) })))
	var out bytes.Buffer
	if _, err := m.WriteTo(&out); err != nil {
		return rendered{}, fmt.Errorf("write the message: %w", err)
	}
	return rendered{raw: out.Bytes(), id: "<" + id + ">", note: texts.Failed()}, nil
}

// crlf ends lines as mail does, and takes out what cannot stand in it.
func crlf(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if r == '\r' || r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.ReplaceAll(s, "\n", "\r\n")
}

func (e *Notifier) subject(n *alert.Notification, texts *notifiers.Texts) string {
	s := notifiers.Clip(notifiers.Plain(texts.Text("subject", &e.cfg.Subject, func() string { return notifiers.Headline(n) })), maxSubject)
	if s == "" {
		return notifiers.Clip(notifiers.Plain(notifiers.Headline(n)), maxSubject)
	}
	return s
}

func (e *Notifier) addressTo(m *gomail.Msg) error {
	m.FromMailAddress(e.from)
	for _, list := range []struct {
		set func(...*mail.Address)
		all []string
	}{{m.ToMailAddress, e.cfg.To}, {m.CcMailAddress, e.cfg.CC}, {m.ReplyToMailAddress, slices.DeleteFunc([]string{e.cfg.ReplyTo}, isEmpty)}} {
		var all []*mail.Address
		for _, text := range list.all {
			a, err := parseAddress(text)
			if err != nil {
				return err
			}
			all = append(all, a)
		}
		if len(all) > 0 {
			list.set(all...)
		}
	}
	return nil
}

func isEmpty(s string) bool { return s == "" }

// setHeaders says that nobody wrote the message (RFC 3834, and Microsoft's own
// header for it), which thread it belongs to, and what filters may go by.
// https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail/ced68690-498a-4567-9d14-5c01f974d8b1
func (e *Notifier) setHeaders(m *gomail.Msg, n *alert.Notification) {
	set := func(name, value string) {
		if value = notifiers.Clip(notifiers.Plain(value), maxSubject); value != "" {
			m.SetGenHeader(gomail.Header(name), value)
		}
	}
	set("Auto-Submitted", "auto-generated")
	set("X-Auto-Response-Suppress", "All")
	set("X-Mailer", "Tocsin")
	set("X-Tocsin-Receiver", n.Receiver)
	set("X-Tocsin-Id", n.ID)
	set("X-Tocsin-Seq", strconv.FormatInt(n.Seq, 10))
	set("X-Tocsin-Status", statusOf(n))
	set("X-Tocsin-Severity", n.Severity().String())
	if n.Kind == alert.KindAlerts && n.Fires() && n.Severity() == alert.Critical {
		m.SetImportance(gomail.ImportanceHigh)
	}
	if root := e.root(n); root != "" {
		set("In-Reply-To", root)
		set("References", root)
	}
	for _, name := range slices.Sorted(maps.Keys(e.cfg.Headers)) {
		set(name, e.cfg.Headers[name])
	}
}

func statusOf(n *alert.Notification) string {
	if n.Kind != alert.KindAlerts {
		return string(n.Kind)
	}
	return string(n.Status)
}

// root is the Message-ID that all mails of a group refer to, so that they are one
// thread. No mail has it itself: mail programs need none, and it is the same after
// a restart. It is empty for what is no news of one group.
func (e *Notifier) root(n *alert.Notification) string {
	if n.Kind != alert.KindAlerts || n.Digest != nil {
		return ""
	}
	opened := ""
	if !n.Opened.IsZero() {
		opened = strconv.FormatInt(n.Opened.UnixMilli(), 36)
	}
	return "<" + hashOf("group", n.Receiver, n.GroupKey, opened) + "@" + e.domain() + ">"
}

// domain is the sender's, which makes a Message-ID unique in the world.
func (e *Notifier) domain() string {
	if _, domain, ok := strings.Cut(e.from.Address, "@"); ok && isASCII(domain) {
		return domain
	}
	return "tocsin.invalid"
}

// hashOf names something for ever, in what can stand in any header.
func hashOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// recipients are the addresses of all, each once.
func recipients(c *Config) []string {
	var out []string
	for _, text := range slices.Concat(c.To, c.CC, c.BCC) {
		if a, err := parseAddress(text); err == nil && !slices.Contains(out, a.Address) {
			out = append(out, a.Address)
		}
	}
	return out
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}
