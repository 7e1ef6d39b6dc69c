// Package imports turns the configuration of Alertmanager and the rule files of
// Prometheus into ours, as commented YAML that `tocsin check` accepts, and says
// with file, line and column what it could not turn. cmd/tocsin calls it for
// `tocsin import`. It reads and writes no file, connects to nothing, and leaves
// nothing out in silence: what has no counterpart is a Note.
package imports

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Note says what of a file was not taken over as it stands.
type Note struct {
	File         string
	Line, Column int
	// Path names the place from the root of the document: receivers[1].name.
	Path    string
	Message string
	// Lost marks what changes who is told, or when: it must be looked after. A
	// note without it is about wording and other small things.
	Lost bool

	severity string // that the note is about, as Prometheus calls it
}

// String writes the note as mistakes are written.
func (n Note) String() string {
	kind := "note: "
	if n.Lost {
		kind = ""
	}
	path := n.Path
	if path != "" {
		path += ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s%s", n.File, n.Line, n.Column, kind, path, n.Message)
}

// File is one file of ours.
type File struct {
	Name    string // relative to the folder of all of them
	Content string
}

// Result is what came of everything that was added.
type Result struct {
	// Files are a configuration, tocsin.yaml, and a file of rules for each of
	// Prometheus's.
	Files []File
	Notes []Note // in the order of the files and their lines
}

// Importer takes the files one after another. The zero value is ready; it is
// not safe for concurrent use.
type Importer struct {
	// Refuses says what is wrong with a receiver that is to be written, in YAML:
	// the key and the reason; an empty reason is nothing. What it refuses is left
	// out, or the receiver is switched off. nil refuses nothing.
	Refuses func(receiver string) (key, why string)

	notes []Note
	alert *alertmanager
	rules []*ruleFile
	// ids and metrics are those that the rule files use already.
	ids, metrics map[string]bool
}

// Add reads a file: an Alertmanager's configuration, or rules of Prometheus. The
// error says that it is neither, or no YAML.
func (im *Importer) Add(name string, data []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: neither a configuration of Alertmanager nor rules of Prometheus: not a mapping", name)
	}
	r := &reader{file: name, notes: &im.notes}
	m := r.mapping(doc.Content[0], "")
	switch {
	case m.has("groups"):
		im.addRules(name, r, m)
	case m.has("route") || m.has("receivers"):
		if im.alert != nil {
			return fmt.Errorf("%s: a second configuration of Alertmanager; import one at a time", name)
		}
		im.alert = readAlertmanager(r, m, im.Refuses)
	case m.has("scrape_configs") || m.has("rule_files"):
		return fmt.Errorf("%s: the configuration of a Prometheus; import its rule files, and write its targets as sources", name)
	default:
		return fmt.Errorf("%s: neither a configuration of Alertmanager (route, receivers) nor rules of Prometheus (groups)", name)
	}
	return nil
}

// ErrNothing says that nothing was added.
var ErrNothing = errors.New("nothing to import")

// Result writes what was read.
func (im *Importer) Result() (Result, error) {
	if im.alert == nil && len(im.rules) == 0 {
		return Result{}, ErrNothing
	}
	out := Result{Notes: im.notes}
	for i := range out.Notes {
		// It changes who is told where a route asks for it.
		if n := &out.Notes[i]; im.alert != nil && n.severity != "" {
			n.Lost = n.Lost || im.alert.asksFor(n.severity)
		}
	}
	out.Files = append(out.Files, File{"tocsin.yaml", im.config()})
	for _, f := range im.rules {
		out.Files = append(out.Files, File{f.name, f.write()})
	}
	slices.SortStableFunc(out.Notes, func(a, b Note) int {
		if a.File != b.File {
			return 0
		}
		return (a.Line-b.Line)*1000 + a.Column - b.Column
	})
	return out, nil
}

// config writes tocsin.yaml.
func (im *Importer) config() string {
	var w writer
	w.line(0, "# Made by tocsin import. Check it with: tocsin check --config tocsin.yaml")
	if len(im.rules) > 0 {
		var names []string
		for _, f := range im.rules {
			names = append(names, quoted(f.name))
		}
		w.line(0, "rules: [%s]", strings.Join(names, ", "))
		im.sources(&w)
	}
	if im.alert != nil {
		im.alert.write(&w)
		return w.String()
	}
	w.line(0, "")
	w.line(0, "receivers:")
	w.line(1, "- {name: console, type: console}")
	w.line(0, "route: {receivers: [console]}")
	return w.String()
}
