package yamlpos

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// fileSuffix makes of the key of a secret the key of the file that holds it.
const fileSuffix = "_file"

// scalarReader is implemented by types that read themselves from a scalar's
// text. The error says what is wrong with the text.
type scalarReader interface{ FromScalar(text string) error }

// field is one key that a struct takes.
type field struct {
	name  string
	index []int
	typ   reflect.Type
}

// fieldsOf returns the keys of a struct: its fields with a yaml tag, and those
// of structs that are inlined.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct && (options == "inline" || f.Anonymous && name == ""):
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case name != "" && f.IsExported():
			fields = append(fields, field{name, []int{i}, f.Type})
		}
	}
	return fields
}

func fieldNames(types []reflect.Type) []string {
	var names []string
	for _, t := range types {
		for _, f := range fieldsOf(t) {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TopLevel returns the keys that the structs take, sorted.
func TopLevel(of ...any) []string {
	types := make([]reflect.Type, len(of))
	for i, one := range of {
		types[i] = structType(reflect.TypeOf(one))
	}
	return fieldNames(types)
}

// Paths returns the paths of all settings of a struct that hold one value and
// stand in no list or map, for a suggestion.
func Paths(of any) []string {
	var paths []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for _, f := range fieldsOf(t) {
			path := join(prefix, f.name)
			if f.typ.Kind() == reflect.Struct && len(fieldsOf(f.typ)) > 0 {
				walk(f.typ, path)
				continue
			}
			paths = append(paths, path)
		}
	}
	walk(structType(reflect.TypeOf(of)), "")
	return paths
}

func structType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isSecret(t reflect.Type) bool {
	t = structType(t)
	return t == reflect.TypeFor[secret.String]() || t == reflect.TypeFor[secret.URL]()
}

func isScalarReader(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[scalarReader]())
}

// hasLongForm says whether a type that reads itself from a scalar may be written
// as a mapping, too, or as a list where it is one.
func hasLongForm(t reflect.Type) bool {
	return t.Kind() == reflect.Map || t.Kind() == reflect.Slice || t.Kind() == reflect.Struct && len(fieldsOf(t)) > 0
}

// longForm is the kind of node that a type with a long form takes for it.
func longForm(t reflect.Type) yaml.Kind {
	if t.Kind() == reflect.Slice {
		return yaml.SequenceNode
	}
	return yaml.MappingNode
}

// want says what a type is written as.
func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 5s"
	case t == reflect.TypeFor[units.ByteSize]():
		return "a size such as 512MB"
	case isScalarReader(t) && t.Kind() == reflect.Slice:
		return "a text or a list"
	case isScalarReader(t) && hasLongForm(t):
		return "a text or a mapping"
	case isScalarReader(t):
		return "a text"
	}
	switch kind := t.Kind(); {
	case kind == reflect.Pointer:
		return want(t.Elem())
	case kind == reflect.String:
		return "a text"
	case kind == reflect.Bool:
		return "true or false"
	case kind >= reflect.Int && kind <= reflect.Uint64:
		return "a whole number"
	case kind == reflect.Float32 || kind == reflect.Float64:
		return "a number"
	case kind == reflect.Slice:
		return "a list"
	case kind == reflect.Map || kind == reflect.Struct:
		return "a mapping"
	}
	return "a value"
}
