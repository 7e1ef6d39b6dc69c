package yamlpos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// What a document may grow to. A configuration is far below; the bounds keep a
// wrong or hostile file from costing more than its reading.
const (
	maxDepth      = 100
	maxAliased    = 100_000 // values that aliases stand for, beside those that are written
	maxInputBytes = 8 << 20
)

// Parse reads one YAML document; file is the name that mistakes carry. The
// document is nil when data is no YAML at all; mistakes beside a document,
// such as a key given twice, leave it usable for finding more. An empty file
// is an empty mapping.
func Parse(file string, data []byte) (*Document, Mistakes) {
	t := newText(file, data)
	p := parser{text: t}
	if !p.readable(data) {
		t.unread = true
		return nil, p.mistakes.Sorted()
	}
	root := p.load(data)
	if root == nil {
		t.unread = true
		return nil, p.mistakes.Sorted()
	}
	if !p.bounded(root) {
		return nil, p.mistakes.Sorted()
	}
	p.check(root, "")
	d := newDocument(t, root)
	d.suspectAll("", root)
	return d, p.mistakes.Sorted()
}

// parser collects what is wrong with a text as YAML.
type parser struct {
	text     *text
	mistakes Mistakes
}

func (p *parser) add(line, column int, path, hint, format string, args ...any) {
	line, column = p.text.clamp(line, column)
	p.mistakes = append(p.mistakes, Mistake{
		File: p.text.name, Line: line, Column: column, Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint, text: p.text,
	})
}

// readable finds what the YAML reader would refuse without saying where.
func (p *parser) readable(data []byte) bool {
	if len(data) > maxInputBytes {
		p.add(1, 1, "", "", "the file is larger than %d MB", maxInputBytes>>20)
		return false
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		p.text.hidden = true // its lines are none
		p.add(1, 1, "", "save it as UTF-8", "the file is UTF-16")
		return false
	}
	for i, source := range splitLines(string(bytes.TrimPrefix(data, []byte(byteOrderMark)))) {
		line, column := i+1, 1
		for at := 0; at < len(source); column++ {
			r, size := utf8.DecodeRuneInString(source[at:])
			at += size
			switch {
			case r == utf8.RuneError && size == 1:
				p.add(line, column, "", "save the file as UTF-8", "byte 0x%02x is no UTF-8", source[at-1])
				return false
			case r < ' ' && r != '\t' || r == 0x7f || r > 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff:
				p.add(line, column, "", `remove it, or write it in double quotes as "\x1b"`, "control character U+%04X", r)
				return false
			}
		}
	}
	return true
}

// load makes nodes of the text; nil after a syntax error.
func (p *parser) load(data []byte) *yaml.Node {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults())
	if err != nil {
		p.add(1, 1, "", "", "%v", err)
		return nil
	}
	var first, next yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	case err != nil:
		p.explain(err)
		return nil
	}
	switch err := loader.Load(&next); {
	case err == nil:
		p.add(next.Line, next.Column, "", "put it into a file of its own", "a second document begins here; one file is one document")
	case !errors.Is(err, io.EOF):
		p.explain(err)
	}
	if len(first.Content) != 1 {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	}
	root := first.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	}
	return root
}

// bounded says whether the document ends: aliases may refer to what contains
// them, and a few lines of them may stand for billions of values.
func (p *parser) bounded(root *yaml.Node) bool {
	most := written(root) + maxAliased
	// Only what has an anchor can be met twice.
	sizes := map[*yaml.Node]int{}
	open := map[*yaml.Node]bool{}
	ok := true
	var size func(n *yaml.Node, depth int) int
	size = func(n *yaml.Node, depth int) int {
		if !ok {
			return 0
		}
		if depth > maxDepth {
			p.add(n.Line, n.Column, "", "", "nested deeper than %d levels", maxDepth)
			ok = false
			return 0
		}
		if n.Kind == yaml.AliasNode {
			if open[n.Alias] {
				p.add(n.Line, n.Column, "", "", "alias *%s stands for something that contains it", n.Value)
				ok = false
				return 0
			}
			return size(n.Alias, depth+1)
		}
		anchored := n.Anchor != ""
		if anchored {
			if known, seen := sizes[n]; seen {
				return known
			}
			open[n] = true
		}
		total := 1
		for _, child := range n.Content {
			total = min(total+size(child, depth+1), most+1)
			if ok && total > most {
				p.add(child.Line, child.Column, "", "", "aliases stand for more than %d values", maxAliased)
				ok = false
			}
		}
		if anchored {
			delete(open, n)
			sizes[n] = total
		}
		return total
	}
	size(root, 0)
	return ok
}

// written counts the values that stand in the file.
func written(n *yaml.Node) int {
	total := 1
	for _, child := range n.Content {
		total += written(child)
	}
	return total
}

// check finds what is YAML, but not what we take: keys given twice, keys that
// are no text, and tags.
func (p *parser) check(n *yaml.Node, path string) {
	p.checkTag(n, path)
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			p.check(item, itemPath(path, i))
		}
	case yaml.MappingNode:
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Kind != yaml.ScalarNode {
				p.add(key.Line, key.Column, path, `quote it if it is a text, as "{name}"`, "a key must be a text, not %s", describeKind(key.Kind))
				continue
			}
			at := join(path, key.Value)
			if line, twice := first[key.Value]; twice {
				p.add(key.Line, key.Column, at, "", "given twice; the first is on line %d", line)
			} else {
				first[key.Value] = key.Line
			}
			if isMerge(key) {
				p.checkMerge(value, at)
			}
			p.check(value, at)
		}
	}
}

func (p *parser) checkTag(n *yaml.Node, path string) {
	if n.Style&yaml.TaggedStyle == 0 {
		return
	}
	switch n.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!":
	default:
		p.add(n.Line, n.Column, path, "remove it", "tag %s is not known here", n.Tag)
	}
}

// checkMerge makes sure that << has a mapping or a list of mappings.
func (p *parser) checkMerge(value *yaml.Node, path string) {
	target := resolve(value)
	items := []*yaml.Node{value}
	if target.Kind == yaml.SequenceNode {
		items = target.Content
	}
	for _, item := range items {
		if kind := resolve(item).Kind; kind != yaml.MappingNode {
			p.add(item.Line, item.Column, path, "write <<: *name, where &name marks a mapping", "want a mapping to merge, not %s", describeKind(kind))
		}
	}
}

func describeKind(k yaml.Kind) string {
	switch k {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.AliasNode:
		return "an alias"
	default:
		return "a text"
	}
}
