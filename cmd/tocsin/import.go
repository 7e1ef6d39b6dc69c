package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/configs/imports"
)

// importing is what `tocsin import` was asked for.
type importing struct {
	to             string // the folder; empty is standard output
	partial, force bool
}

func newImport(w world) *cobra.Command {
	var ask importing
	cmd := &cobra.Command{
		Use:   "import FILE… [--to DIR] [--partial] [--force]",
		Short: "Turn files of Alertmanager and Prometheus into ours",
		Long: `Turns an Alertmanager's configuration and rule files of Prometheus into a
configuration and rule files of Tocsin, which tocsin check accepts. What a file
is, is seen from its content; - is standard input.

  tocsin import alertmanager.yml rules/*.yml --to tocsin
  tocsin check --config tocsin/tocsin.yaml

What has no counterpart is told on standard error with its place, and stands as a
comment in what is written. A receiver of a type that Tocsin does not have, or
that lacks what it needs, is written switched off: the routes that name it tell those of the route above, or
the console, until it is filled in.

Exit status: 0 when everything was taken over, 1 when something that matters was
not (unless --partial), 2 when a file could not be read or written.`,
		RunE: func(_ *cobra.Command, args []string) error { return ask.run(args, w) },
	}
	cmd.Flags().StringVar(&ask.to, "to", "", "write the files to the folder `DIR`; left out, to standard output")
	cmd.Flags().BoolVar(&ask.partial, "partial", false, "exit with 0 though something was not taken over")
	cmd.Flags().BoolVar(&ask.force, "force", false, "write over files that are there")
	return cmd
}

func (ask importing) run(names []string, w world) error {
	if len(names) == 0 {
		return &exitError{exitUnread, "nothing to import; write for example tocsin import alertmanager.yml rules.yml --to tocsin"}
	}
	im := imports.Importer{Refuses: refusing(w)}
	for _, name := range names {
		data, err := readImported(name, w)
		if err == nil {
			err = im.Add(name, data)
		}
		if err != nil {
			return &exitError{exitUnread, err.Error()}
		}
	}
	made, err := im.Result()
	if err != nil {
		return &exitError{exitUnread, err.Error()}
	}
	if err := ask.write(made.Files, w); err != nil {
		return &exitError{exitUnread, err.Error()}
	}
	lost := 0
	for _, n := range made.Notes {
		fmt.Fprintln(w.stderr, n)
		if n.Lost {
			lost++
		}
	}
	if lost > 0 && !ask.partial {
		return &exitError{exitMistakes, count(lost, "thing") + " could not be taken over; look after them, or accept that with --partial"}
	}
	return nil
}

// refusing judges receivers as `tocsin check` does, but for files of secrets,
// which may be on another machine.
func refusing(w world) func(receiver string) (key, why string) {
	return func(receiver string) (key, why string) {
		text := "receivers:\n  - " + strings.ReplaceAll(strings.TrimSpace(receiver), "\n", "\n    ") + "\n"
		_, mistakes := configs.Load("-", w.kinds.configs(), configs.Input{Stdin: strings.NewReader(text)})
		for _, m := range mistakes {
			path, here := strings.CutPrefix(m.Path, "receivers[0].")
			key, _, _ := strings.Cut(path, ".")
			key, _, _ = strings.Cut(key, "[")
			if m.Warning || !here && m.Path != "receivers[0]" || strings.HasSuffix(path, "_file") {
				continue
			}
			if !here {
				key = ""
			}
			return key, m.Message
		}
		return "", ""
	}
}

func readImported(name string, w world) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(w.stdin)
	}
	return os.ReadFile(name)
}

// write writes all files or, where one is in the way, none.
func (ask importing) write(files []imports.File, w world) error {
	if ask.to == "" {
		for i, f := range files {
			if i > 0 {
				fmt.Fprintln(w.stdout, "---")
			}
			if _, err := fmt.Fprintf(w.stdout, "# %s\n%s", f.Name, f.Content); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range files {
		path := filepath.Join(ask.to, f.Name)
		if _, err := os.Lstat(path); !ask.force && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already; write to another folder, or over it with --force", path)
		}
	}
	if err := os.MkdirAll(ask.to, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		// It may hold what the old configuration held: secrets.
		if err := os.WriteFile(filepath.Join(ask.to, f.Name), []byte(f.Content), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(w.stdout, "wrote %s\n", filepath.Join(ask.to, f.Name))
	}
	return nil
}
