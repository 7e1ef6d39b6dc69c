package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/internal/plugincheck"
)

// pluginTest is what `tocsin plugin test` was asked.
type pluginTest struct {
	config, bad, retry, permanent, slow string
	env, skip                           []string
	verbose                             bool
}

func newPluginTest(w world) *cobra.Command {
	var asked pluginTest
	cmd := &cobra.Command{
		Use:   "test PATH [ARGUMENT…] [--config SETTINGS] [--slow SETTINGS] [--retry SETTINGS] [--permanent SETTINGS]",
		Short: "Start a plugin and try everything that the daemon does with one",
		Long: `Starts a plugin as the daemon does and tries it: its description, its schema,
right and wrong settings, all kinds of notification, a reference that comes back,
5,000 alerts at once, 50 calls at a time, hostile texts, deadlines, SIGTERM, kill -9
of the plugin and of the process that started it. One line a check.

  tocsin plugin test plugins/bin/example --config '{"path": "/tmp/out.txt"}'
  tocsin plugin test ./pager --config test.yaml --slow '{"url": "http://127.0.0.1:9/slow"}'
  tocsin plugin test ./pager --config test.yaml -- --an-argument-of-the-plugin

SETTINGS are those of one receiver or source, as JSON or as a file in YAML or
JSON. What they name is told a lot: give a service that is there for tests.

Exit status: 0 when no check failed, 1 when one did, 2 when the plugin cannot be
tried at all.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exitError{exitUnread, "name a plugin, as in tocsin plugin test plugins/bin/example"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := asked.options(args)
			if err != nil {
				return &exitError{exitUnread, err.Error()}
			}
			return asked.run(cmd.Context(), options, w)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&asked.config, "config", "c", "", "right `SETTINGS`")
	f.StringVar(&asked.bad, "bad", "", "`SETTINGS` that must be refused")
	f.StringVar(&asked.retry, "retry", "", "`SETTINGS` with which a notification fails and may succeed later")
	f.StringVar(&asked.permanent, "permanent", "", "`SETTINGS` with which it fails for good")
	f.StringVar(&asked.slow, "slow", "", "`SETTINGS` with which a call takes two seconds or more")
	f.StringArrayVar(&asked.env, "env", nil, "`NAME=VALUE` for the plugin's environment, or NAME to pass ours on; it gets nothing else")
	f.StringSliceVar(&asked.skip, "skip", nil, "`CHECKS` to leave out: "+strings.Join(plugincheck.Names(), ", "))
	f.BoolVarP(&asked.verbose, "verbose", "v", false, "show what the plugin logged where a check fails")
	return cmd
}

func (p *pluginTest) options(args []string) (plugincheck.Options, error) {
	path, err := filepath.Abs(args[0])
	if err != nil {
		return plugincheck.Options{}, err
	}
	o := plugincheck.Options{Path: path, Args: args[1:], Skip: p.skip}
	for _, one := range [...]struct {
		flag, given string
		into        *json.RawMessage
	}{{"config", p.config, &o.Config}, {"bad", p.bad, &o.Bad}, {"retry", p.retry, &o.Retry}, {"permanent", p.permanent, &o.Permanent}, {"slow", p.slow, &o.Slow}} {
		if *one.into, err = settingsGiven(one.given); err != nil {
			return o, fmt.Errorf("--%s: %w", one.flag, err)
		}
	}
	for _, one := range p.env {
		name, _, given := strings.Cut(one, "=")
		if !given {
			one = name + "=" + os.Getenv(name)
		}
		o.Env = append(o.Env, one)
	}
	return o, nil
}

// settingsGiven reads settings from a flag: JSON, or a file in YAML or JSON. Nil
// for none.
func settingsGiven(given string) (json.RawMessage, error) {
	text := []byte(given)
	if given == "" {
		return nil, nil
	}
	if !strings.HasPrefix(strings.TrimSpace(given), "{") {
		var err error
		if text, err = os.ReadFile(given); err != nil {
			return nil, err
		}
	}
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return nil, fmt.Errorf("no settings can be read: %w", err)
	}
	if settings == nil {
		return nil, errors.New("there are no settings")
	}
	return json.Marshal(settings)
}

func (p *pluginTest) run(ctx context.Context, o plugincheck.Options, w world) error {
	counts := map[plugincheck.Status]int{}
	good, err := plugincheck.Run(ctx, o, func(r plugincheck.Result) {
		counts[r.Status]++
		line := fmt.Sprintf("%s  %-15s %s", r.Status, r.Check, strings.ReplaceAll(r.Detail, "\n", "\n                      "))
		if r.Took > time.Second {
			line += fmt.Sprintf(" (%s)", r.Took.Round(100*time.Millisecond))
		}
		fmt.Fprintln(w.stdout, strings.TrimRight(line, " "))
		if p.verbose && r.Log != "" {
			fmt.Fprintln(w.stdout, "      | "+strings.ReplaceAll(strings.TrimSpace(r.Log), "\n", "\n      | "))
		}
	})
	if err != nil {
		return &exitError{exitUnread, err.Error()}
	}
	if counts[plugincheck.Skip] > 0 && p.config == "" {
		defer fmt.Fprintln(w.stdout, "What tells or reads needs --config with settings, as those of one receiver or source.")
	}
	fmt.Fprintf(w.stdout, "\n%d passed, %d failed, %d left out\n", counts[plugincheck.Pass], counts[plugincheck.Fail], counts[plugincheck.Skip])
	if !good {
		return &exitError{exitMistakes, ""}
	}
	return nil
}
