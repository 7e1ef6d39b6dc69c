// Package client asks a running daemon over its HTTP API. The subcommands of
// cmd/tocsin that look at a daemon call it. It retries nothing, follows no
// redirect, and never shows the token.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

const (
	// Timeout bounds one question, its answer's body included.
	Timeout = 10 * time.Second
	// maxBodyBytes bounds what is read of an answer.
	maxBodyBytes = 64 << 20
)

// Client asks one daemon. It is safe for concurrent use.
type Client struct {
	base  string
	token secret.String
	http  *http.Client
}

// New makes a client of the daemon at base, as in http://127.0.0.1:9590. The
// token may be empty.
func New(base string, token secret.String) (*Client, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, errors.New("want a URL such as http://127.0.0.1:9590")
	case u.User != nil:
		return nil, errors.New("a URL with a password is not for this; give a token")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("want the URL of the daemon alone, without ? and #")
	}
	return &Client{base: strings.TrimRight(u.String(), "/"), token: token, http: &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Base is where the daemon is asked, without a slash at its end.
func (c *Client) Base() string { return c.base }

// Error is an answer of the daemon that is not what was asked for.
type Error struct {
	Status  int
	Code    string // a word for programs
	Message string // a sentence for people
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Message }

// UnreachableError says that nothing answered at the URL.
type UnreachableError struct {
	URL string
	Err error // holds no URL
	// Within is how long an answer was waited for; 0 is Timeout.
	Within time.Duration
}

// Error says where nothing answered, and why when that is known.
func (e *UnreachableError) Error() string { return "no daemon answers at " + e.URL + e.why() }

func (e *UnreachableError) why() string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(e.Err, &dns):
		return ": there is no host " + dns.Name
	case errors.As(e.Err, &certificate):
		return ": " + certificate.Err.Error()
	case errors.As(e.Err, &record), strings.Contains(e.Err.Error(), "HTTP response to HTTPS client"):
		return ": it does not speak https; try http://"
	case errors.As(e.Err, &timeout) && timeout.Timeout():
		return fmt.Sprintf(" within %s", cmp.Or(e.Within, Timeout))
	}
	return "; is it running?"
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Patient returns a client that waits longer for its answers.
func (c *Client) Patient(timeout time.Duration) *Client {
	patient, asks := *c, *c.http
	asks.Timeout = timeout
	patient.http = &asks
	return &patient
}

// Get asks for a path and returns the answer's JSON. What it returns for an
// answer of another status than 200 is an *Error, for none an
// *UnreachableError.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	return c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
}

// Post asks for something to be done, without a body, and returns the answer's
// JSON. Answers of a success are as for Get; of the statuses in also the JSON is
// returned beside the *Error.
func (c *Client) Post(ctx context.Context, path string, also ...int) (json.RawMessage, error) {
	return c.do(ctx, http.MethodPost, path, nil, also...)
}

// Send asks for something to be done with what the document says, which may be
// nil, and returns the answer's JSON; nil for a success without an answer. The
// errors are those of Get.
func (c *Client) Send(ctx context.Context, method, path string, document any) (json.RawMessage, error) {
	var body []byte
	if document != nil {
		var err error
		if body, err = json.Marshal(document); err != nil {
			return nil, fmt.Errorf("the question: %w", err)
		}
	}
	return c.do(ctx, method, path, body)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, wanted ...int) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, secret.CleanError(err)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &UnreachableError{c.base, secret.CleanError(err), c.http.Timeout}
	}
	defer func() { _ = res.Body.Close() }()
	body, err = httpx.ReadBody(res.Body, maxBodyBytes)
	success := res.StatusCode == http.StatusOK || method != http.MethodGet && res.StatusCode/100 == 2
	switch {
	case res.StatusCode == http.StatusNoContent && success:
		return nil, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the answer of %s: %w", c.base, err)
	case !success && slices.Contains(wanted, res.StatusCode) && json.Valid(body):
		return body, c.refused(res, body)
	case !success:
		return nil, c.refused(res, body)
	case !json.Valid(body):
		return nil, fmt.Errorf("what answers at %s is not a Tocsin: its answer is no JSON", c.base)
	}
	return body, nil
}

// refused reads the one shape that the daemon's errors have.
func (c *Client) refused(res *http.Response, body []byte) *Error {
	var doc struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(body, &doc) != nil || doc.Error.Message == "" {
		return &Error{res.StatusCode, "", fmt.Sprintf("what answers at %s is not a Tocsin, or one of another version: it says %s", c.base, res.Status)}
	}
	e := &Error{res.StatusCode, doc.Error.Code, doc.Error.Message}
	switch {
	case res.StatusCode == http.StatusUnauthorized && c.token.Empty():
		e.Message = fmt.Sprintf("the daemon at %s wants a token", c.base)
	case res.StatusCode == http.StatusUnauthorized:
		e.Message = fmt.Sprintf("the daemon at %s does not know the token", c.base)
	case res.StatusCode == http.StatusForbidden:
		e.Message = fmt.Sprintf("the daemon at %s refuses: %s", c.base, doc.Error.Message)
	}
	return e
}
