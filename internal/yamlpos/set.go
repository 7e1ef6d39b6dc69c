package yamlpos

import (
	"cmp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// inlineValue is the value of an override read as YAML.
type inlineValue struct {
	node     *yaml.Node
	text     *text
	mistakes Mistakes
}

// Set puts a value into the document in place of what stands at the path, or
// where nothing does. The value is a scalar that is typed as if it stood
// unquoted in the file; where a list or a mapping is wanted it is read as
// inline YAML, as in [a, b]. Keys are found whatever their case. Mistakes in
// the value are reported under origin as the file's name, without a source
// line. Set belongs before Expand, which leaves such values alone.
func (d *Document) Set(path, value, origin string) Mistakes {
	t := newText(origin, []byte(value))
	t.hidden = true
	n := d.made(t, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
	if trimmed := strings.TrimSpace(value); strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{") {
		inner, mistakes := Parse(origin, []byte(value))
		d.inline[n] = inlineOf(t, inner, mistakes)
	}
	refuse := func(message, hint string) Mistakes {
		return Mistakes{{File: origin, Code: problem.UnknownSetting, Path: path, Message: message, Hint: hint, text: t}}
	}
	steps, ok := cutPath(path)
	if !ok || len(steps) == 0 {
		return refuse("not a path", "write the keys joined by __, as in SERVER__LISTEN")
	}
	if depth := len(steps); depth > maxDepth {
		return refuse("nested deeper than "+strconv.Itoa(maxDepth)+" levels", "")
	}
	at := &d.root
	for i, s := range steps {
		next, message := d.descend(at, s, t)
		if message != "" {
			return refuse(cmp.Or(strings.Join(steps[:i], "."), "the document")+" "+message, "")
		}
		at = next
	}
	*at = n
	return nil
}

// inlineOf marks a parsed value as one that is never printed.
func inlineOf(t *text, inner *Document, mistakes Mistakes) inlineValue {
	for i := range mistakes {
		mistakes[i].text = t
		mistakes[i].remask()
	}
	if inner == nil {
		return inlineValue{text: t, mistakes: mistakes}
	}
	return inlineValue{inner.root, t, mistakes}
}

// made marks a node, and all below it, as coming from an override.
func (d *Document) made(t *text, n *yaml.Node) *yaml.Node {
	d.origins[n] = t
	for _, child := range n.Content {
		d.made(t, child)
	}
	return n
}

// cutPath cuts sources[0].url into sources, 0 and url.
func cutPath(path string) ([]string, bool) {
	path = strings.ReplaceAll(strings.ReplaceAll(path, "[", "."), "]", "")
	steps := strings.Split(path, ".")
	for _, s := range steps {
		if s == "" {
			return nil, false
		}
	}
	return steps, true
}

// descend returns where the value of one key, or one item, of *at is kept, and
// makes room for it. What an alias or a merge brought is copied first: an
// override changes one place only.
func (d *Document) descend(at **yaml.Node, step string, t *text) (next **yaml.Node, refused string) {
	*at = d.own(*at)
	n := *at
	if d.isNull(n) {
		*n = yaml.Node{Kind: yaml.MappingNode}
		if _, err := strconv.Atoi(step); err == nil {
			n.Kind = yaml.SequenceNode
		}
		d.origins[n] = t
	}
	switch n.Kind {
	case yaml.SequenceNode:
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 {
			return nil, "is a list; " + strconv.Quote(step) + " is not the number of an item"
		}
		if i > len(n.Content) {
			return nil, "ends before item " + strconv.Itoa(i) + "; the next one is " + strconv.Itoa(len(n.Content))
		}
		if i == len(n.Content) {
			n.Content = append(n.Content, d.made(t, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}))
		}
		return &n.Content[i], ""
	case yaml.MappingNode:
		return d.descendKey(n, step, t), ""
	}
	return nil, "is a single value and has no " + strconv.Quote(step) + " below it"
}

func (d *Document) descendKey(n *yaml.Node, step string, t *text) **yaml.Node {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !isMerge(n.Content[i]) && same(n.Content[i].Value, step) {
				return &n.Content[i+1]
			}
		}
	}
	key := d.made(t, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: step})
	value := d.made(t, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"})
	for _, e := range d.entries(n) {
		if strings.EqualFold(e.name, step) { // merged
			value = d.copied(e.value)
		}
	}
	n.Content = append(n.Content, key, value)
	return &n.Content[len(n.Content)-1]
}

// own returns the node itself: an alias is replaced by a copy of what it
// stands for, and an override's inline text by what it says.
func (d *Document) own(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return d.copied(resolve(n))
	}
	if in, ok := d.inline[n]; ok && in.node != nil && len(in.mistakes) == 0 {
		return d.made(in.text, in.node)
	}
	return n
}

func (d *Document) copied(n *yaml.Node) *yaml.Node {
	n = resolve(n)
	c := *n
	c.Anchor = ""
	if n.Anchor != "" {
		c.Style |= yaml.TaggedStyle // there is still something before the text
	}
	c.Content = nil
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			c.Content = append(c.Content, child)
			continue
		}
		c.Content = append(c.Content, d.copied(child))
	}
	if t := d.origins[n]; t != nil {
		d.origins[&c] = t
	}
	if e, ok := d.expansions[n]; ok {
		d.expansions[&c] = e
	}
	if _, ok := d.text.secrets[n]; ok {
		guessed := d.text.guessed[n]
		d.markSecret(&c)
		d.text.guessed[&c] = guessed
	}
	return &c
}
