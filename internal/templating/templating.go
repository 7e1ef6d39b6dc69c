// Package templating is what every template that an operator writes shares:
// bounds on what it may write, and mistakes worded for whoever wrote it, at
// their place. It is called by rules for their messages and by receivers for
// theirs. It knows no template's data.
package templating

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// TooLongError says that a template writes more than it may.
type TooLongError struct{ Limit int }

// Error says how much it may.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("the text is longer than %d bytes", e.Limit)
}

// Limited collects what a template writes, up to Limit bytes.
type Limited struct {
	strings.Builder
	Limit int
}

// Write refuses what goes beyond the limit.
func (l *Limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.Limit {
		return 0, &TooLongError{l.Limit}
	}
	return l.Builder.Write(p)
}

// WriteString keeps io.WriteString within the bound.
func (l *Limited) WriteString(s string) (int, error) { return l.Write([]byte(s)) }

// Bounded stands in for the functions of text/template whose results grow: a
// few of them in a row would fill the memory.
func Bounded(limit int) template.FuncMap {
	bounded := func(write func(...any) string) func(...any) (string, error) {
		return func(args ...any) (string, error) {
			out := write(args...)
			if len(out) > limit {
				return "", &TooLongError{limit}
			}
			return out, nil
		}
	}
	return template.FuncMap{
		"print": bounded(fmt.Sprint), "println": bounded(fmt.Sprintln),
		"html": bounded(template.HTMLEscaper), "js": bounded(template.JSEscaper), "urlquery": bounded(template.URLQueryEscaper),
		"printf": func(format string, args ...any) (string, error) {
			if wideVerb.MatchString(format) {
				return "", fmt.Errorf("printf %q: a width has three digits at most", format)
			}
			return bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
		},
	}
}

// Join is strings.Join, and Replace regexp's ReplaceAllString, bounded likewise:
// both would double a text with each call. They look at the size before they write.
func Join(limit int, texts []string, separator string) (string, error) {
	size := 0
	for _, text := range texts {
		if size += len(text) + len(separator); size-len(separator) > limit {
			return "", &TooLongError{limit}
		}
	}
	return strings.Join(texts, separator), nil
}

// Replace writes with, which may name groups as $1, for each match of re in text.
func Replace(limit int, re *regexp.Regexp, with, text string) (string, error) {
	matches := 0
	re.ReplaceAllStringFunc(text, func(string) string { matches++; return "" })
	// What a $ names is a part of its match, and all matches are parts of the text.
	if most := len(text)*(1+strings.Count(with, "$")) + matches*len(with); most > limit {
		return "", &TooLongError{limit}
	}
	return re.ReplaceAllString(text, with), nil
}

var (
	// wideVerb finds a width or precision that is long, or an argument.
	wideVerb       = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4})`)                                                        //nolint:gochecknoglobals // a constant that Go cannot spell
	noSuchField    = regexp.MustCompile(`<([^>]*)>: can't evaluate field (\w+) in type (\S+)`)                              //nolint:gochecknoglobals // as above
	noSuchFunction = regexp.MustCompile(`function "([^"]*)" not defined`)                                                   //nolint:gochecknoglobals // as above
	place          = regexp.MustCompile(`^(?:(?:html/)?template: ?)?[\w.-]+:(\d+)(?::(\d+))?: ?(?:executing "[^"]*" at )?`) //nolint:gochecknoglobals // as above
)

// Names are what a template may name, for a mistake's hint.
type Names struct {
	// Types are the types of the data, that of the whole first.
	Types []reflect.Type
	// Functions are those beside text/template's own.
	Functions template.FuncMap
}

// Problem words a mistake of text/template, and finds its place in the text.
func Problem(path, text string, err error, names Names) problem.Problem {
	message := err.Error()
	p := problem.Problem{Path: path, Offset: offset(text, message), Code: problem.BadTemplate}
	var tooLong *TooLongError
	switch {
	case errors.As(err, &tooLong):
		p.Message = "bad template: " + tooLong.Error()
	case noSuchField.MatchString(message):
		found := noSuchField.FindStringSubmatch(message)
		name := "." + found[2]
		fields := names.fields(found[3])
		p.Message = fmt.Sprintf("bad template: there is no %s", name)
		p.Hint = problem.DidYouMean(name, fields)
		if p.Hint == "" {
			p.Hint = "there are " + strings.Join(fields, ", ")
		}
	case noSuchFunction.MatchString(message):
		name := noSuchFunction.FindStringSubmatch(message)[1]
		p.Message = fmt.Sprintf("bad template: there is no function %q", name)
		known := slices.Sorted(maps.Keys(names.Functions))
		p.Hint = problem.DidYouMean(name, known)
		if p.Hint == "" {
			p.Hint = "there are " + strings.Join(known, ", ") + " and those of Go's text/template"
		}
		p.Offset = max(0, strings.Index(text, name))
	case strings.HasSuffix(message, "unexpected EOF"):
		p.Message, p.Hint = "bad template: it ends before its {{ end }}", "every {{ if }}, {{ with }} and {{ range }} wants one"
	case strings.HasSuffix(message, "unclosed action"):
		p.Message, p.Hint = "bad template: {{ is not closed", "close it with }}"
		p.Offset = max(0, strings.LastIndex(text, "{{"))
	default:
		p.Message = "bad template: " + place.ReplaceAllString(message, "")
	}
	return p
}

// offset is the byte at which text/template found fault: it tells line and
// column, or the line alone, of which the first action that may hold the
// mistake is taken.
func offset(text, message string) int {
	found := place.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	line, _ := strconv.Atoi(found[1]) // digits only
	start := 0
	for range line - 1 {
		start += strings.IndexByte(text[start:], '\n') + 1
	}
	column, err := strconv.Atoi(found[2])
	if err != nil {
		rest, _, _ := strings.Cut(text[start:], "\n")
		return start + max(0, strings.Index(rest, "{{"))
	}
	return min(start+column, len(text))
}

// fields are what a template may name of a type, which it is given by its name:
// fields, and methods without arguments.
func (n Names) fields(of string) []string {
	if len(n.Types) == 0 {
		return nil
	}
	of = strings.TrimLeft(of, "*")
	i := slices.IndexFunc(n.Types, func(t reflect.Type) bool { return t.String() == of })
	return fieldsOf(n.Types[max(0, i)])
}

func fieldsOf(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous {
			names = append(names, "."+f.Name)
		}
	}
	pointer := reflect.PointerTo(t)
	for i := range pointer.NumMethod() {
		m := pointer.Method(i)
		if m.Type.NumIn() == 1 && m.Type.NumOut() == 1 && !strings.HasPrefix(m.Name, "Marshal") {
			names = append(names, "."+m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
