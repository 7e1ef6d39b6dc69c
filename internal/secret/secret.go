// Package secret keeps what must never be shown: types that print *** in every
// format, and helpers that take secrets out of URLs and errors before they are
// logged, stored or served. It is called by everyone who holds a credential;
// it never stores or sends one.
package secret

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

const mask = "***"

// String is a secret text. Every way of printing it gives ***; Reveal gives
// the text itself. The zero value is no secret at all and prints as "". Two
// secrets are compared by what they reveal, not with ==.
type String struct {
	// A pointer, for fmt calls no method of a field that is not exported: it
	// would print a text, and prints of a pointer within a struct its address.
	text *string
}

// New wraps a text.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{text: &text}
}

// Reveal returns the secret itself, for the one line that needs it.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty says whether there is no secret.
func (s String) Empty() bool { return s.text == nil }

// String returns ***, or "" for no secret.
func (s String) String() string {
	if s.Empty() {
		return ""
	}
	return mask
}

// Format prints as String does, whatever the verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// GoString prints as String does.
func (s String) GoString() string { return s.String() }

// MarshalText writes *** (JSON included).
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the secret out of slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// FromScalar takes the secret from a configuration's scalar.
func (s *String) FromScalar(text string) error {
	*s = New(text)
	return nil
}

// URL is a URL whose password, query and path may hold a secret. It prints as
// Redacted does; Reveal gives it whole.
type URL struct{ String }

// NewURL wraps a URL.
func NewURL(text string) URL { return URL{New(text)} }

// Redacted returns scheme://host of the URL, *** when it is none, or "" when
// it is empty.
func (u URL) Redacted() string {
	parsed, err := url.Parse(u.Reveal())
	if err != nil || parsed.Host == "" {
		return u.String.String()
	}
	// A password with an unescaped / ? or # ends the host before its @: what
	// then looks like the host is a part of the secret.
	if strings.Contains(parsed.Path+parsed.RawQuery+parsed.Fragment, "@") {
		return mask
	}
	return parsed.Scheme + "://" + parsed.Host
}

// Format prints as Redacted does, whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.Redacted())) }

// GoString prints as Redacted does.
func (u URL) GoString() string { return u.Redacted() }

// MarshalText writes what Redacted gives (JSON included).
func (u URL) MarshalText() ([]byte, error) { return []byte(u.Redacted()), nil }

// LogValue keeps the secret out of slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.Redacted()) }

// CleanError takes the URL out of a *url.Error, which net/http and net/url
// return with the whole URL in its text. Other errors pass as they are.
func CleanError(err error) error {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return err
	}
	if ue.Op == "parse" { // its cause quotes the piece that it stumbled over
		return errors.New("parse: not a valid URL")
	}
	return fmt.Errorf("%s: %w", ue.Op, CleanError(ue.Err))
}
