package yamlpos

import "reflect"

// What others must know to describe what Decode reads, as a schema does.
const (
	// ExtensionPrefix begins the top-level keys that are no settings.
	ExtensionPrefix = extensionPrefix
	// FileSuffix makes of the key of a secret the key of the file that holds it.
	FileSuffix = fileSuffix
)

// Key is one key that a struct takes.
type Key struct {
	Name string
	Type reflect.Type
	// Owner is the struct that declares the field, and Field its name there: an
	// inlined struct's fields are its own.
	Owner reflect.Type
	Field string
	// Secret says that FileSuffix may follow the name.
	Secret bool
}

// Keys returns the keys that a struct takes, in the order of its fields.
func Keys(t reflect.Type) []Key {
	fields := fieldsOf(t)
	keys := make([]Key, len(fields))
	for i, f := range fields {
		owner := t
		if above := f.index[:len(f.index)-1]; len(above) > 0 {
			owner = t.FieldByIndex(above).Type
		}
		keys[i] = Key{f.name, f.typ, owner, t.FieldByIndex(f.index).Name, isSecret(f.typ)}
	}
	return keys
}

// ReadsScalar says whether a type reads itself from a scalar's text.
func ReadsScalar(t reflect.Type) bool { return isScalarReader(t) }

// IsSecret says whether a type holds a secret.
func IsSecret(t reflect.Type) bool { return isSecret(t) }

// NeedsValue says whether a mapping's values of a type cannot be empty.
func NeedsValue(t reflect.Type) bool { return needsText(t) }
