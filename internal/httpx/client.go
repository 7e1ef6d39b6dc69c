package httpx

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// What a server may make us hold or wait for, whatever it answers.
const (
	maxHeaderBytes = 256 << 10
	maxRedirects   = 10
	idleTimeout    = 90 * time.Second
	// maxIdle is how many connections to a host are kept: as many as the most
	// concurrent receiver may use, or each message would open one.
	maxIdle = 256
)

// Client makes a client of the options. timeout bounds one request from
// connecting to the end of its body; zero leaves that to the request's
// context. Connections are kept open between requests. The client is safe for
// concurrent use; CloseIdleConnections ends it.
//
// It follows up to ten redirects. What Authorize set is not carried to
// another host, nor from https to http.
func (o Options) Client(timeout time.Duration) (*http.Client, error) {
	proxy, err := o.proxy()
	if err != nil {
		return nil, fmt.Errorf("proxy_url: %w", err)
	}
	tlsConfig, err := o.TLS.Config()
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  proxy,
			DialContext:            (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:        tlsConfig,
			TLSHandshakeTimeout:    timeout,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: o.checkRedirect,
	}, nil
}

// checkRedirect runs after net/http copied the first request's headers to the
// next; net/http itself takes away Authorization and Cookie only.
func (o Options) checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	next.Header.Del("Referer") // holds the URL's query
	first := via[0].URL
	if next.URL.Host == first.Host && (next.URL.Scheme == first.Scheme || next.URL.Scheme == "https") {
		return nil
	}
	for name := range o.Headers {
		next.Header.Del(name)
	}
	next.Header.Del("Authorization")
	return nil
}

// ParseURL reads a URL that has one of the schemes and a host. Its errors say
// what is wrong without quoting any part of the URL, where a password may
// stand.
func ParseURL(u secret.URL, schemes ...string) (*url.URL, error) {
	want := strings.Join(schemes, ":// or ") + "://"
	if u.Empty() {
		return nil, errors.New("missing")
	}
	parsed, err := url.Parse(u.Reveal())
	if err != nil {
		return nil, fmt.Errorf("not a URL; want %shost/…", want)
	}
	if !slices.Contains(schemes, parsed.Scheme) {
		return nil, fmt.Errorf("does not begin with %s", want)
	}
	if parsed.Hostname() == "" {
		return nil, errors.New("has no host")
	}
	return parsed, nil
}

// TooLargeError says that a body is longer than it may be.
type TooLargeError struct{ LimitBytes int64 }

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the body is longer than %d bytes", e.LimitBytes)
}

// ReadBody reads a whole body of at most limit bytes; a longer one is a
// *TooLargeError. A body that ends early is io.ErrUnexpectedEOF, beside the
// part that came.
func ReadBody(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return body, secret.CleanError(err)
	}
	if int64(len(body)) > limit {
		return nil, &TooLargeError{LimitBytes: limit}
	}
	return body, nil
}
