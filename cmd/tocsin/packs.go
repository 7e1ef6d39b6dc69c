package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/configs/packs"
)

func newPacks(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "packs",
		Short: "List the rule files that ship, or print one",
		Long: `Lists the packs: the rule files that ship within the program. A rule file brings
one in with

  use: [pack:redis]

and changes what it likes of it, by id and field by field. The configuration's
rules and the flag --rules take pack:redis too.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &exitError{exitUnread, fmt.Sprintf("packs takes no argument such as %q; tocsin packs show %s prints one", args[0], args[0])}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return listPacks(w) },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "show PACK",
		Short: "Print a pack, to read or to copy",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUnread, "name one pack, as in tocsin packs show redis"}
			}
			return nil
		},
		RunE:                  func(_ *cobra.Command, args []string) error { return showPack(args[0], w) },
		DisableFlagsInUseLine: true,
	})
	return cmd
}

func listPacks(w world) error {
	tab := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "PACK\tRULES\tWATCHES")
	for _, p := range packs.All() {
		set, _ := configs.LoadRules([]string{packs.Prefix + p.Name}, configs.Input{}, nil)
		fmt.Fprintf(tab, "%s%s\t%d\t%s\n", packs.Prefix, p.Name, len(set.Rules), p.About)
	}
	return tab.Flush()
}

func showPack(name string, w world) error {
	p, ok := packs.Find(name)
	if !ok {
		return &exitError{exitMistakes, fmt.Sprintf("there is no pack %q; %s", strings.TrimPrefix(name, packs.Prefix), packs.Suggest(name))}
	}
	_, err := io.WriteString(w.stdout, p.Text)
	return err
}
