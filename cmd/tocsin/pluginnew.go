package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/internal/version"
)

// skeletons are the files of a new plugin.
//
//go:embed skeleton/*.tmpl
var skeletons embed.FS //nolint:gochecknoglobals // embed asks for one

// ourModule is what a plugin in Go imports.
const ourModule = "github.com/tocsin-dev/tocsin"

func newPluginNew(w world) *cobra.Command {
	var kind, replace string
	cmd := &cobra.Command{
		Use:   "new NAME [--kind KIND] [--replace FOLDER]",
		Short: "Write the three files that a plugin in Go begins with",
		Long: `Writes a plugin that builds and passes its test, into a folder of its name:
main.go, main_test.go and go.mod.

  tocsin plugin new pager
  tocsin plugin new queue --kind source

Exit status: 0 when the files are written, 1 when the folder exists or cannot be
written, 2 when the name or the kind is wrong.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUnread, "name one plugin, as in tocsin plugin new pager"}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(args[0]) {
				return &exitError{exitUnread, fmt.Sprintf("plugin name %q: want lower case letters, digits and -, as in my-pager", args[0])}
			}
			if kinds := w.kinds.configs(); kinds.Receivers[args[0]] != nil || kinds.Sources[args[0]] != nil {
				return &exitError{exitUnread, fmt.Sprintf("plugin name %q: a type of that name is built in; choose another name", args[0])}
			}
			if kind != "notifier" && kind != "source" {
				return &exitError{exitUnread, fmt.Sprintf("--kind %s: want notifier or source", kind)}
			}
			if err := writePlugin(args[0], kind, replace); err != nil {
				return &exitError{exitMistakes, err.Error()}
			}
			fmt.Fprintf(w.stdout, `%[1]s/main.go       the plugin: begin with Config and New
%[1]s/main_test.go  tries it as Tocsin would use it
%[1]s/go.mod

Next:
  cd %[1]s
  go mod tidy
  go test ./...
  go build
  tocsin plugin test ./%[1]s
Then declare it under plugins: {name: %[1]s, path: …/%[1]s/%[1]s}; its name is a type.
`, args[0])
			if release() == "" && replace == "" {
				fmt.Fprintf(w.stdout, "This tocsin is no release: where go mod tidy finds none, begin again with --replace and a checkout of Tocsin.\n")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "notifier", "what it is: a notifier, which is a receiver, or a source of metrics")
	cmd.Flags().StringVar(&replace, "replace", "", "build against a checkout of Tocsin in this `FOLDER`")
	return cmd
}

// writePlugin writes the files of a new plugin. It changes nothing that is there.
func writePlugin(name, kind, replace string) error {
	files, err := pluginFiles(name, kind, replace)
	if err != nil {
		return err
	}
	if err := os.Mkdir(name, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already: nothing was written", name)
		}
		return err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(name, file), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func pluginFiles(name, kind, replace string) (map[string][]byte, error) {
	with := struct{ Name, Metric string }{name, strings.ReplaceAll(name, "-", "_")}
	files := map[string][]byte{}
	for file, from := range map[string]string{"main.go": kind + ".go.tmpl", "main_test.go": kind + "_test.go.tmpl"} {
		parsed, err := template.ParseFS(skeletons, "skeleton/"+from)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := parsed.Execute(&text, with); err != nil {
			return nil, err
		}
		files[file] = text.Bytes()
	}
	module, err := pluginModule(name, replace)
	files["go.mod"] = module
	return files, err
}

// pluginModule is the go.mod. It asks for the release that this program is of, so
// that both speak the same protocol; without one `go mod tidy` finds the newest.
func pluginModule(name, replace string) ([]byte, error) {
	text := "module " + name + "\n\ngo 1.26\n"
	release := release()
	if replace != "" {
		folder, err := filepath.Abs(replace)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
			return nil, fmt.Errorf("--replace: %w", err)
		}
		release = "0.0.0"
		text += fmt.Sprintf("\nreplace %s => %q\n", ourModule, folder)
	}
	if release != "" {
		text += fmt.Sprintf("\nrequire %s v%s\n", ourModule, release)
	}
	return []byte(text), nil
}

// release is what this program is a release of, as in 1.2.3; empty for none.
func release() string {
	return regexp.MustCompile(`^\d+\.\d+\.\d+$`).FindString(strings.TrimPrefix(version.String(), "v"))
}
