package route

import "github.com/tocsin-dev/tocsin/internal/schema"

// JSONSchema says what reflection cannot of a route's fields.
func (Spec) JSONSchema() schema.Schema {
	labels := schema.List(schema.Text(`^(?:[a-zA-Z_][a-zA-Z0-9_]*|\.\.\.)$`, "the name of a label, or '...' for every label"))
	return schema.Object(schema.Schema{
		"receivers": schema.Schema{"uniqueItems": true},
		"group_by": schema.Merge(labels, schema.Schema{
			"uniqueItems": true,
			"if":          schema.Schema{"type": "array", "contains": schema.Schema{"const": everyLabel}},
			"then":        schema.Schema{"maxItems": 1},
		}),
		"group_wait": schema.Schema{}, "group_interval": schema.MoreThanZero(),
		"fallback": schema.Schema{"uniqueItems": true},
	})
}

// JSONSchema says what reflection cannot of a step's fields.
func (StepSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"after": schema.MoreThanZero(), "receivers": schema.Schema{"uniqueItems": true, "minItems": 1},
	}, "after", "receivers")
}

// JSONSchema says what reflection cannot of a time interval's fields.
func (IntervalSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"name": schema.NotEmpty(), "time_intervals": schema.Schema{"minItems": 1}}, "name", "time_intervals")
}

// JSONSchema says what reflection cannot of a span's fields.
func (SpanSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"weekdays": schema.List(schema.Text(ranges(`(?:[sS][uU][nN]|[mM][oO][nN]|[tT][uU][eE]|[wW][eE][dD]|[tT][hH][uU]|[fF][rR][iI]|[sS][aA][tT])[a-zA-Z]*`),
			"a day of the week or a range, such as monday:friday")),
		"days_of_month": schema.List(schema.With(schema.Text(ranges(`-?(?:0?[1-9]|[12][0-9]|3[01])`), "a day of the month or a range, such as 1:5 or -3:-1"), schema.Between(-31, 31))),
		"months": schema.List(schema.With(schema.Text(ranges(`(?:0?[1-9]|1[0-2]|(?:[jJ][aA][nN]|[fF][eE][bB]|[mM][aA][rR]|[aA][pP][rR]|[mM][aA][yY]|[jJ][uU][nN]|`+
			`[jJ][uU][lL]|[aA][uU][gG]|[sS][eE][pP]|[oO][cC][tT]|[nN][oO][vV]|[dD][eE][cC])[a-zA-Z]*)`), "a month or a range, such as january:march"), schema.Between(1, 12))),
		"years": schema.List(schema.Text(ranges(`[0-9]{1,4}`), "a year or a range, such as 2026:2027")),
	})
}

func ranges(one string) string { return `^\s*` + one + `\s*(?::\s*` + one + `\s*)?$` }

const timeOfDay = `(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00`

// ScalarSchema says which texts FromScalar takes.
func (TimesSpec) ScalarSchema() schema.Schema {
	return schema.Text(`^\s*(?:`+timeOfDay+`)\s*-\s*(?:`+timeOfDay+`)\s*$`, "times of the day such as 09:00-17:00")
}

// JSONSchema says what reflection cannot of the long form.
func (TimesSpec) JSONSchema() schema.Schema {
	one := schema.Text(`^(?:`+timeOfDay+`)$`, "a time of the day such as 09:00")
	return schema.Object(schema.Schema{"start_time": one, "end_time": one}, "start_time", "end_time")
}

// JSONSchema says what reflection cannot of planned work.
func (MaintenanceSpec) JSONSchema() schema.Schema {
	moment := schema.Text(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?$`,
		"a moment such as 2026-12-01T22:00:00Z or 2026-12-01 22:00")
	s := schema.Object(schema.Schema{
		"name": schema.NotEmpty(), "match": schema.Schema{"minItems": 1}, "from": moment, "to": moment,
	}, "name", "match")
	s["anyOf"] = []any{
		schema.Schema{"required": []string{"to"}},
		schema.Schema{"required": []string{"time_intervals"}, "properties": schema.Schema{"time_intervals": schema.Schema{"minItems": 1}}},
	}
	s["errorMessage"] = "it would never end: write to, or time_intervals"
	return s
}

// RootSchema says what the root of the tree is beside: it takes every alert.
func RootSchema() schema.Schema {
	noIntervals := schema.Schema{"maxItems": 0, "errorMessage": "the root route takes every alert, at any time; put it on a route below"}
	return schema.Object(schema.Schema{
		"match":                 schema.Schema{"maxItems": 0, "maxLength": 0, "errorMessage": "the root route takes every alert; put match on a route below"},
		"mute_time_intervals":   noIntervals,
		"active_time_intervals": noIntervals,
		"continue":              schema.Schema{"not": schema.Schema{"const": true}, "errorMessage": "nothing comes after the root route; remove it"},
		"receivers":             schema.Schema{"minItems": 1},
	}, "receivers")
}

// JSONSchema says what reflection cannot of an inhibition's fields.
func (InhibitSpec) JSONSchema() schema.Schema {
	matchers := schema.Schema{"minItems": 1}
	return schema.Object(schema.Schema{"source": matchers, "target": matchers, "equal": schema.LabelNames()}, "source", "target")
}
