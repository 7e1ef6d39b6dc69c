package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/route"
)

func newRoutes(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Show the routing tree, or whom it would tell of an alert",
		Long: `Shows the routing tree of a configuration, or the way that an alert of some
labels would take through it. Nothing is connected or started.

  tocsin routes show --config configs/embedded.yaml
  tocsin routes test severity=critical category=cache --config configs/embedded.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		DisableFlagsInUseLine: true,
	}
	cmd.AddCommand(newRoutesTest(w), newRoutesShow(w))
	for _, sub := range cmd.Commands() {
		sub.DisableFlagsInUseLine = true
	}
	return cmd
}

func newRoutesTest(w world) *cobra.Command {
	var config, moment, format string
	cmd := &cobra.Command{
		Use:   "test LABEL=VALUE… [--config FILE] [--at TIME] [--output FORMAT]",
		Short: "Say which way an alert of these labels would take",
		Long: `Prints which routes an alert of these labels meets and why each takes it or does
not, then its group, the receivers, the times, and what could hold it back.

  tocsin routes test severity=critical category=cache
  tocsin routes test severity=info team=web --at '2026-12-24 23:00'

Exit status: 0 when there is an answer, 1 when the configuration has mistakes, 2
when the labels or the time cannot be read, or the configuration.`,
		RunE: func(_ *cobra.Command, args []string) error {
			labels, err := labelsOf(args)
			if err != nil {
				return &exitError{exitUnread, err.Error()}
			}
			at := time.Now().UTC()
			if moment != "" {
				if at, err = route.ParseMoment(moment, time.UTC); err != nil {
					return &exitError{exitUnread, "--at: " + err.Error() + "; write for example 2026-12-01T22:00:00Z"}
				}
			}
			if err := knownFormat(format); err != nil {
				return err
			}
			c, err := routingOf(config, w)
			if err != nil {
				return err
			}
			answer := askRoutes(c.Routing(), labels, at)
			if format == "json" {
				return writeJSON(w, answer)
			}
			return answer.print(w.stdout)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the configuration `FILE`; left out, tocsin.yaml or configs/embedded.yaml")
	cmd.Flags().StringVar(&moment, "at", "", "the `TIME` to answer for, as 2026-12-01T22:00:00Z or '2026-12-01 22:00' in UTC; left out, now")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func newRoutesShow(w world) *cobra.Command {
	var config, format string
	cmd := &cobra.Command{
		Use:   "show [--config FILE] [--output FORMAT]",
		Short: "Print the routing tree",
		Long: `Prints the routing tree: of each route its matchers and what it has beside or
otherwise than the route above.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := knownFormat(format); err != nil {
				return err
			}
			c, err := routingOf(config, w)
			if err != nil {
				return err
			}
			root := c.Routing().Root
			if format == "json" {
				return writeJSON(w, shownOf(root))
			}
			return printTree(w.stdout, root)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the configuration `FILE`; left out, tocsin.yaml or configs/embedded.yaml")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func knownFormat(format string) error {
	if format != "text" && format != "json" {
		return &exitError{exitUnread, fmt.Sprintf("--output %q is not one of text, json", format)}
	}
	return nil
}

func writeJSON(w world, value any) error {
	enc := json.NewEncoder(w.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// labelsOf reads the labels of an alert: each argument is name=value, or a set
// in braces.
func labelsOf(args []string) (alert.Labels, error) {
	const example = "write for example severity=critical category=cache"
	if len(args) == 0 {
		return nil, fmt.Errorf("no labels of an alert; %s", example)
	}
	given := map[string]string{}
	for _, text := range args {
		set, err := alert.ParseMatchers(text)
		if err != nil {
			return nil, fmt.Errorf("%w; %s", err, example)
		}
		for _, m := range set {
			if m.Op != alert.MatchEqual {
				return nil, fmt.Errorf("%s is no label; %s", text, example)
			}
			if before, twice := given[m.Name]; twice && before != m.Value {
				return nil, fmt.Errorf("label %s is given twice", m.Name)
			}
			given[m.Name] = m.Value
		}
	}
	return alert.FromMap(given), nil
}

// routingOf reads the configuration, or one of those that are looked for.
func routingOf(path string, w world) (*configs.Config, error) {
	usual := []string{"tocsin.yaml", "configs/embedded.yaml"}
	for _, name := range usual {
		if _, err := os.Stat(name); path == "" && err == nil {
			path = name
		}
	}
	if path == "" {
		return nil, &exitError{exitUnread, "name the configuration with --config FILE; there is no " + strings.Join(usual, " and no ") + " here"}
	}
	c, mistakes := configs.Load(path, w.kinds.configs(), configs.Input{Environ: w.environ, Stdin: w.stdin})
	if mistakes.Err() != nil {
		return nil, refuse(mistakes, w)
	}
	return c, nil
}
