package schemagen

import (
	"fmt"
	"regexp"

	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// scalarText is a text. YAML calls some texts numbers or booleans; where a
// pattern decides, it decides on them too.
func scalarText(said schema.Schema) schema.Schema {
	types := []string{"string", "number", "boolean", "null"}
	if pattern, ok := said["pattern"].(string); ok {
		re := regexp.MustCompile(pattern)
		types = []string{"string"}
		if re.MatchString("1") || re.MatchString("200") {
			types = append(types, "number")
		}
		if re.MatchString("true") && re.MatchString("false") {
			types = append(types, "boolean")
		}
		types = append(types, "null")
	} else if _, ok := said["enum"]; ok {
		types = []string{"string", "null"}
	}
	return schema.Merge(schema.Schema{"type": types}, open(said))
}

// open lets ${VAR} stand wherever keywords ask for a text. Keys are no such
// place: nothing is replaced in them.
func open(s schema.Schema) schema.Schema {
	out := schema.Schema{}
	for key, value := range s {
		switch key {
		case "pattern":
			out[key] = fmt.Sprintf("(?:%s)|%s", value, schema.Variable)
		case "enum":
			out["anyOf"] = []any{
				schema.Schema{"enum": value}, schema.Schema{"$ref": "#/$defs/variable"}, schema.Schema{"type": "null"},
			}
		case "propertyNames", "not", "if":
			out[key] = value
		default:
			out[key] = openBelow(value)
		}
	}
	return out
}

func openBelow(value any) any {
	switch value := value.(type) {
	case schema.Schema:
		return open(value)
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = openBelow(value[i])
		}
		return list
	}
	return value
}

func variable() schema.Schema {
	return schema.Schema{"type": "string", "pattern": schema.Variable, "description": "A text with ${VAR} or ${VAR:-default}, from the environment."}
}

func orVariable(kind, want string) schema.Schema {
	return schema.Schema{"type": []string{kind, "string", "null"}, "pattern": schema.Variable, "patternErrorMessage": "want " + want}
}

func durations() schema.Schema {
	s := scalarText(schema.Text(units.DurationPattern(), "a duration such as 250ms, 5s, 1h30m or 90d"))
	return schema.Merge(s, schema.Schema{
		"type":        []string{"string", "integer", "null"},
		"if":          schema.Schema{"type": "integer"},
		"then":        schema.Schema{"const": 0, "errorMessage": "want a duration such as 5s; add the unit"},
		"description": "A duration: 250ms, 5s, 1h30m, 90d, 2w.",
	})
}
