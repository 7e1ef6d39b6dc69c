package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

const (
	// maxServerBytes is how much a server may say in one session.
	maxServerBytes = 1 << 20
	// farewell is how long a server is waited for that has taken the message.
	farewell = time.Second
)

// send gives the message to the server in one session. It returns what the server
// said of it, and whom it did not take it for.
func (e *Notifier) send(ctx context.Context, message []byte) (answer, refused string, err error) {
	pass := secret.String{}
	if e.cfg.Username != "" {
		if pass, err = e.login.secret(ctx); err != nil {
			return "", "", err
		}
	}
	s := &session{e: e, ctx: ctx, pass: pass}
	defer s.close()
	for _, step := range [...]struct {
		name string
		run  func() error
	}{{"connect", s.connect}, {"hello", s.hello}, {"starttls", s.startTLS}, {"auth", s.auth}, {"sender", s.sender}, {"recipients", s.recipients}} {
		if err := step.run(); err != nil {
			return "", "", s.sort(step.name, err)
		}
	}
	answer, err = s.data(message)
	if err != nil {
		return "", "", s.sort("message", err)
	}
	return s.clean(answer), strings.Join(s.refused, "; "), nil
}

// session is one connection to the server, used by one goroutine.
type session struct {
	e    *Notifier
	ctx  context.Context //nolint:containedctx // it lives for one call
	pass secret.String

	conn    net.Conn
	stop    func() bool
	client  *smtp.Client
	refused []string // recipients that were refused beside others, with why
	broken  bool     // nothing can be said to the server any more
}

// connect reads the greeting, too.
func (s *session) connect() error {
	dialer := net.Dialer{Control: s.e.cfg.Control}
	conn, err := dialer.DialContext(s.ctx, "tcp", s.e.cfg.address())
	if err != nil {
		return err
	}
	s.conn = conn
	if at, ok := s.ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return err
		}
	}
	// What is cancelled ends every read and write.
	s.stop = context.AfterFunc(s.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	bounded := net.Conn(&boundedConn{Conn: conn, left: maxServerBytes})
	if s.e.cfg.encryption() == TLS {
		encrypted := tls.Client(bounded, s.e.tls)
		if err := encrypted.HandshakeContext(s.ctx); err != nil {
			return err
		}
		bounded = encrypted
	}
	s.client, err = smtp.NewClient(bounded, s.e.cfg.Host)
	return err
}

func (s *session) hello() error {
	name := s.e.cfg.Hello
	if name == "" {
		name = ownName()
	}
	if err := s.client.Hello(name); err != nil {
		return err
	}
	// It is asked for where an address needs it only: the next server may not know it.
	s.client.SkipSMTPUTF8(s.ascii())
	return nil
}

// ownName is this machine's name, or what stands for none.
func ownName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || !isASCII(name) || strings.ContainsAny(name, " \r\n\t") {
		return "localhost"
	}
	return name
}

var errNoStartTLS = errors.New("the server offers no STARTTLS; give encryption: tls and its port, or none")

func (s *session) startTLS() error {
	if s.e.cfg.encryption() != StartTLS {
		return nil
	}
	if ok, _ := s.client.Extension("STARTTLS"); !ok {
		return errNoStartTLS
	}
	return s.client.StartTLS(s.e.tls)
}

// auth logs in by the way that is set, or by the best that both know.
func (s *session) auth() error {
	if s.e.cfg.Username == "" {
		return nil
	}
	_, offered := s.client.Extension("AUTH")
	auth := s.mechanism(strings.Fields(strings.ToUpper(offered)))
	if auth == nil {
		return fmt.Errorf("the server does not offer auth: %s, only %q", s.e.cfg.auth(), offered)
	}
	if err := s.client.Auth(auth); err != nil {
		s.e.login.refused()
		return err
	}
	return nil
}

// mechanism returns nil where none fits. A password goes unencrypted to this machine
// only: Validate refuses any other host.
func (s *session) mechanism(offered []string) smtp.Auth {
	user, pass, host := s.e.cfg.Username, s.pass.Reveal(), s.e.cfg.Host
	loopback := isLoopback(host)
	for _, m := range [...]struct {
		setting, name string
		make          func() smtp.Auth
	}{
		{AuthSCRAM, "SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(user, pass) }},
		{AuthSCRAM, "SCRAM-SHA-1", func() smtp.Auth { return smtp.ScramSHA1Auth(user, pass) }},
		{AuthPlain, "PLAIN", func() smtp.Auth { return smtp.PlainAuth("", user, pass, host, loopback) }},
		{AuthLogin, "LOGIN", func() smtp.Auth { return smtp.LoginAuth(user, pass, host, loopback) }},
		{AuthCRAMMD5, "CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(user, pass) }},
		{AuthXOAuth2, "XOAUTH2", func() smtp.Auth { return smtp.XOAuth2Auth(user, pass) }},
	} {
		wanted := s.e.cfg.auth() == m.setting || s.e.cfg.auth() == AuthAuto && m.setting != AuthXOAuth2
		for _, name := range offered {
			if wanted && name == m.name {
				return m.make()
			}
		}
	}
	return nil
}

var errNoUTF8 = errors.New("an address is not ASCII, and the server offers no SMTPUTF8 (RFC 6531)")

func (s *session) sender() error {
	if ok, _ := s.client.Extension("SMTPUTF8"); !ok && !s.ascii() {
		return errNoUTF8
	}
	return s.client.Mail("<" + s.e.from.Address + ">")
}

func (s *session) ascii() bool { return isASCII(s.e.from.Address + strings.Join(s.e.rcpts, "")) }

// recipients is an error only where nobody is left to be told: then it is that of
// whoever may be taken later.
func (s *session) recipients() error {
	var worst error
	for _, to := range s.e.rcpts {
		err := s.client.Rcpt("<" + to + ">")
		switch code := codeOf(err); {
		case err == nil:
		case code == 0 || code == 421: // the session is over
			return err
		default:
			s.refused = append(s.refused, fmt.Sprintf("the server refused %s: %s", notifiers.Plain(to), s.said(err)))
			if worst == nil || passes(err) {
				worst = err
			}
		}
	}
	if len(s.refused) < len(s.e.rcpts) {
		return nil
	}
	return worst
}

func (s *session) data(message []byte) (answer string, err error) {
	w, err := s.client.Data()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(message); err != nil {
		return "", err // the connection is closed unfinished: nothing was sent
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if said, ok := w.(*smtp.DataCloser); ok {
		answer = said.ServerResponse()
	}
	return answer, nil
}

// close says goodbye where it is quick, and closes.
func (s *session) close() {
	if s.conn == nil {
		return
	}
	s.stopWatch()
	if s.client != nil && !s.broken && s.ctx.Err() == nil {
		_ = s.conn.SetDeadline(time.Now().Add(farewell))
		_ = s.client.Quit()
	}
	_ = s.conn.Close()
}

func (s *session) stopWatch() {
	if s.stop != nil {
		s.stop()
	}
}

// boundedConn ends a session in which the server says more than any would.
type boundedConn struct {
	net.Conn
	left int
}

var errFlood = errors.New("the server does not stop talking")

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errFlood
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
