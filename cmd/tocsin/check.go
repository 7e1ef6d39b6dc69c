package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

func newCheck(w world) *cobra.Command {
	var f files
	noTests := false
	cmd := &cobra.Command{
		Use:   "check [--config FILE] [--rules FILE]… [--no-tests]",
		Short: "Find every mistake in a configuration and its rules",
		Long: `Reads a configuration and its rule files and reports every mistake at once,
each with file, line, column, the line itself and a suggestion. The tests beside
the rules are run, too; one that fails is a mistake. Nothing is connected or
started.

Exit status: 0 when all is well, 1 when there are mistakes, 2 when a file could
not be read. The file - is standard input.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.tests = !noTests
			return check(cmd.Context(), f, w)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the configuration `FILE`; its rule files are checked with it")
	cmd.Flags().StringArrayVarP(&f.rules, "rules", "r", nil, "a rule `FILE`, in the place of the configuration's own; may be repeated")
	cmd.Flags().BoolVar(&noTests, "no-tests", false, "leave out the tests beside the rules")
	return cmd
}

func check(ctx context.Context, f files, w world) error {
	if f.config == "" && len(f.rules) == 0 {
		return &exitError{exitUnread, "nothing to check: give --config FILE or --rules FILE"}
	}
	var mistakes yamlpos.Mistakes
	var tests *ruleTests
	rules := 0
	if f.config == "" {
		_, places, beside, found := loadRules(f.rules, configs.Input{Environ: w.environ, Stdin: w.stdin}, source.NewCatalog(nil, false))
		mistakes, rules, tests = found, len(places), beside
	} else {
		p, found := load(f, w)
		mistakes = found
		if p != nil {
			rules, tests = len(p.places), p.tests
		}
	}
	if f.tests && tests != nil {
		mistakes = append(mistakes, tests.mistakes(ctx)...).Sorted()
	}
	return report(mistakes, rules, w)
}

func report(mistakes yamlpos.Mistakes, rules int, w world) error {
	if err := mistakes.Write(w.stderr); err != nil {
		return err
	}
	if mistakes.Err() == nil {
		_, err := fmt.Fprintf(w.stdout, "OK: %s\n", count(rules, "rule"))
		return err
	}
	wrong, unread := 0, 0
	for _, m := range mistakes {
		switch {
		case m.Unread:
			unread++
		case !m.Warning:
			wrong++
		}
	}
	switch {
	case unread == 0:
		return &exitError{exitMistakes, count(wrong, "mistake")}
	case wrong == 0:
		return &exitError{exitUnread, count(unread, "file") + " could not be read"}
	}
	return &exitError{exitUnread, count(wrong, "mistake") + ", and " + count(unread, "file") + " could not be read"}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
