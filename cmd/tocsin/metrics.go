package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/source"
)

func newMetrics(w world) *cobra.Command {
	var config, format string
	cmd := &cobra.Command{
		Use:   "metrics [--config FILE] [--output FORMAT] [PREFIX]",
		Short: "List every metric that a rule can name, with its unit",
		Long: `Lists every metric that a rule can name, with its unit, its labels and what it
means. With a configuration, the metrics that its sources declare are listed
too. A prefix such as postgres. limits the list.`,
		Args: atMostOne,
		RunE: func(_ *cobra.Command, args []string) error {
			catalog := source.NewCatalog(nil, false)
			if config != "" {
				loaded, mistakes := configs.Load(config, w.kinds.configs(), configs.Input{Environ: w.environ, Stdin: w.stdin})
				if mistakes.Err() != nil {
					return report(mistakes, 0, w)
				}
				catalog = loaded.Catalog()
			}
			return listMetrics(catalog, strings.Join(args, ""), format, w)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "list also the metrics that the sources of this configuration `FILE` declare")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func listMetrics(catalog source.Catalog, prefix, format string, w world) error {
	listed := []source.Metric{}
	for _, m := range catalog.All() {
		if strings.HasPrefix(m.Name, prefix) {
			m.Labels = append([]string{}, m.Labels...) // never null for a program
			listed = append(listed, m)
		}
	}
	switch format {
	case "json":
		enc := json.NewEncoder(w.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(listed)
	case "text":
	default:
		return &exitError{exitUnread, fmt.Sprintf("unknown output %q: want text or json", format)}
	}
	if len(listed) == 0 {
		return &exitError{exitMistakes, fmt.Sprintf("no metric begins with %q; tocsin metrics lists them all", prefix)}
	}
	tab := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "METRIC\tUNIT\tLABELS\tMEANING")
	for _, m := range listed {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", m.Name, m.Unit, strings.Join(m.Labels, ","), m.Description)
	}
	return tab.Flush()
}
