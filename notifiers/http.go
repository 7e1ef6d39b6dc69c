package notifiers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/version"
)

const (
	// maxAnswerBytes is how much of an answer is read, whatever a receiver
	// sends.
	maxAnswerBytes = 16 << 10
	// maxErrorRunes is how much of it stands in an error: it is stored with
	// every attempt.
	maxErrorRunes = 300
	// MaxRetryAfter caps what a receiver may ask us to wait, so that a wrong
	// header does not silence it for days.
	MaxRetryAfter = time.Hour
)

// Request is one message on its way to a receiver by HTTP.
type Request struct {
	Method      string // empty is POST
	URL         secret.URL
	ContentType string // empty is application/json
	Body        []byte
	// Options authorize the request and add the operator's headers.
	Options httpx.Options
	// Header is the adapter's own and wins over the operator's.
	Header http.Header
	// Secrets are texts beside those of URL and Options that no error may hold.
	Secrets []secret.String
	// UserAgent is used when the operator's headers give none; empty is
	// "tocsin".
	UserAgent string
	// MaxAnswerBytes is how much of a success's body Exchange returns; 0 is
	// 16 KiB.
	MaxAnswerBytes int64
}

// AnswerError is an answer that is not a success. It wraps nothing; Post
// marks it Permanent or adds a RetryAfter.
type AnswerError struct {
	Host   string // scheme://host of the receiver
	Status int
	// Text is the beginning of the body on one line, without the request's
	// secrets; may be empty.
	Text string
}

// Error says who answered what.
func (e *AnswerError) Error() string {
	s := fmt.Sprintf("%s answered %d %s", e.Host, e.Status, http.StatusText(e.Status))
	if e.Status >= 300 && e.Status < 400 {
		return s + ": a redirect, which is not followed; give the URL that it leads to"
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return strings.TrimSpace(s)
}

// HTTPStatus is what StatusOf returns.
func (e *AnswerError) HTTPStatus() int { return e.Status }

// Post sends one message and sorts the answer; ctx carries the deadline. One
// policy for every receiver:
//
//   - 2xx is told, whatever becomes of the body after the status;
//   - 408, 425, 429, 5xx and every failure of the network may pass: the error
//     is not Permanent, and on 429 and 503 Retry-After is passed on (RFC 9110,
//     seconds or a date), at most MaxRetryAfter;
//   - 401, 403, 404, 407, 409 and 423 may pass too: so a proxy answers for a
//     receiver that is being deployed, and a door whose key is being changed;
//   - an address to which nothing is sent (see Addresses) may pass, because what
//     leads there is a name whose address is mended in the DNS;
//   - redirects are not followed: a message with secrets goes where the
//     operator sent it, and nowhere else. They and every other status are
//     Permanent.
//
// No error holds the URL beyond its host, nor a credential, even when the
// receiver echoes them. client is not changed and may be shared.
func Post(ctx context.Context, client *http.Client, req Request) (Receipt, error) {
	receipt, _, err := Exchange(ctx, client, req)
	return receipt, err
}

// Exchange is Post for a receiver that says in the body of its success what
// came of it. The body may have broken off: that is for the caller to see.
func Exchange(ctx context.Context, client *http.Client, req Request) (Receipt, []byte, error) {
	hr, err := req.build(ctx)
	if err != nil {
		return Receipt{}, nil, Permanent(err)
	}
	noRedirects := *client
	noRedirects.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if _, bounded := ctx.Deadline(); bounded {
		noRedirects.Timeout = 0 // a second timer for each message would tell nothing new
	}
	resp, err := noRedirects.Do(hr)
	if err != nil {
		return Receipt{}, nil, req.networkError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	receipt, success, limit := Receipt{Status: resp.StatusCode}, resp.StatusCode >= 200 && resp.StatusCode < 300, int64(maxAnswerBytes)
	if success && req.MaxAnswerBytes > 0 {
		limit = req.MaxAnswerBytes
	}
	// A body that breaks off changes nothing: the status was the answer.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, limit))
	receipt.Answer = req.clean(string(answer))
	if success {
		return receipt, answer, nil
	}
	return receipt, nil, sortAnswer(&AnswerError{
		Host:   req.URL.Redacted(),
		Status: resp.StatusCode,
		Text:   receipt.Answer,
	}, resp.Header.Get("Retry-After"), time.Now())
}

func (r *Request) build(ctx context.Context) (*http.Request, error) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	hr, err := http.NewRequestWithContext(ctx, method, r.URL.Reveal(), bytes.NewReader(r.Body))
	if err != nil {
		// net/http's error quotes the URL.
		return nil, errors.New("cannot make a request of the method and URL")
	}
	agent, contentType := r.UserAgent, r.ContentType
	if agent == "" {
		agent = "tocsin"
	}
	if contentType == "" {
		contentType = "application/json"
	}
	hr.Header.Set("User-Agent", agent)
	hr.Header.Set("Content-Type", contentType)
	r.Options.Authorize(hr)
	for name, values := range r.Header {
		hr.Header[http.CanonicalHeaderKey(name)] = values
	}
	return hr, nil
}

func sortAnswer(e *AnswerError, retryAfter string, now time.Time) error {
	switch {
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable:
		if wait, ok := parseRetryAfter(retryAfter, now); ok {
			return RetryAfter(e, wait)
		}
		return e
	case e.Status >= 500:
		return e
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusConflict, http.StatusLocked:
		return e
	}
	return Permanent(e)
}

// parseRetryAfter reads RFC 9110's delay in seconds or date. A time that has
// passed is no wish at all.
func parseRetryAfter(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, false
	}
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true // more digits than fit are a long time too
		}
		return time.Duration(seconds) * time.Second, seconds > 0
	}
	at, err := http.ParseTime(text)
	if err != nil || !at.After(now) {
		return 0, false
	}
	return min(at.Sub(now), MaxRetryAfter), true
}

// networkError gives err a text that may be stored.
func (r *Request) networkError(err error) error {
	err = secret.CleanError(err)
	text := r.URL.Redacted() + ": " + r.clean(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		text = r.URL.Redacted() + ": no answer before the deadline"
	}
	// It may pass: the next answer of the DNS can be another.
	if refused := (*httpx.AddressError)(nil); errors.As(err, &refused) {
		text = r.URL.Redacted() + ": " + refused.Error()
	}
	return &networkError{text: text, err: err}
}

// networkError answers errors.Is for what happened, and nothing unwraps it:
// the texts of net/http's errors quote what the server sent.
type networkError struct {
	text string
	err  error
}

func (e *networkError) Error() string        { return e.text }
func (e *networkError) Is(target error) bool { return errors.Is(e.err, target) }

// UserAgent returns "tocsin/" and the version.
func UserAgent() string { return "tocsin/" + version.String() }
