package route

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// zoneOf finds a time zone; the empty name is UTC. A machine's own zone is
// refused: two replicas may have two.
func zoneOf(name, path string, problems *problem.List) *time.Location {
	if name == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		problems.AddHint(path, "write a name such as Europe/Berlin", "%q is not a time zone", name)
		return time.UTC
	}
	return zone
}

const minutesADay = 24 * 60

// minuteOf reads HH:MM; 24:00 is the end of the day.
func minuteOf(text string) (minute int, ok bool) {
	if len(text) != len("00:00") || text[2] != ':' || strings.ContainsAny(text, "+-") {
		return 0, false
	}
	h, err := strconv.Atoi(text[:2])
	m, err2 := strconv.Atoi(text[3:])
	minute = h*60 + m
	return minute, err == nil && err2 == nil && m < 60 && minute <= minutesADay
}

func weekdaysOf(text string) (dayRange, error) {
	names := []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	return readRange(text, func(word string) (int, error) {
		if n, ok := nameIn(word, names); ok {
			return n, nil
		}
		return 0, fmt.Errorf("%q is not a day of the week; %s", word, orName(word, names, "write for example monday:friday"))
	})
}

func monthsOf(text string) (dayRange, error) {
	names := []string{
		"january", "february", "march", "april", "may", "june",
		"july", "august", "september", "october", "november", "december",
	}
	return readRange(text, func(word string) (int, error) {
		if n, ok := nameIn(word, names); ok {
			return n + 1, nil
		}
		if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= 12 {
			return n, nil
		}
		return 0, fmt.Errorf("%q is not a month; %s", word, orName(word, names, "write for example january:march, or 1:3"))
	})
}

// nameIn finds a name, whole or by its first three letters.
func nameIn(word string, names []string) (int, bool) {
	for i, name := range names {
		if word == name || word == name[:3] {
			return i, true
		}
	}
	return 0, false
}

func orName(word string, names []string, otherwise string) string {
	if hint := problem.DidYouMean(word, names); hint != "" {
		return hint
	}
	return otherwise
}

func yearsOf(text string) (dayRange, error) {
	r, err := readRange(text, func(word string) (int, error) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 9999 {
			return 0, fmt.Errorf("%q is not a year; write for example 2026 or 2026:2027", word)
		}
		return n, nil
	})
	if err == nil && r.from > r.to {
		return r, fmt.Errorf("%d is after %d; write the earlier year first", r.from, r.to)
	}
	return r, err
}

// daysOf reads days of the month. As in Alertmanager a range is refused that is
// empty in every month, the shortest of which has 28 days.
func daysOf(text string) (dayRange, error) {
	r, err := readRange(text, func(word string) (int, error) {
		n, err := strconv.Atoi(word)
		if err != nil || n == 0 || n < -31 || n > 31 {
			return 0, fmt.Errorf("%q is not a day of the month; write 1 to 31, or -1 for the last day, as in 1:5 or -3:-1", word)
		}
		return n, nil
	})
	from, to := r.from, r.to
	if from < 0 {
		from += 28
	}
	if to < 0 {
		to += 28
	}
	switch {
	case err != nil:
		return r, err
	case r.from < 0 && r.to > 0:
		return r, fmt.Errorf("%q begins at the month's end; a range that begins with a negative day ends with one", text)
	case from > to:
		return r, fmt.Errorf("day %d is always before day %d; write the earlier day first", r.to, r.from)
	}
	return r, nil
}

// readRange reads a word or two with a colon between. Case does not matter.
func readRange(text string, read func(word string) (int, error)) (r dayRange, err error) {
	from, to, two := strings.Cut(strings.ToLower(text), ":")
	if !two {
		to = from
	}
	if r.from, err = read(strings.TrimSpace(from)); err != nil {
		return r, err
	}
	r.to, err = read(strings.TrimSpace(to))
	return r, err
}
