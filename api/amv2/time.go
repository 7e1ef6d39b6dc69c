package amv2

import "time"

// timeLayout is how times are written: UTC, with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// timeLayouts are those that strfmt.DateTime of go-openapi reads. A fraction of
// a second may stand in each that has seconds.
func timeLayouts() [7]string {
	return [...]string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
		"2006-01-02T15:04Z", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02",
	}
}

// parseTime reads a time as Alertmanager does; the empty text is the beginning
// of 1970. It comes back in UTC.
func parseTime(text string) (at time.Time, err error) {
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	for _, layout := range timeLayouts() {
		if at, err = time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, err
}

// parseUTC reads 2006-01-02T15:04:05Z, with up to nine digits of a fraction;
// false for everything else.
func parseUTC(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	nanosecond := 0
	if fraction := s[19 : len(s)-1]; fraction != "" {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return time.Time{}, false
		}
		nanosecond = digits(fraction[1:])
		for range 10 - len(fraction) {
			nanosecond *= 10
		}
	}
	// The days past the 28th are left to time.Parse, which knows the months.
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 28 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59 || nanosecond < 0 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC), true
}

// digits reads a number of up to nine digits; negative when it is none.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return -1 << 40
		}
		n = 10*n + int(c)
	}
	return n
}
