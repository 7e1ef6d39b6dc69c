package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/client"
)

const whichDaemon = `The daemon is the one at --url, or the one that the configuration describes, or
http://127.0.0.1:9590. The token is --token, or $TOCSIN_TOKEN, or one of the
configuration's`

// deliveriesAsk is what is asked of the ledger.
type deliveriesAsk struct {
	state, receiver, alert, since, output string
	limit                                 int
	where                                 where
}

func newDeliveries(w world) *cobra.Command {
	var ask deliveriesAsk
	cmd := &cobra.Command{
		Use:   "deliveries [--state STATE] [--receiver NAME] [--alert ID] [--since TIME] [--config FILE | --url URL] [--token TOKEN]",
		Short: "List the notifications of a running daemon, and how each fared",
		Long: `Lists the notifications to each receiver, newest first: those that wait, those
that were sent and those that were given up, with their attempts and last error.

` + whichDaemon + `; scope read is enough.

Exit status: 0, and 2 when the daemon could not be asked.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return deliveries(cmd.Context(), ask, w) },
	}
	ask.where.flags(cmd)
	cmd.Flags().StringVar(&ask.state, "state", "", "only those of the `STATES`: pending, sent, dead, several with commas")
	cmd.Flags().StringVar(&ask.receiver, "receiver", "", "only those to the receiver `NAME`")
	cmd.Flags().StringVar(&ask.alert, "alert", "", "only those that tell of the alert `ID`")
	cmd.Flags().StringVar(&ask.since, "since", "", "only those since `TIME`: RFC 3339, or how long ago, as 1h")
	cmd.Flags().IntVar(&ask.limit, "limit", 20, "show at most `N`, 1 to 1000")
	cmd.Flags().StringVarP(&ask.output, "output", "o", "text", "`FORMAT`: text or json")
	cmd.AddCommand(newRedeliver(w))
	return cmd
}

// ledgerPage is the part of the answer that is printed.
type ledgerPage struct {
	Deliveries []struct {
		ID, Receiver, State, Reason string
		AlertCount                  int       `json:"alert_count"`
		CreatedAt                   time.Time `json:"created_at"`
		AttemptCount                int       `json:"attempt_count"`
		LastError                   *string   `json:"last_error"`
	}
	NextCursor *string `json:"next_cursor"`
}

func deliveries(ctx context.Context, ask deliveriesAsk, w world) error {
	if ask.output != "text" && ask.output != "json" {
		return &exitError{exitUnread, fmt.Sprintf("--output %q is not one of text, json", ask.output)}
	}
	query := url.Values{"limit": {strconv.Itoa(ask.limit)}}
	for name, value := range map[string]string{"state": ask.state, "receiver": ask.receiver, "alert": ask.alert, "since": ask.since} {
		if value != "" {
			query.Set(name, value)
		}
	}
	body, err := ask.where.ask(ctx, "/api/v1/deliveries", query, w)
	if err != nil {
		return askFailed(err)
	}
	if ask.output == "json" {
		_, err = w.stdout.Write(body)
		return err
	}
	var page ledgerPage
	if err := json.Unmarshal(body, &page); err != nil {
		return &exitError{exitUnread, "the daemon's answer cannot be read; is it of another version?"}
	}
	return writeDeliveries(w.stdout, &page)
}

func writeDeliveries(out io.Writer, page *ledgerPage) error {
	if len(page.Deliveries) == 0 {
		_, err := fmt.Fprintln(out, "no such notifications")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STATE\tRECEIVER\tCREATED\tALERTS\tATTEMPTS\tID\tREASON")
	for _, d := range page.Deliveries {
		reason := d.Reason
		if d.LastError != nil {
			reason = *d.LastError
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", d.State, d.Receiver, d.CreatedAt.UTC().Format("2006-01-02 15:04:05Z"),
			d.AlertCount, d.AttemptCount, d.ID, firstRunes(reason, 100))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if page.NextCursor != nil {
		_, err := fmt.Fprintln(out, "there are more; ask with --limit, or for fewer")
		return err
	}
	return nil
}

func firstRunes(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func newRedeliver(w world) *cobra.Command {
	var at where
	cmd := &cobra.Command{
		Use:   "redeliver ID [--config FILE | --url URL] [--token TOKEN]",
		Short: "Send a notification once more",
		Long: `Sends a notification once more that was sent or given up, with the id that it had.

` + whichDaemon + ` that has the scope operate.

Exit status: 0 when it is on its way, 1 when there is none, or it is on its way
already, 2 when the daemon could not be asked.`,
		Args: oneArgument("name a notification by its id, as tocsin deliveries lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := at.post(cmd.Context(), w, "/api/v1/deliveries/"+url.PathEscape(args[0])+"/redeliver", 0)
			if err != nil {
				return askFailed(err)
			}
			_, err = fmt.Fprintln(w.stdout, args[0]+" is on its way")
			return err
		},
	}
	at.flags(cmd)
	return cmd
}

func oneArgument(wanted string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
			return &exitError{exitUnread, wanted}
		}
		return nil
	}
}

// post asks the daemon to do something; a wait of 0 is the client's own.
func (h *where) post(ctx context.Context, w world, path string, wait time.Duration, also ...int) (json.RawMessage, error) {
	return h.each(w, configs.ScopeOperate, func(c *client.Client) (json.RawMessage, error) {
		if wait > 0 {
			c = c.Patient(wait)
		}
		return c.Post(ctx, path, also...)
	})
}

// commandsFor names a command where a daemon's answer names the request that it
// makes.
func commandsFor(text string) string {
	return strings.NewReplacer(
		"GET /api/v1/alerts lists them", "tocsin alerts lists those that fire",
		"GET /api/v1/silences lists them", "tocsin silence list lists those that have not ended",
		"GET /api/v1/deliveries lists them", "tocsin deliveries lists them",
	).Replace(text)
}

// askFailed says why a question was not answered: 1 for what is not there, 2 for
// a daemon that could not be asked.
func askFailed(err error) error {
	var refused *daemonRefused
	if errors.As(err, &refused) && (refused.status == http.StatusNotFound || refused.status == http.StatusConflict) && refused.code != "" {
		return &exitError{exitMistakes, commandsFor(refused.text)}
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit
	}
	return &exitError{exitUnread, err.Error()}
}
