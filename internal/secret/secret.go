// Package secret keeps what must never be shown: a type that prints *** in
// every format, and helpers that take secrets out of URLs and errors before
// they are logged, stored or served.
package secret

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
)

const mask = "***"

// String is a secret text. Every way of printing it gives ***; Reveal gives
// the text itself. The zero value is no secret at all and prints as "".
type String struct{ text string }

// New wraps a text.
func New(text string) String { return String{text: text} }

// Reveal returns the secret itself, for the one line that needs it.
func (s String) Reveal() string { return s.text }

// Empty says whether there is no secret.
func (s String) Empty() bool { return s.text == "" }

// String returns ***, or "" for no secret.
func (s String) String() string {
	if s.text == "" {
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
	s.text = text
	return nil
}

// URL is a URL whose password, query and path may hold a secret. It prints as
// scheme and host only; Reveal gives it whole.
type URL struct{ String }

// NewURL wraps a URL.
func NewURL(text string) URL { return URL{New(text)} }

// Redacted returns scheme://host of the URL, or *** when it is none.
func (u URL) Redacted() string {
	parsed, err := url.Parse(u.Reveal())
	if err != nil || parsed.Host == "" {
		return u.String.String()
	}
	return parsed.Scheme + "://" + parsed.Host
}

// CleanError takes the URL out of a *url.Error, which net/http returns with
// the whole URL in its text. Other errors pass as they are.
func CleanError(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return fmt.Errorf("%s: %w", ue.Op, ue.Err)
	}
	return err
}
