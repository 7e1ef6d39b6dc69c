package notifiers

import (
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/templating"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Functions are what receivers' templates may call beside text/template's own.
// The manual lists them; those of Alertmanager's templates have their names
// there too, so that a template can be carried over.
func Functions() template.FuncMap {
	upper := func(v any) string { return strings.ToUpper(textOf(v)) }
	lower := func(v any) string { return strings.ToLower(textOf(v)) }
	safe := func(v any) htmltemplate.HTML { return htmltemplate.HTML(textOf(v)) } //nolint:gosec // it is what the function is for
	return template.FuncMap{
		"humanize": humanize, "percent": percent, "bytes": sized, "quantity": func(v any, unit string) (string, error) {
			f, err := number(v)
			return units.Quantity(f, unit), err
		},
		"duration": duration, "humanizeDuration": duration, "since": since, "date": date, "tz": tz,
		"upper": upper, "toUpper": upper, "lower": lower, "toLower": lower, "title": title, "trim": func(v any) string { return strings.TrimSpace(textOf(v)) },
		"truncate": func(most int, v any) string { return Clip(textOf(v), max(0, most)) },
		"line":     func(v any) string { return Plain(textOf(v)) },
		"join":     join, "stringSlice": func(texts ...string) []string { return texts }, "default": defaultTo,
		"match": regexp.MatchString, "replace": replace, "reReplaceAll": replace,
		"json": toJSON, "toJson": toJSON, "query": func(v any) string { return url.QueryEscape(textOf(v)) },
		"safeHTML": safe, "safeHtml": safe,
	}
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}

// number reads what templates hand on as numbers.
func number(v any) (float64, error) {
	switch v := v.(type) {
	case alert.Number:
		if !v.Known() {
			return math.NaN(), nil
		}
		return float64(v), nil
	case time.Duration:
		return v.Seconds(), nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", v)
		}
		return f, nil
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return float64(r.Int()), nil
	case r.CanUint():
		return float64(r.Uint()), nil
	case r.CanFloat():
		return r.Float(), nil
	}
	return 0, fmt.Errorf("%T is not a number", v)
}

// humanize writes a number with a prefix of its size: 1.23k, 4.5M, 12m for
// thousandths, as Prometheus's function of the name does, with one decimal.
func humanize(v any) (string, error) {
	f, err := number(v)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return "unknown", err
	}
	if f == 0 {
		return "0", nil
	}
	for _, p := range [...]struct {
		size float64
		name string
	}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}} {
		if math.Abs(f) >= p.size {
			return strconv.FormatFloat(math.Round(f/p.size*100)/100, 'f', -1, 64) + p.name, nil
		}
	}
	return strconv.FormatFloat(f, 'g', 4, 64), nil
}

// percent writes a number that is in percent already: 62.1%.
func percent(v any) (string, error) {
	f, err := number(v)
	return units.Quantity(f, "%"), err
}

// sized writes a number of bytes: 768MB, by 1024.
func sized(v any) (string, error) {
	f, err := number(v)
	return units.Quantity(f, "bytes"), err
}

// duration writes a time.Duration, or a number of seconds, with its two largest
// units: 1h5m.
func duration(v any) (string, error) {
	f, err := number(v)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= math.MaxInt64/1e9 {
		return "unknown", err
	}
	return units.Duration(time.Duration(f * 1e9)), nil
}

// since is how long ago a moment was; the same message may be tried again much
// later, so that .Duration suits better where a message must not change.
func since(at time.Time) string {
	if at.IsZero() {
		return "unknown"
	}
	return units.Duration(max(0, time.Since(at)))
}

// date writes a moment by a layout of Go's package time.
func date(layout string, at time.Time) string { return at.Format(layout) }

// tz moves a moment into a time zone by its IANA name.
func tz(zone string, at time.Time) (time.Time, error) {
	l, err := time.LoadLocation(zone)
	if err != nil {
		return at, fmt.Errorf("%q is not a time zone, such as Europe/Berlin", zone)
	}
	return at.In(l), nil
}

// title is the one line that names a notification, or a text with a capital.
func title(v any) string {
	switch v := v.(type) {
	case *Data:
		return v.Title
	case *alert.Notification:
		return Title(v)
	}
	capital := true
	return strings.Map(func(r rune) rune {
		defer func() { capital = unicode.IsSpace(r) }()
		if capital {
			return unicode.ToTitle(r)
		}
		return r
	}, textOf(v))
}

// join takes the texts and the separator in either order: Alertmanager's has the
// separator first, so that texts can be piped to it.
func join(a, b any) (string, error) {
	if texts, ok := a.([]string); ok {
		a, b = b, texts
	}
	texts, ok := b.([]string)
	separator, isText := a.(string)
	if !ok || !isText {
		return "", fmt.Errorf("join wants texts and a separator, not %T and %T", a, b)
	}
	return templating.Join(MaxTextBytes, texts, separator)
}

// defaultTo returns the value, or the other where it is empty.
func defaultTo(otherwise, v any) any {
	if truth, ok := template.IsTrue(v); v == nil || !ok || !truth {
		return otherwise
	}
	return v
}

func replace(pattern, with, text string) (string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	return templating.Replace(MaxTextBytes, re, with, text)
}

func toJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}
