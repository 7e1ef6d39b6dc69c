package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// query reads a request's parameters and gathers every mistake, so that a
// client learns of all at once. err is asked last: it also refuses what no one
// read, for a filter that is misspelt must not quietly filter nothing.
type query struct {
	values   url.Values
	known    []string
	mistakes []string
}

func parseQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.mistake("the query cannot be read: " + err.Error())
	}
	return q
}

func (q *query) mistake(text string) { q.mistakes = append(q.mistakes, text) }

// cacheBuster is the parameter that browsers' libraries add to keep a proxy from
// answering.
const cacheBuster = "_"

// err returns a 400 that names every mistake, or nil.
func (q *query) err() error {
	names := make([]string, 0, len(q.values))
	for name := range q.values {
		if !slices.Contains(q.known, name) && name != cacheBuster {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		q.mistake(fmt.Sprintf("%s: unknown parameter; %s", short(name), suggest(name, q.known)))
	}
	return refuse(q.mistakes)
}

func suggest(name string, known []string) string {
	if len(name) < 40 {
		if near := problem.DidYouMean(name, known); near != "" {
			return near
		}
	}
	if len(known) == 0 {
		return "this path takes none"
	}
	return "allowed are " + strings.Join(known, ", ")
}

// text returns a parameter that may be given once.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	given := q.values[name]
	if len(given) > 1 {
		q.mistake(name + ": given more than once")
	}
	if len(given) == 0 {
		return ""
	}
	return given[0]
}

// word returns a parameter that must be one of the words; empty when absent.
func (q *query) word(name string, words ...string) string {
	given := q.text(name)
	if given != "" && !slices.Contains(words, given) {
		q.mistake(fmt.Sprintf("%s: %s is not one of %s", name, short(given), strings.Join(words, ", ")))
		return ""
	}
	return given
}

// list returns a parameter that may be repeated and may hold commas.
func (q *query) list(name string) []string {
	q.known = append(q.known, name)
	var all []string
	for _, given := range q.values[name] {
		for part := range strings.SplitSeq(given, ",") {
			if part = strings.TrimSpace(part); part != "" && !slices.Contains(all, part) {
				all = append(all, part)
			}
		}
	}
	return all
}

// words is a list of which each part must be one of the words.
func (q *query) words(name string, words ...string) []string {
	all := q.list(name)
	for _, given := range all {
		if !slices.Contains(words, given) {
			q.mistake(fmt.Sprintf("%s: %s is not one of %s", name, short(given), strings.Join(words, ", ")))
		}
	}
	return all
}

func (q *query) severities() []alert.Severity {
	var all []alert.Severity
	for _, given := range q.words("severity", "critical", "warning", "info") {
		if sev, err := alert.ParseSeverity(given); err == nil {
			all = append(all, sev)
		}
	}
	return all
}

func (q *query) states(states ...alert.State) []alert.State {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	var all []alert.State
	for _, given := range q.words("state", words...) {
		all = append(all, alert.State(given))
	}
	return all
}

// number returns a whole number from low to high.
func (q *query) number(name string, low, high, fallback int) int {
	given := q.text(name)
	if given == "" {
		return fallback
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < low || n > high {
		q.mistake(fmt.Sprintf("%s: %s is not a whole number from %d to %d", name, short(given), low, high))
		return fallback
	}
	return n
}

// flag returns a parameter that is switched on with 1 or true.
func (q *query) flag(name string) bool {
	given := q.word(name, "1", "true", "0", "false")
	return given == "1" || given == "true"
}

// time returns a moment, or the zero time when absent. It is given in RFC
// 3339, in seconds since 1970, or as a duration before now.
func (q *query) time(name string, now time.Time) time.Time {
	given := q.text(name)
	if given == "" {
		return time.Time{}
	}
	t, ok := parseTime(given, now)
	if !ok {
		q.mistake(fmt.Sprintf("%s: %s is not a time; write for example 2024-01-15T10:00:00Z, 1705312800 or 90d (ago)", name, short(given)))
	}
	return t
}

func parseTime(given string, now time.Time) (time.Time, bool) {
	// A plus that is not escaped arrives as a space: 2024-01-15T10:00:00+01:00.
	if t, err := time.Parse(time.RFC3339Nano, strings.Replace(given, " ", "+", 1)); err == nil {
		return t.UTC(), true
	}
	if seconds, err := strconv.ParseFloat(given, 64); err == nil {
		// The year 9999 is the last that RFC 3339 can write.
		if !(seconds >= 0 && seconds < 253402300800) {
			return time.Time{}, false
		}
		return time.UnixMilli(int64(seconds * 1000)).UTC(), true
	}
	if ago, err := units.ParseDuration(given); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), true
	}
	return time.Time{}, false
}

// matchers returns the label matchers of a parameter that may be repeated.
func (q *query) matchers(name string) alert.Matchers {
	q.known = append(q.known, name)
	const most = 20
	if len(q.values[name]) > most {
		q.mistake(fmt.Sprintf("%s: given more than %d times", name, most))
		return nil
	}
	var all alert.Matchers
	for _, given := range q.values[name] {
		m, err := alert.ParseMatcher(given)
		if err != nil {
			q.mistake(name + ": " + cut(err.Error(), 200))
			continue
		}
		all = append(all, m)
	}
	return all
}

// short quotes what a client sent, and not all of it when that is long.
func short(s string) string { return strconv.Quote(cut(s, 60)) }

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
