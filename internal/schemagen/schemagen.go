// Package schemagen makes JSON Schemas (draft 2020-12) of the structs that
// yamlpos decodes: keys and types by reflection, descriptions from the sources'
// comments, and what the types say of themselves (package schema). configs
// calls it for the two schemas that ship. It reads no YAML, and Go sources only
// for their comments.
package schemagen

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Generator makes one schema. It is not safe for concurrent use.
type Generator struct {
	docs *Docs
	defs schema.Schema
	errs []error
}

// New returns a generator that describes by the comments in docs.
func New(docs *Docs) *Generator {
	return &Generator{docs: docs, defs: schema.Schema{
		"duration": durations(),
		"variable": variable(),
	}}
}

// Document returns the schema of a whole file: that of its mapping, with what
// every schema has at its top.
func (g *Generator) Document(id, title, description string, root schema.Schema) (schema.Schema, error) {
	if len(g.errs) > 0 {
		return nil, g.errs[0]
	}
	return schema.Merge(root, schema.Schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": id, "title": title, "description": description,
		"type": "object", "$defs": g.defs,
		"patternProperties": schema.Schema{"^" + yamlpos.ExtensionPrefix: schema.Schema{"description": "A place for anchors; no setting."}},
	}), nil
}

// Object returns the schema of the mapping that fills all of the structs; a key
// that two take is the first one's. Pointers stand for what they point to.
func (g *Generator) Object(of ...reflect.Type) schema.Schema {
	properties := schema.Schema{}
	s := schema.Schema{"type": []string{"object", "null"}, "additionalProperties": false}
	var secrets []string
	over := schema.Schema{}
	for _, t := range of {
		t = pointee(t)
		over = schema.Merge(over, overlay(t))
		for _, key := range yamlpos.Keys(t) {
			if properties[key.Name] != nil {
				continue
			}
			properties[key.Name] = g.property(key)
			if key.Secret {
				secrets = append(secrets, key.Name)
				properties[key.Name+yamlpos.FileSuffix] = secretFile(key.Name)
			}
		}
	}
	said, _ := over["properties"].(schema.Schema)
	for name, more := range said {
		if more, ok := more.(schema.Schema); ok {
			properties[name] = g.lay(properties[name], more, fieldType(of, name))
		}
	}
	delete(over, "properties")
	s["properties"] = properties
	required, _ := over["required"].([]string)
	delete(over, "required")
	s = schema.Merge(s, open(over))
	g.require(s, required, secrets)
	for _, name := range secrets {
		addAll(s, onlyOne(name))
	}
	return s
}

// Define keeps a schema under a name and returns a reference to it.
func (g *Generator) Define(name string, s schema.Schema) schema.Schema {
	g.defs[name] = s
	return schema.Schema{"$ref": "#/$defs/" + name}
}

func (g *Generator) property(key yamlpos.Key) schema.Schema {
	s := g.value(key.Type)
	text, err := g.docs.field(key.Owner, key.Field, key.Name)
	if t := elementary(key.Type); err == nil && text == "" && t.Kind() == reflect.Struct && !key.Secret {
		text, err = g.docs.typ(t, key.Name)
	}
	if err != nil {
		g.errs = append(g.errs, err)
	}
	if text != "" {
		s = schema.Merge(s, schema.Schema{"description": text})
	}
	return s
}

// value returns the schema of a type's values. An empty value is one: it counts
// as not written.
func (g *Generator) value(t reflect.Type) schema.Schema {
	t = pointee(t)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return schema.Schema{"$ref": "#/$defs/duration"}
	case yamlpos.ReadsScalar(t):
		return g.reader(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		if t.Name() == "" {
			return g.Object(t)
		}
		return g.named(t, func() schema.Schema { return g.Object(t) }, "object", "null")
	case reflect.Map:
		return g.mapping(t)
	case reflect.Slice:
		items := g.value(t.Elem())
		if t.Elem().Kind() != reflect.Interface {
			items = g.given(items)
		}
		return schema.Schema{"type": []string{"array", "null"}, "items": items}
	case reflect.Interface:
		return schema.Schema{}
	case reflect.String:
		return scalarText(nil)
	case reflect.Bool:
		return orVariable("boolean", "true or false")
	case reflect.Float32, reflect.Float64:
		return orVariable("number", "a number")
	default:
		return orVariable("integer", "a whole number")
	}
}

func (g *Generator) mapping(t reflect.Type) schema.Schema {
	values := g.value(t.Elem())
	if yamlpos.NeedsValue(t.Elem()) {
		values = g.given(values)
	}
	return schema.Schema{"type": []string{"object", "null"}, "additionalProperties": values}
}

