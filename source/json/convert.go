package json

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tocsin-dev/tocsin/internal/units"
)

// number converts what a document holds to a value in a unit: a number as it
// is, true and false as 1 and 0, and a text such as "12ms", "45.2 MB", "88.9%"
// or "12" by its own unit.
func number(v gjson.Result, unit string) (float64, error) {
	var n float64
	switch v.Type {
	case gjson.Number:
		n = v.Num
	case gjson.True:
		n = 1
	case gjson.False:
		n = 0
	case gjson.String:
		var err error
		if n, err = quantity(v.Str, unit); err != nil {
			return 0, err
		}
	case gjson.Null:
		return 0, fmt.Errorf("is null")
	case gjson.JSON:
		return 0, fmt.Errorf("is an object or array, not a value")
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("is not a finite number")
	}
	return n, nil
}

// quantity reads a text with or without a unit, in terms of the metric's unit.
func quantity(text, unit string) (float64, error) {
	text = strings.TrimSpace(text)
	switch strings.ToLower(text) {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xX_nN") {
		return n, nil
	}
	at := strings.LastIndexAny(text, "0123456789.") + 1
	// The unit of a rate is that of the counter: bytes for bytes/s.
	want, base := units.Of(strings.TrimSuffix(unit, "/s"))
	factor, dim, ok := units.Suffix(strings.TrimSpace(text[at:]))
	n, err := strconv.ParseFloat(text[:at], 64)
	switch {
	case at == 0 || !ok:
		return 0, fmt.Errorf("%q is not a number", clip(text))
	case want == units.None:
		return 0, fmt.Errorf("%q has a unit and the metric has none; declare unit", clip(text))
	case dim != want:
		return 0, fmt.Errorf("%q is no quantity in %s", clip(text), unit)
	case err == nil:
		return n * factor / base, nil
	}
	// 1h5m: more than one number.
	if d, err := units.ParseDuration(text); err == nil && want == units.Time {
		return d.Seconds() / base, nil
	}
	return 0, fmt.Errorf("%q is not a number", clip(text))
}

// moment reads a time: RFC 3339, or unix seconds or milliseconds.
func moment(v gjson.Result) (time.Time, error) {
	switch v.Type {
	case gjson.String:
		at, err := time.Parse(time.RFC3339, v.Str)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is not a time; want for example 2024-01-15T10:00:00Z", clip(v.Str))
		}
		return at.UTC(), nil
	case gjson.Number:
		const farSeconds = 1e11 // the year 5138; milliseconds since 1973
		switch n := v.Num; {
		case n > 0 && n < farSeconds:
			return time.UnixMilli(int64(n * 1000)).UTC(), nil
		case n >= farSeconds && n < farSeconds*1000:
			return time.UnixMilli(int64(n)).UTC(), nil
		}
	case gjson.Null, gjson.False, gjson.True, gjson.JSON:
	}
	return time.Time{}, fmt.Errorf("is not a time; want RFC 3339 or unix seconds")
}

// clip shortens what a document holds, for an error.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
