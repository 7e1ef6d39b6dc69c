package notifiers

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// clean makes a receiver's text fit for an error: one line, a few hundred
// characters, and none of the request's secrets, which a proxy's error page
// or a debugging receiver may echo.
func (r *Request) clean(text string) string {
	if text == "" {
		return ""
	}
	return Redact(text, r.secrets()...)
}

// Redact makes a text that a receiver said fit for an error, as clean does, for
// those that do not speak HTTP.
func Redact(text string, secrets ...string) string {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })
	// Longest first, or a part would be taken out and leave the rest.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return Clip(Plain(text), maxErrorRunes)
}

// secrets lists every text of the request that an error must not hold.
func (r *Request) secrets() []string {
	out := urlSecrets(r.URL.Reveal())
	out = append(out, urlSecrets(r.Options.ProxyURL.Reveal())...)
	add := func(s string) {
		if len(s) >= 4 { // shorter ones stand in every sentence
			out = append(out, s)
		}
	}
	for _, value := range r.Options.Headers {
		add(value.Reveal())
		_, credentials, _ := strings.Cut(value.Reveal(), " ") // Bearer …
		add(credentials)
	}
	for _, s := range r.Secrets {
		add(s.Reveal())
	}
	add(r.Options.BearerToken.Reveal())
	if user, password := r.Options.BasicAuth.Username, r.Options.BasicAuth.Password.Reveal(); user != "" {
		add(password)
		add(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
	}
	return out
}

// urlSecrets lists the parts of a URL that may be secret: all but scheme and
// host. A short segment of a path, such as "hook", is a word like others.
func urlSecrets(text string) []string {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return nil
	}
	const minSegment = 8
	out := []string{text, u.String()}
	for _, path := range [...]string{u.RequestURI(), u.EscapedPath(), u.Path} {
		if len(path) >= minSegment {
			out = append(out, path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if len(segment) >= minSegment {
				out = append(out, segment)
			}
		}
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= 4 {
				out = append(out, value, url.QueryEscape(value))
			}
		}
	}
	if u.RawQuery != "" {
		out = append(out, u.RawQuery)
	}
	if password, ok := u.User.Password(); ok && password != "" {
		out = append(out, password, u.User.String(),
			base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return out
}
