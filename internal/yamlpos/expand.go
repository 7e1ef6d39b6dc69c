package yamlpos

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// maxExpandedBytes bounds what one scalar may grow to.
const maxExpandedBytes = 1 << 20

// expansion is what became of a scalar with substitutions in it.
type expansion struct {
	raw string
	// offsets gives for each byte of the value, and its end, the byte of raw
	// that it comes from.
	offsets []int
	// whole says that the scalar is one substitution and nothing else: it is
	// typed by its text, as if that stood in the file.
	whole bool
}

// Expand replaces ${NAME} and ${NAME:-default} within the values of the
// document (not in keys or comments) and makes $$ a dollar. lookup is
// os.LookupEnv or like it; the default serves for a variable that is unset or
// empty. A value never becomes structure: a comma or a colon in it is text.
// What Set has put into the document is left as it is.
func (d *Document) Expand(lookup func(name string) (string, bool)) Mistakes {
	var mistakes Mistakes
	eachScalar(d.root, "", func(n *yaml.Node, path string) {
		if d.origins[n] != nil || !strings.Contains(n.Value, "$") || d.wasExpanded(n) {
			return
		}
		x := expander{lookup: lookup}
		x.expand(n.Value, 0, 0)
		raw := n.Value
		for _, f := range x.faults {
			at := d.offsetPlace(n, f.at)
			m := d.mistakeAt(n, at, path, f.message, f.hint)
			m.Code = problem.BadVariable
			mistakes = append(mistakes, m)
			d.broken[n] = true
		}
		d.expansions[n] = expansion{raw: raw, offsets: append(x.offsets, len(raw)), whole: isWhole(raw)}
		n.Value = x.out.String()
	})
	return mistakes.Sorted()
}

func isWhole(raw string) bool {
	pieces, faults := cutPieces(raw)
	return len(faults) == 0 && len(pieces) == 1 && pieces[0].name != ""
}

// expander writes the value of one scalar.
type expander struct {
	lookup  func(string) (string, bool)
	out     strings.Builder
	offsets []int
	faults  []fault
}

// expand appends what s stands for; s begins at byte base of the scalar.
func (x *expander) expand(s string, base, depth int) {
	pieces, faults := cutPieces(s)
	for _, f := range faults {
		f.at += base
		x.faults = append(x.faults, f)
	}
	for _, p := range pieces {
		value, set := p.literal, true
		if p.name != "" {
			value, set = x.lookup(p.name)
		}
		switch {
		case p.name == "":
			x.write(value, base+p.from, base+p.to)
		case p.hasFallback && value == "":
			if depth < maxDepth {
				x.expand(p.fallback, base+p.fallbackFrom, depth+1)
			}
		case !set:
			x.faults = append(x.faults, fault{
				base + p.from, "variable " + p.name + " is not set",
				fmt.Sprintf("set %s or write ${%s:-default}", p.name, p.name),
			})
		default:
			x.write(value, base+p.from, base+p.from)
		}
	}
}

// write appends text that comes from the bytes from to to, or all from one.
func (x *expander) write(text string, from, to int) {
	if x.out.Len()+len(text) > maxExpandedBytes {
		if len(x.faults) == 0 {
			x.faults = append(x.faults, fault{from, "the value grows beyond 1 MB with its variables", ""})
		}
		return
	}
	x.out.WriteString(text)
	for i := range len(text) {
		at := from
		if to-from == len(text) {
			at += i
		}
		x.offsets = append(x.offsets, at)
	}
}

func (d *Document) wasExpanded(n *yaml.Node) bool {
	_, ok := d.expansions[n]
	return ok
}

// raw returns a scalar as the file has it.
func (d *Document) raw(n *yaml.Node) string {
	if e, ok := d.expansions[n]; ok {
		return e.raw
	}
	return n.Value
}

// foreign says whether a scalar's value comes from the environment, and how
// the scalar is written.
func (d *Document) foreign(n *yaml.Node) (written string, yes bool) {
	if origin := d.origins[n]; origin != nil {
		return "$" + strings.TrimPrefix(origin.name, environmentPrefix), true
	}
	e, ok := d.expansions[n]
	return e.raw, ok && e.raw != n.Value
}

// hide takes the value of a scalar that came from the environment out of a
// message about it.
func (d *Document) hide(n *yaml.Node, message string) string {
	written, foreign := d.foreign(n)
	if !foreign || n.Value == "" {
		return message
	}
	message = strings.ReplaceAll(message, strconv.Quote(n.Value), written)
	if len(n.Value) >= 4 {
		message = strings.ReplaceAll(message, n.Value, written)
	}
	return message
}
