package configs

import (
	_ "embed"
	"maps"
	"reflect"
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/schemagen"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// The schemas that ship. `make schema` writes them anew, and a test of
// cmd/tocsin finds them stale.
//
//nolint:gochecknoglobals // go:embed knows no other way
var (
	//go:embed rules.schema.json
	rulesSchema string
	//go:embed config.schema.json
	configSchema string
)

// schemaHome is where the schemas can be fetched.
const schemaHome = "https://raw.githubusercontent.com/tocsin-dev/tocsin/main/configs/"

// RulesSchema returns the JSON Schema of a rule file.
func RulesSchema() string { return rulesSchema }

// ConfigSchema returns the JSON Schema of a configuration.
func ConfigSchema() string { return configSchema }

// MakeRulesSchema makes RulesSchema of the types and their comments.
func MakeRulesSchema(docs *schemagen.Docs) (schema.Schema, error) {
	g := schemagen.New(docs)
	root := g.Object(reflect.TypeFor[rule.File]())
	root["anyOf"] = oneOfTheKeys()
	root["errorMessage"] = "the file holds no rules; write rules: [] when none are meant"
	// A file that uses no other cannot change a rule: each is whole.
	root["if"] = schema.Schema{"not": schema.Required("use")}
	root["then"] = schema.Schema{"properties": schema.Schema{"rules": schema.List(wholeRule())}}
	return g.Document(schemaHome+"rules.schema.json", "Tocsin rules",
		"A rule file of Tocsin: what is wrong, and when. https://github.com/tocsin-dev/tocsin/blob/main/docs/rules.md", root)
}

// oneOfTheKeys refuses a file that an editor or a pipe has left empty.
func oneOfTheKeys() []any {
	var any []any
	for _, key := range yamlpos.TopLevel(rule.File{}) {
		written := schema.Required(key)
		written["properties"] = schema.Schema{key: schema.Schema{"not": schema.Schema{"type": "null"}}}
		any = append(any, written)
	}
	return any
}

// wholeRule is a rule that changes no other one's: it has a metric and a
// condition, or says what missing data means.
func wholeRule() schema.Schema {
	given := schema.Schema{"type": []string{"string", "number", "boolean", "object"}, "minLength": 1, "errorMessage": "is missing"}
	conditions := []any{}
	properties := schema.Schema{"metric": given}
	for _, severity := range alert.Severities() {
		name := severity.String()
		conditions = append(conditions, schema.Schema{"required": []string{name}, "properties": schema.Schema{name: given}})
		properties[name] = schema.Schema{"if": schema.Schema{"type": "object"}, "then": schema.Required("when")}
	}
	conditions = append(conditions, schema.Schema{
		"required": []string{"no_data"}, "properties": schema.Schema{"no_data": schema.Schema{"not": schema.Schema{"enum": []any{nil, "keep", "ok"}}}},
	})
	return schema.Schema{
		"required": []string{"metric"}, "properties": properties,
		"allOf": []any{schema.Schema{"anyOf": conditions, "errorMessage": "the rule has no condition; add for example critical: value < 70"}},
	}
}

// MakeConfigSchema makes ConfigSchema of the types, their comments and the kinds
// of sources and receivers.
func MakeConfigSchema(kinds Kinds, docs *schemagen.Docs) (schema.Schema, error) {
	g := schemagen.New(docs)
	root := g.Object(reflect.TypeFor[Config]())
	properties, _ := root["properties"].(schema.Schema)
	properties["sources"] = kindsSchema(g, "source", reflect.TypeFor[Source](), kinds.Sources, "What is polled.")
	properties["receivers"] = kindsSchema(g, "receiver", reflect.TypeFor[Receiver](), kinds.Receivers, "Who is told.")
	// Where there are plugins their names are types, too.
	root["if"] = schema.Schema{"not": schema.Required("plugins")}
	root["then"] = schema.Schema{"properties": schema.Schema{"sources": builtinTypes(kinds.Sources), "receivers": builtinTypes(kinds.Receivers)}}
	return g.Document(schemaHome+"config.schema.json", "Tocsin configuration",
		"The configuration of Tocsin. https://github.com/tocsin-dev/tocsin/blob/main/docs/configuration.md", root)
}

// builtinTypes is a list whose items are of the built-in types alone.
func builtinTypes(kinds map[string]func() any) schema.Schema {
	types := schema.Schema{"enum": slices.Sorted(maps.Keys(kinds))}
	return schema.Schema{"items": schema.Schema{"properties": schema.Schema{"type": types}}}
}

// kindsSchema is a list whose items have what all share and what their type has.
// Each type is a mapping of its own, so that an editor offers its keys and no
// others; of an item without a type it offers what all share.
func kindsSchema(g *schemagen.Generator, what string, shared reflect.Type, kinds map[string]func() any, description string) schema.Schema {
	names := slices.Sorted(maps.Keys(kinds))
	item := g.Object(shared)
	item["type"] = "object"
	delete(item, "additionalProperties")
	types := schema.Schema{
		"type": "string", "anyOf": []any{schema.Schema{"enum": names}, schema.Schema{"pattern": namePattern, "description": "the name of one of the plugins"}},
		"description": "What kind of " + what + " it is, or the name of one of the plugins; the other settings follow from it.",
	}
	properties, _ := item["properties"].(schema.Schema)
	properties["type"] = types
	var each []any
	for _, name := range names {
		whole := g.Object(shared, reflect.TypeOf(kinds[name]()))
		whole["type"] = "object"
		inner, _ := whole["properties"].(schema.Schema)
		inner["type"] = schema.Schema{"const": name, "description": types["description"]}
		each = append(each, schema.Schema{
			"if":   schema.Schema{"required": []string{"type"}, "properties": schema.Schema{"type": schema.Schema{"const": name}}},
			"then": g.Define(what+"."+name, whole),
		})
	}
	item["allOf"] = each
	return schema.Schema{"type": []string{"array", "null"}, "items": item, "description": description}
}

// JSONSchema says what reflection cannot of the configuration's fields.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"route": route.RootSchema(), "rules": schema.List(schema.NotEmpty())}, "route")
}

