package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// A command line that is wrong is answered with what to write instead, and exit
// status 2.

func unknownCommand(root *cobra.Command, given string) error {
	var names []string
	for _, cmd := range root.Commands() {
		names = append(names, cmd.Name())
	}
	hint := cmp.Or(problem.DidYouMean(given, names), root.CommandPath()+" --help lists them")
	return &exitError{exitUnread, fmt.Sprintf("unknown command %q; %s", given, hint)}
}

// badFlag words what the flags' parser found.
func badFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if given := cmd.Flags().Arg(0); given != "" && cmd.HasSubCommands() {
		return unknownCommand(cmd, given) // its flags are not this command's
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		wanted := map[string]string{"int": "a whole number", "bool": "true or false"}[invalid.GetFlag().Value.Type()]
		return &exitError{exitUnread, fmt.Sprintf("--%s %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), cmp.Or(wanted, "what it takes"))}
	}
	if !errors.As(err, &unknown) {
		return &exitError{exitUnread, fmt.Sprintf("%v; %s --help says more", err, cmd.CommandPath())}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	hint := problem.DidYouMean("--"+unknown.GetSpecifiedName(), names)
	return &exitError{exitUnread, fmt.Sprintf("%v; %s", err, cmp.Or(hint, cmd.CommandPath()+" --help lists them"))}
}

// noArguments is for commands that take flags only. The usual slip is a file
// without its flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s takes no argument such as %q", cmd.Name(), args[0])
	if cmd.Flags().Lookup("config") != nil {
		text += fmt.Sprintf("; write --config %s, or --rules %s", args[0], args[0])
	}
	return &exitError{exitUnread, text}
}

func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &exitError{exitUnread, fmt.Sprintf("%s takes one argument at most; %q is one too many", cmd.Name(), args[1])}
	}
	return nil
}
