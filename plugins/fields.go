package plugins

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// scalarReader is implemented by types that read themselves from a text, as
// Secret and notifiers.Text do.
type scalarReader interface{ FromScalar(text string) error }

// setting is one field of a struct of settings.
type setting struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string
	required bool
}

// settingsOf returns the settings that a struct takes: its exported fields by
// their json tag, their yaml tag, or their name, and those of embedded structs.
func settingsOf(t reflect.Type) []setting {
	var out []setting
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "" {
			tag = f.Tag.Get("yaml")
		}
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, inner := range settingsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			out = append(out, setting{name, []int{i}, f.Type, f.Tag.Get("doc"), f.Tag.Get("required") == "true"})
		}
	}
	return out
}

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[secret.String]() || t == reflect.TypeFor[secret.URL]()
}

func readsScalar(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[scalarReader]())
}

// hasLongForm says whether a type that reads itself from a text may be written as
// a mapping, too.
func hasLongForm(t reflect.Type) bool { return t.Kind() == reflect.Struct && len(settingsOf(t)) > 0 }

func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func readsJSON(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// want says what a value of a type is written as.
func want(t reflect.Type) string {
	switch {
	case isDuration(t):
		return "a duration such as 5s"
	case readsScalar(t), readsText(t), t.Kind() == reflect.String:
		return "a text"
	case readsJSON(t):
		return "another value"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	}
	return "another value"
}

// found says what a JSON value is.
func found(raw json.RawMessage) string {
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "":
		return "nothing"
	case text[0] == '{':
		return "a mapping"
	case text[0] == '[':
		return "a list"
	case text[0] == '"':
		return "a text"
	case text == "null":
		return "nothing"
	case text == "true" || text == "false":
		return text
	}
	return "a number"
}