// JSONSchema says what reflection cannot of the server's settings.
func (Server) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"listen":           schema.Text(`^[^ \t/\\@]*:[0-9]{1,5}$`, "host:port, such as "+exampleListen),
		"external_url":     schema.Text(`^$|^https?://[^/?#@]+(?:/[^?#]*)?$`, "a URL such as https://tocsin.example.com"),
		"read_timeout":     schema.MoreThanZero(),
		"shutdown_timeout": schema.MoreThanZero(),
	})
}

// JSONSchema says what reflection cannot of a token's fields.
func (Token) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"name": nameSchema(), "token": schema.NotEmpty(),
		"scope": schema.Enum(string(ScopeRead), string(ScopeOperate), string(ScopeAdmin)),
	}, "name", "token", "scope")
}

// JSONSchema says what reflection cannot of the store's settings.
func (Store) JSONSchema() schema.Schema {
	s := schema.Object(schema.Schema{"driver": schema.Enum("sqlite")})
	s["if"] = schema.Schema{"properties": schema.Schema{"driver": schema.Schema{"const": "sqlite"}}}
	s["then"] = schema.Schema{"properties": schema.Schema{"path": schema.Schema{"minLength": 1}, "url": schema.Schema{"maxLength": 0}, "url_file": schema.Schema{"maxLength": 0}}}
	return s
}

// JSONSchema says what reflection cannot of the retention.
func (Retention) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"history": schema.MoreThanZero(), "deliveries": schema.MoreThanZero(), "samples": schema.MoreThanZero(),
	})
}

// JSONSchema says what reflection cannot of the reload's settings.
func (Reload) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"interval": schema.MoreThanZero()})
}

// JSONSchema says what reflection cannot of the log's settings.
func (Log) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"level": schema.Enum(logLevels()...), "format": schema.Enum(logFormats()...)})
}

// JSONSchema says what reflection cannot of what all sources share.
func (Source) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"name": nameSchema(), "interval": schema.MoreThanZero(), "timeout": schema.MoreThanZero(),
		"labels":  schema.Labels(reservedLabels()...),
		"service": schema.Enum(append([]string{""}, services()...)...),
	}, "name", "type")
}

// JSONSchema says what reflection cannot of what all receivers share.
func (Receiver) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"name": nameSchema(), "timeout": schema.MoreThanZero(), "concurrency": schema.Between(0, maxConcurrency), "give_up_after": schema.MoreThanZero(),
	}, "name", "type")
}

func nameSchema() schema.Schema {
	return schema.With(schema.Text(namePattern, "a name of letters, digits, - _ and ."), schema.Schema{"maxLength": maxNameBytes})
}
