package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// GitHub writes a workflow command for each mistake, which GitHub Actions shows
// beside the line in the pull request. folder is the working directory, to which
// the files must be relative.
//
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func GitHub(w io.Writer, mistakes yamlpos.Mistakes, folder string) error {
	for _, m := range mistakes {
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", severity(m), properties(m, folder), escapeData(message(m, folder))); err != nil {
			return err
		}
	}
	return nil
}

// message names the file where GitHub has none to show the command beside.
func message(m yamlpos.Mistake, folder string) string {
	text := where(m) + m.Text()
	if fileOf(m, folder) != "" {
		return text
	}
	if m.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, text)
	}
	return m.File + ": " + text
}

func properties(m yamlpos.Mistake, folder string) string {
	var parts []string
	add := func(name, value string) { parts = append(parts, name+"="+escapeProperty(value)) }
	if file := fileOf(m, folder); file != "" {
		add("file", file)
		if m.Line > 0 {
			add("line", fmt.Sprint(m.Line))
			add("col", fmt.Sprint(m.Column))
			if m.EndColumn > m.Column {
				add("endColumn", fmt.Sprint(m.EndColumn))
			}
		}
	}
	add("title", "tocsin: "+code(m))
	return strings.Join(parts, ",")
}

// The escapes are those of @actions/core: a runner undoes these and no others.

func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
