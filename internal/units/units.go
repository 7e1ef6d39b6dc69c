// Package units reads and writes quantities as people write them: 200ms, 5m,
// 90d, 768MB, 8.3ms, 45.2 MB. It is pure.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Dimension is what a unit measures. Quantities compare within a dimension
// only.
type Dimension string

// The dimensions.
const (
	None    Dimension = ""        // a bare number, a count, a state
	Time    Dimension = "time"    // base unit: second
	Bytes   Dimension = "bytes"   // base unit: byte
	Percent Dimension = "percent" // base unit: one hundredth
)

type suffix struct {
	text   string
	factor float64
	dim    Dimension
}

// suffixes lists the units that can follow a number. MB means MiB, as in the
// guide.
func suffixes() []suffix {
	return []suffix{
		{"ns", 1e-9, Time},
		{"us", 1e-6, Time},
		{"µs", 1e-6, Time},
		{"ms", 1e-3, Time},
		{"s", 1, Time},
		{"m", 60, Time},
		{"h", 3600, Time},
		{"d", 86400, Time},
		{"w", 604800, Time},
		{"KiB", 1 << 10, Bytes},
		{"MiB", 1 << 20, Bytes},
		{"GiB", 1 << 30, Bytes},
		{"TiB", 1 << 40, Bytes},
		{"KB", 1 << 10, Bytes},
		{"kB", 1 << 10, Bytes},
		{"MB", 1 << 20, Bytes},
		{"GB", 1 << 30, Bytes},
		{"TB", 1 << 40, Bytes},
		{"B", 1, Bytes},
		{"%", 1, Percent},
	}
}

// Suffix returns the factor to the base unit and the dimension of a unit's
// name, as in ms or MB.
func Suffix(name string) (factor float64, dim Dimension, ok bool) {
	for _, s := range suffixes() {
		if s.text == name {
			return s.factor, s.dim, true
		}
	}
	return 0, None, false
}

// SuffixNames lists the units, for a suggestion.
func SuffixNames() []string {
	var names []string
	for _, s := range suffixes() {
		names = append(names, s.text)
	}
	return names
}

// Of returns the dimension of a metric's unit and how many base units one of
// it is: ms is Time and 0.001. A unit such as "/s" or "" is None and 1.
func Of(unit string) (Dimension, float64) {
	switch unit {
	case "bytes":
		return Bytes, 1
	case "%":
		return Percent, 1
	}
	for _, s := range suffixes() {
		if s.text == unit {
			return s.dim, s.factor
		}
	}
	return None, 1
}

// ParseDuration reads a duration such as 250ms, 1h30m, 90d or 1w. Units are
// those of time.ParseDuration and d (24 h) and w (7 d).
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	total, rest := 0.0, strings.TrimSpace(text)
	if rest == "" {
		return 0, fmt.Errorf("empty duration; write for example 5s or 1h30m")
	}
	for rest != "" {
		number, unit, tail := cut(rest)
		factor, dim, ok := Suffix(unit)
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !ok || dim != Time {
			return 0, fmt.Errorf("%q is not a duration; write for example 250ms, 5s, 1h30m or 90d", text)
		}
		total += n * factor
		rest = tail
	}
	if total >= math.MaxInt64/1e9 { // MaxInt64 is 2^63 as a float64: too much already
		return 0, fmt.Errorf("%q is longer than a duration can be (292 years)", text)
	}
	return time.Duration(math.Round(total * 1e9)), nil
}

// ParseBytes reads a size such as 512MB, 1.5GiB or 1048576. MB means MiB.
func ParseBytes(text string) (int64, error) {
	number, unit, tail := cut(strings.TrimSpace(text))
	n, err := strconv.ParseFloat(number, 64)
	factor, dim, ok := Suffix(unit)
	if unit == "" {
		factor, dim, ok = 1, Bytes, true
	}
	if err != nil || !ok || dim != Bytes || tail != "" || n*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size; write for example 512MB or 1GB", text)
	}
	return int64(n * factor), nil
}

// cut splits "1.5h30m" into "1.5", "h" and "30m".
func cut(s string) (number, unit, rest string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	number, s = s[:i], strings.TrimLeft(s[i:], " ")
	i = 0
	for i < len(s) && (s[i] < '0' || s[i] > '9') && s[i] != '.' {
		i++
	}
	return number, strings.TrimSpace(s[:i]), s[i:]
}

// Round1 rounds to one decimal; never to -0.
func Round1(v float64) float64 {
	if math.Abs(v) >= 1<<52 { // has no decimals to round
		return v
	}
	return math.Round(v*10)/10 + 0
}

// Number writes a number with at most one decimal and no trailing .0; numbers
// under 1 keep two significant digits.
func Number(v float64) string {
	if a := math.Abs(v); a > 0 && a < 0.95 {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64)
		return strconv.FormatFloat(short, 'f', -1, 64) // never 1e-05
	}
	return strconv.FormatFloat(Round1(v), 'f', -1, 64)
}

// Milliseconds writes "8.3ms", as the guide writes durations.
func Milliseconds(ms float64) string { return Number(ms) + "ms" }

// Megabytes writes "45.2 MB", as the guide writes memory; MB means MiB.
func Megabytes(bytes float64) string { return Number(bytes/(1<<20)) + " MB" }

// Size writes "2.1MB", as the guide writes tables: the unit that keeps the
// number under 1024.
func Size(bytes float64) string {
	unit := suffix{"B", 1, Bytes}
	for _, u := range [...]suffix{{"KB", 1 << 10, Bytes}, {"MB", 1 << 20, Bytes}, {"GB", 1 << 30, Bytes}, {"TB", 1 << 40, Bytes}} {
		if math.Abs(Round1(bytes/unit.factor)) >= 1024 { // as it would be written
			unit = u
		}
	}
	return Number(bytes/unit.factor) + unit.text
}

// Duration writes a duration with its two largest units, as in 1h5m or 2d3h.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-max(d, -math.MaxInt64)) // the least has no positive
	}
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	var b strings.Builder
	written := 0
	d = d.Round(time.Second)
	for _, u := range [...]struct {
		text string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		n := d / u.size
		d -= n * u.size
		if n > 0 && written < 2 {
			fmt.Fprintf(&b, "%d%s", n, u.text)
			written++
		} else if written > 0 {
			break
		}
	}
	return b.String()
}

// Quantity writes a value in a metric's unit: "82.3%", "15.2ms", "768MB",
// "1h5m", "12/s", "3".
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "unknown"
	}
	switch unit {
	case "bytes":
		return Size(v)
	case "bytes/s":
		return Size(v) + "/s"
	case "s":
		if math.Abs(v) >= 60 && math.Abs(v) < math.MaxInt64/1e9 {
			return Duration(time.Duration(v * 1e9))
		}
		return Number(v) + "s"
	case "bool", "":
		return Number(v)
	}
	return Number(v) + unit
}

// ByteSize is a size in bytes that a configuration gives as 512MB or 1048576.
type ByteSize int64

// FromScalar reads the size from a configuration's scalar.
func (b *ByteSize) FromScalar(text string) error {
	n, err := ParseBytes(text)
	*b = ByteSize(n)
	return err
}

// ScalarSchema says which texts FromScalar takes.
func (ByteSize) ScalarSchema() map[string]any {
	return map[string]any{"pattern": BytesPattern(), "patternErrorMessage": "want a size such as 512MB", "minimum": 0}
}
