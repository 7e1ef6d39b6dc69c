// Package schema is the vocabulary in which a configuration's types say of
// themselves what a JSON Schema can know and their Go types do not: enums,
// patterns, what is required. The types beside the adapters call it, and package
// schemagen reads what they say. It checks nothing itself: Validate and Compile
// have the last word.
package schema

import (
	"maps"
	"slices"
	"strings"
)

// Schema is a JSON Schema (draft 2020-12), or some keywords of one.
type Schema = map[string]any

// Describer is implemented by types that are written as a mapping. JSONSchema
// returns keywords that are laid over those that reflection finds; each of
// "properties" over its field's.
type Describer interface{ JSONSchema() Schema }

// ScalarDescriber is implemented by types with FromScalar. ScalarSchema returns
// the keywords that a right text satisfies; text with ${VAR} is always right.
type ScalarDescriber interface{ ScalarSchema() Schema }

// Patterns of what stands in several places. They are both RE2 and ECMA-262.
const (
	// Variable is found in a text with ${VAR} or ${VAR:-default}.
	Variable = `\$\{[A-Za-z_][A-Za-z0-9_]*(:-|\})`

	labelName = `[a-zA-Z_][a-zA-Z0-9_]*`
	matcherOp = `\s*(?:=~|!=|!~|=(?:[^=~]|$))`
	matchers  = `^\s*\{?\s*(?:"(?:[^"\\]|\\.)+"|[^\s"'\x60{},=!~\\]+)` + matcherOp
	matcher   = `^\s*("[^"]+"|[^\s"'\x60{},=!~\\]+)\s*(?:=~|!=|!~|=(?:[^=~]|$))`
)

// Object says of a type's fields, by key, what they are beside their Go types,
// and which must be written. A secret may be written as a file instead.
func Object(fields Schema, required ...string) Schema {
	s := Schema{"properties": fields}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// Text is a text of that pattern; want ends the sentence "want …" of an editor.
func Text(pattern, want string) Schema {
	return Schema{"pattern": pattern, "patternErrorMessage": "want " + want}
}

// Enum is one of some texts.
func Enum(values ...string) Schema { return Schema{"enum": values} }

// NotEmpty is a text with something in it.
func NotEmpty() Schema { return Text(`\S`, "a text, not nothing") }

// URL is a URL of one of the schemes.
func URL(schemes ...string) Schema {
	all := strings.Join(schemes, "|")
	return Text(`^(?:`+all+`)://`, "a URL that begins with "+strings.Join(schemes, ":// or ")+"://")
}

// MoreThanZero is a duration or a size that is not 0.
func MoreThanZero() Schema {
	return Schema{"allOf": []any{
		Text(`[1-9]`, "more than 0"),
		Schema{"not": Schema{"const": 0}, "errorMessage": "want more than 0"},
	}}
}

// Between is a whole number with bounds.
func Between(least, most int) Schema { return Schema{"minimum": least, "maximum": most} }

// AtLeast is a number with a lower bound.
func AtLeast(least int) Schema { return Schema{"minimum": least} }

// List is a list of items like this one.
func List(item Schema) Schema { return Schema{"items": item} }

// LabelNames is a list of labels' names.
func LabelNames() Schema { return List(LabelName()) }

// LabelName is the name of a label.
func LabelName() Schema {
	return Text("^"+labelName+"$", "the name of a label: letters, digits and _")
}

// Matchers is a list of matchers, as in severity = critical.
func Matchers() Schema {
	return List(Text(matcher, "a matcher such as severity = critical; operators are =, !=, =~ and !~"))
}

// MatcherSet is one matcher or a set of them, as in {severity="critical",team=~"a|b"}.
func MatcherSet() Schema {
	return Text(matchers, "a matcher such as severity = critical, or a set of them in braces; operators are =, !=, =~ and !~")
}

// Labels is a mapping of labels; the reserved names cannot be set.
func Labels(reserved ...string) Schema {
	names := LabelName()
	if len(reserved) > 0 {
		names["not"] = Enum(reserved...)
		names["errorMessage"] = "want a label's name that Tocsin does not set itself: not " + strings.Join(reserved, ", ")
	}
	return Schema{"propertyNames": names}
}

// Required holds where the keys are written.
func Required(keys ...string) Schema { return Schema{"required": keys} }

// With returns the keywords of all; of those that two have, the last one's.
func With(all ...Schema) Schema {
	s := Schema{}
	for _, one := range all {
		maps.Copy(s, one)
	}
	return s
}

// Merge returns a schema with another one laid over it: mappings are merged,
// required and allOf added to, all else replaced.
func Merge(base, over Schema) Schema {
	s := maps.Clone(base)
	if s == nil {
		s = Schema{}
	}
	for key, value := range over {
		switch value := value.(type) {
		case Schema:
			if below, ok := s[key].(Schema); ok {
				s[key] = Merge(below, value)
				continue
			}
		case []string:
			if before, ok := s[key].([]string); ok && key == "required" {
				s[key] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, value))))
				continue
			}
		case []any:
			if before, ok := s[key].([]any); ok && key == "allOf" {
				s[key] = slices.Concat(before, value)
				continue
			}
		}
		s[key] = value
	}
	return s
}
