package pluginhost

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// maxSchemaBytes bounds a plugin's schema.
const maxSchemaBytes = 1 << 20

// Schema is the JSON Schema of a plugin's settings. It is safe for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// CompileSchema reads a JSON Schema; nil for none. It may refer to itself alone:
// no file and no address is opened for it.
func CompileSchema(text string) (*Schema, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // a plugin need not have one
	}
	if len(text) > maxSchemaBytes {
		return nil, errors.New("the JSON Schema is larger than 1 MB")
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema is no JSON: %w", err)
	}
	const name = "tocsin:///settings.json"
	c := jsonschema.NewCompiler()
	c.UseLoader(loadsNothing{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("the JSON Schema: %w", err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema: %s", bounded(strings.ReplaceAll(err.Error(), "\n", " ")))
	}
	return &Schema{compiled}, nil
}

// loadsNothing keeps schemas from having files and addresses read.
type loadsNothing struct{}

// Load refuses.
func (loadsNothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not in the schema, and nothing else is read", quoted(url))
}

// Check holds settings, a JSON object, against the schema. Paths are as in a
// configuration: to[0].address. No message has a value in it.
func (s *Schema) Check(settings []byte) problem.List {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return problem.List{{Message: "the settings cannot be written as JSON"}}
	}
	var found *jsonschema.ValidationError
	err = s.compiled.Validate(value)
	if err == nil {
		return nil
	}
	if !errors.As(err, &found) {
		return problem.List{{Message: bounded(err.Error())}}
	}
	j := schemaJudge{root: s.compiled}
	j.walk(found)
	return j.problems
}

// schemaJudge makes problems of a validation's error.
type schemaJudge struct {
	root     *jsonschema.Schema
	problems problem.List
}

// walk descends to the causes: only they say what is wrong. Of alternatives that
// all fail, one problem is enough.
func (j *schemaJudge) walk(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if best := closest(e); best != nil {
			j.walk(best)
			return
		}
		j.add(e.InstanceLocation, "", "fits none of what is possible here, or more than one")
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			j.walk(cause)
		}
		return
	}
	j.leaf(e)
}

// closest is the only alternative that a value of this type could have meant.
func closest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var fits []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		if !wrongType(cause, len(e.InstanceLocation)) {
			fits = append(fits, cause)
		}
	}
	if len(fits) == 1 {
		return fits[0]
	}
	return nil
}

// wrongType says whether an alternative fails for the type of the value itself.
func wrongType(e *jsonschema.ValidationError, depth int) bool {
	if _, ok := e.ErrorKind.(*kind.Type); ok && len(e.InstanceLocation) == depth {
		return true
	}
	return slices.ContainsFunc(e.Causes, func(c *jsonschema.ValidationError) bool { return wrongType(c, depth) })
}

func (j *schemaJudge) leaf(e *jsonschema.ValidationError) {
	at := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			j.add(append(slices.Clone(at), name), "", "missing")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			j.unknown(at, name)
		}
	case *kind.FalseSchema:
		j.add(at, "", "is not possible here")
	case *kind.Type:
		j.add(at, "", "want %s, not %s", words(k.Want), article(k.Got))
	case *kind.Enum:
		j.add(at, nearestOf(k.Got, k.Want), "want one of %s", listed(k.Want))
	case *kind.Const:
		j.add(at, "", "want %v", k.Want)
	case *kind.Pattern:
		j.add(at, "", "does not have the form %s", k.Want)
	case *kind.Format:
		j.add(at, "", "is no %s", k.Want)
	case *kind.MinLength:
		j.add(at, "", "want at least %s", counted(k.Want, "character"))
	case *kind.MaxLength:
		j.add(at, "", "want at most %s", counted(k.Want, "character"))
	case *kind.MinItems:
		j.add(at, "", "want at least %s", counted(k.Want, "item"))
	case *kind.MaxItems:
		j.add(at, "", "want at most %s", counted(k.Want, "item"))
	case *kind.Minimum:
		j.add(at, "", "want at least %s", k.Want.RatString())
	case *kind.Maximum:
		j.add(at, "", "want at most %s", k.Want.RatString())
	case *kind.ExclusiveMinimum:
		j.add(at, "", "want more than %s", k.Want.RatString())
	case *kind.ExclusiveMaximum:
		j.add(at, "", "want less than %s", k.Want.RatString())
	default:
		keyword := strings.Join(e.ErrorKind.KeywordPath(), ".")
		j.add(at, "", "does not fit the plugin's schema (%s)", keyword)
	}
}

// unknown reports a key that the schema does not have.
func (j *schemaJudge) unknown(at []string, name string) {
	known := slices.Sorted(maps.Keys(j.properties(at)))
	hint := problem.DidYouMean(name, known)
	if hint == "" && len(known) > 0 && len(known) <= 12 {
		hint = "known here: " + strings.Join(known, ", ")
	}
	j.problems = append(j.problems, problem.Problem{
		Path: pathOf(append(slices.Clone(at), name)), InKey: true, Message: "unknown field", Hint: hint, Code: problem.UnknownField,
	})
}

// properties are those that the schema has at a place, as far as they can be
// found without the value.
func (j *schemaJudge) properties(at []string) map[string]*jsonschema.Schema {
	s := referred(j.root)
	for _, step := range at {
		switch {
		case s == nil:
			return nil
		case s.Properties[step] != nil:
			s = referred(s.Properties[step])
		default:
			s = referred(s.Items2020)
		}
	}
	if s == nil {
		return nil
	}
	return s.Properties
}

func (j *schemaJudge) add(at []string, hint, format string, args ...any) {
	code := problem.WrongValue
	if format == "missing" {
		code = problem.MissingField
	}
	j.problems = append(j.problems, problem.Problem{Path: pathOf(at), Message: bounded(fmt.Sprintf(format, args...)), Hint: hint, Code: code})
}

// pathOf writes the steps into JSON as a path: numbers are items of a list.
func pathOf(steps []string) string {
	path := ""
	for _, step := range steps {
		if _, err := strconv.Atoi(step); err == nil {
			step = "[" + step + "]"
		}
		path = problem.Join(path, step)
	}
	return path
}

func words(types []string) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = article(t)
	}
	return strings.Join(out, " or ")
}

// article names a type of JSON as the configuration's other mistakes do.
func article(jsonType string) string {
	switch jsonType {
	case "string":
		return "a text"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	case "null":
		return "nothing"
	}
	return jsonType
}

func listed(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, ", ")
}

func nearestOf(got any, want []any) string {
	word, ok := got.(string)
	if !ok {
		return ""
	}
	var candidates []string
	for _, v := range want {
		if text, ok := v.(string); ok {
			candidates = append(candidates, text)
		}
	}
	return problem.DidYouMean(word, candidates)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
