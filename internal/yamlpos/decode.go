package yamlpos

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// extensionPrefix begins the top-level keys that are no settings: a place for
// anchors, as in Docker Compose.
const extensionPrefix = "x-"

// Decode fills into, which must be a pointer, from the whole document, and
// returns every mistake. What is not written keeps the value that it has, so
// defaults are set before; an empty value counts as not written. Struct fields
// are named by their yaml tag; a key that no field takes is a mistake. With
// several targets each takes its own keys; a *map[string]any takes the rest.
// Lists and maps are replaced, not added to.
func (d *Document) Decode(into ...any) Mistakes { return d.DecodeAt("", into...) }

// DecodeAt fills into from the part of the document at the path; when there is
// none it does nothing.
func (d *Document) DecodeAt(path string, into ...any) Mistakes {
	return d.decodeAt(path, false, into)
}

// MergeAt is DecodeAt but for maps, which are added to key by key: what the
// document says of a thing changes what another one said of it. Lists are
// replaced.
func (d *Document) MergeAt(path string, into ...any) Mistakes {
	return d.decodeAt(path, true, into)
}

func (d *Document) decodeAt(path string, merge bool, into []any) Mistakes {
	f := d.find(path)
	if f.rest != "" {
		return nil
	}
	targets := make([]reflect.Value, len(into))
	for i, target := range into {
		targets[i] = reflect.ValueOf(target).Elem()
	}
	dec := decoder{d: d, merge: merge, fields: map[reflect.Type][]field{}}
	if len(targets) == 1 {
		dec.value(f.node, targets[0], path)
	} else {
		dec.mapping(f.node, targets, path)
	}
	return dec.mistakes.Sorted()
}

// decoder collects the mistakes of one Decode.
type decoder struct {
	d        *Document
	merge    bool // add to maps
	mistakes Mistakes
	// fields has the keys of the structs met so far: a list of ten thousand
	// items asks for the same ones each time.
	fields map[reflect.Type][]field
}

func (dec *decoder) fieldsOf(t reflect.Type) []field {
	known, ok := dec.fields[t]
	if !ok {
		known = fieldsOf(t)
		dec.fields[t] = known
	}
	return known
}

// refuse reports a value and remembers that it was reported.
func (dec *decoder) refuse(n *yaml.Node, path, hint, format string, args ...any) {
	dec.d.broken[n] = true
	dec.report(n, path, hint, format, args...)
}

func (dec *decoder) report(n *yaml.Node, path, hint, format string, args ...any) {
	m := dec.d.mistakeAt(n, place{n.Line, n.Column}, path, fmt.Sprintf(format, args...), hint)
	m.Code = problem.WrongValue
	dec.mistakes = append(dec.mistakes, m)
}

// value fills v from n.
func (dec *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	n = resolve(n)
	t := v.Type()
	if dec.d.broken[n] {
		return
	}
	if !isSecret(t) && t.Kind() != reflect.Interface {
		dec.d.markOpen(n) // an any vouches for nothing
	}
	switch {
	case t == reflect.TypeFor[Deferred]():
		v.Set(reflect.ValueOf(Deferred{Path: path}))
	case dec.d.isNull(n):
		// Absent: the value stays what it is.
	case t.Kind() == reflect.Pointer:
		dec.pointer(n, v, path)
	case isScalarReader(t):
		dec.reader(n, v, path)
	case t == reflect.TypeFor[time.Duration]():
		dec.duration(n, v, path)
	default:
		dec.byKind(n, v, path)
	}
}

func (dec *decoder) byKind(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Struct:
		dec.mapping(n, []reflect.Value{v}, path)
	case reflect.Map:
		dec.mapOf(n, v, path)
	case reflect.Slice:
		dec.slice(n, v, path)
	case reflect.Interface:
		if value := dec.any(n, path); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	default:
		dec.scalar(n, v, path)
	}
}

// pointer fills what v points to, or a new value.
func (dec *decoder) pointer(n *yaml.Node, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	dec.value(n, v.Elem(), path)
}

