package schemagen

import (
	"slices"

	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// require lets a mapping be right only with the keys. A secret may stand in a
// file.
func (g *Generator) require(s schema.Schema, names, secrets []string) {
	properties, _ := s["properties"].(schema.Schema)
	var plain []string
	for _, name := range names {
		if slices.Contains(secrets, name) {
			addAll(s, schema.Schema{"anyOf": []any{
				schema.Schema{"required": []string{name}, "properties": schema.Schema{name: schema.Schema{"not": schema.Schema{"type": "null"}}}},
				schema.Schema{"required": []string{name + yamlpos.FileSuffix}},
			}, "errorMessage": name + " or " + name + yamlpos.FileSuffix + " is missing"})
			continue
		}
		plain = append(plain, name)
		if p, ok := properties[name].(schema.Schema); ok {
			properties[name] = g.given(p)
		}
	}
	if len(plain) > 0 {
		s["required"] = plain
	}
}

func secretFile(name string) schema.Schema {
	return schema.Merge(scalarText(nil), schema.Schema{
		"description": "The file that holds `" + name + "`, relative to the folder of this one. The final line break is not part of it.",
	})
}

// onlyOne refuses a secret that is written twice. No file's name is a list: that
// editors word as they are told, which they do not do for "not".
func onlyOne(name string) schema.Schema {
	file := name + yamlpos.FileSuffix
	return schema.Schema{
		"if": schema.Schema{
			"required": []string{name}, "properties": schema.Schema{name: schema.Schema{"not": schema.Schema{"type": "null"}}},
		},
		"then": schema.Schema{"properties": schema.Schema{
			file: schema.Schema{"type": "array", "errorMessage": name + " and " + file + " are both given; keep one"},
		}},
	}
}
