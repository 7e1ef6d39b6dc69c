package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// body reads a request's JSON object as query reads its parameters: every
// mistake is gathered, and what no one read is one, for a field that is misspelt
// must not quietly do nothing.
type body struct {
	fields   map[string]json.RawMessage
	known    []string
	mistakes []string
}

// parseBody reads the object; a body that is empty is an empty object.
func parseBody(r *http.Request) (*body, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Message: "the body must not be compressed"}
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, cutOff(err)
	}
	b := &body{}
	if len(bytes.TrimSpace(text)) == 0 {
		return b, nil
	}
	if err := json.Unmarshal(text, &b.fields); err != nil {
		return nil, badRequest("the body is not a JSON object" + whereJSON(err))
	}
	return b, nil
}

// whereJSON says where a text stops being JSON.
func whereJSON(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf(": %s, at byte %d", syntax.Error(), syntax.Offset)
	}
	return ""
}

func (b *body) mistake(format string, args ...any) {
	b.mistakes = append(b.mistakes, fmt.Sprintf(format, args...))
}

// err returns a 400 that names every mistake, or nil. It is asked last.
func (b *body) err() error {
	names := make([]string, 0, len(b.fields))
	for name := range b.fields {
		if !slices.Contains(b.known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.mistake("%s: unknown field; %s", short(name), suggest(name, b.known))
	}
	return refuse(b.mistakes)
}

// refuse returns a 400 that names the mistakes, or nil for none.
func refuse(mistakes []string) error {
	if len(mistakes) == 0 {
		return nil
	}
	const most = 20
	if more := len(mistakes) - most; more > 0 {
		mistakes = append(mistakes[:most:most], fmt.Sprintf("and %d more", more))
	}
	return badRequest(strings.Join(mistakes, "; "))
}

// has says whether a field is given; null is not.
func (b *body) has(name string) bool {
	raw, ok := b.fields[name]
	return ok && string(raw) != "null"
}

// text returns a string of at most limit bytes, without white space around it.
func (b *body) text(name string, limit int) string {
	b.known = append(b.known, name)
	var s string
	if !b.has(name) {
		return ""
	}
	if err := json.Unmarshal(b.fields[name], &s); err != nil {
		b.mistake("%s: want a string", name)
		return ""
	}
	if s = strings.TrimSpace(s); len(s) > limit {
		b.mistake("%s: longer than %d bytes", name, limit)
		return ""
	}
	return s
}

// texts returns a list of at most limit strings.
func (b *body) texts(name string, limit int) []string {
	b.known = append(b.known, name)
	var all []string
	if !b.has(name) {
		return nil
	}
	switch err := json.Unmarshal(b.fields[name], &all); {
	case err != nil:
		b.mistake("%s: want a list of strings", name)
		return nil
	case len(all) > limit:
		b.mistake("%s: more than %d", name, limit)
		return nil
	}
	return all
}

// maxMatchers is how many matchers one set may have.
const maxMatchers = 50

// matchers returns label matchers in Alertmanager's notation, each text one or a
// set in braces.
func (b *body) matchers(name string) alert.Matchers {
	var all alert.Matchers
	for i, given := range b.texts(name, maxMatchers) {
		set, err := alert.ParseMatchers(given)
		if err != nil {
			b.mistake("%s[%d]: %s", name, i, cut(err.Error(), 200))
			continue
		}
		all = append(all, set...)
	}
	return all
}

// moment returns a time in RFC 3339, or the zero time when absent.
func (b *body) moment(name string) time.Time {
	given := b.text(name, 100)
	if given == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, given)
	if err != nil {
		b.mistake("%s: %s is not a time; write for example 2024-01-15T10:00:00Z", name, short(given))
	}
	return t.UTC()
}

// duration returns how long something is to last: more than nothing, or 0 when
// absent.
func (b *body) duration(name string) time.Duration {
	given := b.text(name, 100)
	if given == "" {
		return 0
	}
	d, err := units.ParseDuration(given)
	if err != nil || d <= 0 {
		b.mistake("%s: %s is not a duration; write for example 30m, 2h or 1d12h", name, short(given))
		return 0
	}
	return d
}

// end returns when something ends that is given as a moment or as a duration
// from a time; the zero time when neither is.
func (b *body) end(moment, duration string, from time.Time) time.Time {
	at, lasts := b.moment(moment), b.duration(duration)
	switch {
	case b.has(moment) && b.has(duration):
		b.mistake("%s and %s: give one of them", moment, duration)
	case lasts > 0 && from.Add(lasts).Year() > lastYear:
		b.mistake("%s: ends after the year %d", duration, lastYear)
	case lasts > 0:
		return from.Add(lasts)
	}
	return at
}

// lastYear is the last that RFC 3339 can write.
const lastYear = 9999
