package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// testWait is longer than a daemon lets a test take.
const testWait = 50 * time.Second

func newReceivers(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receivers test NAME | enable NAME",
		Short: "Try a receiver of a running daemon, or enable one again",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newReceiverTest(w), newReceiverEnable(w))
	return cmd
}

func newReceiverTest(w world) *cobra.Command {
	var at where
	cmd := &cobra.Command{
		Use:   "test NAME [--config FILE | --url URL] [--token TOKEN]",
		Short: "Send a receiver a message that is clearly a test",
		Long: `Has a running daemon send a receiver a message that is clearly a test, at once,
beside its queue and its history, and prints what was answered. One that arrives
enables a receiver that was disabled.

` + whichDaemon + ` that has the scope operate.

Exit status: 0 when it arrived, 1 when it did not or there is no such receiver, 2
when the daemon could not be asked.`,
		Args: oneArgument("name a receiver, as in tocsin receivers test ops"),
		RunE: func(cmd *cobra.Command, args []string) error { return testReceiver(cmd.Context(), args[0], at, w) },
	}
	at.flags(cmd)
	return cmd
}

// tried is how a test went.
type tried struct {
	OK     bool
	Status *int
	TookMs float64 `json:"took_ms"`
	Answer string
	Error  *struct{ Message string }
}

func testReceiver(ctx context.Context, name string, at where, w world) error {
	body, err := at.post(ctx, w, "/api/v1/receivers/"+url.PathEscape(name)+"/test", testWait, http.StatusBadGateway)
	var refused *daemonRefused
	failed := errors.As(err, &refused) && refused.status == http.StatusBadGateway && refused.code == "test_failed"
	if err != nil && !failed {
		return askFailed(err)
	}
	var t tried
	if err := json.Unmarshal(body, &t); err != nil {
		return &exitError{exitUnread, "the daemon's answer cannot be read; is it of another version?"}
	}
	took := time.Duration(t.TookMs * float64(time.Millisecond)).Round(time.Millisecond / 10)
	if failed {
		return &exitError{exitMistakes, fmt.Sprintf("%s, after %s", refused.text, took)}
	}
	status := ""
	if t.Status != nil {
		status = fmt.Sprintf(", answered %d", *t.Status)
	}
	if t.Answer != "" {
		status += ": " + t.Answer
	}
	_, err = fmt.Fprintf(w.stdout, "%s got the test in %s%s\n", name, took, status)
	return err
}

func newReceiverEnable(w world) *cobra.Command {
	var at where
	cmd := &cobra.Command{
		Use:   "enable NAME [--config FILE | --url URL] [--token TOKEN]",
		Short: "Let a receiver be told again that answered 410",
		Long: `Lets a receiver be told again that answered 410 Gone, and has what waits for it
tried at once.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when there is no such receiver, 2 when the daemon could not be
asked.`,
		Args: oneArgument("name a receiver, as in tocsin receivers enable ops"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := at.post(cmd.Context(), w, "/api/v1/receivers/"+url.PathEscape(args[0])+"/enable", 0); err != nil {
				return askFailed(err)
			}
			_, err := fmt.Fprintln(w.stdout, args[0]+" is enabled")
			return err
		},
	}
	at.flags(cmd)
	return cmd
}