// reader lets a type read itself from a scalar, or fills it as the struct, the
// map or the list that it is.
func (dec *decoder) reader(n *yaml.Node, v reflect.Value, path string) {
	if hasLongForm(v.Type()) && dec.opened(n, path).Kind == longForm(v.Type()) {
		switch v.Kind() {
		case reflect.Map:
			dec.mapOf(n, v, path)
		case reflect.Slice:
			dec.slice(n, v, path)
		default:
			dec.mapping(n, []reflect.Value{v}, path)
		}
		return
	}
	if n.Kind != yaml.ScalarNode {
		dec.wrongType(n, v.Type(), path)
		return
	}
	if isSecret(v.Type()) {
		dec.d.markSecret(n)
	}
	reader, ok := v.Addr().Interface().(scalarReader)
	if !ok {
		return
	}
	if err := reader.FromScalar(n.Value); err != nil {
		dec.badText(n, path, err)
	}
}

func (dec *decoder) badText(n *yaml.Node, path string, err error) {
	message, hint, _ := strings.Cut(err.Error(), "; ")
	dec.refuse(n, path, dec.d.hide(n, hint), "%s", dec.d.hide(n, message))
}

// opened reads an override's inline text as YAML, in place; any other node is
// returned as it is.
func (dec *decoder) opened(n *yaml.Node, path string) *yaml.Node {
	in, ok := dec.d.inline[n]
	if !ok {
		return n
	}
	delete(dec.d.inline, n)
	for _, m := range in.mistakes {
		m.Path = path
		dec.mistakes = append(dec.mistakes, m)
		dec.d.broken[n] = true
	}
	if in.node != nil {
		*n = *in.node
		dec.d.made(in.text, n)
	}
	return n
}

// wrongType reports a value of the wrong shape.
func (dec *decoder) wrongType(n *yaml.Node, t reflect.Type, path string) {
	hint := ""
	switch t.Kind() {
	case reflect.Slice:
		if n.Kind == yaml.ScalarNode {
			hint = "write [a, b], or one item a line after -"
		}
	case reflect.Map, reflect.Struct:
		if n.Kind == yaml.ScalarNode && strings.Contains(dec.d.raw(n), ":") && !strings.Contains(dec.d.raw(n), ": ") {
			hint = "put a space after the colon"
		}
	}
	dec.refuse(n, path, hint, "want %s, not %s", want(t), dec.d.describe(n))
}

// mapping fills structs from a mapping; see Decode for several of them.
func (dec *decoder) mapping(n *yaml.Node, targets []reflect.Value, path string) {
	if n = dec.opened(resolve(n), path); dec.d.broken[n] || dec.d.isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		dec.wrongType(n, targets[0].Type(), path)
		return
	}
	types := make([]reflect.Type, 0, len(targets))
	var rest reflect.Value
	for _, v := range targets {
		if v.Kind() == reflect.Map {
			rest = v
		} else {
			types = append(types, v.Type())
		}
	}
	entries := dec.d.entries(n)
	for _, e := range entries {
		at := join(path, e.name)
		v, isFile := dec.lookupField(targets, e.name)
		switch {
		case v.IsValid() && isFile:
			dec.secretFile(entries, e, v, at)
		case v.IsValid() && dec.entry(e, v, targets, at):
		case v.IsValid():
			dec.value(e.value, v, at)
		case rest.IsValid():
			dec.restEntry(e, rest, at)
		case path == "" && strings.HasPrefix(e.name, extensionPrefix):
		default:
			dec.unknown(n, e, types, at)
		}
	}
}

// entryReader is implemented by structs whose text fields can also be written as
// a mapping of one entry, as in `when: {3 of 5: value < 70}`.
type entryReader interface {
	FromEntry(field, key, value string) error
}

