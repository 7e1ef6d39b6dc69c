package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// connectError is a failure to dial, or the server's refusal of the first
// command. It hides its cause from errors.As on purpose: go-redis unwraps what
// it can, and would go on with AUTH after a refusal that it takes for "this
// server is too old for HELLO".
type connectError struct{ cause error }

func (e *connectError) Error() string { return e.cause.Error() }

// replyKind sorts the error replies by their first words. Their texts are in
// Redis' source, and recorded in testdata/fixtures/redis/error_replies.json.
func replyKind(text string) source.FaultKind {
	for _, k := range [...]struct {
		prefix string
		kind   source.FaultKind
	}{
		{"LOADING", source.Starting},
		{"MASTERDOWN", source.Starting},
		{"BUSY ", source.Busy},
		{"CLUSTERDOWN", source.Down},
		{"ERR max number of clients", source.Full},
		{"NOAUTH", source.Blind},
		{"WRONGPASS", source.Blind},
		{"NOPERM", source.Blind},
		{"DENIED", source.Blind}, // protected mode
		{"ERR invalid password", source.Blind},
		{"ERR AUTH", source.Blind},
		{"ERR Client sent AUTH", source.Blind},
	} {
		if strings.HasPrefix(text, k.prefix) {
			return k.kind
		}
	}
	return source.Garbled
}

// classify says what an error means for the server, and whether it was silence
// only, which one lost packet can explain. No error is no kind.
func classify(err error) (kind source.FaultKind, timeout bool) {
	if err == nil {
		return "", false
	}
	var fault *source.Fault
	if errors.As(err, &fault) {
		return fault.Kind, false
	}
	err = cause(err)
	var reply redis.Error
	switch {
	case errors.As(err, &reply):
		return replyKind(reply.Error()), false
	case isTimeout(err):
		return source.Down, true
	case isTrust(err):
		return source.Blind, false
	case isGarbled(err):
		return source.Garbled, false
	}
	return source.Down, false // refused, reset, no such host
}

func cause(err error) error {
	var c *connectError
	if errors.As(err, &c) {
		return c.cause
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// isTrust says whether the two ends do not accept each other's certificates:
// the server may be well.
func isTrust(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &alert)
}

// isGarbled says whether something other than Redis answers. go-redis has no
// type for a reply it cannot parse.
func isGarbled(err error) bool {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "redis: can't parse") || strings.Contains(text, "redis: invalid reply")
}

// isLost says whether an established connection ended, which says nothing of
// the server until a new one is tried.
func isLost(err error) bool {
	var c *connectError
	if errors.As(err, &c) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isReply says whether the server itself answered with an error.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(cause(err), &reply) && !errors.Is(err, redis.Nil)
}
