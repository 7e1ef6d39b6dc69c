// Package yamlpos reads YAML strictly and says where every mistake stands:
// file, line, column, the source line, and what to write instead. It is called
// by configs for configuration and rule files; the types that it fills know no
// YAML, and their Validate methods name paths for which Locate finds the
// place. It never prints a secret or the value of an environment variable, and
// it reads no file but those that an x_file key names.
package yamlpos

import (
	"go.yaml.in/yaml/v4"
)

// Document is one YAML file in memory. It belongs to one goroutine. The order
// of use is Parse, Set, Expand, Decode, Locate; each may be left out.
type Document struct {
	text *text
	root *yaml.Node
	// origins names the source of the nodes that Set made; all others are the
	// file's own.
	origins map[*yaml.Node]*text
	// inline holds what the value of an override is when read as YAML, for
	// where a list or a mapping is wanted.
	inline map[*yaml.Node]inlineValue
	// expansions holds what Expand did to a scalar.
	expansions map[*yaml.Node]expansion
	// broken marks the nodes whose mistake is reported already: what follows
	// from it is not another one.
	broken map[*yaml.Node]bool
	// readFile is told of each file that an x_file key named; nil is nobody.
	readFile func(path string, content []byte)
}

// Deferred is a part of a document that Decode leaves for DecodeAt, because
// its type depends on its content.
type Deferred struct {
	// Path is where the part stands: sources[0].
	Path string
}

func newDocument(t *text, root *yaml.Node) *Document {
	return &Document{
		text:       t,
		root:       root,
		origins:    map[*yaml.Node]*text{},
		inline:     map[*yaml.Node]inlineValue{},
		expansions: map[*yaml.Node]expansion{},
		broken:     map[*yaml.Node]bool{},
	}
}

// File returns the name under which the document was parsed.
func (d *Document) File() string { return d.text.name }

// OnFile makes Decode tell f of each file that an x_file key names, with its
// content; nil content is a file that could not be read.
func (d *Document) OnFile(f func(path string, content []byte)) { d.readFile = f }

// Has says whether something stands at the path; an empty value does not
// count.
func (d *Document) Has(path string) bool {
	f := d.find(path)
	return f.rest == "" && !d.isNull(f.node)
}

// Text returns the scalar at the path, as Expand left it; false when there is
// none.
func (d *Document) Text(path string) (string, bool) {
	f := d.find(path)
	if f.rest != "" || f.node.Kind != yaml.ScalarNode || d.isNull(f.node) && !d.wasExpanded(f.node) {
		return "", false
	}
	return f.node.Value, true
}

// Keys returns the keys of the mapping at the path, in file order.
func (d *Document) Keys(path string) []string {
	f := d.find(path)
	if f.rest != "" {
		return nil
	}
	var names []string
	for _, e := range d.entries(f.node) {
		names = append(names, e.name)
	}
	return names
}

// Variables returns the names of the variables that the scalar at the path is
// written with, or those of the whole document for the empty path.
func (d *Document) Variables(path string) []string {
	if path == "" {
		var all []string
		eachScalar(d.root, "", func(n *yaml.Node, _ string) { all = append(all, variables(d.raw(n))...) })
		return all
	}
	f := d.find(path)
	if f.rest != "" || f.node.Kind != yaml.ScalarNode || d.origins[f.node] != nil {
		return nil
	}
	return variables(d.raw(f.node))
}

// entry is one key of a mapping with its value, which is never an alias.
type entry struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// entries returns a mapping's keys in file order, those of its << merges
// last. A key of the mapping itself hides a merged one, and an earlier merge a
// later one. Anything but a mapping has no entries.
func (d *Document) entries(n *yaml.Node) []entry {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	var own, merged []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		switch {
		case isMerge(key):
			merged = append(merged, d.mergedEntries(value)...)
		case key.Kind == yaml.ScalarNode && !seen[key.Value]:
			seen[key.Value] = true
			own = append(own, entry{key.Value, key, value})
		}
	}
	for _, e := range merged {
		if !seen[e.name] {
			seen[e.name] = true
			own = append(own, e)
		}
	}
	return own
}

func (d *Document) mergedEntries(source *yaml.Node) []entry {
	if source.Kind != yaml.SequenceNode {
		return d.entries(source)
	}
	var all []entry
	for _, item := range source.Content {
		all = append(all, d.entries(item)...)
	}
	return all
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Tag == "!!merge"
}

// resolve follows aliases. Parse has made sure that they end.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// eachScalar calls f for every scalar that is a value, each once, with its
// path.
func eachScalar(n *yaml.Node, path string, f func(n *yaml.Node, path string)) {
	switch n.Kind {
	case yaml.ScalarNode:
		f(n, path)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			eachScalar(item, itemPath(path, i), f)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			eachScalar(n.Content[i+1], join(path, n.Content[i].Value), f)
		}
	}
}

// Line returns the line on which the value at the path begins, or the nearest
// thing above it; 0 when that is an override.
func (d *Document) Line(path string) int {
	n, at := d.find(path).anchor(d)
	if d.origins[n] != nil {
		return 0
	}
	return at.line
}
