package yamlpos

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/units"
)

const quoteStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// maxQuotedBytes is the longest text that a message repeats.
const maxQuotedBytes = 40

// typed says whether a scalar's text decides what it is: 5 and true are, "5"
// and "true" are texts. A scalar that is one substitution is what the variable
// says, quoted or not: inside [ ] and { } it cannot stand unquoted.
func (d *Document) typed(n *yaml.Node) bool {
	if e, ok := d.expansions[n]; ok {
		return e.whole
	}
	return n.Style&quoteStyles == 0 && (n.Style&yaml.TaggedStyle == 0 || n.Tag != "!!str" && n.Tag != "!")
}

// isNull says whether a node is an empty value, which counts as not written.
func (d *Document) isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style&quoteStyles != 0 || !d.typed(n) {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// describe says what a value is.
func (d *Document) describe(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return describeKind(n.Kind)
	}
	if written, foreign := d.foreign(n); foreign {
		return "the text of " + written
	}
	switch value := d.native(n).(type) {
	case nil:
		return "nothing"
	case bool:
		return strconv.FormatBool(value)
	case int64, float64:
		return "the number " + n.Value
	}
	if _, secret := d.text.secrets[n]; secret || len(n.Value) > maxQuotedBytes || strings.Contains(n.Value, "\n") {
		return "a text"
	}
	return "the text " + strconv.Quote(n.Value)
}

// native returns a scalar as nil, bool, int64, float64 or string, by YAML 1.2's
// core schema.
func (d *Document) native(n *yaml.Node) any {
	switch {
	case d.isNull(n):
		return nil
	case !d.typed(n):
		return n.Value
	}
	if b, ok := parseBool(n.Value); ok {
		return b
	}
	if i, err := parseInt(n.Value, 64); err == nil {
		return i
	}
	if f, ok := parseFloat(n.Value); ok {
		return f
	}
	return n.Value
}

// any returns a value as map[string]any, []any or what native returns.
func (dec *decoder) any(n *yaml.Node, path string) any {
	n = dec.opened(resolve(n), path)
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, e := range dec.d.entries(n) {
			m[e.name] = dec.any(e.value, join(path, e.name))
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = dec.any(item, itemPath(path, i))
		}
		return list
	}
	return dec.d.native(n)
}

// scalar fills a string, a bool or a number.
func (dec *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind != yaml.ScalarNode:
		dec.wrongType(n, v.Type(), path)
		return
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
		return
	case dec.d.typed(n) && n.Value == "":
		return // "${VAR:-}": not written
	case !dec.d.typed(n):
		dec.untyped(n, v.Type(), path)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		dec.bool(n, v, path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		dec.int(n, v, path)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		dec.uint(n, v, path)
	case reflect.Float32, reflect.Float64:
		dec.float(n, v, path)
	default:
		dec.refuse(n, path, "", "a %s cannot be configured", v.Type())
	}
}

// untyped refuses a text in the place of a number or a bool.
func (dec *decoder) untyped(n *yaml.Node, t reflect.Type, path string) {
	hint := ""
	if _, isText := (&Document{}).native(&yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}).(string); !isText && n.Style&quoteStyles != 0 {
		hint = "remove the quotes"
	}
	dec.refuse(n, path, hint, "want %s, not %s", want(t), dec.d.describe(n))
}

func (dec *decoder) bool(n *yaml.Node, v reflect.Value, path string) {
	b, ok := parseBool(n.Value)
	if ok {
		v.SetBool(b)
		return
	}
	hint := ""
	switch strings.ToLower(n.Value) {
	case "yes", "on", "y", "1":
		hint = "write true"
	case "no", "off", "n", "0":
		hint = "write false"
	}
	dec.refuse(n, path, hint, "want true or false, not %s", dec.d.describe(n))
}

func (dec *decoder) int(n *yaml.Node, v reflect.Value, path string) {
	bits := v.Type().Bits()
	i, err := parseInt(n.Value, 64)
	switch {
	case isRange(err) || err == nil && v.OverflowInt(i):
		dec.refuse(n, path, "", "%s is out of range; want %d to %d", dec.quoted(n), int64(-1)<<(bits-1), int64(math.MaxInt64)>>(64-bits))
	case err != nil:
		dec.refuse(n, path, "", "want a whole number, not %s", dec.d.describe(n))
	default:
		v.SetInt(i)
	}
}

func (dec *decoder) uint(n *yaml.Node, v reflect.Value, path string) {
	bits := v.Type().Bits()
	digits, base := intDigits(n.Value)
	u, err := strconv.ParseUint(strings.TrimPrefix(digits, "+"), base, 64)
	negative := false
	if i, signed := parseInt(n.Value, 64); signed == nil && i < 0 {
		negative = true
	}
	switch {
	case negative || isRange(err) || err == nil && v.OverflowUint(u):
		dec.refuse(n, path, "", "%s is out of range; want 0 to %d", dec.quoted(n), uint64(math.MaxUint64)>>(64-bits))
	case err != nil:
		dec.refuse(n, path, "", "want a whole number, not %s", dec.d.describe(n))
	default:
		v.SetUint(u)
	}
}

func (dec *decoder) float(n *yaml.Node, v reflect.Value, path string) {
	f, ok := parseFloat(n.Value)
	switch {
	case !ok:
		dec.refuse(n, path, "", "want a number, not %s", dec.d.describe(n))
	case math.IsInf(f, 0) || math.IsNaN(f) || v.OverflowFloat(f):
		dec.refuse(n, path, "", "want a finite number, not %s", dec.quoted(n))
	default:
		v.SetFloat(f)
	}
}

func (dec *decoder) duration(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind != yaml.ScalarNode:
		dec.wrongType(n, v.Type(), path)
		return
	case dec.d.typed(n) && n.Value == "":
		return
	}
	if _, err := strconv.ParseFloat(n.Value, 64); err == nil && n.Value != "0" {
		dec.refuse(n, path, "add the unit", "want a duration such as 5s, not %s", dec.d.describe(n))
		return
	}
	duration, err := units.ParseDuration(n.Value)
	if err != nil {
		dec.badText(n, path, err)
		return
	}
	v.SetInt(int64(duration))
}

// quoted is a scalar's text as a message may show it.
func (dec *decoder) quoted(n *yaml.Node) string {
	if written, foreign := dec.d.foreign(n); foreign {
		return "the text of " + written
	}
	return n.Value
}

func parseBool(s string) (value, ok bool) {
	return slices.Contains([]string{"true", "True", "TRUE"}, s),
		slices.Contains([]string{"true", "True", "TRUE", "false", "False", "FALSE"}, s)
}

// intDigits returns what strconv takes for a number: 0x, 0o and 0b name the
// base, any other number is decimal, leading zeros or not.
func intDigits(s string) (digits string, base int) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	for prefix, base := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return sign + rest, base
		}
	}
	return sign + s, 10
}

func parseInt(s string, bits int) (int64, error) {
	digits, base := intDigits(s)
	return strconv.ParseInt(digits, base, bits)
}

// parseFloat takes YAML's numbers, and not what else strconv knows, as "inf"
// and "0x1p-2".
func parseFloat(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case ".inf", "+.inf":
		return math.Inf(1), true
	case "-.inf":
		return math.Inf(-1), true
	case ".nan":
		return math.NaN(), true
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || isRange(err)
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }
