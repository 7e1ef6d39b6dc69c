package yamlpos

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Locate finds the places of problems. Where the path leads nowhere its
// longest part that does is taken: a key that is missing is reported at its
// parent. Problems with a value of which Expand or Decode has spoken already
// are left out.
func (d *Document) Locate(problems problem.List) Mistakes {
	var mistakes Mistakes
	for _, p := range problems {
		f := d.find(p.Path)
		if d.knownBroken(f) {
			continue
		}
		n, at := f.anchor(d)
		switch {
		case p.InKey && f.rest == "" && f.key != nil:
			n, at = f.key, d.offsetPlace(f.key, p.Offset)
		case n.Kind == yaml.ScalarNode && n == f.node && p.Offset > 0:
			at = d.offsetPlace(n, d.rawOffset(n, p.Offset))
		}
		m := d.mistakeAt(n, at, p.Path, d.hide(f.node, p.Message), d.hide(f.node, p.Hint))
		m.Warning = p.Warning
		mistakes = append(mistakes, m)
	}
	return mistakes.Sorted()
}

// found is where the longest part of a path leads that exists.
type found struct {
	node *yaml.Node
	// key is the key whose value node is; nil for the root and for items.
	key *yaml.Node
	// rest is the part of the path that leads nowhere.
	rest string
	// broken says that a node on the way is broken.
	broken bool
}

// find follows a path. Keys may hold dots and brackets: the longest key that
// fits is taken.
func (d *Document) find(path string) found {
	f := found{node: d.root, rest: path}
	for f.rest != "" {
		f.broken = f.broken || d.broken[f.node]
		next, ok := d.step(f.node, f.rest)
		if !ok {
			return f
		}
		next.broken = f.broken
		f = next
	}
	return f
}

func (d *Document) step(n *yaml.Node, rest string) (found, bool) {
	if n.Kind == yaml.SequenceNode {
		return stepIndex(n, rest)
	}
	best, length := found{}, -1
	for _, e := range d.entries(n) {
		if after, ok := cutKey(rest, e.name); ok && len(e.name) > length {
			best, length = found{node: e.value, key: e.key, rest: after}, len(e.name)
		}
	}
	if length >= 0 {
		return best, true
	}
	// A secret x may be given as x_file.
	for _, e := range d.entries(n) {
		if rest+fileSuffix == e.name {
			return found{node: e.value, key: e.key}, true
		}
	}
	return found{}, false
}

func stepIndex(n *yaml.Node, rest string) (found, bool) {
	digits, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || !strings.HasPrefix(rest, "[") || i < 0 || i >= len(n.Content) {
		return found{}, false
	}
	return found{node: resolve(n.Content[i]), rest: strings.TrimPrefix(after, ".")}, true
}

// cutKey takes a key, bare or as ["key"], off the front of a path.
func cutKey(path, key string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(path, "["+strconv.Quote(key)+"]"); ok {
		return strings.TrimPrefix(rest, "."), true
	}
	rest, ok = strings.CutPrefix(path, key)
	switch {
	case !ok || key == "":
		return "", false
	case rest == "" || rest[0] == '[':
		return rest, true
	case rest[0] == '.':
		return rest[1:], true
	}
	return "", false
}

// knownBroken says whether a problem is only the echo of a mistake that is
// reported.
func (d *Document) knownBroken(f found) bool {
	return f.broken || d.broken[f.node] && (f.rest == "" || f.node.Kind == yaml.ScalarNode)
}

// anchor is where to point: at a scalar itself, and at the key of a list or a
// mapping.
func (f found) anchor(d *Document) (*yaml.Node, place) {
	switch {
	case f.node == d.root && f.node.Kind != yaml.ScalarNode:
		return f.node, place{1, 1}
	case f.node.Kind != yaml.ScalarNode && f.key != nil:
		return f.key, place{f.key.Line, f.key.Column}
	}
	return f.node, place{f.node.Line, f.node.Column}
}

// rawOffset translates an offset into a scalar's value into one into its text
// in the file.
func (d *Document) rawOffset(n *yaml.Node, offset int) int {
	e, ok := d.expansions[n]
	if !ok || offset < 0 || offset >= len(e.offsets) {
		return offset
	}
	return e.offsets[offset]
}

// offsetPlace finds a byte of a scalar's text in the file. Where it cannot be
// followed the answer is the scalar's beginning.
func (d *Document) offsetPlace(n *yaml.Node, offset int) place {
	if d.origins[n] == nil {
		if places := d.text.places(n, d.raw(n)); offset >= 0 && offset < len(places) {
			return places[offset]
		}
	}
	return place{n.Line, n.Column}
}

// mistakeAt makes a mistake at a place of the source that n comes from.
func (d *Document) mistakeAt(n *yaml.Node, at place, path, message, hint string) Mistake {
	t := d.text
	if origin := d.origins[n]; origin != nil {
		t = origin
	}
	m := Mistake{File: t.name, Line: at.line, Column: at.column, Path: path, Message: message, Hint: hint, text: t}
	if !t.hidden {
		m.Line, m.Column = t.clamp(at.line, at.column)
	}
	m.remask()
	return m
}
