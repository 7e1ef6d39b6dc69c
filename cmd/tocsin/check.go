package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/report"
	"github.com/tocsin-dev/tocsin/internal/version"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// judgement is how the outcome of a check is told.
type judgement struct {
	format string // text, json, sarif or github
	strict bool   // warnings fail, too
}

func newCheck(w world) *cobra.Command {
	var f files
	var j judgement
	cmd := &cobra.Command{
		Use:   "check [--config FILE] [--rules FILE]… [--output FORMAT] [--strict]",
		Short: "Find every mistake in a configuration and its rules",
		Long: `Reads a configuration and its rule files and reports every mistake at once,
each with file, line, column, the line itself and a suggestion. Nothing is
connected or started.

It warns of what can be read but cannot be meant: conditions that never hold,
severities that are never seen, matchers that nothing satisfies, receivers that
no route names.

Exit status: 0 when all is well, 1 when there are mistakes, 2 when a file could
not be read. Warnings fail only with --strict. The file - is standard input.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			f.lint = true
			return check(f, j, w)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the configuration `FILE`; its rule files are checked with it")
	cmd.Flags().StringArrayVarP(&f.rules, "rules", "r", nil, "a rule `FILE`, in the place of the configuration's own; may be repeated")
	cmd.Flags().StringVarP(&j.format, "output", "o", "text", "`FORMAT`: text, json, sarif or github")
	cmd.Flags().BoolVar(&j.strict, "strict", false, "exit with 1 when there are warnings, too")
	return cmd
}

func check(f files, j judgement, w world) error {
	if f.config == "" && len(f.rules) == 0 {
		return &exitError{exitUnread, "nothing to check: give --config FILE or --rules FILE"}
	}
	if formats := []string{"text", "json", "sarif", "github"}; !slices.Contains(formats, j.format) {
		hint := cmp.Or(problem.DidYouMean(j.format, formats), "want text, json, sarif or github")
		return &exitError{exitUnread, fmt.Sprintf("unknown output %q; %s", j.format, hint)}
	}
	var mistakes yamlpos.Mistakes
	rules := 0
	if f.config == "" {
		catalog := source.NewCatalog(nil, false)
		_, places, found := loadRules(f.rules, configs.Input{Environ: w.environ, Stdin: w.stdin}, catalog, newLinter(catalog, nil, nil))
		mistakes, rules = found, len(places)
	} else {
		p, found := load(f, w)
		mistakes = found
		if p != nil {
			rules = len(p.places)
		}
	}
	return j.tell(mistakes, rules, w)
}

// tell writes the outcome in the wanted format, and returns it as an exit.
func (j judgement) tell(mistakes yamlpos.Mistakes, rules int, w world) error {
	exit := j.exit(mistakes)
	folder, err := os.Getwd()
	if err != nil {
		folder = "" // absolute names stay so
	}
	switch j.format {
	case "json":
		err = report.JSON(w.stdout, mistakes, rules, exit.code == exitOK)
		exit.text = "" // the document says it
	case "sarif":
		err = report.SARIF(w.stdout, mistakes, folder, version.String(), exit.code)
		exit.text = ""
	case "github":
		err = report.GitHub(w.stdout, mistakes, folder)
	default:
		err = mistakes.Write(w.stderr)
		if err == nil && exit.code == exitOK {
			_, err = fmt.Fprintf(w.stdout, "OK: %s\n", count(rules, "rule"))
		}
	}
	if err == nil && exit.code != exitOK {
		return &exit
	}
	return err
}

// exit is the exit that mistakes lead to.
func (j judgement) exit(mistakes yamlpos.Mistakes) exitError {
	wrong, unread, warnings := 0, 0, 0
	for _, m := range mistakes {
		switch {
		case m.Unread:
			unread++
		case m.Warning:
			warnings++
		default:
			wrong++
		}
	}
	switch {
	case unread > 0 && wrong > 0:
		return exitError{exitUnread, count(wrong, "mistake") + ", and " + count(unread, "file") + " could not be read"}
	case unread > 0:
		return exitError{exitUnread, count(unread, "file") + " could not be read"}
	case wrong > 0:
		return exitError{exitMistakes, count(wrong, "mistake")}
	case warnings > 0 && j.strict:
		return exitError{exitMistakes, count(warnings, "warning") + ", which --strict refuses"}
	}
	return exitError{code: exitOK}
}

// refuse tells people of the mistakes that keep a command from its work, and
// returns them as an exit.
func refuse(mistakes yamlpos.Mistakes, w world) error {
	return judgement{format: "text"}.tell(mistakes, 0, w)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
