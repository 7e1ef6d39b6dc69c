package email

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type email.
type Config struct {
	// Host is the mail server that takes the messages, as in smtp.example.com.
	Host string `yaml:"host"`
	// Port is 0 for what suits the encryption: 587 with starttls, 465 with tls, 25
	// with none.
	Port int `yaml:"port"`
	// Encryption is starttls, tls (from the first byte on) or none.
	Encryption string    `yaml:"encryption"`
	TLS        httpx.TLS `yaml:"tls"`
	// Hello is how we name ourselves to the server.
	Hello string `yaml:"hello"`

	// Auth is auto, plain, login, cram-md5, scram (SHA-256 or SHA-1) or xoauth2.
	Auth string `yaml:"auth"`
	// Username is the mailbox that logs in; without one nobody does.
	Username string `yaml:"username"`
	// Password is the mailbox's; with xoauth2 and without oauth2 a token.
	Password secret.String `yaml:"password"`
	// OAuth2 gets the tokens of xoauth2.
	OAuth2 OAuth2 `yaml:"oauth2"`

	// From is who sends: tocsin@example.com, or "Tocsin <tocsin@example.com>".
	From string `yaml:"from"`
	// To is who gets the message, each an address like From's.
	To []string `yaml:"to"`
	// CC and BCC get it too; nobody sees BCC.
	CC  []string `yaml:"cc"`
	BCC []string `yaml:"bcc"`
	// ReplyTo is where answers go instead of From.
	ReplyTo string `yaml:"reply_to"`
	// Headers are added to every message.
	Headers map[string]string `yaml:"headers"`

	// Subject is a template of the message's subject.
	Subject notifiers.Text `yaml:"subject"`
	// HTML is a template of its HTML part: what it is given is escaped by its place.
	HTML notifiers.HTML `yaml:"html"`
	// Text is a template of its text part.
	Text notifiers.Text `yaml:"text"`

	notifiers.Addresses `yaml:",inline"`
}

// How a connection is encrypted.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	Plain    = "none"
)

// The ways to log in.
const (
	AuthAuto    = "auto"
	AuthPlain   = "plain"
	AuthLogin   = "login"
	AuthCRAMMD5 = "cram-md5"
	AuthSCRAM   = "scram"
	AuthXOAuth2 = "xoauth2"
)

func encryptions() []string { return []string{StartTLS, TLS, Plain} }

func auths() []string {
	return []string{AuthAuto, AuthPlain, AuthLogin, AuthCRAMMD5, AuthSCRAM, AuthXOAuth2}
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Encryption: StartTLS, Auth: AuthAuto} }

func (c *Config) encryption() string {
	if c.Encryption == "" {
		return StartTLS
	}
	return c.Encryption
}

func (c *Config) auth() string {
	if c.Auth == "" {
		return AuthAuto
	}
	return c.Auth
}

// address is host:port.
func (c *Config) address() string {
	port := c.Port
	if port == 0 {
		port = map[string]int{StartTLS: 587, TLS: 465, Plain: 25}[c.encryption()]
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(port))
}

// maxRecipients is what every server must take in one message.
// https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.8
const maxRecipients = 100

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	ps = append(ps, c.validateServer()...)
	ps = append(ps, c.validateAuth()...)
	ps = append(ps, c.validateAddresses()...)
	ps = append(ps, c.validateHeaders()...)
	ps = append(ps, c.Subject.Check("subject")...)
	ps = append(ps, c.HTML.Check("html")...)
	ps = append(ps, c.Text.Check("text")...)
	return ps
}

func (c *Config) validateServer() problem.List {
	var ps problem.List
	switch {
	case strings.TrimSpace(c.Host) == "":
		ps.AddHint("host", "write for example smtp.example.com", "missing")
	case strings.ContainsAny(c.Host, " \t\r\n/@[]") || strings.Contains(c.Host, ":") && net.ParseIP(c.Host) == nil:
		ps.AddHint("host", "write the host alone; the port is port", "%q is not a host", c.Host)
	default:
		ps = append(ps, c.ValidateAddresses("host", secret.NewURL("http://"+net.JoinHostPort(c.Host, "25")))...)
	}
	if c.Port < 0 || c.Port > 65535 {
		ps.Add("port", "%d is not a port", c.Port)
	}
	if !slices.Contains(encryptions(), c.encryption()) {
		ps.AddHint("encryption", problem.DidYouMean(c.Encryption, encryptions()), "%q is not one of %s", c.Encryption, strings.Join(encryptions(), ", "))
	}
	if strings.ContainsFunc(c.Hello, func(r rune) bool { return r <= ' ' || r > '~' }) {
		ps.AddHint("hello", "write for example tocsin.example.com", "%q is not a name of a host", c.Hello)
	}
	return append(ps, httpx.Options{TLS: c.TLS}.Validate()...)
}

