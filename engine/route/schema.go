package route

import "github.com/tocsin-dev/tocsin/internal/schema"

// JSONSchema says what reflection cannot of a route's fields.
func (Spec) JSONSchema() schema.Schema {
	labels := schema.List(schema.Text(`^(?:[a-zA-Z_][a-zA-Z0-9_]*|\.\.\.)$`, "the name of a label, or '...' for every label"))
	return schema.Object(schema.Schema{
		"match":     schema.Matchers(),
		"receivers": schema.Schema{"uniqueItems": true},
		"group_by": schema.Merge(labels, schema.Schema{
			"uniqueItems": true,
			"if":          schema.Schema{"type": "array", "contains": schema.Schema{"const": everyLabel}},
			"then":        schema.Schema{"maxItems": 1},
		}),
		"group_wait": schema.Schema{}, "group_interval": schema.MoreThanZero(), "repeat_interval": schema.MoreThanZero(),
	})
}

// RootSchema says what the root of the tree is beside: it takes every alert.
func RootSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"match":     schema.Schema{"maxItems": 0, "errorMessage": "the root route takes every alert; put match on a route below"},
		"continue":  schema.Schema{"not": schema.Schema{"const": true}, "errorMessage": "nothing comes after the root route; remove it"},
		"receivers": schema.Schema{"minItems": 1},
	}, "receivers")
}

// JSONSchema says what reflection cannot of an inhibition's fields.
func (InhibitSpec) JSONSchema() schema.Schema {
	matchers := schema.Merge(schema.Matchers(), schema.Schema{"minItems": 1})
	return schema.Object(schema.Schema{"source": matchers, "target": matchers, "equal": schema.LabelNames()}, "source", "target")
}
