package main

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// maxErrorRunes is how much of an error is told.
const maxErrorRunes = 300

// sorted says of the library's error whether it may pass. Its errors have no
// status but in their text, and all but a few kinds may pass: a retry too many
// costs less than an alert that nobody hears of.
func (c *Config) sorted(err error) error {
	if err == nil {
		return nil
	}
	status := statusIn(err.Error())
	told := error(&failure{c.clean(err.Error()), status})
	if errors.Is(err, router.ErrUnknownService) || refused(status) {
		return notifiers.Permanent(told)
	}
	return told
}

// refused tells the statuses that no retry mends, as notifiers.Post sorts them.
func refused(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusConflict,
		http.StatusLocked, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// statusIn finds the HTTP status that an error tells of: "400 Bad Request",
// "status 400", "HTTP 400", "status code: 400". 0 for none.
func statusIn(text string) int {
	for _, pattern := range [...]string{`\b([45]\d\d) ([A-Z][A-Za-z' -]+)`, `(?i)(?:status|http|code)[a-z ]*[:=]?\s*([45]\d\d)\b`} {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			status, err := strconv.Atoi(found[1])
			if err != nil {
				continue
			}
			if len(found) == 2 || strings.HasPrefix(found[2], http.StatusText(status)) && http.StatusText(status) != "" {
				return status
			}
		}
	}
	return 0
}

// failure is an error of the library, without secrets.
type failure struct {
	text   string
	status int
}

func (f *failure) Error() string { return f.text }

// HTTPStatus is what notifiers.StatusOf looks for.
func (f *failure) HTTPStatus() int { return f.status }

// clean takes the secrets out of a text: every part of the URL but the service's
// name, and every URL but its host, for the library makes others of ours.
func (c *Config) clean(text string) string {
	text = regexp.MustCompile(`\b([a-z][a-z0-9+]*://)[^\s"']+`).ReplaceAllStringFunc(text, func(found string) string {
		u, err := url.Parse(strings.TrimRight(found, ":,.;)"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "***"
		}
		return u.Scheme + "://" + u.Host + "/***"
	})
	for _, s := range secretsIn(c.URL.Reveal()) {
		text = strings.ReplaceAll(text, s, "***")
	}
	return notifiers.Clip(notifiers.Plain(text), maxErrorRunes)
}

// secretsIn are the parts of a URL that may be secrets, longest first: in most
// services' URLs the user is a token, in some the host.
func secretsIn(text string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return []string{text}
	}
	parts := append(strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' || r == ':' || r == '@' }), u.User.Username())
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	if !strings.ContainsAny(u.Hostname(), ".:") { // else it names a server
		parts = append(parts, u.Hostname())
	}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	var out []string
	for _, p := range parts {
		if len(p) >= 6 { // shorter ones stand in every sentence
			out = append(out, p, url.QueryEscape(p), url.PathEscape(p))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(out)
}