func (c *Config) validateAuth() problem.List {
	var ps problem.List
	if !slices.Contains(auths(), c.auth()) {
		ps.AddHint("auth", problem.DidYouMean(c.Auth, auths()), "%q is not one of %s", c.Auth, strings.Join(auths(), ", "))
	}
	switch {
	case c.Username == "" && !c.Password.Empty():
		ps.Add("username", "missing beside password")
	case c.Username == "" && (!c.OAuth2.empty() || c.auth() != AuthAuto):
		ps.AddHint("username", "it is the mailbox that sends", "missing: nobody can log in without it")
	case c.Username != "" && c.Password.Empty() && c.OAuth2.empty():
		ps.Add("password", "missing beside username")
	case c.Username != "" && c.encryption() == Plain && !isLoopback(c.Host):
		ps.AddHint("encryption", "write starttls or tls", "the password would be readable on the way")
	}
	if strings.ContainsAny(c.Username, "\r\n\x00") || strings.ContainsAny(c.Password.Reveal(), "\r\n\x00") {
		ps.AddHint("password", "is there a line break at its end?", "username or password holds a line break")
	}
	ps.Under("oauth2", c.OAuth2.validate(c.auth() == AuthXOAuth2, !c.Password.Empty()))
	return ps
}

// isLoopback says whether what is sent to a host never leaves the machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (c *Config) validateAddresses() problem.List {
	var ps problem.List
	check := func(path, text string) {
		if _, err := parseAddress(text); err != nil {
			ps.AddHint(path, `write for example tocsin@example.com or "Tocsin <tocsin@example.com>"`, "%s", err)
		}
	}
	if c.From == "" {
		ps.AddHint("from", "write for example tocsin@example.com", "missing")
	} else {
		check("from", c.From)
	}
	if c.ReplyTo != "" {
		check("reply_to", c.ReplyTo)
	}
	for _, list := range []struct {
		path string
		all  []string
	}{{"to", c.To}, {"cc", c.CC}, {"bcc", c.BCC}} {
		for i, text := range list.all {
			check(fmt.Sprintf("%s[%d]", list.path, i), text)
		}
	}
	switch all := len(c.To) + len(c.CC) + len(c.BCC); {
	case len(c.To) == 0:
		ps.AddHint("to", "write for example [ops@example.com]", "missing: nobody would be told")
	case all > maxRecipients:
		ps.AddHint("to", "give the address of a list", "%d recipients; a server need not take more than %d", all, maxRecipients)
	}
	return ps
}

// parseAddress reads an address with or without a name. Its errors do not quote
// what cannot stand in one line.
func parseAddress(text string) (*mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || notifiers.Plain(text) != strings.TrimSpace(text) || strings.ContainsAny(a.Address, " <>\"") {
		return nil, fmt.Errorf("%q is not one mail address", notifiers.Clip(text, 100))
	}
	return a, nil
}

// validateHeaders refuses what the message itself says.
func (c *Config) validateHeaders() problem.List {
	var ps problem.List
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		path := problem.Join("headers", name)
		if !httpguts.ValidHeaderFieldName(name) {
			ps.Add(path, "%q is not a header's name", name)
		}
		if value := c.Headers[name]; notifiers.Plain(value) != value {
			ps.AddHint(path, "is there a line break in it?", "the value cannot stand in a header")
		}
		if own := strings.ToLower(name); strings.HasPrefix(own, "content-") || slices.Contains([]string{
			"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "in-reply-to", "references",
			"mime-version", "return-path", "auto-submitted", "received", "dkim-signature",
		}, own) {
			ps.Add(path, "the message has its own %s", name)
		}
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	address := schema.Text(`^[^\r\n]+@[^\r\n]+$`, "an address such as tocsin@example.com")
	return schema.Object(schema.Schema{
		"host": schema.NotEmpty(), "port": schema.Between(0, 65535), "from": address, "to": schema.With(schema.Schema{"minItems": 1}, schema.List(address)),
		"cc": schema.List(address), "bcc": schema.List(address),
		"encryption": schema.Enum(append([]string{""}, encryptions()...)...), "auth": schema.Enum(append([]string{""}, auths()...)...),
	}, "host", "from", "to")
}
