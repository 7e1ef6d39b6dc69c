package http

import (
	"fmt"
	"net"
	nethttp "net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Config is a source of type http.
type Config struct {
	// URL is http:// or https://, or tcp://host:port for a check that only
	// connects.
	URL           secret.URL `yaml:"url"`
	httpx.Options `yaml:",inline"`

	// Method is GET where nothing is given.
	Method string `yaml:"method"`
	// Body is sent with every request.
	Body secret.String `yaml:"body"`
	// ExpectStatus lists the statuses that pass: 200, 200-299 or 2xx. Empty is
	// 2xx, and 3xx too where redirects are not followed.
	ExpectStatus []string `yaml:"expect_status"`
	// BodyMatch must be found in the body, BodyNotMatch must not (RE2).
	BodyMatch    string `yaml:"body_match"`
	BodyNotMatch string `yaml:"body_not_match"`
	// FollowRedirects goes where an answer leads; it is on unless switched off.
	FollowRedirects bool `yaml:"follow_redirects"`
	// FreshConnection connects anew for every check, so that the response time
	// holds DNS, TCP and TLS. Without it a connection is used for a minute at
	// most. Methods other than GET, HEAD and OPTIONS always connect anew: a
	// request on a connection that the server is closing could not be repeated.
	FreshConnection bool `yaml:"fresh_connection"`
	// Window is what http.error_rate looks back on.
	Window time.Duration `yaml:"window"`
	// MaxBodyBytes is how much of the body is read and matched; the rest is
	// left alone.
	MaxBodyBytes units.ByteSize `yaml:"max_body_bytes"`
}

// Default returns the configuration that a file's settings are laid over.
func Default() Config {
	return Config{Method: nethttp.MethodGet, FollowRedirects: true, Window: 5 * time.Minute, MaxBodyBytes: 1 << 20}
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	target, err := httpx.ParseURL(c.URL, "http", "https", "tcp")
	switch {
	case err != nil:
		ps.AddHint("url", "write for example https://shop.example/health or tcp://127.0.0.1:5432", "%s", err)
	case target.Scheme == "tcp":
		c.validateTCP(&ps, target)
	}
	ps.Under("", c.Options.Validate())
	if _, err := nethttp.NewRequest(c.Method, "http://localhost/", nil); err != nil || c.Method == "" { //nolint:noctx // never sent
		ps.Add("method", "%q is not an HTTP method", c.Method)
	}
	for i, text := range c.ExpectStatus {
		if _, err := parseRange(text); err != nil {
			ps.AddHint(fmt.Sprintf("expect_status[%d]", i), "write 200, 200-299 or 2xx", "%s", err)
		}
	}
	for _, x := range [...]struct{ path, expression string }{{"body_match", c.BodyMatch}, {"body_not_match", c.BodyNotMatch}} {
		if _, err := regexp.Compile(x.expression); err != nil {
			ps.Add(x.path, "%s", err)
		}
	}
	if c.Window <= 0 || c.Window > 24*time.Hour {
		ps.Add("window", "must be more than 0 and at most 24h")
	}
	if c.MaxBodyBytes <= 0 {
		ps.Add("max_body_bytes", "must be at least 1")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"url":            schema.URL("http", "https", "tcp"),
		"method":         schema.Text(`^[A-Za-z]+$`, "an HTTP method such as GET"),
		"expect_status":  schema.List(schema.Text(`^\s*(?:[1-5][0-9][0-9](?:\s*-\s*[1-5][0-9][0-9])?|[1-5][xX][xX])\s*$`, "200, 200-299 or 2xx")),
		"window":         schema.MoreThanZero(),
		"max_body_bytes": schema.MoreThanZero(),
	}, "url")
}

// validateTCP refuses what a check that only connects cannot do.
func (c *Config) validateTCP(ps *problem.List, target *url.URL) {
	if port, err := strconv.ParseUint(target.Port(), 10, 16); err != nil || port == 0 {
		ps.AddHint("url", "write for example tcp://127.0.0.1:5432", "has no port")
	}
	if target.Path != "" && target.Path != "/" {
		ps.Add("url", "a tcp:// url has no path")
	}
	for _, setting := range [...]struct {
		path string
		set  bool
	}{
		{"body", !c.Body.Empty()},
		{"expect_status", len(c.ExpectStatus) > 0},
		{"body_match", c.BodyMatch != ""},
		{"body_not_match", c.BodyNotMatch != ""},
		{"headers", len(c.Headers) > 0},
		{"bearer_token", !c.BearerToken.Empty()},
		{"basic_auth", c.BasicAuth.Username != ""},
		{"proxy_url", !c.ProxyURL.Empty()},
		{"tls", c.TLS != httpx.TLS{}},
	} {
		if setting.set {
			ps.Add(setting.path, "means nothing for a tcp:// url")
		}
	}
}

// statusRange is a range of statuses, both ends included.
type statusRange struct{ from, to int }

func parseRange(text string) (statusRange, error) {
	low, high, isRange := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "-")
	if !isRange && len(low) == 3 && strings.HasSuffix(low, "xx") {
		low, high = low[:1]+"00", low[:1]+"99"
	} else if !isRange {
		high = low
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(low))
	to, err2 := strconv.Atoi(strings.TrimSpace(high))
	if err1 != nil || err2 != nil || from < 100 || to > 599 || from > to {
		return statusRange{}, fmt.Errorf("%q is not a status or a range of them", text)
	}
	return statusRange{from, to}, nil
}

func (c *Config) expected() ([]statusRange, error) {
	if len(c.ExpectStatus) == 0 {
		if c.FollowRedirects {
			return []statusRange{{200, 299}}, nil
		}
		return []statusRange{{200, 399}}, nil
	}
	ranges := make([]statusRange, len(c.ExpectStatus))
	for i, text := range c.ExpectStatus {
		var err error
		if ranges[i], err = parseRange(text); err != nil {
			return nil, fmt.Errorf("expect_status[%d]: %w", i, err)
		}
	}
	return ranges, nil
}

func passes(ranges []statusRange, status int) bool {
	return slices.ContainsFunc(ranges, func(r statusRange) bool { return r.from <= status && status <= r.to })
}

// connectsAnew says whether every check makes a connection of its own.
func (c *Config) connectsAnew() bool {
	switch c.Method {
	case nethttp.MethodGet, nethttp.MethodHead, nethttp.MethodOptions:
		return c.FreshConnection
	}
	return true
}

// tcpAddress returns host:port of a tcp:// URL.
func tcpAddress(target *url.URL) string { return net.JoinHostPort(target.Hostname(), target.Port()) }
