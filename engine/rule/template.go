package rule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Bounds of a template: a mistake in one must not stop the daemon.
const (
	maxTemplateBytes = 4096
	maxMessageBytes  = 16 << 10
)

// parseTemplate parses a template and runs it once, so that a wrong field is
// found at load and not at three in the morning.
func parseTemplate(path, text string, problems *problem.List) *template.Template {
	if len(text) > maxTemplateBytes {
		problems.Add(path, "a template is at most %d bytes long", maxTemplateBytes)
		return nil
	}
	t, err := template.New(path).Funcs(boundedFunctions()).Funcs(Functions()).Option("missingkey=zero").Parse(text)
	if err == nil {
		err = tame(t)
	}
	if err == nil {
		sample := MessageData{Labels: map[string]string{}, Value: Quantity{1, "%"}, Threshold: Quantity{2, "%"}}
		err = t.Execute(&limited{}, sample)
	}
	if err != nil {
		p := templateProblem(path, text, err)
		p.Code = problem.BadTemplate
		*problems = append(*problems, p)
		return nil
	}
	return t
}

// tame refuses what could run for ever: templates that call templates, and
// loops over anything but the labels.
func tame(t *template.Template) error {
	if t.Tree == nil {
		return nil // white space only
	}
	if len(t.Templates()) > 1 {
		return errors.New("define and block have no place in a message")
	}
	return tameNodes(t.Root, false)
}

func tameNodes(list *parse.ListNode, inLoop bool) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.TemplateNode:
			err = errors.New("{{template}} has no place in a message")
		case *parse.IfNode:
			err = tameBranch(&n.BranchNode, inLoop)
		case *parse.WithNode:
			err = tameBranch(&n.BranchNode, inLoop)
		case *parse.RangeNode:
			over := n.Pipe.String()
			if _, after, declares := strings.Cut(over, ":="); declares {
				over = strings.TrimSpace(after)
			}
			if inLoop || over != ".Labels" && over != "$.Labels" {
				return errors.New("range goes over .Labels only, and not within another range")
			}
			err = tameBranch(&n.BranchNode, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tameBranch(n *parse.BranchNode, inLoop bool) error {
	if err := tameNodes(n.List, inLoop); err != nil {
		return err
	}
	return tameNodes(n.ElseList, inLoop)
}

// limited collects what a template writes, up to a bound.
type limited struct{ strings.Builder }

var errTooLong = fmt.Errorf("the text is longer than %d bytes", maxMessageBytes)

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxMessageBytes {
		return 0, errTooLong
	}
	return l.Builder.Write(p)
}

// WriteString keeps io.WriteString within the bound.
func (l *limited) WriteString(s string) (int, error) { return l.Write([]byte(s)) }

// boundedFunctions stand in for those of text/template whose results grow: a
// few of them in a row would fill the memory.
func boundedFunctions() template.FuncMap {
	bounded := func(write func(...any) string) func(...any) (string, error) {
		return func(args ...any) (string, error) {
			out := write(args...)
			if len(out) > maxMessageBytes {
				return "", errTooLong
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

// wideVerb finds a width or precision that is long, or an argument.
var wideVerb = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4})`)
