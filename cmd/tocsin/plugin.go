package main

import (
	"github.com/spf13/cobra"
)

func newPlugin(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Begin a plugin, or try one",
		Long: `A plugin is a receiver or a source of metrics in a process of its own, in any
language; docs/plugins.md is for those who write one.

  tocsin plugin new pager                                    begin one in Go
  tocsin plugin test ./pager --config '{"url": "http://…"}'  try one`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newPluginNew(w), newPluginTest(w))
	return cmd
}
