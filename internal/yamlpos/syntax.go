package yamlpos

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// explain places a syntax error and says it in words for people who do not
// know how a YAML scanner works.
func (p *parser) explain(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) || load.Mark.Line == 0 {
		p.add(1, 1, "", "", "not YAML: %v", err)
		return
	}
	line, column := p.text.clamp(load.Mark.Line, load.Mark.Column)
	if at, ok := p.tabIndent(line); ok {
		p.add(line, at, "", "indent with spaces", "a tab cannot indent YAML")
		return
	}
	began := load.ContextMark
	switch {
	case strings.HasPrefix(load.Message, "mapping values are not allowed"):
		p.add(line, column, "", "quote the text, or check the indentation", `": " cannot stand here`)
	case strings.Contains(load.Message, "cannot start any token"):
		p.add(line, column, "", "quote it", "%q cannot begin a value", p.runeAt(line, column))
	case strings.HasPrefix(load.Message, "could not find expected ':'"):
		p.add(began.Line, began.Column, "", "check the indentation, or add the colon", `want "key: value" here`)
	case strings.HasPrefix(load.Message, "found unexpected end of stream"):
		p.add(began.Line, began.Column, "", "", "the quotes that open here do not close")
	case strings.HasPrefix(load.Message, "did not find expected ',' or"):
		p.add(line, column, "", p.flowHint(line), "%s, for the bracket that opens on line %d",
			strings.Replace(load.Message, "did not find expected", "want", 1), began.Line)
	case strings.HasPrefix(load.Message, "block sequence entries are not allowed"):
		p.add(line, column, "", "begin the list on a line of its own", `"- " cannot stand here`)
	case strings.HasPrefix(load.ContextMsg, "while scanning a block scalar"):
		p.add(began.Line, began.Column, "", "put the text in quotes", "a text cannot begin with > or |")
	case load.ContextMsg != "":
		p.add(line, column, "", "", "%s: %s", load.ContextMsg, load.Message)
	default:
		p.add(line, column, "", "", "%s", load.Message)
	}
}

// tabIndent finds a tab before the text of a line.
func (p *parser) tabIndent(line int) (column int, ok bool) {
	source := p.text.lines[line-1]
	tab := slices.Index(source, '\t')
	if tab < 0 || strings.TrimLeft(string(source[:tab]), " -") != "" {
		return 0, false
	}
	return tab + 1, true
}

func (p *parser) runeAt(line, column int) string {
	if source := p.text.lines[line-1]; column <= len(source) {
		return string(source[column-1])
	}
	return "the end of the line"
}

// flowHint knows the usual reason for a bracket that does not close.
func (p *parser) flowHint(line int) string {
	if strings.Contains(string(p.text.lines[line-1]), "${") {
		return `inside [ ] and { } a variable needs quotes: "${NAME}"`
	}
	return ""
}

func itemPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// join sets a key below a path. Unlike problem.Join it takes any key.
func join(path, key string) string {
	switch {
	case path == "":
		return key
	case strings.HasPrefix(key, "["):
		return fmt.Sprintf("%s[%q]", path, key)
	}
	return path + "." + key
}
