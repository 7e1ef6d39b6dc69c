package units

import "strings"

// DurationPattern is the regular expression, RE2 and ECMA-262, of the texts that
// ParseDuration takes.
func DurationPattern() string { return `^(?:0|` + durations() + `)$` }

// BytesPattern is that of ParseBytes.
func BytesPattern() string { return `^\s*` + number + ` *(?:` + names(Bytes) + `)?\s*$` }

// QuantityPattern is that of a number with or without any unit.
func QuantityPattern() string {
	return `^\s*(?:` + number + `(?:[eE][+-]?[0-9]+)?%?|` + durations() + `|` + number + ` *(?:` + names(Bytes) + `)?)\s*$`
}

const number = `(?:[0-9]+\.?[0-9]*|\.[0-9]+)`

func durations() string { return `\s*(?:` + number + ` *(?:` + names(Time) + `) *)+` }

func names(dim Dimension) string {
	var all []string
	for _, s := range suffixes() {
		if s.dim == dim {
			all = append(all, s.text)
		}
	}
	return strings.Join(all, "|")
}
