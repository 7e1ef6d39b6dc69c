// Package page fetches one HTTP page for the adapters that poll documents:
// source/prometheus and source/json. It sorts what goes wrong into the kinds
// of fault; it parses nothing, and no error of it holds the page's URL.
package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// patience bounds a fetch whose context has no deadline; the poll loop always
// sets one.
const patience = time.Minute

// errElsewhere keeps a page from having another fetched in its place, from inside.
var errElsewhere = errors.New("the page redirects to another host, which is not followed; give the URL that it leads to")

// Fetcher gets one URL again and again. It is safe for concurrent use.
type Fetcher struct {
	url    secret.URL
	opts   httpx.Options
	client *http.Client
	accept string
	limit  int64
}

// New makes a fetcher of at most limitBytes a page, counted after
// decompression. accept is the Accept header. It follows redirects on the page's
// own host, and connects to no link-local address and no cloud's metadata but
// what stands in the URL.
func New(url secret.URL, opts httpx.Options, accept string, limitBytes int64) (*Fetcher, error) {
	if _, err := httpx.ParseURL(url, "http", "https"); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	client, err := opts.ClientTo(httpx.ReachFrom(url), 0)
	if err != nil {
		return nil, err
	}
	follow := client.CheckRedirect
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Hostname() != via[0].URL.Hostname() {
			return errElsewhere
		}
		return follow(next, via)
	}
	return &Fetcher{url: url, opts: opts, client: client, accept: accept, limit: limitBytes}, nil
}

// Close drops the idle connections.
func (f *Fetcher) Close() { f.client.CloseIdleConnections() }

// Get fetches the page. contentType is the Content-Type header as it came.
// The error is a *source.Fault: Down when nothing answers or the answer
// breaks off, Blind at 401, 403 and 407, Busy at 429 and 5xx, Garbled at
// every other status and at a page that is too long.
func (f *Fetcher) Get(ctx context.Context) (body []byte, contentType string, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.Reveal(), nil)
	if err != nil {
		return nil, "", &source.Fault{Kind: source.Down, Err: secret.CleanError(err)}
	}
	f.opts.Authorize(req)
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", f.accept)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, "", &source.Fault{Kind: source.Down, Err: secret.CleanError(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		f.drain(resp.Body)
		return nil, "", statusFault(resp.StatusCode)
	}
	if body, err = httpx.ReadBody(resp.Body, f.limit); err != nil {
		return nil, "", bodyFault(err, len(body))
	}
	return body, resp.Header.Get("Content-Type"), nil
}

// drain reads a short error page, so that the connection can be used again.
func (f *Fetcher) drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, 64<<10) }

func statusFault(code int) error {
	kind := source.Garbled
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		kind = source.Blind
	case code == http.StatusTooManyRequests, code >= 500:
		kind = source.Busy
	}
	return &source.Fault{Kind: kind, Err: fmt.Errorf("the page answers %d %s", code, http.StatusText(code))}
}

func bodyFault(err error, read int) error {
	var tooLarge *httpx.TooLargeError
	if errors.As(err, &tooLarge) {
		return &source.Fault{Kind: source.Garbled, Err: fmt.Errorf("%w; see max_body_bytes", err)}
	}
	return &source.Fault{Kind: source.Down, Err: fmt.Errorf("the page breaks off after %d bytes: %w", read, err)}
}

// MediaType returns the media type of a Content-Type header in lower case,
// and "" when there is none that can be read.
func MediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return media
}