// reader is the schema of a type that reads itself from a scalar, and that may
// have a long form.
func (g *Generator) reader(t reflect.Type) schema.Schema {
	var said schema.Schema
	if d, ok := reflect.New(t).Interface().(schema.ScalarDescriber); ok {
		said = d.ScalarSchema()
	}
	text := scalarText(said)
	switch {
	case yamlpos.IsSecret(t):
		return text
	case t.Kind() == reflect.Struct && len(yamlpos.Keys(t)) > 0:
	case t.Kind() == reflect.Map || t.Kind() == reflect.Slice:
	default:
		return text
	}
	form := "object"
	if t.Kind() == reflect.Slice {
		form = "array"
	}
	if choice, ok := text["anyOf"].([]any); ok { // of the texts; the long form is none of them
		text["anyOf"] = append(choice, schema.Schema{"type": form})
	}
	types := append([]string{form}, typesOf(text)...)
	return g.named(t, func() schema.Schema {
		var long schema.Schema
		switch t.Kind() {
		case reflect.Map:
			long = schema.Merge(g.mapping(t), open(overlay(t)))
		case reflect.Slice: // of such texts
			long = schema.Schema{"items": g.given(scalarText(said))}
		default:
			long = g.Object(t)
		}
		return schema.Merge(schema.Merge(text, long), schema.Schema{"type": types})
	}, types...)
}

// named keeps the schema of a type under its name and returns a reference. A
// type may contain itself.
func (g *Generator) named(t reflect.Type, build func() schema.Schema, types ...string) schema.Schema {
	name := path.Base(t.PkgPath()) + "." + t.Name()
	if _, known := g.defs[name]; !known {
		g.defs[name] = schema.Schema{"type": types} // what given asks for meanwhile
		s := build()
		text, err := g.docs.typ(t, "")
		if err != nil {
			g.errs = append(g.errs, err)
		}
		if text != "" {
			s["description"] = text
		}
		g.defs[name] = s
	}
	return schema.Schema{"$ref": "#/$defs/" + name}
}

// given is a schema without the empty value.
func (g *Generator) given(s schema.Schema) schema.Schema {
	types := typesOf(s)
	if ref, ok := s["$ref"].(string); ok && len(types) == 0 {
		def, _ := g.defs[strings.TrimPrefix(ref, "#/$defs/")].(schema.Schema)
		types = typesOf(def)
	}
	if len(types) == 0 {
		return s
	}
	types = slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "null" })
	return schema.Merge(s, schema.Schema{"type": types})
}

// lay lays what a type says of a field over what its Go type says. What is laid
// over a mapping is written out: editors differ in what may stand beside $ref.
func (g *Generator) lay(found any, more schema.Schema, t reflect.Type) schema.Schema {
	s, _ := found.(schema.Schema)
	_, deep := more["properties"]
	if deep && t != nil && pointee(t).Kind() == reflect.Struct {
		inner := g.Object(t)
		names, _ := more["required"].([]string)
		rest := schema.Merge(more, nil)
		delete(rest, "required")
		inner = schema.Merge(inner, open(rest))
		g.require(inner, names, nil)
		if text, ok := s["description"]; ok {
			inner["description"] = text
		}
		return inner
	}
	_, pattern := more["pattern"]
	_, enum := more["enum"]
	if pattern || enum {
		keep := schema.Schema{}
		if text, ok := s["description"]; ok {
			keep["description"] = text
		}
		return schema.Merge(scalarText(more), keep)
	}
	if items, ok := more["items"].(schema.Schema); ok {
		more = schema.Merge(more, nil)
		more["items"] = g.lay(s["items"], items, nil)
		if _, text := items["pattern"]; text || items["enum"] != nil {
			more["items"] = g.given(more["items"].(schema.Schema)) //nolint:forcetypeassert // made a line above
		}
	}
	return schema.Merge(s, open(more))
}

// overlay is what a struct and those inlined in it say of themselves.
func overlay(t reflect.Type) schema.Schema {
	over := schema.Schema{}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if f := t.Field(i); f.Anonymous && f.Type.Kind() == reflect.Struct {
				over = schema.Merge(over, overlay(f.Type))
			}
		}
	}
	if d, ok := reflect.New(t).Interface().(schema.Describer); ok {
		over = schema.Merge(over, d.JSONSchema())
	}
	return over
}

func fieldType(of []reflect.Type, name string) reflect.Type {
	for _, t := range of {
		for _, key := range yamlpos.Keys(pointee(t)) {
			if key.Name == name {
				return key.Type
			}
		}
	}
	return nil
}

func pointee(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// elementary is the type whose comment describes a field that has none.
func elementary(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map && t.Name() == "" {
		t = t.Elem()
	}
	return t
}

func typesOf(s schema.Schema) []string {
	types, _ := s["type"].([]string)
	return types
}

func addAll(s, more schema.Schema) {
	all, _ := s["allOf"].([]any)
	s["allOf"] = append(slices.Clip(all), more)
}
