package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// connect is the check of a tcp:// URL.
func (s *Source) connect(ctx context.Context) outcome {
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", tcpAddress(s.target))
	o := outcome{took: time.Since(began)}
	if err != nil {
		o.failure = reason(ctx, err)
		return o
	}
	_ = conn.Close()
	return o
}

// request is the check of an HTTP URL: from the request's start to the end of
// the body, or of the part of it that is read.
func (s *Source) request(ctx context.Context) outcome {
	req, err := nethttp.NewRequestWithContext(ctx, s.cfg.Method, s.target.String(), s.body())
	if err != nil {
		return outcome{failure: secret.CleanError(err).Error()}
	}
	s.cfg.Authorize(req)
	began := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		return outcome{took: time.Since(began), failure: reason(ctx, err), expires: unverified(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(s.cfg.MaxBodyBytes)))
	o := outcome{took: time.Since(began), status: resp.StatusCode, expires: expiry(resp.TLS)}
	if err != nil {
		o.failure = fmt.Sprintf("the body breaks off after %d bytes: %s", len(body), reason(ctx, err))
		return o
	}
	o.failure = s.judge(resp.StatusCode, body)
	return o
}

func (s *Source) body() io.Reader {
	if s.cfg.Body.Empty() {
		return nil
	}
	return strings.NewReader(s.cfg.Body.Reveal())
}

// judge says what is wrong with an answer, or "".
func (s *Source) judge(status int, body []byte) string {
	switch {
	case !passes(s.expected, status):
		return strings.TrimSpace(fmt.Sprintf("answered %d %s", status, nethttp.StatusText(status)))
	case s.match != nil && !s.match.Match(body):
		return "the body does not match body_match"
	case s.notMatch != nil && s.notMatch.Match(body):
		return "the body matches body_not_match"
	}
	return ""
}

// reason says in words why nothing came, without the URL.
func reason(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer in time"
	}
	return secret.CleanError(err).Error()
}

// expiry is when the first certificate of the chain that the server showed
// expires; nil without TLS.
func expiry(state *tls.ConnectionState) *time.Time {
	if state == nil {
		return nil
	}
	return first(state.PeerCertificates)
}

// unverified finds the chain of a handshake that failed: an expired
// certificate has an expiry too.
func unverified(err error) *time.Time {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return nil
	}
	return first(verification.UnverifiedCertificates)
}

func first(chain []*x509.Certificate) *time.Time {
	var earliest *time.Time
	for _, cert := range chain {
		if earliest == nil || cert.NotAfter.Before(*earliest) {
			earliest = &cert.NotAfter
		}
	}
	return earliest
}
