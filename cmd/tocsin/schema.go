package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

func newSchema(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "schema rules|config",
		Short: "Print the JSON Schema of a rule file or of a configuration",
		Long: `Prints the JSON Schema (draft 2020-12) of a rule file or of a configuration, by
which an editor completes keys, explains them and marks mistakes while one
writes:

  tocsin schema rules > rules.schema.json

and as the first line of the rule file

  # yaml-language-server: $schema=rules.schema.json

What a schema cannot know, such as the names and units in a condition, is left
to tocsin check.`,
		Args: func(_ *cobra.Command, args []string) error {
			_, err := schemaOf(args)
			return err
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := schemaOf(args)
			if err != nil {
				return err
			}
			_, err = io.WriteString(w.stdout, text)
			return err
		},
	}
}

func schemaOf(args []string) (string, error) {
	schemas := map[string]string{"config": configs.ConfigSchema(), "rules": configs.RulesSchema()}
	names := slices.Sorted(maps.Keys(schemas))
	if len(args) != 1 {
		return "", &exitError{exitUnread, "name one schema: " + strings.Join(names, " or ")}
	}
	text, ok := schemas[args[0]]
	if !ok {
		hint := cmp.Or(problem.DidYouMean(args[0], names), "there are "+strings.Join(names, " and "))
		return "", &exitError{exitUnread, fmt.Sprintf("there is no schema %q; %s", args[0], hint)}
	}
	return text, nil
}
