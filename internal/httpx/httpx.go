// Package httpx is how Tocsin speaks HTTP to others: one set of options for
// proxy, TLS, headers and credentials, and the client made of them. It is
// called by the sources and notifiers that speak HTTP, whose configurations
// embed Options; it never retries, never logs, and no error of it holds a URL
// or a credential.
package httpx

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// NoProxy is the proxy_url that goes straight to the server, whatever the
// environment says.
const NoProxy = "none"

// userAgent names us in the logs of those we call.
const userAgent = "tocsin"

// Options are what every adapter that speaks HTTP lets the operator set. The
// zero value uses the environment's proxy, the system's certificate
// authorities and no credentials. Options are never changed by their methods.
type Options struct {
	// ProxyURL is http://, https://, socks5:// or socks5h://host:port, or
	// none. Empty takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY from the
	// environment; those never apply to localhost.
	ProxyURL secret.URL `yaml:"proxy_url"`
	TLS      TLS        `yaml:"tls"`
	// Headers are sent with every request, and not to another host that a
	// redirect leads to.
	Headers map[string]secret.String `yaml:"headers"`
	// BearerToken is sent as Authorization: Bearer.
	BearerToken secret.String `yaml:"bearer_token"`
	BasicAuth   BasicAuth     `yaml:"basic_auth"`
}

// BasicAuth is a user name and a password; an empty Username is none.
type BasicAuth struct {
	// Username and Password are sent as Authorization: Basic.
	Username string        `yaml:"username"`
	Password secret.String `yaml:"password"`
}

// Validate returns what is wrong with the options, their paths relative to
// the configuration that embeds them. It reads no file: Client does.
func (o Options) Validate() problem.List {
	var ps problem.List
	ps.Under("proxy_url", o.validateProxy())
	ps.Under("tls", o.TLS.validate())
	ps.Under("headers", o.validateHeaders())
	if !o.BearerToken.Empty() && !httpguts.ValidHeaderFieldValue(o.BearerToken.Reveal()) {
		ps.AddHint("bearer_token", "is there a line break at its end?", "the token cannot stand in a header")
	}
	if o.BasicAuth.Username == "" && !o.BasicAuth.Password.Empty() {
		ps.Add("basic_auth.username", "missing beside password")
	}
	if credentials := o.credentials(); len(credentials) > 1 {
		ps.Add(credentials[1], "only one of bearer_token, basic_auth and an Authorization header can be sent")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Options) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"proxy_url": schema.Text(`^$|^none$|^(?:https?|socks5h?)://`, "http://, https://, socks5:// or socks5h://host:port, or none"),
	})
}

// credentials lists the paths of the settings that fill the Authorization
// header.
func (o Options) credentials() []string {
	var paths []string
	if !o.BearerToken.Empty() {
		paths = append(paths, "bearer_token")
	}
	if o.BasicAuth.Username != "" {
		paths = append(paths, "basic_auth")
	}
	for name := range o.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Authorization" {
			paths = append(paths, "headers."+name)
		}
	}
	return paths
}

func (o Options) validateProxy() problem.List {
	var ps problem.List
	if o.ProxyURL.Empty() || o.ProxyURL.Reveal() == NoProxy {
		return nil
	}
	proxy, err := ParseURL(o.ProxyURL, "http", "https", "socks5", "socks5h")
	if err != nil {
		ps.AddHint("", `write for example http://proxy:3128 or none`, "%s", err)
		return ps
	}
	if proxy.Path != "" && proxy.Path != "/" {
		ps.Add("", "a proxy has no path")
	}
	return ps
}

func (o Options) validateHeaders() problem.List {
	var ps problem.List
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if !httpguts.ValidHeaderFieldName(name) {
			ps.Add(name, "%q is not a header's name", name)
		}
		if !httpguts.ValidHeaderFieldValue(o.Headers[name].Reveal()) {
			ps.AddHint(name, "is there a line break at its end?", "the value cannot stand in a header")
		}
	}
	return ps
}

// Authorize sets the headers and credentials on a request. A header that the
// request already has is replaced; Host sets the request's host.
func (o Options) Authorize(r *http.Request) {
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", userAgent)
	}
	for name, value := range o.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			r.Host = value.Reveal()
			continue
		}
		r.Header.Set(name, value.Reveal())
	}
	if !o.BearerToken.Empty() {
		r.Header.Set("Authorization", "Bearer "+o.BearerToken.Reveal())
	}
	if o.BasicAuth.Username != "" {
		r.SetBasicAuth(o.BasicAuth.Username, o.BasicAuth.Password.Reveal())
	}
}

// proxy returns what http.Transport.Proxy wants.
func (o Options) proxy() (func(*http.Request) (*url.URL, error), error) {
	switch o.ProxyURL.Reveal() {
	case "":
		return http.ProxyFromEnvironment, nil
	case NoProxy:
		return nil, nil
	}
	fixed, err := ParseURL(o.ProxyURL, "http", "https", "socks5", "socks5h")
	if err != nil {
		return nil, err
	}
	return http.ProxyURL(fixed), nil
}
