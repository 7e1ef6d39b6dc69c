package rule

import (
	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source"
)

// What an editor can know of a rule before Compile reads it. A condition's
// names and units it cannot.

// JSONSchema says what reflection cannot of a rule file's fields.
func (File) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"use": schema.List(schema.With(schema.Text(`^(?:[^-]|-.)`, "a file, a pattern or a pack"), schema.Schema{"examples": []string{"pack:redis"}})),
	})
}

// JSONSchema says what reflection cannot of a rule's fields. A rule that changes
// one of another file needs nothing but its id.
func (Spec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"id":         schema.With(schema.Text(idPattern.String(), "an id of letters, digits and - _ . :"), schema.Schema{"maxLength": 200}),
		"metric":     schema.Schema{"examples": source.NewCatalog(nil, false).Names()},
		"match":      schema.Matchers(),
		"by":         schema.LabelNames(),
		"combine":    schema.Enum(combinations()...),
		"clear":      conditionSchema(),
		"min_volume": conditionSchema(),
		"no_data":    noDataSchema(),
		"labels":     schema.Labels(alert.LabelName, alert.LabelCategory, alert.LabelSeverity),
	}, "id")
}

// JSONSchema says what reflection cannot of an override's fields.
func (Override) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"match":      schema.Merge(schema.Matchers(), schema.Schema{"minItems": 1}),
		"clear":      conditionSchema(),
		"min_volume": conditionSchema(),
		"no_data":    noDataSchema(),
	}, "match")
}

func noDataSchema() schema.Schema {
	return schema.Enum(noDataKeep, noDataOK, alert.Info.String(), alert.Warning.String(), alert.Critical.String())
}

// conditionSchema is what every condition has somewhere: a comparison or a truth
// value. The empty text takes a used rule's condition away.
func conditionSchema() schema.Schema {
	return schema.With(
		schema.Text(`^\s*$|[<>]|[=!]=|\b(?:in|matches|contains|startsWith|endsWith|true|false)\b`, "a condition such as value < 70"),
		schema.Schema{"examples": []string{"value < 70", "avg(5m) > 80"}},
	)
}

// ScalarSchema is that of the short form, a condition.
func (When) ScalarSchema() schema.Schema { return conditionSchema() }

// JSONSchema says what stands under when: a condition, or how often it must hold
// and the condition.
func (When) JSONSchema() schema.Schema {
	often := schema.Schema{
		"type": []string{"string", "boolean", "object", "null"}, "minProperties": 1, "maxProperties": 1,
		"propertyNames":        Polls{}.ScalarSchema(),
		"additionalProperties": schema.With(conditionSchema(), schema.Schema{"type": []string{"string", "boolean"}}),
	}
	return schema.Object(schema.Schema{"when": schema.With(conditionSchema(), often)})
}

// ScalarSchema is that of "3 of 5".
func (Polls) ScalarSchema() schema.Schema {
	return schema.Text(`^\s*[1-9][0-9]* of [1-9][0-9]*\s*$`, "a number of polls such as 3 of 5")
}

// ScalarSchema is that of 2, 10ms, 16MB and 5%.
func (MarginSpec) ScalarSchema() schema.Schema {
	return schema.With(schema.Text(units.QuantityPattern(), "a margin such as 2, 10ms, 16MB or 5%"), schema.AtLeast(0))
}

// ScalarSchema is that of "6 in 30m", and of off.
func (Flapping) ScalarSchema() schema.Schema {
	return schema.Text(`^(\s*[0-9]+\s+in\s+[0-9].*|off)?$`, "a number of changes and a time, such as 6 in 30m, or off")
}

// JSONSchema says what reflection cannot of the long form. A file that changes a
// used rule may write half of it.
func (Flapping) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"changes": schema.Between(2, maxFlappingChanges), "within": schema.MoreThanZero(),
	})
}

// ScalarSchema is that of the short form, a rule's id.
func (Dependency) ScalarSchema() schema.Schema {
	return schema.Text(idPattern.String(), "the id of a rule")
}

// JSONSchema says what reflection cannot of the long form.
func (Dependency) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"rule": Dependency{}.ScalarSchema(), "equal": schema.LabelNames()}, "rule")
}

// JSONSchema says what reflection cannot of a derived metric's fields.
func (Derived) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"unit": schema.Enum("", "%", "ms", "s", "bytes", "/s", "/min", "bytes/s"), "labels": schema.LabelNames(),
	}, "name", "expr")
}

// JSONSchema says what reflection cannot of a test's fields.
func (TestSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"labels": schema.Labels(alert.LabelSeverity),
		"every":  schema.MoreThanZero(),
		"begins": schema.Text(`^$|^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+)$`, "a moment such as 2026-01-05T09:00:00+01:00"),
		"expect": schema.Schema{"propertyNames": schema.Text(units.DurationPattern(), "a moment since the first poll, such as 5m30s")},
	}, "rule", "series")
}

// ScalarSchema is that of the short form, polls of the rule's own metric.
func (SeriesTexts) ScalarSchema() schema.Schema { return pollsSchema() }

// JSONSchema says what stands under the names of series.
func (SeriesTexts) JSONSchema() schema.Schema {
	return schema.Schema{"additionalProperties": pollsSchema()}
}

func pollsSchema() schema.Schema { return schema.NotEmpty() }

// ScalarSchema is that of the short form, a severity.
func (ExpectSpec) ScalarSchema() schema.Schema {
	return schema.Enum("ok", "pending", alert.Info.String(), alert.Warning.String(), alert.Critical.String(), "firing")
}

// JSONSchema says what reflection cannot of the long form.
func (ExpectSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"severity": ExpectSpec{}.ScalarSchema()})
}
