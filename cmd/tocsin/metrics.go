package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

func newMetrics(w world) *cobra.Command {
	var config, format string
	cmd := &cobra.Command{
		Use:   "metrics [--config FILE] [--output FORMAT] [PREFIX]",
		Short: "List every metric that a rule can name, with its unit",
		Long: `Lists every metric that a rule can name, with its unit, its labels and what it
means. With a configuration, the metrics that its sources declare and those that
its rule files derive are listed too. A prefix such as postgres. limits the list. The manual's page of metrics is
what --output markdown prints.`,
		Args: atMostOne,
		RunE: func(_ *cobra.Command, args []string) error {
			catalog := source.NewCatalog(nil, false)
			if config != "" {
				loaded, mistakes := configs.Load(config, w.kinds.configs(), configs.Input{Environ: w.environ, Stdin: w.stdin})
				if mistakes.Err() != nil {
					return refuse(mistakes, w)
				}
				var wrong yamlpos.Mistakes
				_, catalog, wrong = configs.ReadRules(loaded.RuleFiles, configs.Input{Environ: w.environ}).Metrics(loaded.Catalog())
				if wrong.Err() != nil {
					return refuse(wrong, w)
				}
			}
			return listMetrics(catalog, strings.Join(args, ""), format, w)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "list also the metrics of this configuration `FILE`: those that its sources declare and its rule files derive")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text, json or markdown")
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
	case "text", "markdown":
	default:
		return &exitError{exitUnread, fmt.Sprintf("unknown output %q; want text, json or markdown", format)}
	}
	if len(listed) == 0 {
		return &exitError{exitMistakes, fmt.Sprintf("no metric begins with %q; tocsin metrics lists them all", prefix)}
	}
	if format == "markdown" {
		_, err := io.WriteString(w.stdout, metricsPage(listed))
		return err
	}
	tab := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "METRIC\tUNIT\tLABELS\tMEANING")
	for _, m := range listed {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", m.Name, m.Unit, strings.Join(m.Labels, ","), m.Description)
	}
	return tab.Flush()
}

// metricsPage is docs/metrics.md: a table for each family, the part of the name
// before its first dot.
func metricsPage(metrics []source.Metric) string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nEvery metric that a rule can name, by family. This page is what\n" +
		"`tocsin metrics --output markdown` prints; with `--config FILE` the metrics that\n" +
		"your sources declare and your rule files derive are listed too.\n\n" +
		"Every metric has the label `source`, the source's name, and the `labels` of the\n" +
		"source's configuration; the column names those beside them. Rates and ratios\n" +
		"come ready: no counter needs a `rate()`. A metric without a value at a poll is\n" +
		"unknown, never 0. A metric of your own, from a `prometheus`, `json` or `push`\n" +
		"source, has the unit that its name ends in (`_seconds`, `_ms`, `_bytes`,\n" +
		"`_percent`), or the one declared.\n")
	family := ""
	for _, m := range metrics {
		if first, _, _ := strings.Cut(m.Name, "."); first != family {
			family = first
			fmt.Fprintf(&b, "\n## %s\n\n| metric | unit | kind | labels | meaning |\n|---|---|---|---|---|\n", family)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, m.Kind, strings.Join(m.Labels, ", "), m.Description)
	}
	return b.String()
}
