package rule

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// What the parsers of conditions and templates say of a mistake is meant for
// programmers in Go. Here it is said again for whoever wrote the rule.

var (
	unexpectedToken = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`)                              //nolint:gochecknoglobals // a constant that Go cannot spell
	noSuchField     = regexp.MustCompile(`<([^>]*)>: can't evaluate field (\w+) in type`)                        //nolint:gochecknoglobals // as above
	noSuchFunction  = regexp.MustCompile(`function "([^"]*)" not defined`)                                       //nolint:gochecknoglobals // as above
	templatePlace   = regexp.MustCompile(`^(?:template: )?[\w.-]+:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?`) //nolint:gochecknoglobals // as above
)

// conditionMessage words a mistake of expr-lang's parser, and says what was
// likely meant.
func conditionMessage(parsers string) (message, hint string) {
	found := unexpectedToken.FindStringSubmatch(parsers)
	switch {
	case found == nil:
		return "bad condition: " + parsers, ""
	case found[1] == "EOF":
		return "the condition ends too early", ""
	case found[2] == "=":
		hint = "write == to compare"
	case found[2] == "for":
		hint = "the time stands beside it: {when: value > 80, for: 5m}"
	case found[2] == ":":
		hint = `a time of day stands in quotes: "09:00"`
	case found[1] == "Identifier":
		hint = problem.DidYouMean(found[2], []string{"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith"})
	}
	return "bad condition: " + quote(found[2]) + " cannot stand here", hint
}

// templateProblem words a mistake of text/template, and finds its place.
func templateProblem(path, text string, err error) problem.Problem {
	message := err.Error()
	p := problem.Problem{Path: path, Offset: templateOffset(text, message)}
	switch {
	case errors.Is(err, errTooLong):
		p.Message = "bad template: " + errTooLong.Error()
	case noSuchField.MatchString(message):
		found := noSuchField.FindStringSubmatch(message)
		name := "." + found[2]
		p.Message = fmt.Sprintf("bad template: there is no %s", name)
		p.Hint = problem.DidYouMean(name, fieldNames())
		if p.Hint == "" {
			p.Hint = "there are " + strings.Join(fieldNames(), ", ")
		}
	case noSuchFunction.MatchString(message):
		name := noSuchFunction.FindStringSubmatch(message)[1]
		p.Message = fmt.Sprintf("bad template: there is no function %q", name)
		names := slices.Sorted(maps.Keys(Functions()))
		p.Hint = problem.DidYouMean(name, names)
		if p.Hint == "" {
			p.Hint = "there are " + strings.Join(names, ", ") + " and those of Go's text/template"
		}
		p.Offset = max(0, strings.Index(text, name))
	case strings.HasSuffix(message, "unexpected EOF"):
		p.Message, p.Hint = "bad template: it ends before its {{ end }}", "every {{ if }}, {{ with }} and {{ range }} wants one"
	case strings.HasSuffix(message, "unclosed action"):
		p.Message, p.Hint = "bad template: {{ is not closed", "close it with }}"
		p.Offset = max(0, strings.LastIndex(text, "{{"))
	default:
		p.Message = "bad template: " + templatePlace.ReplaceAllString(message, "")
	}
	return p
}

// templateOffset is the byte at which text/template found fault: it tells line
// and column, or the line alone.
func templateOffset(text, message string) int {
	found := templatePlace.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	line, _ := strconv.Atoi(found[1]) // digits only
	column, err := strconv.Atoi(found[2])
	if err != nil {
		return 0
	}
	offset := 0
	for range line - 1 {
		offset += strings.IndexByte(text[offset:], '\n') + 1
	}
	return min(offset+column, len(text))
}

// fieldNames are the fields that a template may name.
func fieldNames() []string {
	data := reflect.TypeFor[MessageData]()
	names := make([]string, data.NumField())
	for i := range names {
		names[i] = "." + data.Field(i).Name
	}
	return names
}
