package rule

import (
	"errors"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/templating"
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
	t, err := template.New(path).Funcs(templating.Bounded(maxMessageBytes)).Funcs(Functions()).Option("missingkey=zero").Parse(text)
	if err == nil {
		err = tame(t)
	}
	if err == nil {
		sample := MessageData{Labels: map[string]string{}, Value: Quantity{1, "%"}, Threshold: Quantity{2, "%"}}
		err = t.Execute(&templating.Limited{Limit: maxMessageBytes}, sample)
	}
	if err != nil {
		names := templating.Names{Types: []reflect.Type{reflect.TypeFor[MessageData]()}, Functions: Functions()}
		*problems = append(*problems, templating.Problem(path, text, err, names))
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
