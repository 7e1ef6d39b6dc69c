package email

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// stepError says at which step of the session what went wrong, without secrets. It
// answers errors.Is for a deadline and unwraps nothing else: the texts of others
// quote what the server sent.
type stepError struct {
	text     string
	deadline bool
}

func (e *stepError) Error() string { return e.text }
func (e *stepError) Is(target error) bool {
	return e.deadline && target == context.DeadlineExceeded
}

// sort makes an error of the session one that may be stored, and Permanent where no
// retry and no operator can mend it.
func (s *session) sort(step string, err error) error {
	s.broken = codeOf(err) == 0
	to := s.e.cfg.address()
	if timeout := net.Error(nil); s.ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &stepError{fmt.Sprintf("%s: %s: no answer before the deadline", to, step), true}
	}
	e := &stepError{text: fmt.Sprintf("%s: %s: %s%s", to, step, s.said(err), advice(err))}
	if passes(err) || step != "sender" && step != "recipients" && step != "message" {
		// What refuses before the message is known refuses us, not it: a password, a
		// certificate, a list of blocked addresses. Somebody mends that.
		return e
	}
	return notifiers.Permanent(e)
}

// advice is what an operator can do about a refused login, in brackets; empty
// where the server's words must do.
func advice(err error) string {
	switch codeOf(err) {
	case 530:
		return " (the server wants a login: give username and password)"
	case 534:
		return " (the server wants another way to log in: set auth, or make a password for applications)"
	case 535:
		return " (the login was refused: is the password right? Many services want one made for applications, or oauth2)"
	case 538:
		return " (the server wants an encrypted connection: set encryption to starttls or tls)"
	}
	return ""
}

// codeOf is the server's reply code; 0 where it gave none.
func codeOf(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

// passes says whether what the server refused may pass by itself or is for an
// operator to mend: 4xx and broken connections, 5xx that ask for a login (RFC
// 4954), and 5.7.x, security and policy (RFC 3463), as for a relay that is not
// allowed or a sender that may not be used. notifiers.Post treats 401 and 403
// likewise.
func passes(err error) bool {
	var reply *textproto.Error
	if !errors.As(err, &reply) {
		return true // no answer of the server's
	}
	switch reply.Code {
	case 530, 534, 535, 538: // authentication required, too weak, refused, encryption required
		return true
	}
	text := strings.ToLower(reply.Msg)
	return reply.Code < 500 || strings.HasPrefix(text, "5.7.") || strings.Contains(text, "relay")
}

// said is what the server answered, or what else went wrong, fit for the record.
func (s *session) said(err error) string {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return s.clean(fmt.Sprintf("%d %s", reply.Code, reply.Msg))
	}
	return s.clean(err.Error())
}

// clean makes what a server said fit for the record.
func (s *session) clean(text string) string {
	pass, user := s.pass.Reveal(), s.e.cfg.Username
	if pass == "" {
		return notifiers.Redact(text)
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return notifiers.Redact(text, pass, b64(pass), b64("\x00"+user+"\x00"+pass), b64("user="+user+"\x01auth=Bearer "+pass+"\x01\x01"))
}
