// Package http checks an HTTP endpoint, or a TCP port: whether it answers as
// it should, how fast, and how long its certificate lasts. It is called by
// cmd, which wires it into the poll loop. A check that fails is an answer, not
// an error: http.up is 0, and the source itself is well. It never stores,
// judges or retries.
//
// A connection is kept between checks, for a minute at most: the response time
// is then that of the service and not of DNS, TCP and TLS, while a dead
// resolver, a closed port or a renewed certificate is still seen within that
// minute. fresh_connection connects every time.
package http

import (
	"context"
	"errors"
	"fmt"
	nethttp "net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/source"
)

// maxConnectionAge is how long one connection serves checks.
const maxConnectionAge = time.Minute

// patience bounds a check whose context has no deadline; the poll loop always
// sets one.
const patience = time.Minute

// Source is one check. It implements source.Source and is not safe for
// concurrent polls, as the loop promises none.
type Source struct {
	cfg      Config
	name     string
	target   *url.URL
	client   *nethttp.Client
	expected []statusRange
	match    *regexp.Regexp // nil for none
	notMatch *regexp.Regexp // nil for none

	connected time.Time // the present connection's first check
	recent    []result  // within the window, oldest first
}

type result struct {
	at time.Time
	up bool
}

// New makes a check of a valid configuration. name is the source's: the label
// check of the samples.
func New(cfg Config, name string) (*Source, error) {
	target, err := httpx.ParseURL(cfg.URL, "http", "https", "tcp")
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	s := &Source{cfg: cfg, name: name, target: target}
	if s.client, err = cfg.ClientTo(httpx.ReachFrom(cfg.URL), 0); err != nil {
		return nil, err
	}
	if transport, ok := s.client.Transport.(*nethttp.Transport); ok {
		transport.DisableKeepAlives = cfg.connectsAnew()
	}
	if !cfg.FollowRedirects {
		s.client.CheckRedirect = func(*nethttp.Request, []*nethttp.Request) error { return nethttp.ErrUseLastResponse }
	}
	if s.expected, err = cfg.expected(); err != nil {
		return nil, err
	}
	if s.match, err = optional(cfg.BodyMatch); err != nil {
		return nil, fmt.Errorf("body_match: %w", err)
	}
	if s.notMatch, err = optional(cfg.BodyNotMatch); err != nil {
		return nil, fmt.Errorf("body_not_match: %w", err)
	}
	return s, nil
}

func optional(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil
	}
	return regexp.Compile(expression)
}

// Close drops the idle connection.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Poll checks once. Its error is nil, unless ctx was cancelled by whoever
// stops the loop: then the check says nothing.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	now := time.Now()
	var o outcome
	if s.target.Scheme == "tcp" {
		o = s.connect(ctx)
	} else {
		s.refresh(now)
		o = s.request(ctx)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return source.Reading{}, &source.Fault{Kind: source.Down, Err: ctx.Err()}
	}
	return s.read(o, now), nil
}

// refresh closes a connection that has served long enough.
func (s *Source) refresh(now time.Time) {
	if now.Sub(s.connected) >= maxConnectionAge {
		s.client.CloseIdleConnections()
		s.connected = now
	}
}

// outcome is what one check found. A nil pointer is a value that was not had.
type outcome struct {
	failure string // why the check failed; empty when it passed
	took    time.Duration
	status  int // zero without an answer
	expires *time.Time
}

// read makes a reading of an outcome.
func (s *Source) read(o outcome, now time.Time) source.Reading {
	var r source.Reading
	up := o.failure == ""
	add := func(metric string, value float64) { r.Add(metric, value, "check", s.name) }
	add("http.up", b01(up))
	if up || o.status != 0 {
		add("http.response_time", float64(o.took.Microseconds())/1000)
	}
	if o.status != 0 {
		add("http.status_code", float64(o.status))
	}
	add("http.error_rate", s.errorRate(up, now))
	if o.expires != nil {
		add("http.tls_expiry", o.expires.Sub(now).Seconds())
	}
	r.Facts.Check = &source.Check{Up: up, Detail: o.failure}
	r.Health = source.Healthy
	if !up {
		r.Health = source.Unhealthy
	}
	return r
}

// errorRate notes a result and returns the share of failures in the window.
func (s *Source) errorRate(up bool, now time.Time) float64 {
	s.recent = append(s.recent, result{now, up})
	first := 0
	for first < len(s.recent)-1 && now.Sub(s.recent[first].at) >= s.cfg.Window {
		first++
	}
	s.recent = append(s.recent[:0], s.recent[first:]...)
	failed := 0
	for _, r := range s.recent {
		if !r.up {
			failed++
		}
	}
	return 100 * float64(failed) / float64(len(s.recent))
}

func b01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
