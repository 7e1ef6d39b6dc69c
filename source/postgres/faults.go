package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin-dev/tocsin/source"
)

// SQLSTATEs, from appendix A of PostgreSQL's manual.
const (
	codeTooManyConnections = "53300"
	codeCannotConnectNow   = "57P03"
	codeNoDatabase         = "3D000"
	codeNoPrivilege        = "42501"
	codeQueryCanceled      = "57014"
	codeProtocol           = "08P01" // PgBouncer's answer to nearly everything
	classAuthorization     = "28"
)

// kindOf sorts the reasons for which no session could be had.
func kindOf(err error) source.FaultKind {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return kindOfReply(pe)
	}
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		header      tls.RecordHeaderError
	)
	text := err.Error()
	switch {
	// The server is there; what is wrong is between it and the monitor's TLS
	// settings.
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header),
		strings.Contains(text, "server refused TLS connection"):
		return source.Blind
	case strings.Contains(text, "unknown message type"), strings.Contains(text, "invalid message"):
		return source.Garbled
	}
	return source.Down
}

func kindOfReply(pe *pgconn.PgError) source.FaultKind {
	switch {
	case pe.Code == codeTooManyConnections:
		// The same code says that this role has reached its own CONNECTION LIMIT.
		// That is the monitor's trouble, not the pool's. The routine tells them
		// apart in every language.
		if pe.Routine == "InitializeSessionUserId" {
			return source.Blind
		}
		return source.Full
	case pe.Code == codeCannotConnectNow:
		return source.Starting
	case strings.HasPrefix(pe.Code, classAuthorization), pe.Code == codeNoDatabase, pe.Code == codeNoPrivilege:
		return source.Blind
	case pe.Code == codeProtocol:
		return kindOfPooler(pe.Message)
	case strings.HasPrefix(pe.Code, "42"):
		return source.Blind // an unknown setting in the URL, for one
	case strings.HasPrefix(pe.Code, "53"):
		return source.Busy
	}
	return source.Down
}

// kindOfPooler reads PgBouncer's messages, which are never translated.
func kindOfPooler(message string) source.FaultKind {
	switch {
	case strings.Contains(message, "no more connections allowed"):
		return source.Full
	case strings.Contains(message, "server_login_retry"),
		strings.Contains(message, "query_wait_timeout"),
		strings.Contains(message, "connect failed"),
		strings.Contains(message, "server conn crashed"):
		return source.Down // PgBouncer is there, PostgreSQL is not
	}
	return source.Blind
}

// timedOut says that no answer came in time: nothing at all, or the server's own
// word that it took too long.
func timedOut(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == codeQueryCanceled
	}
	var ne net.Error
	return pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// plain makes of a driver's error one line without the chain below it, for the
// chain of a connect error holds the configuration and so the password.
func plain(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return errors.New(pe.Error())
	}
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) {
		err = ce.Unwrap()
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
