package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// Scope is what a token may do; each includes those before it.
type Scope string

// The scopes. Open needs no token at all.
const (
	Open    Scope = ""
	Read    Scope = "read"    // every GET, and checking rules
	Operate Scope = "operate" // push values
	Admin   Scope = "admin"   // reload, write rule files
)

func (s Scope) rank() int { return slices.Index([]Scope{Open, Read, Operate, Admin}, s) }

// Token lets its bearer do what its scope says. Name is for the log.
type Token struct {
	Name  string
	Token secret.String
	Scope Scope
}

// guard decides who may ask. With tokens, everything but what is Open needs
// one. Without, the daemon listens on loopback only and everything is open to
// whoever is on the machine, except a web page that the machine's browser
// shows: such a page reaches loopback by DNS rebinding, which the Host header
// gives away, or with a cross-origin POST.
type guard struct {
	closed bool // tokens are configured
	tokens []hashedToken
	hosts  []string // besides loopback; lower case
	origin *http.CrossOriginProtection
}

type hashedToken struct {
	name  string
	sum   [sha256.Size]byte
	scope Scope
}

func newGuard(tokens []Token, listen, externalURL string) *guard {
	g := &guard{closed: len(tokens) > 0, origin: http.NewCrossOriginProtection()}
	for _, t := range tokens {
		// An empty one lets nobody in, and does not open the door either.
		if !t.Token.Empty() {
			g.tokens = append(g.tokens, hashedToken{t.Name, sha256.Sum256([]byte(t.Token.Reveal())), t.Scope})
		}
	}
	if host := hostname(listen); host != "" && !unspecified(host) {
		g.hosts = append(g.hosts, host)
	}
	if u, err := url.Parse(externalURL); err == nil && u.Host != "" {
		g.hosts = append(g.hosts, hostname(u.Host))
		// A URL with scheme and host is a valid origin; nothing else can fail.
		_ = g.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host)
	}
	return g
}

// check returns nil when the request may do what needs the scope. One that has
// to show a token may come from any page: no browser adds a token by itself, and
// proxies as karma's pass on the Origin of the page that they serve.
func (g *guard) check(r *http.Request, need Scope) error {
	if g.closed && need != Open {
		return g.checkToken(r.Header.Get("Authorization"), need)
	}
	if err := g.origin.Check(r); err != nil {
		return &Error{Status: http.StatusForbidden, Code: "cross_origin", Message: "a page of another origin may not change anything here"}
	}
	if !g.closed {
		return g.checkHost(r.Host)
	}
	return nil
}

func (g *guard) checkHost(header string) error {
	host := hostname(header)
	if host == "" || loopback(host) || slices.Contains(g.hosts, host) {
		return nil // HTTP/1.0 may leave the host out; no browser does
	}
	return &Error{
		Status: http.StatusForbidden, Code: "host_not_allowed",
		Message: "without tokens only loopback names are answered; set server.tokens, or server.external_url to the name that is used",
	}
}

// checkToken compares hashes, with every token and in constant time, so that
// neither the time nor the length tells anything of a token.
func (g *guard) checkToken(header string, need Scope) error {
	scheme, presented, _ := strings.Cut(header, " ")
	presented = strings.TrimSpace(presented)
	if !strings.EqualFold(scheme, "Bearer") || presented == "" {
		return unauthorized("this needs a token: Authorization: Bearer …", `Bearer realm="tocsin"`)
	}
	_, rank := g.identify(presented)
	switch {
	case rank < 0:
		return unauthorized("the token is not known", `Bearer realm="tocsin", error="invalid_token"`)
	case rank < need.rank():
		return &Error{
			Status: http.StatusForbidden, Code: "forbidden", Message: "this needs a token of scope " + string(need),
			Header: [][2]string{{"WWW-Authenticate", `Bearer realm="tocsin", error="insufficient_scope", scope="` + string(need) + `"`}},
		}
	}
	return nil
}

// identify returns the name and the rank of a token; -1 for none of ours. Of
// two entries with one token the more powerful counts.
func (g *guard) identify(presented string) (name string, rank int) {
	sum := sha256.Sum256([]byte(presented))
	rank = -1
	for i := range g.tokens {
		if t := &g.tokens[i]; subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 && t.scope.rank() > rank {
			name, rank = t.name, t.scope.rank()
		}
	}
	return name, rank
}

// bearer returns the name of the token that an Authorization header presents;
// empty without tokens.
func (g *guard) bearer(header string) string {
	_, presented, _ := strings.Cut(header, " ")
	name, _ := g.identify(strings.TrimSpace(presented))
	return name
}

// allows says whether the request, which check has let in, may see what needs
// the scope.
func (g *guard) allows(r *http.Request, need Scope) bool {
	return !g.closed || g.checkToken(r.Header.Get("Authorization"), need) == nil
}

func unauthorized(message, challenge string) *Error {
	return &Error{
		Status: http.StatusUnauthorized, Code: "unauthorized", Message: message,
		Header: [][2]string{{"WWW-Authenticate", challenge}},
	}
}

// hostname takes the port and the brackets off host:port.
func hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}
