// Package report writes the mistakes of a check for programs: as JSON, as SARIF
// and as GitHub's annotations. The command line calls it; people read what
// yamlpos writes. It never shows a secret: a source line comes masked from
// yamlpos.
package report

import (
	"cmp"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// document is the whole answer as JSON.
type document struct {
	OK       bool      `json:"ok"` // the exit status is 0
	Rules    int       `json:"rules"`
	Mistakes []mistake `json:"mistakes"`
}

type mistake struct {
	File      string `json:"file"`
	Line      int    `json:"line"` // from 1; 0 where there is no place
	Column    int    `json:"column"`
	EndColumn int    `json:"end_column,omitempty"`
	Path      string `json:"path"`
	Severity  string `json:"severity"` // error or warning
	Code      string `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
	Source    string `json:"source"` // the line, secrets masked
}

// JSON writes one document: whether the check passed, how many rules there are,
// and every mistake in file order.
func JSON(w io.Writer, mistakes yamlpos.Mistakes, rules int, ok bool) error {
	doc := document{OK: ok, Rules: rules, Mistakes: make([]mistake, 0, len(mistakes))}
	for _, m := range mistakes {
		line, _ := m.Excerpt()
		doc.Mistakes = append(doc.Mistakes, mistake{
			File: m.File, Line: m.Line, Column: m.Column, EndColumn: m.EndColumn, Path: m.Path,
			Severity: severity(m), Code: code(m), Message: m.Message, Hint: m.Hint, Source: line,
		})
	}
	return encode(w, doc)
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // conditions are full of < and >
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func severity(m yamlpos.Mistake) string {
	if m.Warning {
		return "warning"
	}
	return "error"
}

func code(m yamlpos.Mistake) string { return cmp.Or(m.Code, problem.Unclassified) }

// fileOf returns the file of a mistake relative to the folder, with forward
// slashes, as viewers and CI want it; absolute where it lies elsewhere. It is
// "" for a mistake in no file: in standard input, a pack, a variable or a flag.
func fileOf(m yamlpos.Mistake, folder string) string {
	if m.Line == 0 && !m.Unread || m.File == yamlpos.StandardInput || strings.HasPrefix(m.File, "pack:") {
		return ""
	}
	name := m.File
	if filepath.IsAbs(name) {
		if relative, err := filepath.Rel(folder, name); err == nil && filepath.IsLocal(relative) {
			name = relative
		}
	}
	return filepath.ToSlash(filepath.Clean(name))
}

// where is the place of a mistake as part of a sentence, for viewers that show
// none.
func where(m yamlpos.Mistake) string {
	if m.Path == "" {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, m.Path) + ": "
}
