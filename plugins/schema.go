package plugins

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// schema returns the JSON Schema (draft 2020-12) of the plugin's settings, with
// the defaults in it. The types say more of themselves with JSONSchema and
// ScalarSchema (both return the keywords as map[string]any), as Tocsin's own do.
func (p *Plugin) schema() schema.Schema {
	head := schema.Schema{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": p.name}
	return schema.Merge(head, object(p.settings, p.defaults()))
}

// object is the schema of a struct. defaults is its value before the operator's
// settings.
func object(t reflect.Type, defaults reflect.Value) schema.Schema {
	properties, required := schema.Schema{}, []string{}
	for _, f := range settingsOf(t) {
		field := defaults.FieldByIndex(f.index)
		one := valueSchema(f.typ, field)
		if f.doc != "" {
			one["description"] = f.doc
		}
		if shown, ok := defaultOf(field); ok {
			one["default"] = shown
		}
		if f.required {
			required = append(required, f.name)
		}
		properties[f.name] = one
	}
	s := schema.Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if d, ok := reflect.New(t).Interface().(schema.Describer); ok {
		s = schema.Merge(s, d.JSONSchema())
	}
	return s
}

func valueSchema(t reflect.Type, v reflect.Value) schema.Schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return valueSchema(t.Elem(), reflect.Zero(t.Elem()))
	case isSecret(t):
		return schema.Schema{"type": []string{"string", "number"}, "writeOnly": true}
	case isDuration(t):
		return schema.Schema{"type": []string{"string", "number"}, "pattern": units.DurationPattern()}
	case readsScalar(t) && hasLongForm(t):
		return schema.Schema{} // a text, or the mapping
	case readsScalar(t):
		s := schema.Schema{"type": []string{"string", "number", "boolean"}}
		if d, ok := reflect.New(t).Interface().(schema.ScalarDescriber); ok {
			s = schema.Merge(s, d.ScalarSchema())
		}
		return s
	case readsText(t):
		return schema.Schema{"type": "string"}
	case readsJSON(t):
		return schema.Schema{}
	}
	return kindSchema(t, v)
}

func kindSchema(t reflect.Type, v reflect.Value) schema.Schema {
	switch t.Kind() {
	case reflect.String:
		return schema.Schema{"type": "string"}
	case reflect.Bool:
		return schema.Schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema.Schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema.Schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema.Schema{"type": "number"}
	case reflect.Slice, reflect.Array:
		return schema.Schema{"type": "array", "items": valueSchema(t.Elem(), reflect.Zero(t.Elem()))}
	case reflect.Map:
		return schema.Schema{"type": "object", "additionalProperties": valueSchema(t.Elem(), reflect.Zero(t.Elem()))}
	case reflect.Struct:
		return object(t, v)
	}
	return schema.Schema{}
}

// defaultOf is how a default is written; none for nothing and for a secret.
func defaultOf(v reflect.Value) (any, bool) {
	t := v.Type()
	switch {
	case v.IsZero(), isSecret(t), t.Kind() == reflect.Struct, t.Kind() == reflect.Pointer:
		return nil, false
	case isDuration(t):
		return time.Duration(v.Int()).String(), true
	}
	text, err := json.Marshal(v.Interface())
	if err != nil || string(text) == "null" {
		return nil, false
	}
	return json.RawMessage(text), true
}
