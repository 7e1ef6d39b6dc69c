package email

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func newNotifier(t testing.TB, cfg Config) *Notifier {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tell sends n, and holds what is true of every error against it.
func tell(t testing.TB, e *Notifier, n alert.Notification) (notifiers.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	receipt, err := e.Notify(ctx, n)
	checkText(t, fmt.Sprint(err, receipt))
	return receipt, err
}

func checkText(t testing.TB, text string) {
	t.Helper()
	if strings.Contains(text, password) || strings.ContainsAny(text, "\r\n\x1b") || len(text) > 2000 {
		t.Errorf("%q", text)
	}
}

// parts reads the text and the HTML part of a mail.
func parts(t testing.TB, r received) (text, html string) {
	t.Helper()
	m := r.message(t)
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatalf("%s, %v", media, err)
	}
	reader := multipart.NewReader(m.Body, params["boundary"])
	read := func(want string) string {
		p, err := reader.NextPart() // decodes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Header.Get("Content-Type"); got != want+"; charset=UTF-8" {
			t.Fatalf("%s, want %s", got, want)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	text, html = read("text/plain"), read("text/html")
	return text, html
}

func TestTheMailArrivesByEveryWay(t *testing.T) {
	for _, row := range []struct {
		encryption, auth string
		mechanisms       []string
	}{
		{StartTLS, AuthAuto, []string{"PLAIN"}},
		{StartTLS, AuthAuto, []string{"LOGIN"}},
		{StartTLS, AuthPlain, []string{"PLAIN", "LOGIN"}},
		{StartTLS, AuthLogin, []string{"PLAIN", "LOGIN"}},
		{StartTLS, AuthXOAuth2, []string{"XOAUTH2"}},
		{StartTLS, AuthCRAMMD5, []string{"PLAIN", "CRAM-MD5"}},
		{StartTLS, AuthAuto, []string{"CRAM-MD5", "XOAUTH2"}},
		{StartTLS, AuthAuto, nil},
		{TLS, AuthAuto, []string{"PLAIN"}},
		{TLS, AuthAuto, nil},
		{Plain, AuthAuto, nil},
		{Plain, AuthAuto, []string{"PLAIN"}},
	} {
		t.Run(fmt.Sprint(row.encryption, row.auth, row.mechanisms), func(t *testing.T) {
			s := &server{mechanisms: row.mechanisms}
			cfg := s.start(t, row.encryption)
			cfg.Auth, cfg.CC, cfg.BCC = row.auth, []string{"Ada <ada@example.com>", "ops@example.com"}, []string{"hidden@example.com"}
			n := notifiertest.Sample(alert.Firing, 2)
			receipt, err := tell(t, newNotifier(t, cfg), n)
			if err != nil {
				t.Fatal(err)
			}
			got := s.all()
			if len(got) != 1 || got[0].from != "tocsin@example.com" || strings.Join(got[0].to, " ") != "ops@example.com ada@example.com hidden@example.com" {
				t.Fatalf("%+v", got)
			}
			if got[0].tls != (row.encryption != Plain) || (got[0].user == user) != (len(row.mechanisms) > 0) || got[0].utf8 {
				t.Errorf("encrypted %t, user %q, utf8 %t", got[0].tls, got[0].user, got[0].utf8)
			}
			m := got[0].message(t)
			if m.Header.Get("Message-Id") != receipt.Reference || strings.Contains(string(got[0].raw), "hidden@") || receipt.Answer == "" || receipt.Note != "" {
				t.Errorf("%+v, %v", receipt, m.Header)
			}
		})
	}
}

func TestMailsReadAsTheGoldenFilesShow(t *testing.T) {
	e := newNotifier(t, settings(25))
	for name, n := range notifiertest.Kinds() {
		n.Opened = n.At.Add(-time.Hour)
		preview, err := e.Preview(n)
		if err != nil || preview.ContentType != "message/rfc822" {
			t.Fatal(preview.ContentType, err)
		}
		notifiertest.Golden(t, name+".eml", []byte(strings.ReplaceAll(string(preview.Body), "\r\n", "\n")))
	}
}

func TestTheMailSaysWhatItIs(t *testing.T) {
	s := &server{}
	cfg := s.start(t, StartTLS)
	cfg.ReplyTo, cfg.Headers = "team@example.com", map[string]string{"X-Team": "Wéb"}
	e := newNotifier(t, cfg)
	n := notifiertest.Sample(alert.Firing, 1)
	n.Opened = n.At
	for range 2 {
		if _, err := tell(t, e, n); err != nil {
			t.Fatal(err)
		}
	}
	other := n
	other.ID, other.Seq = "another", 2
	ended := notifiertest.Sample(alert.Resolved, 1)
	ended.Opened = n.At
	anew := n
	anew.ID, anew.Opened = "anew", n.At.Add(time.Hour)
	test := notifiers.Test("ops", "", "tested", n.At)
	for _, n := range []alert.Notification{other, ended, anew, test} {
		if _, err := tell(t, e, n); err != nil {
			t.Fatal(err)
		}
	}
	got := s.all()
	if string(got[0].raw) != string(got[1].raw) {
		t.Error("a retry is another mail")
	}
	root := func(i int) string { return got[i].message(t).Header.Get("References") }
	if root(0) == "" || root(0) != root(2) || root(0) != root(3) || root(0) == root(4) || root(5) != "" {
		t.Errorf("threads %q %q %q %q %q", root(0), root(2), root(3), root(4), root(5))
	}
	id := func(i int) string { return got[i].message(t).Header.Get("Message-Id") }
	if id(0) == id(2) || id(0) == root(0) || !strings.HasSuffix(id(0), "@example.com>") {
		t.Errorf("%s %s", id(0), id(2))
	}
	h := got[0].message(t).Header
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "[CRITICAL] Cache hit rate below 70% for USER_RUNS strategy" {
		t.Errorf("%q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "X-Tocsin-Severity": "critical", "X-Tocsin-Status": "firing",
		"X-Tocsin-Id": n.ID, "Importance": "high", "Reply-To": "<team@example.com>", "In-Reply-To": root(0), "To": "<ops@example.com>",
		"Date": "Mon, 15 Jan 2024 10:00:00 +0000", "From": `"Tocsin" <tocsin@example.com>`, "X-Team": "=?UTF-8?q?W=C3=A9b?=",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got[3].message(t).Header.Get("Importance") != "" || got[5].message(t).Header.Get("X-Tocsin-Status") != "test" {
		t.Error("what is over, or a test, is urgent")
	}
}

func TestHostileTextsStayTexts(t *testing.T) {
	s := &server{}
	e := newNotifier(t, s.start(t, Plain))
	n := notifiertest.Hostile()
	n.Receiver = "ops\r\nBcc: evil@example.com"
	n.ID = "id\r\n\r\nbody"
	n.Alerts[0].Message += "\r\nBcc: evil@example.com\r\n.\r\nMAIL FROM:<evil@example.com>"
	one := n
	one.Alerts = n.Alerts[:1]
	for _, n := range []alert.Notification{n, one} {
		if _, err := tell(t, e, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, got := range s.all() {
		m := got.message(t)
		if m.Header.Get("Bcc") != "" || len(got.to) != 1 || len(m.Header["To"]) != 1 {
			t.Errorf("%v to %v", m.Header, got.to)
		}
		text, html := parts(t, got)
		for _, part := range []string{text, html} {
			if !utf8.ValidString(part) || !strings.Contains(part, "Überlastung 日本語 🔥") || strings.ContainsAny(part, "\x1b\x00\u202e") {
				t.Errorf("%.600s", part)
			}
		}
		if strings.Contains(html, "<script") || strings.Contains(html, "javascript:") || strings.Contains(html, "<img") || len(got.raw) > 90<<10 {
			t.Errorf("%d bytes, %.300s", len(got.raw), html)
		}
	}
	if subject := s.all()[1].message(t).Header.Get("Subject"); strings.ContainsAny(subject, "\r\n") {
		t.Errorf("%q", subject)
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	s := &server{}
	n := notifiertest.Sample(alert.Firing, 500)
	n.Truncated = 7
	if _, err := tell(t, newNotifier(t, s.start(t, Plain)), n); err != nil {
		t.Fatal(err)
	}
	text, html := parts(t, s.all()[0])
	if !strings.Contains(html, "and 467 more") || len(html) > 100<<10 || len(text) > maxTextBytes {
		t.Errorf("%d bytes of HTML, %d of text", len(html), len(text))
	}
	told := strings.Count(text, "  Rule: ")
	if !strings.Contains(text, fmt.Sprintf("and %d more: https://tocsin.example.com/", 507-told)) || told < 50 {
		t.Errorf("%d told", told)
	}
}

func TestTemplates(t *testing.T) {
	s := &server{}
	cfg := s.start(t, Plain)
	cfg.Subject = notifiers.TextFrom("{{ .Subject }}\nhére")
	cfg.Text = notifiers.TextFrom("{{ range .Alerts }}{{ .Message }}\n{{ end }}")
	if err := cfg.HTML.FromScalar(`<p title="{{ (index .Alerts 0).Message }}">{{ (index .Alerts 0).Message }}</p>`); err != nil {
		t.Fatal(err)
	}
	n := notifiertest.Sample(alert.Firing, 1)
	n.Alerts[0].Message = `<b>"x"`
	receipt, err := tell(t, newNotifier(t, cfg), n)
	if err != nil || receipt.Note != "" {
		t.Fatal(receipt, err)
	}
	text, html := parts(t, s.all()[0])
	if text != "<b>\"x\"\n" || html != `<p title="&lt;b&gt;&#34;x&#34;">&lt;b&gt;&#34;x&#34;</p>` {
		t.Errorf("%q, %q", text, html)
	}
	if got := s.all()[0].message(t).Header.Get("Subject"); got != "=?UTF-8?q?cache-hit-rate_h=C3=A9re?=" {
		t.Errorf("%q", got)
	}
	cfg.Text = notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	receipt, err = tell(t, newNotifier(t, cfg), notifiertest.Sample(alert.Firing, 3))
	if err != nil || !strings.HasPrefix(receipt.Note, "the template text failed and the default was sent") {
		t.Fatal(receipt, err)
	}
}

func TestHowAnswersAreSorted(t *testing.T) {
	const delivered, retry, permanent = "delivered", "retry", "permanent"
	for _, row := range []struct{ step, reply, want string }{
		{atGreeting, "421 4.3.2 too busy", retry},
		{atGreeting, "554 5.7.1 you are on a list", retry},
		{atGreeting, "554 no mail here", retry},
		{atGreeting, "HTTP/1.1 400 Bad Request", retry},
		{atGreeting, "\x00\xff\x1b[2J garbage", retry},
		{atGreeting, strings.Repeat("x", 2<<20), retry},
		{atGreeting, drop, retry},
		{atHello, drop, retry},
		{atMail, "451 4.3.0 try later", retry},
		{atMail, "530 authentication required", retry},
		{atRcpt, "535 who are you", retry},
		{atMail, "550 5.7.60 client does not have permissions to send as this sender", retry},
		{atMail, "552 5.3.4 message too big", permanent},
		{atMail, "553 5.1.8 no such sender", permanent},
		{atMail, drop, retry},
		{atRcpt, "451 4.7.1 greylisted", retry},
		{atRcpt, "452 4.2.2 mailbox full", retry},
		{atRcpt, "550 5.1.1 no such user", permanent},
		{atRcpt, "554 5.7.1 relay access denied", retry},
		{atRcpt, "550 relay not permitted", retry},
		{atRcpt, drop, retry},
		{atData, "451 4.3.0 disk full", retry},
		{atData, "554 5.5.1 no valid recipients", permanent},
		{atData, drop, retry},
		{atEnd, "250 2.0.0 queued", delivered},
		{atEnd, "452 4.3.1 disk full", retry},
		{atEnd, "552 5.3.4 too big", permanent},
		{atEnd, "554 5.7.1 looks like spam", retry},
		{atEnd, "554 5.6.0 bad content", permanent},
		{atEnd, drop, retry},
		{"QUIT", "500 what", delivered},
		{"QUIT", drop, delivered},
	} {
		t.Run(row.step+" "+notifiers.Clip(notifiers.Plain(row.reply), 40), func(t *testing.T) {
			s := &scripted{say: map[string]string{row.step: row.reply}}
			_, err := tell(t, newNotifier(t, s.start(t)), notifiertest.Sample(alert.Firing, 1))
			got := delivered
			switch {
			case notifiers.IsPermanent(err):
				got = permanent
			case err != nil:
				got = retry
			}
			if got != row.want {
				t.Errorf("%s, want %s: %v", got, row.want, err)
			}
			if len(row.reply) > maxServerBytes && !strings.Contains(err.Error(), errFlood.Error()) {
				t.Errorf("a flood is not told: %v", err)
			}
			if code, _, _ := strings.Cut(row.reply, " "); err != nil && len(code) == 3 && !strings.Contains(err.Error(), code) {
				t.Errorf("the code is not named: %v", err)
			}
		})
	}
}

func TestARefusedLoginSaysWhatToDo(t *testing.T) {
	for reply, want := range map[string]string{
		"530 authentication required": "give username and password",
		"535 5.7.8 bad credentials":   "is the password right?",
		"538 encryption required":     "set encryption",
	} {
		s := &scripted{say: map[string]string{atMail: reply}}
		_, err := tell(t, newNotifier(t, s.start(t)), notifiertest.Sample(alert.Firing, 1))
		if err == nil || notifiers.IsPermanent(err) || !strings.Contains(err.Error(), reply[:3]) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reply, err)
		}
	}
}

func TestAHangAtAnyStepEndsWithTheDeadline(t *testing.T) {
	for _, step := range []string{atGreeting, atHello, atMail, atRcpt, atData, atEnd} {
		t.Run(step, func(t *testing.T) {
			s := &scripted{say: map[string]string{step: hang}}
			e := newNotifier(t, s.start(t))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := e.Notify(ctx, notifiertest.Sample(alert.Firing, 1))
			if !errors.Is(err, context.DeadlineExceeded) || notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "no answer before the deadline") {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	t.Run("QUIT", func(t *testing.T) { // the mail was taken
		s := &scripted{say: map[string]string{"QUIT": hang}}
		e := newNotifier(t, s.start(t))
		began := time.Now()
		if _, err := tell(t, e, notifiertest.Sample(alert.Firing, 1)); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	s := &scripted{say: map[string]string{atMail: hang}}
	e := newNotifier(t, s.start(t))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := e.Notify(ctx, notifiertest.Sample(alert.Firing, 1))
		done <- err
	}()
	cancel()
	if err := <-done; err == nil || notifiers.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}

func TestAMailWhoseAnswerWasLostIsSentWithTheSameID(t *testing.T) {
	s := &scripted{say: map[string]string{atEnd: drop}}
	e := newNotifier(t, s.start(t))
	n := notifiertest.Sample(alert.Firing, 1)
	if _, err := tell(t, e, n); err == nil || notifiers.IsPermanent(err) {
		t.Fatalf("%v", err)
	}
	s.mu.Lock()
	s.say = nil
	s.mu.Unlock()
	receipt, err := tell(t, e, n)
	if err != nil || s.ended != 2 || s.ids[0] != s.ids[1] || s.ids[0] != receipt.Reference {
		t.Errorf("%d mails, %v, %+v, %v", s.ended, s.ids, receipt, err)
	}
}

func TestSomeRecipientsAreRefused(t *testing.T) {
	unknown := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	full := &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	for _, row := range []struct {
		name      string
		refuse    map[string]error
		sent      int
		permanent bool
	}{
		{"one of two", map[string]error{"b@example.com": unknown}, 1, false},
		{"both for good", map[string]error{"a@example.com": unknown, "b@example.com": unknown}, 0, true},
		{"both, one for now", map[string]error{"a@example.com": unknown, "b@example.com": full}, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &server{refuse: row.refuse}
			cfg := s.start(t, Plain)
			cfg.To = []string{"a@example.com", "b@example.com"}
			receipt, err := tell(t, newNotifier(t, cfg), notifiertest.Sample(alert.Firing, 1))
			if len(s.all()) != row.sent || (err == nil) != (row.sent > 0) || notifiers.IsPermanent(err) != row.permanent {
				t.Errorf("%d sent, %v", len(s.all()), err)
			}
			if row.sent > 0 && receipt.Note != "the server refused b@example.com: 550 5.1.1 no such user" {
				t.Errorf("%q", receipt.Note)
			}
		})
	}
}

func TestWhoIsNotLetInMayBeLater(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a wrong password":          func(c *Config) { c.Password = secret.New("wrong") },
		"a way that is not offered": func(c *Config) { c.Auth = AuthCRAMMD5 },
		"no login":                  func(c *Config) { c.Username, c.Password = "", secret.String{} },
		"an authority not trusted":  func(c *Config) { c.TLS.CAFile = "" },
		"another name":              func(c *Config) { c.TLS.ServerName = "mail.example.org" },
		"TLS where STARTTLS is":     func(c *Config) { c.Encryption = TLS },
		"nobody listens":            func(c *Config) { c.Port = 1 },
		"a name that leads nowhere": func(c *Config) { c.Host = "nowhere.invalid" },
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{mechanisms: []string{"PLAIN"}}
			cfg := s.start(t, StartTLS)
			change(&cfg)
			_, err := tell(t, newNotifier(t, cfg), notifiertest.Sample(alert.Firing, 1))
			if err == nil || notifiers.IsPermanent(err) || len(s.all()) != 0 {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("no STARTTLS where it must be", func(t *testing.T) {
		s := &server{}
		cfg := s.start(t, Plain)
		cfg.Encryption = StartTLS
		if _, err := tell(t, newNotifier(t, cfg), notifiertest.Sample(alert.Firing, 1)); err == nil || !strings.Contains(err.Error(), "offers no STARTTLS") {
			t.Errorf("%v", err)
		}
	})
}

func TestAddressesOfEveryScript(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		s := &server{ascii: ascii}
		cfg := s.start(t, Plain)
		cfg.To = []string{"Jörg <jörg@example.com>"}
		_, err := tell(t, newNotifier(t, cfg), notifiertest.Sample(alert.Firing, 1))
		if ascii {
			if err == nil || notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "offers no SMTPUTF8") {
				t.Errorf("%v", err)
			}
			continue
		}
		if got := s.all(); err != nil || len(got) != 1 || !got[0].utf8 || got[0].to[0] != "jörg@example.com" {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestManyAtATime(t *testing.T) {
	s := &server{mechanisms: []string{"PLAIN"}}
	e := newNotifier(t, s.start(t, StartTLS))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			n := notifiertest.Sample(alert.Firing, i+1)
			if _, err := tell(t, e, n); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, got := range s.all() {
		ids[got.message(t).Header.Get("Message-Id")] = true
	}
	if len(ids) != 8 {
		t.Errorf("%d mails", len(ids))
	}
}

func TestTokens(t *testing.T) {
	var grants []string
	status, token := http.StatusOK, password
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grants = append(grants, r.FormValue("grant_type"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if status != http.StatusOK {
			_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":"no %s"}`, r.FormValue("refresh_token"))
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
	}))
	defer tokens.Close()
	s := &server{mechanisms: []string{"XOAUTH2"}}
	cfg := s.start(t, StartTLS)
	cfg.Auth, cfg.Password = AuthXOAuth2, secret.String{}
	cfg.OAuth2 = OAuth2{TokenURL: secret.NewURL(tokens.URL), ClientID: "id", ClientSecret: secret.New("client-s3cr3t")}
	n := notifiertest.Sample(alert.Firing, 1)
	e := newNotifier(t, cfg)
	for range 2 {
		if _, err := tell(t, e, n); err != nil {
			t.Fatal(err)
		}
	}
	if len(grants) != 1 || grants[0] != "client_credentials" || len(s.all()) != 2 {
		t.Errorf("%v", grants)
	}
	// A token that the mail server refuses is not kept.
	token = "revoked"
	e = newNotifier(t, cfg)
	if _, err := tell(t, e, n); err == nil || notifiers.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	token = password
	if _, err := tell(t, e, n); err != nil {
		t.Error(err)
	}
	cfg.OAuth2.RefreshToken = secret.New("refresh-s3cr3t")
	if _, err := tell(t, newNotifier(t, cfg), n); err != nil || grants[len(grants)-1] != "refresh_token" {
		t.Errorf("%v, %v", err, grants)
	}
	status = http.StatusBadRequest
	if _, err := tell(t, newNotifier(t, cfg), n); err == nil || notifiers.IsPermanent(err) || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "answered 400 invalid_client") {
		t.Errorf("%v", err)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"valid", func(*Config) {}, ""},
		{"with a login", func(c *Config) { c.Username, c.Password = "u", secret.New("p") }, ""},
		{"no host", func(c *Config) { c.Host = "" }, "host: missing"},
		{"host and port", func(c *Config) { c.Host = "smtp.example.com:587" }, `host: "smtp.example.com:587" is not a host; write the host alone`},
		{"IPv6", func(c *Config) { c.Host = "::1" }, ""},
		{"metadata", func(c *Config) { c.Host = "169.254.169.254" }, "host: 169.254.169.254 is the address of a cloud's metadata"},
		{"loopback, refused", func(c *Config) { c.Host, c.PrivateAddresses = "127.0.0.1", "refuse" }, "host: 127.0.0.1 is this machine's own address"},
		{"port", func(c *Config) { c.Port = 70000 }, "port: 70000 is not a port"},
		{"encryption", func(c *Config) { c.Encryption = "ssl" }, `encryption: "ssl" is not one of starttls, tls, none`},
		{"hello", func(c *Config) { c.Hello = "a b" }, "hello:"},
		{"auth", func(c *Config) { c.Auth, c.Username, c.Password = "plian", "u", secret.New("p") }, `auth: "plian" is not one of auto, plain, login, cram-md5, scram, xoauth2; did you mean "plain"?`},
		{"password alone", func(c *Config) { c.Password = secret.New("p") }, "username: missing beside password"},
		{"username alone", func(c *Config) { c.Username = "u" }, "password: missing beside username"},
		{"auth alone", func(c *Config) { c.Auth = AuthPlain }, "username: missing: nobody can log in"},
		{"readable", func(c *Config) { c.Encryption, c.Username, c.Password = Plain, "u", secret.New("p") }, "encryption: the password would be readable on the way"},
		{"readable here", func(c *Config) {
			c.Host, c.Encryption, c.Username, c.Password = "localhost", Plain, "u", secret.New("p")
		}, ""},
		{"line break", func(c *Config) { c.Username, c.Password = "u", secret.New("s3cr3t\n") }, "password: username or password holds a line break"},
		{"from", func(c *Config) { c.From = "" }, "from: missing"},
		{"not an address", func(c *Config) { c.From = "tocsin" }, `from: "tocsin" is not one mail address`},
		{"to", func(c *Config) { c.To = nil }, "to: missing: nobody would be told"},
		{"two in one", func(c *Config) { c.To = []string{"a@example.com", "b@example.com, c@example.com"} }, `to[1]: "b@example.com, c@example.com" is not one mail address`},
		{"injection", func(c *Config) { c.CC = []string{"a@example.com\r\nBcc: x@example.com"} }, "cc[0]:"},
		{"too many", func(c *Config) { c.To = strings.Split(strings.Repeat("a@example.com ", 101), " ")[:101] }, "to: 101 recipients"},
		{"reply_to", func(c *Config) { c.ReplyTo = "@" }, "reply_to:"},
		{"header's name", func(c *Config) { c.Headers = map[string]string{"X Team": "a"} }, `headers.X Team: "X Team" is not a header's name`},
		{"header's value", func(c *Config) { c.Headers = map[string]string{"X-Team": "a\nb"} }, "headers.X-Team: the value cannot stand in a header"},
		{"own header", func(c *Config) { c.Headers = map[string]string{"message-id": "a"} }, "headers.message-id: the message has its own message-id"},
		{"subject", func(c *Config) { c.Subject = notifiers.TextFrom("{{ .Sbject }}") }, "subject: bad template"},
		{"html", func(c *Config) { _ = c.HTML.FromScalar("<a href={{ .Title") }, "html: bad template"},
		{"text", func(c *Config) { c.Text = notifiers.TextFrom("{{ end }}") }, "text: bad template"},
		{"tokens for a password", func(c *Config) {
			c.Username, c.OAuth2 = "u", OAuth2{TokenURL: secret.NewURL("https://h/t"), ClientID: "i", ClientSecret: secret.New("s")}
		}, "oauth2: only xoauth2 takes its tokens; write auth: xoauth2"},
		{"no client", func(c *Config) {
			c.Auth, c.Username, c.OAuth2 = AuthXOAuth2, "u", OAuth2{TokenURL: secret.NewURL("https://h/t")}
		}, "oauth2.client_id: missing"},
		{"tls", func(c *Config) { c.TLS.CertFile = "x" }, "tls.key_file: missing beside cert_file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := settings(0)
			cfg.Host = "smtp.example.com"
			row.change(&cfg)
			err := cfg.Validate().Err()
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	for encryption, want := range map[string]string{"": "h:587", StartTLS: "h:587", TLS: "h:465", Plain: "h:25"} {
		c := Config{Host: "h", Encryption: encryption}
		if got := c.address(); got != want {
			t.Errorf("%s: %s", encryption, got)
		}
	}
}
