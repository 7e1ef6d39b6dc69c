// Command tocsin watches a web application and the Redis and PostgreSQL under
// it, judges what it sees by rules, and tells people. See the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // rules name time zones, and a container may have none

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/internal/pluginhost"
)

func main() { os.Exit(run()) }

// Exit codes of every subcommand.
const (
	exitOK       = 0
	exitMistakes = 1 // what was asked for is wrong, or failed
	exitUnread   = 2 // could not look: a file cannot be read, a flag is unknown
)

// exitError ends the program with a code; an empty text says nothing more.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// world is what the process was started with.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	kinds          kindTable
	// plugins are a daemon's, when they run before it is put together; nil has it
	// make its own.
	plugins *pluginhost.Host
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal drains; a second one ends the program as signals do.
	context.AfterFunc(ctx, stop)
	w := world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), kinds: kindsOf(nil)}
	root := newRoot(w)
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		if exit.text != "" {
			fmt.Fprintln(w.stderr, "tocsin: "+exit.text)
		}
		return exit.code
	}
	fmt.Fprintln(w.stderr, "tocsin: "+err.Error())
	return exitUnread
}

func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:   "tocsin",
		Short: "Watches an application, its Redis and its PostgreSQL, and tells people",
		Long: `Tocsin polls a web application and the Redis and PostgreSQL under it, judges
what it sees by rules in YAML, and tells people once: by mail, in chats, on their
phones, by webhook.

  tocsin serve --config configs/embedded.yaml    start
  tocsin check --config configs/embedded.yaml    find every mistake
  tocsin test rules.yaml rules.test.yaml         run the rules' tests
  tocsin explain cache-hit-rate                  ask the daemon why a rule fires, or not
  tocsin alerts                                  list what fires, with the ids
  tocsin explain-alert ID                        ask what became of one
  tocsin silence add team=web --comment moving   hold back what it would tell
  tocsin routes test severity=critical           say whom an alert would reach
  tocsin demo                                    watch an incident, with no server installed`,
		Version: versionLine(), Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	root.SetVersionTemplate("{{ .Version }}\n")
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(newServe(w), newCheck(w), newTest(w), newMetrics(w), newPacks(w), newExplain(w), newExplainAlert(w), newAlerts(w), newSilence(w), newAck(w), newSnooze(w), newUnack(w), newRoutes(w), newDeliveries(w), newReceivers(w), newPlugin(w), newPlugins(w), newTemplate(w), newImport(w), newSchema(w), newDemo(w), newVersion(w))
	plainUsage(root)
	return root
}

// plainUsage takes what cobra adds to each usage line: ours name their flags.
func plainUsage(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	for _, below := range cmd.Commands() {
		plainUsage(below)
	}
}
