// Package email sends a notification as a mail by a mail server's submission
// service: HTML with a text part that can be read alone, in a thread a group. It
// is called by the outbox and made in cmd/tocsin. It retries nothing; a retry has
// the same Message-ID and the same bytes, so that what arrives twice is shown once.
// RFC 5321 (SMTP), RFC 5322 (the message), RFC 6409 (submission).
package email

import (
	"context"
	"crypto/tls"
	"fmt"
	"html/template"
	"net/mail"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier sends by one server, with a connection a message. It is safe for
// concurrent use.
type Notifier struct {
	cfg   Config
	from  *mail.Address
	rcpts []string // addresses alone, each once
	login *credentials
	tls   *tls.Config
	page  *template.Template
}

// New makes a notifier. It connects to nothing.
func New(cfg Config) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	e := &Notifier{cfg: cfg, rcpts: recipients(&cfg)}
	var err error
	if e.from, err = parseAddress(cfg.From); err != nil {
		return nil, fmt.Errorf("email: from: %w", err)
	}
	if e.tls, err = cfg.TLS.Config(); err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	if e.page, err = parsePage(); err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	if e.tls.ServerName == "" {
		e.tls.ServerName = cfg.Host
	}
	if e.login, err = newCredentials(&e.cfg); err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	return e, nil
}

// Notify sends n as one mail to all recipients; the reference is its Message-ID. It
// was sent when the server has taken it for at least one of them: whom it refused
// stands in the receipt's note, for to send it to the others again would be worse.
func (e *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	m, err := e.render(&n, false)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("email: %w", err))
	}
	answer, refused, err := e.send(ctx, m.raw)
	receipt := notifiers.Receipt{Answer: answer, Note: joinNotes(m.note, refused)}
	if err != nil {
		return receipt, fmt.Errorf("email: %w", err)
	}
	receipt.Reference = m.id
	return receipt, nil
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// Preview returns the mail that Notify would send, in an encoding that can be read.
func (e *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	m, err := e.render(&n, true)
	return notifiers.Preview{ContentType: "message/rfc822", Body: m.raw, Note: m.note}, err
}