// entry hands a mapping in the place of a text to the struct that the text
// belongs to; false when it is none.
func (dec *decoder) entry(e entry, v reflect.Value, targets []reflect.Value, path string) bool {
	n := resolve(e.value)
	if v.Kind() != reflect.String || n.Kind != yaml.MappingNode {
		return false
	}
	for _, target := range targets {
		reader, ok := target.Addr().Interface().(entryReader)
		if !ok {
			continue
		}
		entries := dec.d.entries(n)
		if len(entries) != 1 || resolve(entries[0].value).Kind != yaml.ScalarNode {
			dec.wrongType(n, v.Type(), path)
			return true
		}
		inner := entries[0]
		if err := reader.FromEntry(e.name, inner.name, resolve(inner.value).Value); err != nil {
			dec.badText(inner.key, path, err)
		}
		return true
	}
	return false
}

func (dec *decoder) unknown(in *yaml.Node, e entry, types []reflect.Type, path string) {
	names := fieldNames(types)
	if meant := problem.Nearest(e.name, names); meant != "" {
		dec.d.unknown[in] = append(dec.d.unknown[in], meant)
	}
	for _, t := range types {
		for _, f := range fieldsOf(t) {
			if isSecret(f.typ) && f.name == problem.Nearest(e.name, names) {
				dec.d.markSecret(e.value) // a secret under a misspelt key is one still
			}
		}
	}
	hint := problem.DidYouMean(e.name, names)
	if hint == "" && len(names) > 0 && len(names) <= 12 {
		hint = "known here: " + strings.Join(names, ", ")
	}
	dec.report(e.key, path, hint, "unknown field")
	dec.mistakes[len(dec.mistakes)-1].Code = problem.UnknownField
}

// lookupField finds the field that takes a key. isFile says that the key is
// x_file for a secret x.
func (dec *decoder) lookupField(targets []reflect.Value, name string) (v reflect.Value, isFile bool) {
	base, mayBeFile := strings.CutSuffix(name, fileSuffix)
	for _, target := range targets {
		if target.Kind() != reflect.Struct {
			continue
		}
		for _, f := range dec.fieldsOf(target.Type()) {
			if f.name == name {
				return target.FieldByIndex(f.index), false
			}
			if mayBeFile && f.name == base && isSecret(f.typ) {
				v, isFile = target.FieldByIndex(f.index), true
			}
		}
	}
	return v, isFile
}

func (dec *decoder) restEntry(e entry, rest reflect.Value, path string) {
	if rest.IsNil() {
		rest.Set(reflect.MakeMap(rest.Type()))
	}
	key := reflect.ValueOf(e.name).Convert(rest.Type().Key())
	value := reflect.New(rest.Type().Elem()).Elem()
	if before := rest.MapIndex(key); dec.merge && before.IsValid() {
		value.Set(before)
	}
	dec.value(e.value, value, path)
	rest.SetMapIndex(key, value)
}

func (dec *decoder) mapOf(n *yaml.Node, v reflect.Value, path string) {
	if n = dec.opened(n, path); dec.d.broken[n] {
		return
	}
	if n.Kind != yaml.MappingNode || v.Type().Key().Kind() != reflect.String {
		dec.wrongType(n, v.Type(), path)
		return
	}
	if v.IsNil() || !dec.merge {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range dec.d.entries(n) {
		at := join(path, e.name)
		if dec.d.isNull(e.value) && needsText(v.Type().Elem()) {
			dec.refuse(e.value, at, "", "want %s, not nothing", want(v.Type().Elem()))
			continue
		}
		dec.restEntry(e, v, at)
	}
}

func (dec *decoder) slice(n *yaml.Node, v reflect.Value, path string) {
	if n = dec.opened(n, path); dec.d.broken[n] {
		return
	}
	if n.Kind != yaml.SequenceNode {
		dec.wrongType(n, v.Type(), path)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := itemPath(path, i)
		item = resolve(item)
		if t := v.Type().Elem(); dec.d.isNull(item) && t.Kind() != reflect.Interface && !dec.d.broken[item] {
			dec.refuse(item, at, "", "want %s, not nothing", want(t))
			continue
		}
		dec.value(item, v.Index(i), at)
	}
}

// needsText says whether an empty value cannot stand for a type.
func needsText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		return isSecret(t)
	}
	return true
}
