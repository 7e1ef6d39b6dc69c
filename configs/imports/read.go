package imports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// reader notes what stands where in one file.
type reader struct {
	file  string
	notes *[]Note
}

func (r *reader) note(lost bool, n *yaml.Node, path, format string, args ...any) {
	if n == nil { // what is missing has no place
		n = &yaml.Node{Line: 1, Column: 1}
	}
	*r.notes = append(*r.notes, Note{File: r.file, Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...), Lost: lost})
}

func (r *reader) lost(n *yaml.Node, path, format string, args ...any) {
	r.note(true, n, path, format, args...)
}

// lostSince says whether anything was lost since there were so many notes.
func (r *reader) lostSince(notes int) bool {
	return slices.ContainsFunc((*r.notes)[notes:], func(n Note) bool { return n.Lost })
}

func (r *reader) remark(n *yaml.Node, path, format string, args ...any) {
	r.note(false, n, path, format, args...)
}

// mapping is a mapping of which is known what has been taken.
type mapping struct {
	r     *reader
	node  *yaml.Node
	path  string
	keys  []*yaml.Node
	value map[string]*yaml.Node
	taken map[string]bool
}

// mapping reads a mapping, aliases and merges in their places; of what is none
// it is empty.
func (r *reader) mapping(n *yaml.Node, path string) *mapping {
	m := &mapping{r: r, node: n, path: path, value: map[string]*yaml.Node{}, taken: map[string]bool{}}
	n = resolved(n)
	if n == nil {
		return m
	}
	m.node = n
	if len(path) > maxPath { // an alias may lead back to what holds it
		r.lost(n, path[:maxPath]+"…", "nested too deeply")
		return m
	}
	if n.Kind != yaml.MappingNode {
		if !isNull(n) {
			r.lost(n, path, "want a mapping")
		}
		return m
	}
	m.fill(n, 0)
	return m
}

// Bounds of what refers to itself.
const (
	maxPath   = 1000
	maxMerges = 20
)

func (m *mapping) fill(n *yaml.Node, depth int) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolved(n.Content[i+1])
		if key.Value == "<<" {
			if value.Kind == yaml.MappingNode && depth < maxMerges {
				m.fill(value, depth+1)
			}
			continue
		}
		if _, twice := m.value[key.Value]; !twice {
			m.keys = append(m.keys, key)
			m.value[key.Value] = value
		}
	}
}

func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (m *mapping) has(key string) bool { return m.value[key] != nil }

// take returns what stands under a key, and nil where nothing does.
func (m *mapping) take(key string) *yaml.Node {
	m.taken[key] = true
	if n := m.value[key]; !isNull(n) {
		return n
	}
	return nil
}

func (m *mapping) at(key string) string { return problem.Join(m.path, key) }

// text returns a scalar's text; empty where there is none.
func (m *mapping) text(key string) string {
	n := m.take(key)
	switch {
	case n == nil:
		return ""
	case n.Kind != yaml.ScalarNode:
		m.r.lost(n, m.at(key), "want a text")
		return ""
	}
	return n.Value
}

// list returns the items under a key; a scalar counts as a list of one.
func (m *mapping) list(key string) []*yaml.Node {
	n := m.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	var out []*yaml.Node
	for _, item := range n.Content {
		out = append(out, resolved(item))
	}
	return out
}

func (m *mapping) texts(key string) []string {
	var out []string
	for _, n := range m.list(key) {
		out = append(out, n.Value)
	}
	return out
}

// mappings returns the mappings in a list under a key.
func (m *mapping) mappings(key string) []*mapping {
	var out []*mapping
	for i, n := range m.list(key) {
		out = append(out, m.r.mapping(n, fmt.Sprintf("%s[%d]", m.at(key), i)))
	}
	return out
}

// duration writes a duration as ours, whose longest unit is a week; empty where
// there is none.
func (m *mapping) duration(key string) string {
	text := m.text(key)
	if text == "" {
		return ""
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		m.r.lost(m.value[key], m.at(key), "%q is not a duration", text)
		return ""
	}
	return durationText(time.Duration(d))
}

// durationText writes a duration exactly: units.Duration leaves out the small.
func durationText(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if text := units.Duration(d); d >= time.Second {
		if back, err := units.ParseDuration(text); err == nil && back == d {
			return text
		}
	}
	return d.String()
}

// rest reports the keys that nothing has taken.
func (m *mapping) rest(lost bool, why string) {
	for _, key := range m.keys {
		if !m.taken[key.Value] {
			m.r.note(lost, key, m.at(key.Value), "%s", why)
		}
	}
}

// writer collects lines of YAML.
type writer struct{ strings.Builder }

func (w *writer) line(depth int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		w.WriteString(strings.Repeat("  ", depth))
	}
	w.WriteString(text + "\n")
}

// comment writes each line of a text behind #.
func (w *writer) comment(depth int, text string) {
	for line := range strings.Lines(text) {
		w.line(depth, "%s", strings.TrimRight("# "+strings.TrimRight(line, "\n"), " "))
	}
}

// quoted writes a text as YAML that reads back the same in our files, where
// ${VAR} is a variable: a dollar that could begin one is doubled.
func quoted(text string) string { return plainOrQuoted(dollars(text)) }

// dollars doubles each dollar that could begin a variable.
func dollars(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(text[i])
		if text[i] == '$' && i+1 < len(text) && (text[i+1] == '{' || text[i+1] == '$') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// special says whether YAML wants a character escaped.
func special(r rune) bool {
	return r < ' ' || r > 0x7e && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff
}

// plainOrQuoted writes a text without quotes where it can only be a text.
func plainOrQuoted(text string) string {
	plain := text != ""
	for i, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		digit := r >= '0' && r <= '9'
		if !letter && (i == 0 || !digit && !strings.ContainsRune("_-./", r)) {
			plain = false
		}
	}
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return text
	}
	if !strings.ContainsFunc(text, func(r rune) bool { return r == '\'' || special(r) }) {
		return "'" + text + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case special(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func flow(texts []string) string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = quoted(text)
	}
	return "[" + strings.Join(all, ", ") + "]"
}
