package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/notifiers"
	pluginnotifier "github.com/tocsin-dev/tocsin/notifiers/plugin"
)

func newTemplate(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Show what a receiver's templates make of an alert",
		Long: `Shows what a receiver would send. Nothing is sent, connected or started.

  tocsin template render --receiver ops
  tocsin template render --receiver ops --alert alert.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newTemplateRender(w))
	return cmd
}

func newTemplateRender(w world) *cobra.Command {
	var config, receiver, file, sample string
	cmd := &cobra.Command{
		Use:   "render --receiver NAME [--alert FILE | --sample KIND] [--config FILE]",
		Short: "Print what a receiver would send of an alert",
		Long: `Prints the message that a receiver would be sent, as it would be sent, without the
receiver's secrets. The alert is a sample, or comes from a file (- is standard
input) that holds

  an alert as GET /api/v1/alerts/ID gives it, or a list of them,
  a notification, as format standard has it in data, or
  what Alertmanager's API or webhook has: labels, annotations, startsAt, endsAt.

  tocsin template render --receiver ops
  tocsin template render --receiver ops --sample resolved
  curl -s localhost:9590/api/v1/alerts/ID | tocsin template render --receiver ops --alert -

Exit status: 0 when there is a message, 1 when the configuration has mistakes or a
template failed, 2 when the alert cannot be read, or the configuration.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if receiver == "" {
				return &exitError{exitUnread, "name the receiver with --receiver NAME"}
			}
			c, err := routingOf(config, w)
			if err != nil {
				return err
			}
			n, err := notificationOf(file, sample, w.stdin)
			if err != nil {
				return &exitError{exitUnread, err.Error()}
			}
			n.Receiver, n.ExternalURL = receiver, c.Server.ExternalURL
			return renderFor(c, receiver, n, w)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the configuration `FILE`; left out, tocsin.yaml or configs/embedded.yaml")
	cmd.Flags().StringVarP(&receiver, "receiver", "r", "", "the receiver's `NAME`")
	cmd.Flags().StringVarP(&file, "alert", "a", "", "the `FILE` that holds the alert; left out, a sample")
	cmd.Flags().StringVar(&sample, "sample", "", "the `KIND` of sample: "+strings.Join(sampleKinds(), ", "))
	cmd.MarkFlagsMutuallyExclusive("alert", "sample")
	return cmd
}

func renderFor(c *configs.Config, name string, n alert.Notification, w world) error {
	names := make([]string, 0, len(c.Receivers))
	for _, r := range c.Receivers {
		names = append(names, r.Name)
		if r.Name != name {
			continue
		}
		built, err := builtToShow(&r, w)
		if err != nil {
			return fail(fmt.Sprintf("receiver %q", name), err)
		}
		shows, ok := built.(notifiers.Previewer)
		if !ok {
			return &exitError{exitUnread, fmt.Sprintf("receiver %q is of type %s, which cannot show what it would send", name, r.Type)}
		}
		preview, err := shows.Preview(n)
		if err != nil {
			return fail(fmt.Sprintf("receiver %q", name), err)
		}
		return printPreview(w, &preview)
	}
	text := fmt.Sprintf("there is no receiver %q", name)
	if hint := problem.DidYouMean(name, names); hint != "" {
		text += "; " + hint
	} else if len(names) > 0 {
		text += "; there are " + strings.Join(names, ", ")
	}
	return &exitError{exitUnread, text}
}

// builtToShow builds a receiver that shall only show what it would send.
func builtToShow(r *configs.Receiver, w world) (notifiers.Notifier, error) {
	if configs.IsPlugin(r.Settings) {
		return pluginnotifier.New(nil, r.Type, r.Name, nil, ""), nil
	}
	return w.kinds.receivers[r.Type].build(r.Settings, receiverNeeds{timeout: r.Timeout, stdout: io.Discard})
}

func printPreview(w world, p *notifiers.Preview) error {
	body := p.Body
	var indented bytes.Buffer
	if json.Indent(&indented, bytes.TrimSpace(body), "", "  ") == nil {
		body = indented.Bytes()
	}
	if _, err := w.stdout.Write(append(slices.Clip(bytes.TrimRight(body, "\n")), '\n')); err != nil {
		return err
	}
	if p.Note != "" {
		return &exitError{exitMistakes, p.Note}
	}
	return nil
}

// The samples that --sample names.
const (
	sampleFiring   = "firing"
	sampleResolved = "resolved"
	sampleMixed    = "mixed"
	sampleOutside  = "outside"
	sampleDigest   = "digest"
	sampleTest     = "test"
)

func sampleKinds() []string {
	return []string{sampleFiring, sampleResolved, sampleMixed, sampleOutside, sampleDigest, sampleTest}
}

func sampleOf(kind string) (alert.Notification, error) {
	all := notifiers.Samples()
	switch kind {
	case "", sampleFiring:
		return notifiers.Sample(alert.Firing, 2), nil
	case sampleResolved:
		return notifiers.Sample(alert.Resolved, 2), nil
	case sampleMixed:
		n := notifiers.Sample(alert.Firing, 2)
		n.Alerts[1] = notifiers.Sample(alert.Resolved, 2).Alerts[1]
		return n, nil
	case sampleOutside:
		return all[2], nil
	case sampleDigest:
		return all[3], nil
	case sampleTest:
		return all[4], nil
	}
	return alert.Notification{}, fmt.Errorf("--sample %q is not one of %s", kind, strings.Join(sampleKinds(), ", "))
}

func notificationOf(file, sample string, stdin io.Reader) (alert.Notification, error) {
	if file == "" {
		return sampleOf(sample)
	}
	var (
		data []byte
		err  error
	)
	if file == "-" {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(file) //nolint:gosec // the operator names the file
	}
	if err != nil {
		return alert.Notification{}, fmt.Errorf("--alert: %w", err)
	}
	n, err := readNotification(data)
	if err != nil {
		return alert.Notification{}, fmt.Errorf("--alert %s: %w", file, err)
	}
	return n, nil
}
